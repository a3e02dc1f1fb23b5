//! Which files the gate cannot use as they are now, and since when: what it had of them before serves on

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};

/// What the files are about; a fault in one part holds no other back
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The configuration's own file, the policy in it
    Configuration,
    /// The server's certificate and its key
    Certificate,
    /// The way to Druid: the password of the gate's account, the router's roots
    Upstream,
    /// The roots for the keys of issuers
    Issuers,
    /// The audit file
    Audit,
}

impl Part {
    /// Every part
    pub const ALL: [Self; 5] =
        [Self::Configuration, Self::Certificate, Self::Upstream, Self::Issuers, Self::Audit];

    /// Its name, for operators
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Certificate => "certificate",
            Self::Upstream => "upstream",
            Self::Issuers => "issuers",
            Self::Audit => "audit",
        }
    }
}

/// The parts that are faulty, each since when
#[derive(Debug, Default)]
pub struct FaultyFiles(Mutex<BTreeMap<Part, SystemTime>>);

impl FaultyFiles {
    /// These parts are faulty now, and no others; those that were before, have been since then
    ///
    /// Returns those that were not before.
    pub fn note(&self, faulty: &BTreeSet<Part>, now: SystemTime) -> BTreeSet<Part> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.retain(|part, _| faulty.contains(part));
        let new: BTreeSet<_> = faulty.iter().copied().filter(|part| !since.contains_key(part)).collect();
        since.extend(new.iter().map(|part| (*part, now)));
        new
    }

    /// Which are, and since when
    pub fn since(&self) -> BTreeMap<Part, SystemTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For the operators' page; what is wrong is in the log
    pub fn json(&self) -> Value {
        let fault = |(part, since): (Part, SystemTime)| json!({"part": part.name(), "since": humantime::format_rfc3339_seconds(since).to_string()});
        self.since().into_iter().map(fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_part_is_faulty_since_it_first_was_until_it_is_mended() {
        let files = FaultyFiles::default();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let both = BTreeSet::from([Part::Configuration, Part::Certificate]);
        let one = BTreeSet::from([Part::Configuration]);
        assert_eq!(files.note(&one, at(1)), one);
        assert_eq!(files.note(&both, at(2)), BTreeSet::from([Part::Certificate]));
        assert_eq!(files.since(), BTreeMap::from([(Part::Configuration, at(1)), (Part::Certificate, at(2))]));
        assert!(files.note(&one, at(3)).is_empty());
        assert_eq!(files.json(), json!([{"part": "configuration", "since": "1970-01-01T00:00:01Z"}]));
        assert!(files.note(&BTreeSet::new(), at(4)).is_empty());
        assert_eq!(files.json(), json!([]));
    }
}
