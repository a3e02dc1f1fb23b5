//! What a preflight found out, as it is written for programs; the gate reads its [summary](super::summary)

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::action::Action;
use super::place::Location;

/// What `preflight s3 --json` writes; fields may be added, none is renamed
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When the probe ended
    #[serde(serialize_with = "rfc3339")]
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
    pub warnings: Vec<String>,
    /// The least IAM policy
    pub policy: Value,
    /// The same as a bucket policy
    pub bucket_policy: Value,
}

/// Where credentials came from, and which; never the secret
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsUsed {
    /// Where they were found
    pub source: Source,
    /// The access key's id
    pub access_key_id: String,
}

/// A place where credentials may be, in Druid's order
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The action
    pub action: Action,
    /// What became of it
    pub outcome: Outcome,
    /// What S3 said to it, where it was asked
    #[serde(skip_serializing_if = "Option::is_none")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// The HTTP status
    pub status: u16,
    /// S3's error code
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// S3's own words
    #[serde(skip_serializing_if = "Option::is_none")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_seconds(*time))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::summary::Summary;
    use super::*;

    fn report(outcomes: impl IntoIterator<Item = (Action, Outcome)>) -> Report {
        let proof = |(action, outcome)| Proof { action, outcome, answer: None, note: String::new() };
        Report {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045),
            location: Location { bucket: "bucket".to_owned(), prefix: "p".to_owned() },
            endpoint: "https://s3.test".to_owned(),
            region: "r".to_owned(),
            credentials: Some(CredentialsUsed {
                source: Source::WebIdentity,
                access_key_id: "AK".to_owned(),
            }),
            actions: outcomes.into_iter().map(proof).collect(),
            problem: None,
            left_behind: Vec::new(),
            warnings: Vec::new(),
            policy: json!({}),
            bucket_policy: json!({}),
        }
    }

    #[test]
    fn a_report_keeps_the_names_that_others_read() {
        let mut written =
            report([(Action::PutObject, Outcome::Denied), (Action::GetObject, Outcome::NotReached)]);
        written.actions[0].answer = Some(Answered { status: 403, code: Some("X".to_owned()), message: None });
        assert_eq!(
            serde_json::to_value(&written).unwrap(),
            json!({
                "time": "2026-01-02T03:04:05Z", "bucket": "bucket", "prefix": "p", "endpoint": "https://s3.test",
                "region": "r", "credentials": {"source": "web_identity", "accessKeyId": "AK"},
                "actions": [
                    {"action": "s3:PutObject", "outcome": "denied", "answer": {"status": 403, "code": "X"}, "note": ""},
                    {"action": "s3:GetObject", "outcome": "not_reached", "note": ""},
                ],
                "problem": null, "leftBehind": [], "warnings": [], "policy": {}, "bucketPolicy": {},
            })
        );
        let summary = Summary::parse(&serde_json::to_vec(&written).unwrap()).unwrap();
        assert_eq!((summary.time, summary.location), (written.time, written.location.clone()));
        assert_eq!(summary.denied, written.denied().collect::<Vec<_>>());
    }

    #[test]
    fn storage_is_proven_only_by_all_four() {
        let proven = Action::ALL.map(|action| (action, Outcome::Proven));
        assert!(report(proven).is_proven());
        for position in 0..4 {
            for outcome in [Outcome::Denied, Outcome::NotReached] {
                let mut outcomes = proven;
                outcomes[position].1 = outcome;
                assert!(!report(outcomes).is_proven(), "{outcome:?} at {position}");
            }
            let without = proven.into_iter().filter(|(action, _)| *action != Action::ALL[position]);
            assert!(!report(without).is_proven(), "without the one at {position}");
        }
        let twice = proven.into_iter().chain([(Action::GetObject, Outcome::Denied)]);
        assert!(!report(twice).is_proven(), "an action that is there twice");
    }
}
