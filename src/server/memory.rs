//! How much memory a gate takes at most, by what its configuration lets it hold
//!
//! The costs are what a release build was seen to take; `check` prints the sum.

use std::fmt;

use crate::authenticate::Settings;
use crate::base::budgets::{READ_AT_ONCE, WAITING_TO_BE_JUDGED};
use crate::config::Limits;
use crate::door::listener::connection_limit;
use crate::evidence::judge::REMEMBERED_BYTES;
use crate::record::book::WAITING_BYTES;

/// The program itself, and what it always has
const PROGRAM: usize = 28 << 20;
/// A connection and its session of TLS: 39 KiB over HTTP/2, 24 over HTTP/1.1
const CONNECTION: usize = 39 << 10;
/// A request to the end of its answer: head, connection to Druid, and what of an answer lies here that nobody takes
const REQUEST: usize = 128 << 10;
/// A value of JSON in a tree
const VALUE: usize = 256;
/// A body stands there as it came, and once more as it is read or goes to Druid
const TIMES: usize = 2;
/// Lines wait, and as many end what is decided; as many are being written
const LINES_TIMES: usize = 4;

/// What takes memory, in bytes
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory(Vec<(&'static str, usize)>);

impl Memory {
    /// What a gate with these limits takes at most, here
    pub fn at_most(limits: &Limits) -> Self {
        let remembered = usize::try_from(REMEMBERED_BYTES).unwrap_or(usize::MAX);
        let reads = limits.values.saturating_mul(VALUE).saturating_mul(READ_AT_ONCE);
        let times = |count: usize, bytes: usize| count.saturating_mul(bytes);
        Self(vec![
            ("bodies", times(TIMES, limits.bodies_bytes)),
            ("large bodies while they are read", reads),
            ("connections", times(connection_limit(limits.connections), CONNECTION)),
            ("requests", times(limits.requests, REQUEST)),
            ("judgements", remembered.saturating_add(WAITING_TO_BE_JUDGED)),
            ("tokens", Settings::default().cache_bytes),
            ("records", times(LINES_TIMES, WAITING_BYTES)),
            ("the program", PROGRAM),
        ])
    }

    /// All of it, in bytes
    pub fn sum(&self) -> usize {
        self.0.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: usize| bytes.div_ceil(1 << 20);
        write!(formatter, "at most {} MB of memory:", megabytes(self.sum()))?;
        for (position, (what, bytes)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(formatter, "{comma} {what} {}", megabytes(*bytes))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_defaults_fit_512_mb_together_and_the_sum_says_of_what() {
        let shipped = include_str!("../../proxy.toml").replace("\n# jwks_file", "\njwks_file");
        let limits = Config::read(&shipped, std::path::Path::new("")).config.unwrap().limits;
        let memory = Memory::at_most(&limits);
        // Fewer, where the file limit allows no more.
        let connections = limits.connections * CONNECTION;
        let all_else: usize =
            memory.0.iter().filter(|(what, _)| *what != "connections").map(|(_, bytes)| bytes).sum();
        assert!(all_else + connections <= 512 << 20, "{memory}");
        assert!(memory.to_string().contains(": bodies 96, large bodies while they are read 49,"), "{memory}");
        let more = Memory::at_most(&Limits { bodies_bytes: 1 << 30, ..limits });
        assert_eq!(more.sum() - memory.sum(), 2 * ((1 << 30) - (48 << 20)));
    }
}
