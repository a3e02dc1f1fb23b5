//! What a preflight found out, as it is written for programs and read by the gate

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::Action;
use super::place::Location;
use crate::json;

/// What `preflight s3 --json` writes; fields may be added, none is renamed
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When the probe ended
    #[serde(with = "rfc3339")]
    pub time: SystemTime,
    /// Of which storage
    #[serde(flatten)]
    pub location: Location,
    /// The address that was asked
    pub endpoint: String,
    /// The region that requests were signed for
    pub region: String,
    /// Whose credentials these were
    pub credentials: Option<CredentialsUsed>,
    /// What became of each action, in the manual's order
    pub actions: Vec<Proof>,
    /// What is wrong, where something is
    pub problem: Option<Told>,
    /// What could not be removed
    pub left_behind: Vec<String>,
    /// What an operator should know besides
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The least IAM policy
    pub policy: Value,
    /// The same as a bucket policy
    pub bucket_policy: Value,
}

/// Where credentials came from, and which; never the secret
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsUsed {
    /// `properties`, `session_file`, `environment`, `web_identity`, `profile`, `container` or `instance`
    pub source: String,
    /// The access key's id
    pub access_key_id: String,
}

/// What became of one action
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The action
    pub action: Action,
    /// What became of it
    pub outcome: Outcome,
    /// What S3 said to it, where it was asked
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<Answered>,
    /// Why it was not reached, or how it was proven
    pub note: String,
}

/// What became of an action
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// S3 did it
    Proven,
    /// S3 refused it
    Denied,
    /// It could not be tried, or its answer says nothing of permission
    NotReached,
}

/// An answer of S3's
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The HTTP status
    pub status: u16,
    /// S3's error code
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// S3's own words
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

/// A problem as it is told
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its code: `denied`, `wrong_secret` …
    pub kind: String,
    /// What is wrong
    pub message: String,
    /// What to do about it
    pub remedy: String,
}

/// The largest report that is read
pub const MAX_REPORT_BYTES: usize = 1 << 20;
const MAX_REPORT_DEPTH: usize = 64;

/// Why bytes are no report
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There are too many
    #[error("it has more than {MAX_REPORT_BYTES} bytes")]
    TooLong,
    /// They are no JSON in one reading
    #[error(transparent)]
    Json(#[from] json::JsonError),
    /// They are other JSON
    #[error("it is no report of `preflight s3 --json`: {0}")]
    Shape(String),
}

impl Report {
    /// Reads what `preflight s3 --json` wrote; half of it is no JSON
    ///
    /// # Errors
    ///
    /// Where it is something else, or too long.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() > MAX_REPORT_BYTES {
            return Err(ReportError::TooLong);
        }
        let value = json::parse(bytes, MAX_REPORT_DEPTH)?;
        serde_json::from_value(value).map_err(|error| ReportError::Shape(error.to_string()))
    }

    /// The actions that S3 refused
    pub fn denied(&self) -> impl Iterator<Item = Action> {
        self.actions.iter().filter(|proof| proof.outcome == Outcome::Denied).map(|proof| proof.action)
    }

    /// Whether each of the four was proven; one that is not in the report was not
    pub fn is_proven(&self) -> bool {
        self.unproven().is_empty()
    }

    /// Those of the four that were not proven
    pub fn unproven(&self) -> Vec<Action> {
        Action::ALL.into_iter().filter(|action| !self.proves(*action)).collect()
    }

    fn proves(&self, action: Action) -> bool {
        let mut proofs = self.actions.iter().filter(|proof| proof.action == action).peekable();
        proofs.peek().is_some() && proofs.all(|proof| proof.outcome == Outcome::Proven)
    }

    /// How old it is; `None` where it is from the future by more than clocks differ
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
        match now.duration_since(self.time) {
            Ok(age) => Some(age),
            Err(ahead) => (ahead.duration() <= CLOCKS_DIFFER).then_some(Duration::ZERO),
        }
    }
}

mod rfc3339 {
    use std::time::SystemTime;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_seconds(*time))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<SystemTime, D::Error> {
        humantime::parse_rfc3339(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(outcomes: [&str; 4]) -> Value {
        let actions: Vec<_> = Action::ALL
            .iter()
            .zip(outcomes)
            .map(|(action, outcome)| json!({"action": action.name(), "outcome": outcome, "note": ""}))
            .collect();
        json!({
            "time": "2026-01-02T03:04:05Z", "bucket": "b", "prefix": "p", "endpoint": "https://s3.test",
            "region": "r", "credentials": null, "actions": actions, "problem": null, "leftBehind": [],
            "warnings": [], "policy": {}, "bucketPolicy": {},
        })
    }

    fn read(value: Value) -> Report {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let written = read(report(["proven", "denied", "not_reached", "proven"]));
        assert_eq!(
            serde_json::to_value(&written).unwrap(),
            report(["proven", "denied", "not_reached", "proven"])
        );
        assert_eq!(written.denied().collect::<Vec<_>>(), [Action::PutObject]);
    }

    #[test]
    fn half_a_report_is_none() {
        let text = report(["proven"; 4]).to_string();
        assert!(Report::parse(text.as_bytes()).is_ok());
        for end in 0..text.len() {
            assert!(matches!(Report::parse(&text.as_bytes()[..end]), Err(ReportError::Json(_))), "{end}");
        }
        let padded = format!("{text}{}", " ".repeat(MAX_REPORT_BYTES));
        assert_eq!(Report::parse(padded.as_bytes()), Err(ReportError::TooLong));
        for text in ["{}", "[]", "null"] {
            assert!(matches!(Report::parse(text.as_bytes()), Err(ReportError::Shape(_))), "{text}");
        }
        let twice = text.replace("\"region\"", "\"region\":\"x\",\"region\"");
        assert!(matches!(Report::parse(twice.as_bytes()), Err(ReportError::Json(_))));
    }

    #[test]
    fn storage_is_proven_only_by_all_four() {
        assert!(read(report(["proven"; 4])).is_proven());
        for position in 0..4 {
            for outcome in ["denied", "not_reached"] {
                let mut outcomes = ["proven"; 4];
                outcomes[position] = outcome;
                assert!(!read(report(outcomes)).is_proven(), "{outcome} at {position}");
            }
            let mut short = report(["proven"; 4]);
            short["actions"].as_array_mut().unwrap().remove(position);
            assert!(!read(short).is_proven(), "without the one at {position}");
        }
        let mut twice = report(["proven"; 4]);
        twice["actions"]
            .as_array_mut()
            .unwrap()
            .push(json!({"action": "s3:GetObject", "outcome": "denied", "note": ""}));
        assert!(!read(twice).is_proven(), "an action that is there twice");
    }

    #[test]
    fn a_report_from_the_future_has_no_age() {
        let report = read(report(["proven"; 4]));
        assert_eq!(report.age(report.time + Duration::from_secs(90)), Some(Duration::from_secs(90)));
        assert_eq!(report.age(report.time - Duration::from_secs(60)), Some(Duration::ZERO));
        assert_eq!(report.age(report.time - Duration::from_secs(61)), None);
    }
}
