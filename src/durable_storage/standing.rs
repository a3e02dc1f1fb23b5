//! How durable storage stands by a report: proven, or why not

use std::fmt;
use std::time::{Duration, SystemTime};

use super::action::Action;
use super::place::Location;
use super::report::Report;
use crate::druid::resource::Printable;

/// How much of a problem's message is passed on
const MOST_OF_A_MESSAGE: usize = 500;

/// How durable storage stands
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All four actions are proven, and lately
    Proven {
        /// Where
        location: Location,
        /// How old the report is
        age: Duration,
    },
    /// They are not
    Doubtful(Doubt),
}

/// Why durable storage does not count as proven
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// S3 refuses actions
    #[error("Druid lacks {} on {} (report of {})", Names(.denied), told(.location), Ago(*.age))]
    Denied {
        /// Those that it refused
        denied: Vec<Action>,
        /// Those that are not proven, these among them
        unproven: Vec<Action>,
        /// Where
        location: Location,
        /// How old the report is
        age: Duration,
    },
    /// None is refused, but not all could be tried
    #[error("{problem} (report of {})", Ago(*.age))]
    Unproven {
        /// What stood in the way
        problem: String,
        /// Those that are not proven
        unproven: Vec<Action>,
        /// How old the report is
        age: Duration,
    },
    /// The report is too old to say anything
    #[error("the report of the last preflight is too old: it is of {}, and counts for {}", Ago(*.age), Span(*.stale))]
    Stale {
        /// How old it is
        age: Duration,
        /// How old it may be
        stale: Duration,
    },
    /// The report's time is ahead of this clock
    #[error("the report of the last preflight has a time that is yet to come; one of two clocks is wrong")]
    FromTheFuture,
    /// The report is about another bucket or prefix than the configuration
    #[error("the report of the last preflight is about {} and not about {}", told(.reported), told(.configured))]
    OtherPlace {
        /// What it is about
        reported: Location,
        /// What it should be about
        configured: Location,
        /// How old it is
        age: Option<Duration>,
    },
    /// There is no report
    #[error("there is no report of a preflight")]
    NoReport,
}

impl Standing {
    /// How durable storage stands now by this report, which counts until it is `stale`
    ///
    /// It must be about `place`, where that is given.
    pub fn of(report: Option<&Report>, now: SystemTime, stale: Duration, place: Option<&Location>) -> Self {
        let Some(report) = report else { return Self::Doubtful(Doubt::NoReport) };
        if let Some(place) = place.filter(|place| **place != report.location) {
            return Self::Doubtful(Doubt::OtherPlace {
                reported: report.location.clone(),
                configured: place.clone(),
                age: report.age(now),
            });
        }
        match report.age(now) {
            None => Self::Doubtful(Doubt::FromTheFuture),
            Some(age) if age > stale => Self::Doubtful(Doubt::Stale { age, stale }),
            Some(age) => Self::of_fresh(report, age),
        }
    }

    fn of_fresh(report: &Report, age: Duration) -> Self {
        let (location, unproven) = (report.location.clone(), report.unproven());
        let denied: Vec<_> = report.denied().collect();
        if unproven.is_empty() {
            Self::Proven { location, age }
        } else if denied.is_empty() {
            Self::Doubtful(Doubt::Unproven { problem: problem(report, &unproven), unproven, age })
        } else {
            Self::Doubtful(Doubt::Denied { denied, unproven, location, age })
        }
    }

    /// The words of every state
    pub const STATES: [&str; 7] =
        ["proven", "denied", "unproven", "stale", "from_the_future", "other_place", "no_report"];

    /// Its word, one of [`Self::STATES`]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Proven { .. } => "proven",
            Self::Doubtful(doubt) => doubt.state(),
        }
    }

    /// How old the report is; `None` where there is none, or its time is yet to come
    pub fn age(&self) -> Option<Duration> {
        match self {
            Self::Proven { age, .. }
            | Self::Doubtful(
                Doubt::Denied { age, .. } | Doubt::Unproven { age, .. } | Doubt::Stale { age, .. },
            ) => Some(*age),
            Self::Doubtful(Doubt::OtherPlace { age, .. }) => *age,
            Self::Doubtful(Doubt::FromTheFuture | Doubt::NoReport) => None,
        }
    }

    /// What Druid lacks, as far as the report tells
    pub fn missing(&self) -> &[Action] {
        match self {
            Self::Proven { .. } => &[],
            Self::Doubtful(doubt) => doubt.missing(),
        }
    }

    /// Whether this action is proven
    pub fn proves(&self, action: Action) -> bool {
        match self {
            Self::Proven { .. } => true,
            Self::Doubtful(Doubt::Denied { unproven, .. } | Doubt::Unproven { unproven, .. }) => {
                !unproven.contains(&action)
            }
            Self::Doubtful(
                Doubt::Stale { .. } | Doubt::FromTheFuture | Doubt::OtherPlace { .. } | Doubt::NoReport,
            ) => false,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven { location, age } => {
                write!(
                    formatter,
                    "all four actions are proven on {} (report of {})",
                    told(location),
                    Ago(*age)
                )
            }
            Self::Doubtful(doubt) => doubt.fmt(formatter),
        }
    }
}

