//! What the gate reads of a report: little, so that what a newer program adds or renames hides no bad news
//!
//! A report that cannot be read leaves an older one in force. So only what no sentence can do without is required;
//! an action that is not known is skipped, and an outcome that is not known proves nothing.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::action::Action;
use super::place::{self, Location};
use super::report::{Diagnosis, Outcome, denied, unproven};
use crate::druid::json;
use crate::druid::resource::Printable;

/// The largest report that is read
pub const MAX_REPORT_BYTES: usize = 1 << 20;
const MAX_REPORT_DEPTH: usize = 64;
/// How much of a text that others wrote is passed on, in characters
const MOST_OF_A_TEXT: usize = 300;
const MOST_OF_A_KIND: usize = 40;

/// Why there is no report
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Its file cannot be read
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It has too many bytes
    #[error("it has more than {MAX_REPORT_BYTES} bytes")]
    TooLong,
    /// It is no JSON in one reading
    #[error("{}", clipped(&.0.to_string()))]
    Json(#[from] json::JsonError),
    /// It is other JSON: this member is missing, or is something else
    #[error("it is no report of `preflight s3 --json`: `{0}` is missing, or is something else")]
    Shape(&'static str),
}

/// What the gate keeps of a report
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When the probe ended
    pub time: SystemTime,
    /// Of which storage
    pub location: Location,
    /// The address that was asked, where it is one: `https://host:port`
    pub endpoint: Option<String>,
    /// Those of the four actions that S3 refused, each once, in the manual's order
    pub denied: Vec<Action>,
    /// Those that are not proven, the denied among them; one that is not in the report is not
    pub unproven: Vec<Action>,
    /// What is wrong, fit to be printed, and cut
    pub problem: Option<Diagnosis>,
}

impl Summary {
    /// Reads what `preflight s3 --json` wrote; half of it is no JSON
    ///
    /// # Errors
    ///
    /// Where it is something else, or too long.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() > MAX_REPORT_BYTES {
            return Err(ReportError::TooLong);
        }
        let report = json::parse(bytes, MAX_REPORT_DEPTH)?;
        let outcomes = outcomes(&report).ok_or(ReportError::Shape("actions"))?;
        Ok(Self {
            time: time(&report).ok_or(ReportError::Shape("time"))?,
            location: location(&report)?,
            endpoint: text(&report, "endpoint").and_then(|text| place::endpoint(text, "https")),
            denied: denied(&outcomes),
            unproven: unproven(&outcomes),
            problem: problem(&report),
        })
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

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member)?.as_str()
}

fn time(report: &Value) -> Option<SystemTime> {
    humantime::parse_rfc3339(text(report, "time")?).ok()
}

/// A bucket and a prefix that can be some; others would put anything at all into messages
fn location(report: &Value) -> Result<Location, ReportError> {
    let checked = |member, is_right: fn(&str) -> bool| {
        let text = text(report, member).filter(|text| is_right(text));
        text.map(str::to_owned).ok_or(ReportError::Shape(member))
    };
    Ok(Location {
        bucket: checked("bucket", place::is_bucket)?,
        prefix: checked("prefix", place::is_prefix)?,
    })
}

/// What became of the actions that are known
fn outcomes(report: &Value) -> Option<Vec<(Action, Outcome)>> {
    let outcome = |proof: &Value| {
        Some((named(proof, "action")?, named(proof, "outcome").unwrap_or(Outcome::NotReached)))
    };
    Some(report.get("actions")?.as_array()?.iter().filter_map(outcome).collect())
}

/// What a word of this member names
fn named<T: DeserializeOwned>(value: &Value, member: &str) -> Option<T> {
    serde_json::from_value(text(value, member)?.into()).ok()
}

/// A problem of whatever shape is one
fn problem(report: &Value) -> Option<Diagnosis> {
    let problem = report.get("problem").filter(|problem| !problem.is_null())?;
    let told = |member| clipped(text(problem, member).unwrap_or_default());
    let kind = text(problem, "kind").filter(|kind| is_kind(kind)).unwrap_or("unknown");
    Some(Diagnosis { kind: kind.to_owned(), message: told("message"), remedy: told("remedy") })
}

/// A kind is told to callers: it is a word, and no place for an address
fn is_kind(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=MOST_OF_A_KIND).contains(&word.len()) && word.bytes().all(plain)
}

