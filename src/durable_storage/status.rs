//! How durable storage stands by a report: proven, or why not
//!
//! Each sentence has two readers: operators are told all; callers neither where the storage is nor what S3 said.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::action::Action;
use super::address::{Address, printable};
use super::place::Location;
use super::span::{span, spans_apart};
use super::summary::Summary;

/// How durable storage stands; as text, all of it, for operators
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    verdict: Verdict,
    /// How old the report is; `None` where there is none, or its time is yet to come
    pub age: Option<Duration>,
}

/// What a report is worth now
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It counts
    Fresh(Summary),
    /// It is older than this, too old to say anything
    Stale(Summary, Duration),
    /// Its time is ahead of this clock
    FromTheFuture,
    /// It is about another storage than the configuration
    OtherPlace { reported: Address, configured: Address },
    /// There is none
    NoReport,
}

impl Status {
    /// How durable storage stands now by a report that is about `address` and counts until it is `stale`
    pub fn of(summary: Option<&Summary>, now: SystemTime, stale: Duration, address: &Address) -> Self {
        let Some(summary) = summary else { return Self { verdict: Verdict::NoReport, age: None } };
        let age = summary.age(now);
        let verdict = match age {
            _ if !address.is_of(summary) => {
                Verdict::OtherPlace { reported: address.seen_in(summary), configured: address.clone() }
            }
            None => Verdict::FromTheFuture,
            // In whole seconds, as it is told.
            Some(age) if age.as_secs() > stale.as_secs() => Verdict::Stale(summary.clone(), stale),
            Some(_) => Verdict::Fresh(summary.clone()),
        };
        Self { verdict, age }
    }

    /// The words of every state
    pub const STATES: [&str; 7] =
        ["proven", "denied", "unproven", "stale", "from_the_future", "other_place", "no_report"];

    /// Its word, one of [`Self::STATES`]
    pub fn state(&self) -> &'static str {
        match &self.verdict {
            Verdict::Fresh(summary) if summary.unproven.is_empty() => "proven",
            Verdict::Fresh(summary) if summary.denied.is_empty() => "unproven",
            Verdict::Fresh(_) => "denied",
            Verdict::Stale(..) => "stale",
            Verdict::FromTheFuture => "from_the_future",
            Verdict::OtherPlace { .. } => "other_place",
            Verdict::NoReport => "no_report",
        }
    }

    /// Whether durable storage counts as proven
    pub fn is_proven(&self) -> bool {
        Action::ALL.into_iter().all(|action| self.proves(action))
    }

    /// Whether this action is proven
    pub fn proves(&self, action: Action) -> bool {
        matches!(&self.verdict, Verdict::Fresh(summary) if !summary.unproven.contains(&action))
    }

    /// What Druid lacks, as far as the report tells or told: what S3 refused, or else what is not proven
    pub fn missing(&self) -> &[Action] {
        self.summary().map_or(&[], missing)
    }

    /// What the report says, or said while it counted
    fn summary(&self) -> Option<&Summary> {
        if let Verdict::Fresh(summary) | Verdict::Stale(summary, _) = &self.verdict {
            Some(summary)
        } else {
            None
        }
    }

    /// As text for callers, who are told neither where it is nor what S3 said
    pub fn for_callers(&self) -> String {
        self.sentence(|_| String::new())
    }

    /// All of it, and another text only where something else is found
    pub fn but_for_its_age(&self) -> String {
        Self { age: None, ..self.clone() }.to_string()
    }

    /// How it stands, with these words of where that is
    fn sentence(&self, on: impl Fn(&Location) -> String) -> String {
        let age = self.age.unwrap_or_default();
        match &self.verdict {
            Verdict::Fresh(summary) => {
                let proven = || format!("all four actions are proven{}", on(&summary.location));
                format!("{} (report of {} ago)", lack(summary, &on).unwrap_or_else(proven), span(age))
            }
            Verdict::Stale(summary, stale) => {
                let (age, stale) = spans_apart(age, *stale);
                let said =
                    lack(summary, &on).map(|lack| format!("; it said that {lack}")).unwrap_or_default();
                format!("{REPORT} is too old: it is of {age} ago, and counts for {stale}{said}")
            }
            Verdict::FromTheFuture => format!(
                "{REPORT} has a time that is yet to come: the clock of the preflight's machine or of the gate's is wrong"
            ),
            Verdict::OtherPlace { .. } => {
                format!("{REPORT} is about another storage than the configured one")
            }
            Verdict::NoReport => "there is no report of a preflight".to_owned(),
        }
    }
}