impl Doubt {
    /// Its word, one of [`Standing::STATES`]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::Unproven { .. } => "unproven",
            Self::Stale { .. } => "stale",
            Self::FromTheFuture => "from_the_future",
            Self::OtherPlace { .. } => "other_place",
            Self::NoReport => "no_report",
        }
    }

    /// What Druid lacks, as far as the report tells: what S3 refused, or else what is not proven
    pub fn missing(&self) -> &[Action] {
        match self {
            Self::Denied { denied: missing, .. } | Self::Unproven { unproven: missing, .. } => missing,
            Self::Stale { .. } | Self::FromTheFuture | Self::OtherPlace { .. } | Self::NoReport => &[],
        }
    }
}

/// That a query asks for durable storage, and why it cannot have it
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("durable storage cannot be used: {doubt}; {}", self.remedy())]
pub struct Unusable {
    /// Why
    pub doubt: Doubt,
    /// The keys of the query context that ask for it
    pub by: Vec<&'static str>,
}

impl Unusable {
    /// What whoever asked can do
    pub fn remedy(&self) -> String {
        format!("run the query without {}, or ask your operator", self.by.join(" and "))
    }
}

/// What stood in the way of a probe that was not refused
fn problem(report: &Report, unproven: &[Action]) -> String {
    match &report.problem {
        Some(told) => {
            Printable(&told.message.chars().take(MOST_OF_A_MESSAGE).collect::<String>()).to_string()
        }
        None => format!("{} could not be proven on {}", Names(unproven), told(&report.location)),
    }
}

/// A place in a message; a prefix may hold any character that is not a control character
fn told(location: &Location) -> String {
    Printable(&location.to_string()).to_string()
}

/// `s3:GetObject, s3:PutObject`
struct Names<'a>(&'a [Action]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|action| action.name()).collect();
        formatter.write_str(&names.join(", "))
    }
}