/// A text that others wrote, fit for one line
pub(crate) fn clipped(text: &str) -> String {
    Printable(&text.chars().take(MOST_OF_A_TEXT).collect::<String>()).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(outcomes: [&str; 4]) -> Value {
        let actions: Vec<_> = Action::ALL
            .iter()
            .zip(outcomes)
            .map(|(action, outcome)| json!({"action": action.name(), "outcome": outcome}))
            .collect();
        json!({"time": "2026-01-02T03:04:05Z", "bucket": "druid", "prefix": "p", "actions": actions})
    }

    fn parse(report: &Value) -> Result<Summary, ReportError> {
        Summary::parse(report.to_string().as_bytes())
    }

    fn with(member: &str, value: Value) -> Value {
        let mut report = report(["proven"; 4]);
        report[member] = value;
        report
    }

    #[test]
    fn time_place_and_actions_are_all_that_a_report_must_have() {
        let summary = parse(&report(["proven", "denied", "not_reached", "proven"])).unwrap();
        assert_eq!(summary.denied, [Action::PutObject]);
        assert_eq!(summary.unproven, [Action::PutObject, Action::AbortMultipartUpload]);
        assert_eq!((summary.endpoint, summary.problem), (None, None));
        for member in ["time", "bucket", "prefix", "actions"] {
            let mut without = report(["proven"; 4]);
            without.as_object_mut().unwrap().remove(member);
            assert_eq!(parse(&without), Err(ReportError::Shape(member)));
            assert_eq!(parse(&with(member, json!(7))), Err(ReportError::Shape(member)));
        }
        for text in ["[]", "null", "7"] {
            assert_eq!(Summary::parse(text.as_bytes()), Err(ReportError::Shape("actions")), "{text}");
        }
    }

    #[test]
    fn half_a_report_is_none_and_neither_is_one_that_is_too_long_or_has_two_readings() {
        let text = report(["proven"; 4]).to_string();
        assert!(Summary::parse(text.as_bytes()).is_ok());
        for end in 0..text.len() {
            assert!(matches!(Summary::parse(&text.as_bytes()[..end]), Err(ReportError::Json(_))), "{end}");
        }
        let padded = format!("{text}{}", " ".repeat(MAX_REPORT_BYTES));
        assert_eq!(Summary::parse(padded.as_bytes()), Err(ReportError::TooLong));
        let twice = text.replace("\"bucket\"", "\"bucket\":\"other\",\"bucket\"");
        assert!(matches!(Summary::parse(twice.as_bytes()), Err(ReportError::Json(_))));
    }

    #[test]
    fn bad_news_in_words_that_are_not_known_is_still_bad_news() {
        let good = json!({"action": "s3:ListBucket", "outcome": "denied"});
        let mut newer = report(["proven"; 4]);
        newer["actions"].as_array_mut().unwrap().extend([good, json!("x"), json!({})]);
        newer["version"] = json!({"of": [2]});
        assert!(parse(&newer).unwrap().unproven.is_empty(), "an action that is not known is nobody's");
        for outcome in [json!("throttled"), json!("PROVEN"), json!({"proven": true}), Value::Null] {
            let mut newer = report(["proven"; 4]);
            newer["actions"][1]["outcome"] = outcome.clone();
            let summary = parse(&newer).unwrap();
            assert_eq!((summary.unproven, summary.denied), (vec![Action::PutObject], vec![]), "{outcome}");
        }
        for problem in [json!("x"), json!([1]), json!({"kind": 7}), json!({"kind": "at https://s3"})] {
            let told = parse(&with("problem", problem.clone())).unwrap().problem;
            assert_eq!(told.map(|told| told.kind).as_deref(), Some("unknown"), "{problem}");
        }
    }

    #[test]
    fn an_action_that_is_denied_twice_is_told_once_and_one_that_is_also_proven_is_not_proven() {
        let mut twice = report(["denied", "proven", "proven", "proven"]);
        for action in ["s3:GetObject", "s3:DeleteObject"] {
            let denied = json!({"action": action, "outcome": "denied"});
            twice["actions"].as_array_mut().unwrap().push(denied);
        }
        let summary = parse(&twice).unwrap();
        assert_eq!(summary.denied, [Action::GetObject, Action::DeleteObject]);
        assert_eq!(summary.unproven, summary.denied);
    }

    #[test]
    fn no_text_of_a_report_makes_a_line_of_its_own_or_a_long_one() {
        assert_eq!(parse(&with("prefix", json!("a b"))).unwrap().location.prefix, "a b");
        for (member, text) in [("bucket", "a/b"), ("bucket", "b\n"), ("prefix", ""), ("prefix", "p\u{7}")] {
            assert_eq!(parse(&with(member, json!(text))), Err(ReportError::Shape(member)));
        }
        let long = format!("a\nb{}", "x".repeat(5_000));
        let problem = json!({"kind": long, "message": long, "remedy": long});
        let told = parse(&with("problem", problem)).unwrap().problem.unwrap();
        assert_eq!(told.kind, "unknown");
        assert!(told.message.starts_with("a\\u000Ab") && told.message.len() < 320, "{}", told.message);
        assert_eq!(told.message, told.remedy);
        let elsewhere = parse(&with("endpoint", json!("https://s3.test/\n"))).unwrap();
        assert_eq!(elsewhere.endpoint, None);
        let said = Summary::parse("{\"a\":\"\u{7}\n\"}".as_bytes()).unwrap_err().to_string();
        assert!(!said.contains(char::is_control) && said.len() < 320, "{said}");
    }

    #[test]
    fn a_report_from_the_future_has_no_age() {
        let summary = parse(&report(["proven"; 4])).unwrap();
        assert_eq!(summary.age(summary.time + Duration::from_secs(90)), Some(Duration::from_secs(90)));
        assert_eq!(summary.age(summary.time - Duration::from_secs(60)), Some(Duration::ZERO));
        assert_eq!(summary.age(summary.time - Duration::from_secs(61)), None);
    }
}
