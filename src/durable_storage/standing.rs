//! How durable storage stands by a report: proven, or why not
//!
//! Each sentence has two readers: operators are told all; callers neither where the storage is nor what S3 said.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::action::Action;
use super::gist::Gist;
use super::place::Location;
use super::report::Told;
use crate::druid::resource::Printable;

/// How durable storage stands; as text, all of it, for operators
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is found
    pub finding: Finding,
    /// How old the report is; `None` where there is none, or its time is yet to come
    pub age: Option<Duration>,
}

/// What a report says now, whatever its age
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All four actions are proven, and lately
    Proven {
        /// Where
        location: Location,
        /// What is wrong all the same
        problem: Option<Told>,
    },
    /// Some are not
    Lacking(Lack),
    /// The report is too old to say anything
    Stale {
        /// How old it may be
        stale: Duration,
        /// What it said was lacking
        lack: Option<Lack>,
    },
    /// The report's time is ahead of this clock
    FromTheFuture,
    /// The report is about another storage than the configuration
    OtherPlace {
        /// What it is about
        reported: Site,
        /// What it should be about
        configured: Site,
    },
    /// There is no report
    NoReport,
}

/// What a report says is lacking
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Where
    pub location: Location,
    /// The actions that S3 refused
    pub denied: Vec<Action>,
    /// Those that are not proven, the denied among them; at least one
    pub unproven: Vec<Action>,
    /// What is wrong
    pub problem: Option<Told>,
}

/// Which storage a report is, or should be, about, as far as that is said
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Bucket and prefix
    pub location: Option<Location>,
    /// The S3 server: `https://host:port`
    pub endpoint: Option<String>,
}

impl Standing {
    /// How durable storage stands now by a report that is about `site` and counts until it is `stale`
    pub fn of(gist: Option<&Gist>, now: SystemTime, stale: Duration, site: &Site) -> Self {
        let Some(gist) = gist else { return Self { finding: Finding::NoReport, age: None } };
        let age = gist.age(now);
        let finding = match age {
            _ if !site.is_of(gist) => {
                Finding::OtherPlace { reported: site.seen_in(gist), configured: site.clone() }
            }
            None => Finding::FromTheFuture,
            // In whole seconds, as it is told.
            Some(age) if age.as_secs() > stale.as_secs() => Finding::Stale { stale, lack: Lack::of(gist) },
            Some(_) => Finding::of_fresh(gist),
        };
        Self { finding, age }
    }

    /// The words of every state
    pub const STATES: [&str; 7] =
        ["proven", "denied", "unproven", "stale", "from_the_future", "other_place", "no_report"];

    /// Its word, one of [`Self::STATES`]
    pub fn state(&self) -> &'static str {
        match &self.finding {
            Finding::Proven { .. } => "proven",
            Finding::Lacking(lack) if lack.denied.is_empty() => "unproven",
            Finding::Lacking(_) => "denied",
            Finding::Stale { .. } => "stale",
            Finding::FromTheFuture => "from_the_future",
            Finding::OtherPlace { .. } => "other_place",
            Finding::NoReport => "no_report",
        }
    }

    /// Whether durable storage counts as proven
    pub fn is_proven(&self) -> bool {
        matches!(self.finding, Finding::Proven { .. })
    }

    /// What Druid lacks, as far as the report tells or told: what S3 refused, or else what is not proven
    pub fn missing(&self) -> &[Action] {
        self.finding.lack().map_or(&[], Lack::missing)
    }

    /// Whether this action is proven
    pub fn proves(&self, action: Action) -> bool {
        self.is_proven()
            || matches!(&self.finding, Finding::Lacking(lack) if !lack.unproven.contains(&action))
    }

    /// The same for callers, who are told neither where it is nor what S3 said
    pub fn for_callers(&self) -> String {
        self.sentence(|_| String::new())
    }

    /// How it stands, with these words of where that is
    fn sentence(&self, on: impl Fn(&Location) -> String) -> String {
        let age = self.age.unwrap_or_default();
        let ago = format!("(report of {} ago)", span(age));
        match &self.finding {
            Finding::Proven { location, .. } => format!("all four actions are proven{} {ago}", on(location)),
            Finding::Lacking(lack) => format!("{} {ago}", lack.sentence(on)),
            Finding::Stale { stale, lack } => {
                let (age, stale) = spans_apart(age, *stale);
                let said = lack.as_ref().map(|lack| format!("; it said that {}", lack.sentence(on)));
                let said = said.unwrap_or_default();
                format!("{REPORT} is too old: it is of {age} ago, and counts for {stale}{said}")
            }
            Finding::FromTheFuture => format!(
                "{REPORT} has a time that is yet to come: the clock of the preflight's machine or of the gate's is wrong"
            ),
            Finding::OtherPlace { .. } => {
                format!("{REPORT} is about another storage than the configured one")
            }
            Finding::NoReport => "there is no report of a preflight".to_owned(),
        }
    }
}

