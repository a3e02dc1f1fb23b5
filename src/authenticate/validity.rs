//! When a token counts
//!
//! Times are numbers of seconds since 1970 (RFC 7519's NumericDate), up to the year 9999.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::error::{AuthenticationError, ClaimFault};

/// From when until when a token counts
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    not_before: Option<SystemTime>,
    expires_at: SystemTime,
}

impl Validity {
    /// Reads `exp`, which has to be there, and `nbf`
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Self, ClaimFault> {
        let expires_at = time(claims, "exp")?.ok_or(ClaimFault::NotATime("exp"))?;
        let not_before = time(claims, "nbf")?;
        time(claims, "iat")?;
        Ok(Self { not_before, expires_at })
    }

    /// `exp`
    pub(super) fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// That it counts now, with leeway at both ends
    pub(super) fn check(&self, now: SystemTime, leeway: Duration) -> Result<(), AuthenticationError> {
        if self.expires_at.checked_add(leeway).is_none_or(|end| end <= now) {
            return Err(AuthenticationError::Expired);
        }
        let has_begun = |start: SystemTime| start.checked_sub(leeway).is_some_and(|start| start <= now);
        if self.not_before.is_none_or(has_begun) { Ok(()) } else { Err(AuthenticationError::NotYetValid) }
    }
}

fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<SystemTime>, ClaimFault> {
    claims.get(name).map(|value| numeric_date(value).ok_or(ClaimFault::NotATime(name))).transpose()
}

fn numeric_date(value: &Value) -> Option<SystemTime> {
    let seconds = value.as_f64().filter(|seconds| (0.0..END_OF_9999).contains(seconds))?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

const END_OF_9999: f64 = 253_402_300_800.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn validity(claims: &str) -> Result<Validity, ClaimFault> {
        Validity::read(&serde_json::from_str(claims).unwrap())
    }

    fn check(claims: &str, now: u64, leeway: u64) -> Result<(), AuthenticationError> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        validity(claims).unwrap().check(now, Duration::from_secs(leeway))
    }

    #[test]
    fn a_token_counts_until_just_before_exp_and_leeway() {
        for (now, leeway) in [(99, 0), (129, 30)] {
            assert_eq!(check(r#"{"exp":100}"#, now, leeway), Ok(()));
            assert_eq!(check(r#"{"exp":100}"#, now + 1, leeway), Err(AuthenticationError::Expired));
        }
        assert_eq!(check(r#"{"exp":99.5}"#, 99, 0), Ok(()));
        assert_eq!(check(r#"{"exp":99.5}"#, 100, 0), Err(AuthenticationError::Expired));
    }

    #[test]
    fn a_token_counts_from_nbf_less_leeway() {
        for (now, leeway) in [(50, 0), (20, 30)] {
            assert_eq!(check(r#"{"exp":100,"nbf":50}"#, now, leeway), Ok(()));
            let early = check(r#"{"exp":100,"nbf":50}"#, now - 1, leeway);
            assert_eq!(early, Err(AuthenticationError::NotYetValid));
        }
    }

    #[test]
    fn a_time_is_a_number_of_seconds_and_nothing_else() {
        for time in ["0", "1", "9999999999", "1.5", "253402300799"] {
            assert!(validity(&format!(r#"{{"exp":{time},"nbf":{time},"iat":{time}}}"#)).is_ok(), "{time}");
        }
        for time in ["null", "\"9999999999\"", "-1", "253402300800", "1e300", "true", "[1]", "{}"] {
            for claims in [
                format!(r#"{{"exp":{time}}}"#),
                format!(r#"{{"exp":1,"nbf":{time}}}"#),
                format!(r#"{{"exp":1,"iat":{time}}}"#),
            ] {
                assert!(validity(&claims).is_err(), "{claims}");
            }
        }
        assert_eq!(validity("{}").unwrap_err(), ClaimFault::NotATime("exp"));
    }
}
