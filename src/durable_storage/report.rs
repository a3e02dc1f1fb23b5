//! What a preflight found out, as it is written for programs; the gate reads its [summary](super::summary)

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::Action;
use super::place::Location;

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
    pub problem: Option<Diagnosis>,
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
    /// Where they were found
    pub source: Source,
    /// The access key's id
    pub access_key_id: String,
}

/// A place where credentials may be, in Druid's order
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `druid.s3.accessKey` and `secretKey`
    Properties,
    /// `druid.s3.fileSessionCredentials`
    SessionFile,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`
    Environment,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`
    WebIdentity,
    /// `~/.aws/credentials`, `~/.aws/config`
    Profile,
    /// `AWS_CONTAINER_CREDENTIALS_*`
    Container,
    /// The metadata service of the instance
    Instance,
}

impl Source {
    /// All of them, in that order
    pub const ALL: [Self; 7] = [
        Self::Properties,
        Self::SessionFile,
        Self::Environment,
        Self::WebIdentity,
        Self::Profile,
        Self::Container,
        Self::Instance,
    ];

    /// Its name for people
    pub fn words(self) -> &'static str {
        match self {
            Self::Properties => "druid.s3.accessKey and druid.s3.secretKey",
            Self::SessionFile => "the file in druid.s3.fileSessionCredentials",
            Self::Environment => "the environment, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::WebIdentity => "the web identity in AWS_WEB_IDENTITY_TOKEN_FILE",
            Self::Profile => "the profile file",
            Self::Container => "the role of the container",
            Self::Instance => "the role of the instance",
        }
    }
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

/// In short: `403 AccessDenied`
impl fmt::Display for Answered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status)?;
        self.code.as_ref().map_or(Ok(()), |code| write!(formatter, " {code}"))
    }
}

/// A problem in words
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Its code: `denied`, `wrong_secret` …
    pub kind: String,
    /// What is wrong
    pub message: String,
    /// What to do about it
    pub remedy: String,
}

impl Report {
    /// The actions that S3 refused, each once
    pub fn denied(&self) -> impl Iterator<Item = Action> {
        denied(&self.outcomes()).into_iter()
    }

    /// Whether each of the four was proven; one that is not in the report was not
    pub fn is_proven(&self) -> bool {
        unproven(&self.outcomes()).is_empty()
    }

    fn outcomes(&self) -> Vec<(Action, Outcome)> {
        self.actions.iter().map(|proof| (proof.action, proof.outcome)).collect()
    }
}

/// Those of the four that S3 refused
pub(super) fn denied(outcomes: &[(Action, Outcome)]) -> Vec<Action> {
    Action::ALL.into_iter().filter(|action| outcomes.contains(&(*action, Outcome::Denied))).collect()
}

/// Those of the four that are not proven: not there, or there with another outcome
pub(super) fn unproven(outcomes: &[(Action, Outcome)]) -> Vec<Action> {
    let is_proven = |action: &Action| {
        let mut of_action = outcomes.iter().filter(|(of, _)| of == action).peekable();
        of_action.peek().is_some() && of_action.all(|(_, outcome)| *outcome == Outcome::Proven)
    };
    Action::ALL.into_iter().filter(|action| !is_proven(action)).collect()
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
}