const REPORT: &str = "the report of the last preflight";

/// What is told to operators: where it is, what is wrong, and what to do about it
impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Finding::OtherPlace { reported, configured } = &self.finding {
            write!(formatter, "{REPORT} is about {reported} and not about {configured}")?;
        } else {
            formatter.write_str(&self.sentence(|location| format!(" on {}", told(location))))?;
        }
        let problem = self.finding.problem().map(|problem| [&problem.message, &problem.remedy]);
        let said = problem.into_iter().flatten().filter(|text| !text.is_empty());
        said.into_iter().try_for_each(|text| write!(formatter, "; {text}"))
    }
}

impl Finding {
    fn of_fresh(gist: &Gist) -> Self {
        let proven = || Self::Proven { location: gist.location.clone(), problem: gist.problem.clone() };
        Lack::of(gist).map_or_else(proven, Self::Lacking)
    }

    fn lack(&self) -> Option<&Lack> {
        if let Self::Lacking(lack) | Self::Stale { lack: Some(lack), .. } = self { Some(lack) } else { None }
    }

    fn problem(&self) -> Option<&Told> {
        if let Self::Proven { problem, .. } = self { problem.as_ref() } else { self.lack()?.problem.as_ref() }
    }
}

impl Lack {
    fn of(gist: &Gist) -> Option<Self> {
        let Gist { location, denied, unproven, problem, .. } = gist.clone();
        (!unproven.is_empty()).then_some(Self { location, denied, unproven, problem })
    }

    fn missing(&self) -> &[Action] {
        if self.denied.is_empty() { &self.unproven } else { &self.denied }
    }

    /// The kind of a problem is told to callers too: it holds no name
    fn sentence(&self, on: impl Fn(&Location) -> String) -> String {
        let (names, on) = (names(self.missing()), on(&self.location));
        if !self.denied.is_empty() {
            return format!("Druid lacks {names}{on}");
        }
        let are = if self.unproven.len() == 1 { "is" } else { "are" };
        let kind = self.problem.as_ref().map(|problem| format!(": {}", problem.kind)).unwrap_or_default();
        format!("{names} {are} not proven{on}{kind}")
    }
}

impl Site {
    /// Whether a report is about this one
    fn is_of(&self, gist: &Gist) -> bool {
        self.location.as_ref().is_none_or(|location| *location == gist.location)
            && (self.endpoint.is_none() || self.endpoint == gist.endpoint)
    }

    /// What a report is about; the server only where that matters
    fn seen_in(&self, gist: &Gist) -> Self {
        let endpoint = gist.endpoint.clone().filter(|_| self.endpoint.is_some());
        Self { location: Some(gist.location.clone()), endpoint }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => formatter.write_str(&told(location))?,
            None => formatter.write_str("storage")?,
        }
        let endpoint = self.endpoint.as_ref();
        endpoint.map_or(Ok(()), |endpoint| write!(formatter, " at {}", Printable(endpoint)))
    }
}

/// That a query asks for durable storage, and why it cannot have it, as its caller is told
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("durable storage cannot be used: {}; {}", standing.for_callers(), self.remedy())]
pub struct Unusable {
    /// How it stands
    pub standing: Standing,
    /// The keys of the query context that ask for it
    pub by: Vec<&'static str>,
}

impl Unusable {
    /// What whoever asked can do
    pub fn remedy(&self) -> String {
        format!("run the query without {}, or ask your operator", self.by.join(" and "))
    }
}