const REPORT: &str = "the report of the last preflight";

/// What is told to operators: where it is, what is wrong, and what to do about it
impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Verdict::OtherPlace { reported, configured } = &self.verdict {
            return write!(formatter, "{REPORT} is about {reported} and not about {configured}");
        }
        formatter.write_str(&self.sentence(|location| format!(" on {}", printable(location))))?;
        let is_said = |summary: &&Summary| self.is_proven() || !summary.unproven.is_empty();
        let problem = self.summary().filter(is_said).and_then(|summary| summary.problem.as_ref());
        let said = problem.into_iter().flat_map(|problem| [&problem.message, &problem.remedy]);
        said.filter(|text| !text.is_empty()).try_for_each(|text| write!(formatter, "; {text}"))
    }
}

fn missing(summary: &Summary) -> &[Action] {
    if summary.denied.is_empty() { &summary.unproven } else { &summary.denied }
}

/// What a report says is lacking; the kind of a problem is told to callers too: it holds no name
fn lack(summary: &Summary, on: impl Fn(&Location) -> String) -> Option<String> {
    let (names, on) = (names(missing(summary)), on(&summary.location));
    let kind = summary.problem.as_ref().map(|problem| format!(": {}", problem.kind)).unwrap_or_default();
    match (&summary.denied[..], &summary.unproven[..]) {
        (_, []) => None,
        ([], [_]) => Some(format!("{names} is not proven{on}{kind}")),
        ([], _) => Some(format!("{names} are not proven{on}{kind}")),
        _ => Some(format!("Druid lacks {names}{on}")),
    }
}

/// That a query asks for durable storage, and why it cannot have it, as its caller is told
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("durable storage cannot be used: {}; {}", status.for_callers(), self.remedy())]
pub struct Unusable {
    /// How it stands
    pub status: Status,
    /// The keys of the query context that ask for it
    pub by: Vec<&'static str>,
}

impl Unusable {
    /// What whoever asked can do
    pub fn remedy(&self) -> String {
        format!("run the query without {}, or ask your operator", self.by.join(" and "))
    }
}