/// `12 minutes`, in the largest unit of which there is one; what is left over is dropped
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        let unit = units.into_iter().find(|(length, _)| seconds >= *length);
        let (length, unit) = unit.unwrap_or((1, "second"));
        let count = seconds / length;
        write!(formatter, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// `12 minutes ago`
struct Ago(Duration);

impl fmt::Display for Ago {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ago", Span(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{Outcome, Proof, Told};
    use super::*;

    const STALE: Duration = Duration::from_secs(7_200);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(bucket: &str) -> Location {
        Location { bucket: bucket.to_owned(), prefix: "p".to_owned() }
    }

    fn report(outcomes: [Outcome; 4]) -> Report {
        let proof = |(action, outcome)| Proof { action, outcome, answer: None, note: String::new() };
        Report {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            location: at("b"),
            endpoint: "https://s3.test".to_owned(),
            region: "r".to_owned(),
            credentials: None,
            actions: Action::ALL.into_iter().zip(outcomes).map(proof).collect(),
            problem: None,
            left_behind: Vec::new(),
            warnings: Vec::new(),
            policy: serde_json::Value::Null,
            bucket_policy: serde_json::Value::Null,
        }
    }

    fn proven() -> Report {
        report([Outcome::Proven; 4])
    }

    /// How it stands so long after the report
    fn after(report: &Report, age: Duration) -> Standing {
        Standing::of(Some(report), report.time + age, STALE, Some(&at("b")))
    }

    #[test]
    fn four_proven_actions_count_until_the_report_is_stale() {
        let report = proven();
        let standing = after(&report, STALE);
        assert_eq!(standing, Standing::Proven { location: at("b"), age: STALE });
        assert_eq!((standing.state(), standing.age(), standing.missing()), ("proven", Some(STALE), &[][..]));
        assert_eq!(
            after(&report, 12 * MINUTE).to_string(),
            "all four actions are proven on s3://b/p/ (report of 12 minutes ago)"
        );
        let age = STALE + Duration::from_secs(1);
        let standing = after(&report, age);
        assert_eq!(standing, Standing::Doubtful(Doubt::Stale { age, stale: STALE }));
        assert_eq!(
            standing.to_string(),
            "the report of the last preflight is too old: it is of 2 hours ago, and counts for 2 hours"
        );
        assert!(!standing.proves(Action::GetObject));
    }

    #[test]
    fn a_refused_action_is_named() {
        use Outcome::{Denied, NotReached, Proven};
        let standing = after(&report([Proven, Proven, Denied, NotReached]), 12 * MINUTE);
        assert_eq!(standing.state(), "denied");
        assert_eq!(standing.missing(), [Action::AbortMultipartUpload]);
        assert_eq!(
            standing.to_string(),
            "Druid lacks s3:AbortMultipartUpload on s3://b/p/ (report of 12 minutes ago)"
        );
        let proven = Action::ALL.map(|action| standing.proves(action));
        assert_eq!(proven, [true, true, false, false]);
        let two = after(&report([Denied, Proven, Proven, Denied]), MINUTE);
        assert_eq!(
            two.to_string(),
            "Druid lacks s3:GetObject, s3:DeleteObject on s3://b/p/ (report of 1 minute ago)"
        );
    }

    #[test]
    fn what_was_not_tried_is_neither_proven_nor_refused() {
        let mut report = report([Outcome::NotReached; 4]);
        let message = "the secret does not belong to this access key\n".to_owned();
        report.problem =
            Some(Told { kind: "wrong_secret".to_owned(), message, remedy: "look it up".to_owned() });
        let standing = after(&report, Duration::ZERO);
        assert_eq!((standing.state(), standing.missing()), ("unproven", &Action::ALL[..]));
        assert_eq!(
            standing.to_string(),
            "the secret does not belong to this access key\\u000A (report of 0 seconds ago)"
        );
        report.problem = None;
        report.actions.truncate(1);
        report.actions[0].outcome = Outcome::Proven;
        let standing = after(&report, Duration::ZERO);
        assert!(standing.proves(Action::GetObject) && !standing.proves(Action::PutObject));
        assert_eq!(
            standing.to_string(),
            "s3:PutObject, s3:AbortMultipartUpload, s3:DeleteObject could not be proven on s3://b/p/ (report of 0 seconds ago)"
        );
    }

    #[test]
    fn a_report_counts_only_for_its_own_place() {
        let (report, now) = (proven(), proven().time + MINUTE);
        assert_eq!(Standing::of(Some(&report), now, STALE, None).state(), "proven", "any place is right");
        assert_eq!(Standing::of(Some(&report), now, STALE, Some(&at("b"))).state(), "proven");
        let standing = Standing::of(Some(&report), now, STALE, Some(&at("other")));
        assert_eq!((standing.state(), standing.age()), ("other_place", Some(MINUTE)));
        assert_eq!(
            standing.to_string(),
            "the report of the last preflight is about s3://b/p/ and not about s3://other/p/"
        );
    }

    #[test]
    fn without_a_report_or_with_one_from_the_future_nothing_is_proven() {
        let report = proven();
        let ahead = Standing::of(Some(&report), report.time - 2 * MINUTE, STALE, None);
        assert_eq!((ahead.state(), ahead.age()), ("from_the_future", None));
        assert_eq!(Standing::of(Some(&report), report.time - MINUTE, STALE, None).state(), "proven");
        let none = Standing::of(None, report.time, STALE, None);
        assert_eq!(
            (none.state(), none.age(), none.to_string().as_str()),
            ("no_report", None, "there is no report of a preflight")
        );
        assert!(Action::ALL.iter().all(|action| !ahead.proves(*action) && !none.proves(*action)));
    }

    #[test]
    fn whoever_asked_is_told_what_he_can_do() {
        let unusable = Unusable { doubt: Doubt::NoReport, by: vec!["a", "b"] };
        assert_eq!(
            unusable.to_string(),
            "durable storage cannot be used: there is no report of a preflight; run the query without a and b, or ask your operator"
        );
    }

    #[test]
    fn every_state_is_in_the_closed_list_once() {
        let doubts = [
            Doubt::Denied { denied: Vec::new(), unproven: Vec::new(), location: at("b"), age: MINUTE },
            Doubt::Unproven { problem: String::new(), unproven: Vec::new(), age: MINUTE },
            Doubt::Stale { age: MINUTE, stale: STALE },
            Doubt::FromTheFuture,
            Doubt::OtherPlace { reported: at("b"), configured: at("c"), age: None },
            Doubt::NoReport,
        ];
        let mut states = vec!["proven"];
        states.extend(doubts.iter().map(Doubt::state));
        assert_eq!(states, Standing::STATES);
    }

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        for (seconds, told) in
            [(0, "0 seconds"), (1, "1 second"), (119, "1 minute"), (3_600, "1 hour"), (172_800, "2 days")]
        {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), told);
        }
    }
}
