//! Ids of decisions: they sort by time and cannot be guessed (ULID)

use std::time::{SystemTime, UNIX_EPOCH};

use ulid::Ulid;

/// The id of a decision made now, with these random bytes
pub fn decision_id(now: SystemTime, random: [u8; 16]) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or_default();
    Ulid::from_parts(millis, u128::from_be_bytes(random)).to_string()
}

/// Random bytes from the system
///
/// # Errors
///
/// Where it has none to give.
pub fn random<const N: usize>() -> Result<[u8; N], aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}