/// `s3:GetObject, s3:PutObject and s3:DeleteObject`
fn names(actions: &[Action]) -> String {
    let names: Vec<_> = actions.iter().map(|action| action.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Trouble;
    use super::super::problem::{Problem, Scene, Settings};
    use super::super::report::Diagnosis;
    use super::*;

    const STALE: Duration = Duration::from_secs(7_200);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(bucket: &str) -> Location {
        Location { bucket: bucket.to_owned(), prefix: "p".to_owned() }
    }

    fn address(bucket: &str) -> Address {
        Address { location: Some(at(bucket)), endpoint: None }
    }

    fn summary(denied: &[Action], unproven: &[Action]) -> Summary {
        Summary {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            location: at("druid"),
            endpoint: Some("https://s3.test".to_owned()),
            denied: denied.to_vec(),
            unproven: unproven.to_vec(),
            problem: None,
        }
    }

    fn proven() -> Summary {
        summary(&[], &[])
    }

    /// A problem in the program's own words, which name all that callers are not to know
    fn diagnosis(problem: &Problem) -> Option<Diagnosis> {
        let scene = Scene {
            location: &at("druid"),
            endpoint: "https://s3.test",
            region: "eu-central-1",
            key: "AKIAEXAMPLE",
            source: "the profile file",
            settings: Settings::Druid,
        };
        Some(problem.diagnosis(&scene))
    }

    /// How it stands so long after the report
    fn after(summary: &Summary, age: Duration) -> Status {
        Status::of(Some(summary), summary.time + age, STALE, &address("druid"))
    }

    fn callers(status: &Status) -> String {
        let sentence = status.for_callers();
        for secret in
            ["druid/", "s3://", "https:", "AKIA", "profile file", "SignatureDoesNotMatch", "eu-central"]
        {
            assert!(!sentence.contains(secret), "{secret} is no caller's: {sentence}");
        }
        sentence
    }

    #[test]
    fn operators_are_told_all_of_a_report_and_callers_what_is_lacking() {
        const ABORT: Action = Action::AbortMultipartUpload;
        let wrong = Problem::Trouble(Trouble::WrongSecret, "403 SignatureDoesNotMatch".to_owned());
        let denied = Problem::Denied(vec![ABORT, Action::DeleteObject], None);
        for (denied, unproven, problem, state, for_callers, kind, besides) in [
            (&[][..], &[][..], None, "proven", "all four actions are proven", "", ""),
            (
                &[],
                &[],
                Some(Problem::Disturbed),
                "proven",
                "all four actions are proven",
                "",
                "; what was made on s3://druid/p/ a moment ago is not there, or is something else; run it again; if it stays, other preflights of the same storage run all the time, or something removes new objects",
            ),
            (
                &[ABORT],
                &[ABORT, Action::DeleteObject],
                None,
                "denied",
                "Druid lacks s3:AbortMultipartUpload",
                "",
                "",
            ),
            (
                &[ABORT, Action::DeleteObject],
                &[ABORT, Action::DeleteObject],
                Some(denied),
                "denied",
                "Druid lacks s3:AbortMultipartUpload and s3:DeleteObject",
                "",
                "; s3:AbortMultipartUpload, s3:DeleteObject are denied on s3://druid/p/: Druid cannot ",
            ),
            (
                &[],
                &Action::ALL,
                Some(wrong),
                "unproven",
                "s3:GetObject, s3:PutObject, s3:AbortMultipartUpload and s3:DeleteObject are not proven",
                ": wrong_secret",
                "; the secret does not belong to access key AKIAEXAMPLE (403 SignatureDoesNotMatch); write the secret that was issued with this key (the profile file)",
            ),
            (&[], &[Action::PutObject], None, "unproven", "s3:PutObject is not proven", "", ""),
        ] {
            let mut summary = summary(denied, unproven);
            summary.problem = problem.as_ref().and_then(diagnosis);
            let status = after(&summary, 12 * MINUTE);
            let ago = format!("{kind} (report of 12 minutes ago)");
            assert_eq!((status.state(), status.is_proven()), (state, state == "proven"));
            assert_eq!(status.missing(), if denied.is_empty() { unproven } else { denied });
            assert_eq!(
                Action::ALL.map(|action| status.proves(action)),
                Action::ALL.map(|action| !unproven.contains(&action))
            );
            assert_eq!(callers(&status), format!("{for_callers}{ago}"));
            let (all, says) = (status.to_string(), format!("{for_callers} on s3://druid/p/{ago}{besides}"));
            assert!(if besides.ends_with(' ') { all.starts_with(&says) } else { all == says }, "{all}");
        }
    }

    #[test]
    fn a_report_counts_until_it_is_stale_and_then_says_what_it_said() {
        const OLD: &str = "the report of the last preflight is too old: it is of";
        let abort = [Action::AbortMultipartUpload];
        assert!(after(&proven(), STALE + Duration::from_millis(999)).is_proven());
        assert!(after(&proven(), Duration::ZERO).to_string().ends_with(" (report of 0 seconds ago)"));
        let status = after(&proven(), STALE + MINUTE);
        assert_eq!((status.state(), status.age), ("stale", Some(STALE + MINUTE)));
        let says = format!("{OLD} 2 hours 1 minute ago, and counts for 2 hours");
        assert_eq!((status.to_string(), callers(&status)), (says.clone(), says));
        assert!(!status.proves(Action::GetObject), "what it proved, it proves no longer");
        let mut summary = summary(&abort, &abort);
        summary.problem = diagnosis(&Problem::Denied(abort.to_vec(), None));
        let status = after(&summary, 180 * MINUTE);
        assert_eq!((status.state(), status.missing()), ("stale", &abort[..]));
        let says =
            format!("{OLD} 3 hours ago, and counts for 2 hours; it said that Druid lacks {}", abort[0]);
        assert_eq!(callers(&status), says);
        assert!(status.to_string().starts_with(&format!("{says} on s3://druid/p/; ")), "{status}");
        assert_eq!(status.but_for_its_age(), after(&summary, 200 * MINUTE).but_for_its_age());
    }

    #[test]
    fn a_report_counts_only_for_its_own_place() {
        let (summary, now) = (proven(), proven().time + MINUTE);
        let of = |address: &Address| Status::of(Some(&summary), now, STALE, address);
        let server = |endpoint: &str| Some(endpoint.to_owned());
        for right in [
            Address::default(),
            address("druid"),
            Address { location: None, endpoint: server("https://s3.test") },
            Address { endpoint: server("https://s3.test"), ..address("druid") },
        ] {
            assert!(of(&right).is_proven(), "{right}");
        }
        for (wrong, says) in [
            (address("other"), "s3://druid/p/ and not about s3://other/p/"),
            (
                Address { endpoint: server("http://s3.test"), ..address("druid") },
                "s3://druid/p/ at https://s3.test and not about s3://druid/p/ at http://s3.test",
            ),
            (
                Address { location: None, endpoint: server("https://other.test") },
                "s3://druid/p/ at https://s3.test and not about storage at https://other.test",
            ),
        ] {
            let status = of(&wrong);
            assert_eq!((status.state(), status.age), ("other_place", Some(MINUTE)));
            assert_eq!(status.to_string(), format!("the report of the last preflight is about {says}"));
            let says = "the report of the last preflight is about another storage than the configured one";
            assert_eq!(callers(&status), says);
        }
        let unsaid = Summary { endpoint: None, ..summary.clone() };
        let expects = Address { endpoint: server("https://s3.test"), ..address("druid") };
        assert_eq!(Status::of(Some(&unsaid), now, STALE, &expects).state(), "other_place");
    }

    #[test]
    fn without_a_report_or_with_one_from_the_future_nothing_is_proven() {
        let summary = proven();
        let at = |now| Status::of(Some(&summary), now, STALE, &Address::default());
        assert!(at(summary.time - MINUTE).is_proven());
        let ahead = at(summary.time - 2 * MINUTE);
        assert_eq!((ahead.state(), ahead.age), ("from_the_future", None));
        assert_eq!(
            callers(&ahead),
            "the report of the last preflight has a time that is yet to come: the clock of the preflight's machine or of the gate's is wrong"
        );
        let none = Status::of(None, summary.time, STALE, &Address::default());
        assert_eq!((none.state(), none.age), ("no_report", None));
        assert_eq!(callers(&none), "there is no report of a preflight");
        assert!(Action::ALL.iter().all(|action| !ahead.proves(*action) && !none.proves(*action)));
    }

    #[test]
    fn whoever_asked_is_told_what_he_can_do() {
        let abort = Action::AbortMultipartUpload;
        let status = after(&summary(&[abort], &[abort]), 12 * MINUTE);
        let unusable = Unusable { status, by: vec!["a", "b"] };
        assert_eq!(
            unusable.to_string(),
            "durable storage cannot be used: Druid lacks s3:AbortMultipartUpload (report of 12 minutes ago); run the query without a and b, or ask your operator"
        );
    }

    #[test]
    fn every_state_is_in_the_closed_list_once() {
        let get = [Action::GetObject];
        let of = |summary: &Summary, address: &Address| {
            Status::of(Some(summary), summary.time + MINUTE, STALE, address).state()
        };
        let states = [
            after(&proven(), MINUTE).state(),
            after(&summary(&get, &get), MINUTE).state(),
            after(&summary(&[], &get), MINUTE).state(),
            after(&proven(), 2 * STALE).state(),
            Status::of(Some(&proven()), SystemTime::UNIX_EPOCH, STALE, &address("druid")).state(),
            of(&proven(), &address("other")),
            Status::of(None, SystemTime::UNIX_EPOCH, STALE, &Address::default()).state(),
        ];
        assert_eq!(states, Status::STATES);
    }
}
