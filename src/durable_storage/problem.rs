//! What is wrong with durable storage, in a sentence, and what to do about it

use super::action::Action;
use super::answer::Trouble;
use super::place::Location;
use super::report::Diagnosis;

/// What a sentence speaks of
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The storage
    pub location: &'a Location,
    /// The address that is asked
    pub endpoint: &'a str,
    /// The region that requests are signed for
    pub region: &'a str,
    /// The access key's id
    pub key: &'a str,
    /// Where it comes from
    pub source: &'a str,
    /// Which file says where the storage is
    pub settings: Settings,
}

/// Which file says where the storage is, and so which keys a remedy names
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// Druid's own properties
    Druid,
    /// `[durable_storage]` of proxy.toml
    Config,
}

/// What remedies name of the settings
struct Keys {
    endpoint: &'static str,
    region: &'static str,
    bucket: &'static str,
    plain_http: &'static str,
}

impl Settings {
    fn keys(self) -> Keys {
        match self {
            Self::Druid => Keys {
                endpoint: "druid.s3.endpoint.url",
                region: "druid.s3.endpoint.signingRegion, with the region's address in druid.s3.endpoint.url",
                bucket: "druid.msq.intermediate.storage.bucket",
                plain_http: "write druid.s3.protocol=http",
            },
            Self::Config => Keys {
                endpoint: "durable_storage.endpoint",
                region: "durable_storage.region",
                bucket: "durable_storage.bucket",
                plain_http: "write `http://` in durable_storage.endpoint",
            },
        }
    }
}

/// Why there is no answer
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No connection can be made
    #[error("{0}")]
    Unreachable(String),
    /// The server's certificate is not trusted
    #[error("{0}")]
    Untrusted(String),
    /// Something answers, and it does not speak TLS
    #[error("{0}")]
    NoTls(String),
    /// It took longer than these seconds
    #[error("no answer within {0} seconds")]
    Timeout(u64),
    /// What came was no answer
    #[error("{0}")]
    Broken(String),
}

/// A reason why durable storage is not proven
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// S3 refuses these actions; the kind of policy that does not allow them, where S3 names it
    Denied(Vec<Action>, Option<String>),
    /// S3 refuses all that was tried: these actions
    NothingAllowed(Vec<Action>),
    /// A policy denies these actions, which no grant overrules; the kind of policy
    ExplicitDeny(Vec<Action>, String),
    /// An answer that says nothing of permission, in short
    Trouble(Trouble, String),
    /// No answer
    NoAnswer(NoAnswer),
    /// What was made a moment ago is not there, or is something else
    Disturbed,
    /// There are no credentials; where they were looked for
    NoCredentials(Vec<String>),
    /// No request can be signed
    Unsigned(String),
    /// The id of an upload could not be kept, so it was given up at once
    Unremembered(String),
    /// Somebody wants the run to end
    Interrupted,
}

const NO_WORD: &str = "nothing is said of permissions";

impl Problem {
    /// Its code, its sentence, and its remedy
    pub fn diagnosis(&self, scene: &Scene<'_>) -> Diagnosis {
        let Scene { location, key, source, .. } = scene;
        match self {
            Self::Denied(actions, policy) => diagnosis(
                "denied",
                format!("{} on {location}: Druid cannot {}", denied(actions), purposes(actions)),
                remedy_of_denied(policy.as_deref(), key),
            ),
            Self::NothingAllowed(actions) => diagnosis(
                "nothing_allowed",
                format!(
                    "access key {key} may do nothing of what was tried on {location}: {}",
                    denied(actions)
                ),
                format!(
                    "check that {location} is the bucket and the prefix that the policy of access key {key} names, \
                     and that it allows all four actions; the least policy says how"
                ),
            ),
            Self::ExplicitDeny(actions, policy) => diagnosis(
                "explicit_deny",
                format!("{} on {location} by an explicit Deny in a policy ({policy})", denied(actions)),
                "take that Deny out, or make an exception in it for Druid: no grant overrules it",
            ),
            Self::Trouble(trouble, said) => of_trouble(trouble, said, scene),
            Self::NoAnswer(why) => of_no_answer(why, scene),
            Self::Disturbed => diagnosis(
                "disturbed",
                format!("what was made on {location} a moment ago is not there, or is something else"),
                "run it again; if it stays, other preflights of the same storage run all the time, or something \
                 removes new objects",
            ),
            Self::NoCredentials(looked) => diagnosis(
                "no_credentials",
                format!("there are no credentials: {}", looked.join("; ")),
                "run it as the user that Druid runs as, with its environment, or name its properties in \
                 --druid-properties",
            ),
            Self::Unsigned(why) => diagnosis(
                "unsigned",
                format!("no request can be signed: {why}"),
                format!("check the credentials ({source}) and the region"),
            ),
            Self::Unremembered(why) => diagnosis(
                "unremembered",
                format!("the id of an open upload could not be kept: {why}"),
                "name a file that can be written in --state",
            ),
            Self::Interrupted => {
                diagnosis("interrupted", format!("the run was interrupted; {NO_WORD}"), "run it again")
            }
        }
    }
}