/// A place in a message; a prefix may hold any character that is not a control character
fn told(location: &Location) -> String {
    Printable(&location.to_string()).to_string()
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

/// A length of time in its largest unit alone
fn span(length: Duration) -> String {
    span_of_parts(length, 1)
}

/// Two lengths, in as many units as tell them apart
fn spans_apart(left: Duration, right: Duration) -> (String, String) {
    let told = |parts| (span_of_parts(left, parts), span_of_parts(right, parts));
    (1..UNITS.len()).map(told).find(|(left, right)| left != right).unwrap_or_else(|| told(UNITS.len()))
}

/// Of which lengths are told, in seconds, the largest first
const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];

/// `2 hours 1 minute`: so many units that are not nothing, from the largest; what is left over is dropped
fn span_of_parts(length: Duration, most: usize) -> String {
    let mut left = length.as_secs();
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        let count = left / length;
        left %= length;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.truncate(most);
    if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Trouble;
    use super::super::problem::{Problem, Scene};
    use super::*;

    const STALE: Duration = Duration::from_secs(7_200);
    const MINUTE: Duration = Duration::from_secs(60);
    const ALL_FOUR: &str = "s3:GetObject, s3:PutObject, s3:AbortMultipartUpload and s3:DeleteObject";

    fn at(bucket: &str) -> Location {
        Location { bucket: bucket.to_owned(), prefix: "p".to_owned() }
    }

    fn site(bucket: &str) -> Site {
        Site { location: Some(at(bucket)), endpoint: None }
    }

    fn gist(denied: &[Action], unproven: &[Action]) -> Gist {
        Gist {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            location: at("druid"),
            endpoint: Some("https://s3.test".to_owned()),
            denied: denied.to_vec(),
            unproven: unproven.to_vec(),
            problem: None,
        }
    }

    fn proven() -> Gist {
        gist(&[], &[])
    }

    /// A problem in the program's own words, which name all that callers are not to know
    fn told(problem: &Problem) -> Option<Told> {
        let scene = Scene {
            location: &at("druid"),
            endpoint: "https://s3.test",
            region: "eu-central-1",
            key: "AKIAEXAMPLE",
            source: "the profile file",
            settings: crate::durable_storage::problem::Settings::Druid,
        };
        Some(problem.told(&scene))
    }

    /// How it stands so long after the report
    fn after(gist: &Gist, age: Duration) -> Standing {
        Standing::of(Some(gist), gist.time + age, STALE, &site("druid"))
    }

    fn callers(standing: &Standing) -> String {
        let sentence = standing.for_callers().to_string();
        for secret in
            ["druid/", "s3://", "https:", "AKIA", "profile file", "SignatureDoesNotMatch", "eu-central"]
        {
            assert!(!sentence.contains(secret), "{secret} is no caller's: {sentence}");
        }
        sentence
    }

    #[test]
    fn four_proven_actions_count_until_the_report_is_stale() {
        let standing = after(&proven(), STALE + Duration::from_millis(999));
        assert_eq!(standing.finding, Finding::Proven { location: at("druid"), problem: None });
        assert_eq!((standing.state(), standing.missing()), ("proven", &[][..]));
        assert_eq!(
            after(&proven(), 12 * MINUTE).to_string(),
            "all four actions are proven on s3://druid/p/ (report of 12 minutes ago)"
        );
        let standing = after(&proven(), STALE + MINUTE);
        assert_eq!((standing.state(), standing.age), ("stale", Some(STALE + MINUTE)));
        let says = "the report of the last preflight is too old: it is of 2 hours 1 minute ago, and counts for 2 hours";
        assert_eq!((standing.to_string().as_str(), callers(&standing).as_str()), (says, says));
        assert!(!standing.proves(Action::GetObject));
    }

    #[test]
    fn four_proven_actions_are_proven_though_something_else_is_wrong() {
        let mut gist = proven();
        gist.problem = told(&Problem::Disturbed);
        let standing = after(&gist, MINUTE);
        assert!(standing.is_proven() && standing.proves(Action::DeleteObject));
        assert_eq!(
            standing.to_string(),
            "all four actions are proven on s3://druid/p/ (report of 1 minute ago); what was made on s3://druid/p/ a moment ago is not there, or is something else; run it again; if it stays, other preflights of the same storage run all the time, or something removes new objects"
        );
        assert_eq!(callers(&standing), "all four actions are proven (report of 1 minute ago)");
    }

    #[test]
    fn a_refused_action_is_named() {
        let (abort, delete) = (Action::AbortMultipartUpload, Action::DeleteObject);
        let mut gist = gist(&[abort], &[abort, delete]);
        let standing = after(&gist, 12 * MINUTE);
        assert_eq!((standing.state(), standing.missing()), ("denied", &[abort][..]));
        assert_eq!(
            standing.to_string(),
            "Druid lacks s3:AbortMultipartUpload on s3://druid/p/ (report of 12 minutes ago)"
        );
        assert_eq!(callers(&standing), "Druid lacks s3:AbortMultipartUpload (report of 12 minutes ago)");
        assert_eq!(Action::ALL.map(|action| standing.proves(action)), [true, true, false, false]);
        gist.denied = vec![abort, delete];
        gist.problem = told(&Problem::Denied(gist.denied.clone(), None));
        let standing = after(&gist, MINUTE);
        let says = "Druid lacks s3:AbortMultipartUpload and s3:DeleteObject (report of 1 minute ago)";
        assert_eq!(callers(&standing), says);
        let all = standing.to_string();
        assert!(all.contains(" on s3://druid/p/: Druid cannot ") && all.contains("AKIAEXAMPLE"), "{all}");
    }

    #[test]
    fn what_was_not_tried_is_neither_proven_nor_refused() {
        let mut gist = gist(&[], &Action::ALL);
        gist.problem = told(&Problem::Trouble(Trouble::WrongSecret, "403 SignatureDoesNotMatch".to_owned()));
        let standing = after(&gist, 3 * MINUTE);
        assert_eq!((standing.state(), standing.missing()), ("unproven", &Action::ALL[..]));
        assert_eq!(
            callers(&standing),
            format!("{ALL_FOUR} are not proven: wrong_secret (report of 3 minutes ago)")
        );
        assert_eq!(
            standing.to_string(),
            format!(
                "{ALL_FOUR} are not proven on s3://druid/p/: wrong_secret (report of 3 minutes ago); the secret does not belong to access key AKIAEXAMPLE (403 SignatureDoesNotMatch); write the secret that was issued with this key (the profile file)"
            )
        );
        (gist.problem, gist.unproven) = (None, vec![Action::PutObject]);
        let standing = after(&gist, Duration::ZERO);
        assert!(standing.proves(Action::GetObject) && !standing.proves(Action::PutObject));
        assert_eq!(
            standing.to_string(),
            "s3:PutObject is not proven on s3://druid/p/ (report of 0 seconds ago)"
        );
    }

    #[test]
    fn a_report_that_is_too_old_says_what_it_said() {
        let abort = Action::AbortMultipartUpload;
        let mut gist = gist(&[abort], &[abort]);
        gist.problem = told(&Problem::Denied(vec![abort], None));
        let standing = after(&gist, 180 * MINUTE);
        assert_eq!((standing.state(), standing.missing()), ("stale", &[abort][..]));
        let old = "the report of the last preflight is too old: it is of 3 hours ago, and counts for 2 hours; it said that";
        assert_eq!(callers(&standing), format!("{old} Druid lacks s3:AbortMultipartUpload"));
        let says = format!("{old} Druid lacks s3:AbortMultipartUpload on s3://druid/p/; ");
        assert!(standing.to_string().starts_with(&says), "{standing}");
        assert!(!standing.proves(Action::GetObject), "what it proved, it proves no longer");
    }

    #[test]
    fn a_report_counts_only_for_its_own_place() {
        let (gist, now) = (proven(), proven().time + MINUTE);
        let of = |site: &Site| Standing::of(Some(&gist), now, STALE, site);
        let server = |endpoint: &str| Some(endpoint.to_owned());
        for right in [
            Site::default(),
            site("druid"),
            Site { location: None, endpoint: server("https://s3.test") },
            Site { endpoint: server("https://s3.test"), ..site("druid") },
        ] {
            assert!(of(&right).is_proven(), "{right}");
        }
        for (wrong, says) in [
            (site("other"), "s3://druid/p/ and not about s3://other/p/"),
            (
                Site { endpoint: server("http://s3.test"), ..site("druid") },
                "s3://druid/p/ at https://s3.test and not about s3://druid/p/ at http://s3.test",
            ),
            (
                Site { location: None, endpoint: server("https://other.test") },
                "s3://druid/p/ at https://s3.test and not about storage at https://other.test",
            ),
        ] {
            let standing = of(&wrong);
            assert_eq!((standing.state(), standing.age), ("other_place", Some(MINUTE)));
            assert_eq!(standing.to_string(), format!("the report of the last preflight is about {says}"));
            let says = "the report of the last preflight is about another storage than the configured one";
            assert_eq!(callers(&standing), says);
        }
        let unsaid = Gist { endpoint: None, ..gist.clone() };
        let expects = Site { endpoint: server("https://s3.test"), ..site("druid") };
        assert_eq!(Standing::of(Some(&unsaid), now, STALE, &expects).state(), "other_place");
    }

    #[test]
    fn without_a_report_or_with_one_from_the_future_nothing_is_proven() {
        let gist = proven();
        let at = |now| Standing::of(Some(&gist), now, STALE, &Site::default());
        assert!(at(gist.time - MINUTE).is_proven());
        let ahead = at(gist.time - 2 * MINUTE);
        assert_eq!((ahead.state(), ahead.age), ("from_the_future", None));
        assert_eq!(
            callers(&ahead),
            "the report of the last preflight has a time that is yet to come: the clock of the preflight's machine or of the gate's is wrong"
        );
        let none = Standing::of(None, gist.time, STALE, &Site::default());
        assert_eq!((none.state(), none.age), ("no_report", None));
        assert_eq!(callers(&none), "there is no report of a preflight");
        assert!(Action::ALL.iter().all(|action| !ahead.proves(*action) && !none.proves(*action)));
    }

    #[test]
    fn whoever_asked_is_told_what_he_can_do() {
        let abort = Action::AbortMultipartUpload;
        let standing = after(&gist(&[abort], &[abort]), 12 * MINUTE);
        let unusable = Unusable { standing, by: vec!["a", "b"] };
        assert_eq!(
            unusable.to_string(),
            "durable storage cannot be used: Druid lacks s3:AbortMultipartUpload (report of 12 minutes ago); run the query without a and b, or ask your operator"
        );
    }

    #[test]
    fn every_state_is_in_the_closed_list_once() {
        let get = [Action::GetObject];
        let of = |gist: &Gist, site: &Site| Standing::of(Some(gist), gist.time + MINUTE, STALE, site).state();
        let states = [
            after(&proven(), MINUTE).state(),
            after(&gist(&get, &get), MINUTE).state(),
            after(&gist(&[], &get), MINUTE).state(),
            after(&proven(), 2 * STALE).state(),
            Standing::of(Some(&proven()), SystemTime::UNIX_EPOCH, STALE, &site("druid")).state(),
            of(&proven(), &site("other")),
            Standing::of(None, SystemTime::UNIX_EPOCH, STALE, &Site::default()).state(),
        ];
        assert_eq!(states, Standing::STATES);
    }

    #[test]
    fn spans_are_told_in_their_largest_unit_and_finer_where_that_tells_two_apart() {
        let seconds = Duration::from_secs;
        for (length, told) in
            [(0, "0 seconds"), (1, "1 second"), (119, "1 minute"), (3_600, "1 hour"), (172_800, "2 days")]
        {
            assert_eq!(span(seconds(length)).to_string(), told);
        }
        for (left, right, told) in [
            (10_800, 7_200, ("3 hours", "2 hours")),
            (7_260, 7_200, ("2 hours 1 minute", "2 hours")),
            (7_201, 7_200, ("2 hours 1 second", "2 hours")),
            (93_785, 93_784, ("1 day 2 hours 3 minutes 5 seconds", "1 day 2 hours 3 minutes 4 seconds")),
            (60, 59, ("1 minute", "59 seconds")),
        ] {
            let (left, right) = spans_apart(seconds(left), seconds(right));
            assert_eq!((left.to_string().as_str(), right.to_string().as_str()), told);
        }
    }
}