fn diagnosis(kind: &str, message: String, remedy: impl Into<String>) -> Diagnosis {
    Diagnosis { kind: kind.to_owned(), message, remedy: remedy.into() }
}

fn remedy_of_denied(policy: Option<&str>, key: &str) -> String {
    match policy {
        // What the policy that is printed cannot mend.
        Some(policy) if !matches!(policy, "identity-based policy" | "resource-based policy") => {
            format!("let the {policy} allow what the policy of access key {key} has to allow too")
        }
        Some(_) | None => format!(
            "attach the least policy to the user or role of access key {key}; where it is attached already, look for \
             what stands against it: a Deny in the bucket's policy, a permissions boundary, a session policy, the \
             policy of a VPC endpoint, those of the organisation"
        ),
    }
}

fn of_no_answer(why: &NoAnswer, Scene { endpoint, settings, .. }: &Scene<'_>) -> Diagnosis {
    const WAY: &str = "what stands between this machine and S3: firewall, proxy, VPC endpoint";
    let Keys { endpoint: address, plain_http, .. } = settings.keys();
    match why {
        NoAnswer::Unreachable(_) => diagnosis(
            "unreachable",
            format!("{endpoint} cannot be reached ({why}); {NO_WORD}"),
            format!("check {address}, the resolution of that name here, and {WAY}"),
        ),
        NoAnswer::Untrusted(_) => diagnosis(
            "untrusted",
            format!("the certificate of {endpoint} is not trusted ({why})"),
            "name the CA in `ca_file` of [durable_storage], or in SSL_CERT_FILE; Druid needs it in Java's trust store",
        ),
        NoAnswer::NoTls(_) => diagnosis(
            "no_tls",
            format!("{endpoint} does not speak TLS ({why})"),
            format!("where it is meant to speak plain HTTP, {plain_http}; else check its port"),
        ),
        NoAnswer::Timeout(_) => diagnosis(
            "timeout",
            format!("{endpoint} gives {why}; {NO_WORD}"),
            format!("run it again; if it stays, check the server and {WAY}"),
        ),
        NoAnswer::Broken(_) => diagnosis(
            "no_answer",
            format!("what {endpoint} sends is no answer ({why}); {NO_WORD}"),
            format!("run it again; if it stays, check {address} and {WAY}"),
        ),
    }
}

fn of_trouble(trouble: &Trouble, said: &str, scene: &Scene<'_>) -> Diagnosis {
    let Scene { location: Location { bucket, .. }, endpoint, region, key, source, settings } = scene;
    let Keys { endpoint: address, bucket: bucket_key, .. } = settings.keys();
    let (message, remedy) = match trouble {
        Trouble::WrongSecret => (
            format!("the secret does not belong to access key {key} ({said})"),
            format!("write the secret that was issued with this key ({source})"),
        ),
        Trouble::UnknownKey => (
            format!("{endpoint} does not know access key {key} ({said})"),
            format!(
                "write a key that is alive ({source}), or in {address} the address of the server that issued this one"
            ),
        ),
        Trouble::ExpiredToken => {
            (format!("the session of access key {key} is over ({said})"), format!("renew it ({source})"))
        }
        Trouble::InvalidToken => (
            format!("the session token does not belong to access key {key} ({said})"),
            format!("write key, secret and token that were issued together ({source})"),
        ),
        Trouble::ClockSkew => (
            format!("the clock here differs too much from S3's ({said}); {NO_WORD}"),
            "set this machine's clock, and keep it set (NTP)".to_owned(),
        ),
        Trouble::WrongRegion { right } => wrong_region(right.as_deref(), said, scene),
        Trouble::NoSuchBucket => (
            format!("there is no bucket {bucket} at {endpoint}"),
            format!("make the bucket in {region}, or write another in {bucket_key}"),
        ),
        Trouble::RefusedBehind(action) => (
            format!("S3 lets access key {key} pass, and {action} is refused behind it ({said})"),
            format!(
                "allow {action} as well; for kms: on the key that the bucket encrypts with, in the key's policy or in \
                 that of access key {key}"
            ),
        ),
        Trouble::Throttled => (
            format!("S3 asks to slow down, again and again ({said}); {NO_WORD}"),
            "run it again later".to_owned(),
        ),
        Trouble::ServerFault => (
            format!("{endpoint} fails ({said}); {NO_WORD}"),
            "run it again later; if it stays, look at the server's log".to_owned(),
        ),
        Trouble::NotS3 => (
            format!("{endpoint} gives an answer that is not S3's ({said}); {NO_WORD}"),
            format!(
                "check that {address} is an S3 server's address, and what stands before it: a proxy, a firewall for \
                 web applications"
            ),
        ),
        Trouble::Unexpected => (
            format!("{endpoint} gives an answer that says nothing of permissions: {said}"),
            "look that code up in the S3 server's manual, and at its log".to_owned(),
        ),
    };
    diagnosis(kind(trouble), message, remedy)
}

fn wrong_region(right: Option<&str>, said: &str, scene: &Scene<'_>) -> (String, String) {
    let Scene { location: Location { bucket, .. }, region, settings, .. } = scene;
    let message = match right {
        Some(right) if right != *region => {
            format!("bucket {bucket} is in {right}, and requests are signed for {region}")
        }
        Some(_) | None => format!("bucket {bucket} is to be asked elsewhere than in {region} ({said})"),
    };
    (message, format!("write {} in {}", right.unwrap_or("its region"), settings.keys().region))
}

fn kind(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::WrongSecret => "wrong_secret",
        Trouble::UnknownKey => "unknown_key",
        Trouble::ExpiredToken => "expired_token",
        Trouble::InvalidToken => "invalid_token",
        Trouble::ClockSkew => "clock_skew",
        Trouble::WrongRegion { .. } => "wrong_region",
        Trouble::NoSuchBucket => "no_such_bucket",
        Trouble::RefusedBehind(_) => "refused_behind",
        Trouble::Throttled => "throttled",
        Trouble::ServerFault => "server_fault",
        Trouble::NotS3 => "not_s3",
        Trouble::Unexpected => "unexpected",
    }
}

fn denied(actions: &[Action]) -> String {
    let names: Vec<_> = actions.iter().map(|action| action.name()).collect();
    format!("{} {} denied", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

fn purposes(actions: &[Action]) -> String {
    let purposes: Vec<_> = actions.iter().map(|action| action.purpose()).collect();
    purposes.join(", nor ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn told(problem: &Problem) -> Diagnosis {
        let location = Location { bucket: "druid".to_owned(), prefix: "msq".to_owned() };
        problem.diagnosis(&Scene {
            location: &location,
            endpoint: "https://s3.test",
            region: "r",
            key: "AK",
            source: "environment",
            settings: Settings::Druid,
        })
    }

    #[test]
    fn every_problem_has_its_own_sentence_and_a_remedy() {
        let said = "403 X".to_owned();
        let troubles = [
            Trouble::WrongSecret,
            Trouble::UnknownKey,
            Trouble::ExpiredToken,
            Trouble::InvalidToken,
            Trouble::ClockSkew,
            Trouble::WrongRegion { right: None },
            Trouble::RefusedBehind("kms:Decrypt".to_owned()),
            Trouble::NoSuchBucket,
            Trouble::Throttled,
            Trouble::ServerFault,
            Trouble::NotS3,
            Trouble::Unexpected,
        ];
        let problems = troubles.map(|trouble| Problem::Trouble(trouble, said.clone())).into_iter().chain([
            Problem::Denied(vec![Action::GetObject], None),
            Problem::NothingAllowed(vec![Action::PutObject]),
            Problem::ExplicitDeny(vec![Action::GetObject], "resource-based policy".to_owned()),
            Problem::NoAnswer(NoAnswer::Unreachable("refused".to_owned())),
            Problem::NoAnswer(NoAnswer::Untrusted("unknown issuer".to_owned())),
            Problem::NoAnswer(NoAnswer::NoTls("no TLS".to_owned())),
            Problem::NoAnswer(NoAnswer::Timeout(10)),
            Problem::NoAnswer(NoAnswer::Broken("garbage".to_owned())),
            Problem::Disturbed,
            Problem::NoCredentials(vec!["environment: none".to_owned()]),
            Problem::Unsigned("expired".to_owned()),
            Problem::Unremembered("full".to_owned()),
            Problem::Interrupted,
        ]);
        let told: Vec<_> = problems.map(|problem| told(&problem)).collect();
        let kinds: HashSet<_> = told.iter().map(|told| &told.kind).collect();
        let messages: HashSet<_> = told.iter().map(|told| &told.message).collect();
        assert_eq!((kinds.len(), messages.len()), (told.len(), told.len()), "{told:#?}");
        assert!(told.iter().all(|told| !told.remedy.is_empty()));
    }

    #[test]
    fn a_denial_says_what_druid_cannot_do() {
        let told = told(&Problem::Denied(vec![Action::AbortMultipartUpload], None));
        assert_eq!(
            told.message,
            "s3:AbortMultipartUpload is denied on s3://druid/msq/: Druid cannot give up a push that failed"
        );
    }

    #[test]
    fn what_the_least_policy_cannot_mend_is_not_sent_to_it() {
        let remedy = |policy: Option<&str>| {
            told(&Problem::Denied(vec![Action::GetObject], policy.map(str::to_owned))).remedy
        };
        for policy in [None, Some("identity-based policy")] {
            assert!(remedy(policy).starts_with("attach the least policy"), "{policy:?}");
        }
        assert!(remedy(Some("VPC endpoint policy")).starts_with("let the VPC endpoint policy allow"));
    }
}
