//! What is wrong with durable storage, in a sentence, and what to do about it

use super::action::Action;
use super::answer::Trouble;
use super::place::Location;
use super::report::Told;

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

impl Settings {
    fn endpoint(self) -> &'static str {
        match self {
            Self::Druid => "druid.s3.endpoint.url",
            Self::Config => "durable_storage.endpoint",
        }
    }

    fn region(self) -> &'static str {
        match self {
            Self::Druid => {
                "druid.s3.endpoint.signingRegion, with the region's address in druid.s3.endpoint.url"
            }
            Self::Config => "durable_storage.region",
        }
    }

    fn bucket(self) -> &'static str {
        match self {
            Self::Druid => "druid.msq.intermediate.storage.bucket",
            Self::Config => "durable_storage.bucket",
        }
    }

    fn plain(self) -> &'static str {
        match self {
            Self::Druid => "write druid.s3.protocol=http",
            Self::Config => "write `http://` in durable_storage.endpoint",
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

/// A code, a sentence and a remedy
type Words = (&'static str, String, String);

impl Problem {
    /// Its code, its sentence, and its remedy
    pub fn told(&self, scene: &Scene<'_>) -> Told {
        let (kind, message, remedy) = match self {
            Self::Denied(actions, policy) => of_denied(actions, policy.as_deref(), scene),
            Self::NothingAllowed(actions) => of_nothing_allowed(actions, scene),
            Self::ExplicitDeny(actions, policy) => of_explicit_deny(actions, policy, scene),
            Self::Trouble(trouble, said) => of_trouble(trouble, said, scene),
            Self::NoAnswer(why) => of_no_answer(why, scene),
            Self::Disturbed => of_disturbed(scene),
            Self::NoCredentials(looked) => of_no_credentials(looked),
            Self::Unsigned(why) => (
                "unsigned",
                format!("no request can be signed: {why}"),
                format!("check the credentials ({}) and the region", scene.source),
            ),
            Self::Unremembered(why) => (
                "unremembered",
                format!("the id of an open upload could not be kept: {why}"),
                "name a file that can be written in --state".to_owned(),
            ),
            Self::Interrupted => {
                ("interrupted", format!("the run was interrupted; {NO_WORD}"), "run it again".to_owned())
            }
        };
        Told { kind: kind.to_owned(), message, remedy }
    }
}

fn of_denied(actions: &[Action], policy: Option<&str>, scene: &Scene<'_>) -> Words {
    let Scene { location, key, .. } = scene;
    let message = format!("{} on {location}: Druid cannot {}", denied(actions), purposes(actions));
    let remedy = match policy {
        // What the policy that is printed cannot mend.
        Some(policy) if !matches!(policy, "identity-based policy" | "resource-based policy") => {
            format!("let the {policy} allow what the policy of access key {key} has to allow too")
        }
        Some(_) | None => format!(
            "attach the least policy to the user or role of access key {key}; where it is attached already, look for \
             what stands against it: a Deny in the bucket's policy, a permissions boundary, a session policy, the \
             policy of a VPC endpoint, those of the organisation"
        ),
    };
    ("denied", message, remedy)
}

fn of_nothing_allowed(actions: &[Action], scene: &Scene<'_>) -> Words {
    let Scene { location, key, .. } = scene;
    (
        "nothing_allowed",
        format!("access key {key} may do nothing of what was tried on {location}: {}", denied(actions)),
        format!(
            "check that {location} is the bucket and the prefix that the policy of access key {key} names, and that \
             it allows all four actions; the least policy says how"
        ),
    )
}

fn of_explicit_deny(actions: &[Action], policy: &str, scene: &Scene<'_>) -> Words {
    (
        "explicit_deny",
        format!("{} on {} by an explicit Deny in a policy ({policy})", denied(actions), scene.location),
        "take that Deny out, or make an exception in it for Druid: no grant overrules it".to_owned(),
    )
}

fn of_no_answer(why: &NoAnswer, scene: &Scene<'_>) -> Words {
    let Scene { endpoint, settings, .. } = scene;
    let way = "what stands between this machine and S3: firewall, proxy, VPC endpoint";
    match why {
        NoAnswer::Unreachable(why) => (
            "unreachable",
            format!("{endpoint} cannot be reached ({why}); {NO_WORD}"),
            format!("check {}, the resolution of that name here, and {way}", settings.endpoint()),
        ),
        NoAnswer::Untrusted(why) => (
            "untrusted",
            format!("the certificate of {endpoint} is not trusted ({why})"),
            "name the CA in `ca_file` of [durable_storage], or in SSL_CERT_FILE; Druid needs it in Java's trust store"
                .to_owned(),
        ),
        NoAnswer::NoTls(why) => (
            "no_tls",
            format!("{endpoint} does not speak TLS ({why})"),
            format!("where it is meant to speak plain HTTP, {}; else check its port", settings.plain()),
        ),
        NoAnswer::Timeout(_) => (
            "timeout",
            format!("{endpoint} gives {why}; {NO_WORD}"),
            format!("run it again; if it stays, check the server and {way}"),
        ),
        NoAnswer::Broken(why) => (
            "no_answer",
            format!("what {endpoint} sends is no answer ({why}); {NO_WORD}"),
            format!("run it again; if it stays, check {} and {way}", settings.endpoint()),
        ),
    }
}

fn of_disturbed(scene: &Scene<'_>) -> Words {
    (
        "disturbed",
        format!("what was made on {} a moment ago is not there, or is something else", scene.location),
        "run it again; if it stays, other preflights of the same storage run all the time, or something removes new \
         objects"
            .to_owned(),
    )
}

fn of_no_credentials(looked: &[String]) -> Words {
    (
        "no_credentials",
        format!("there are no credentials: {}", looked.join("; ")),
        "run it as the user that Druid runs as, with its environment, or name its properties in --druid-properties"
            .to_owned(),
    )
}

fn of_trouble(trouble: &Trouble, said: &str, scene: &Scene<'_>) -> Words {
    match trouble {
        Trouble::WrongSecret => of_wrong_secret(said, scene),
        Trouble::UnknownKey => of_unknown_key(said, scene),
        Trouble::ExpiredToken => of_expired_token(said, scene),
        Trouble::InvalidToken => of_invalid_token(said, scene),
        Trouble::ClockSkew => of_clock_skew(said),
        Trouble::WrongRegion { right } => of_region(right.as_deref(), said, scene),
        Trouble::NoSuchBucket => of_no_such_bucket(scene),
        Trouble::RefusedBehind(action) => of_refused_behind(action, said, scene),
        Trouble::Throttled => of_throttled(said),
        Trouble::ServerFault => of_server_fault(said, scene),
        Trouble::NotS3 => of_not_s3(said, scene),
        Trouble::Unexpected => of_unexpected(said, scene),
    }
}

fn of_wrong_secret(said: &str, Scene { key, source, .. }: &Scene<'_>) -> Words {
    (
        "wrong_secret",
        format!("the secret does not belong to access key {key} ({said})"),
        format!("write the secret that was issued with this key ({source})"),
    )
}

fn of_unknown_key(said: &str, Scene { endpoint, key, source, settings, .. }: &Scene<'_>) -> Words {
    let address = settings.endpoint();
    (
        "unknown_key",
        format!("{endpoint} does not know access key {key} ({said})"),
        format!(
            "write a key that is alive ({source}), or in {address} the address of the server that issued this one"
        ),
    )
}

fn of_expired_token(said: &str, Scene { key, source, .. }: &Scene<'_>) -> Words {
    (
        "expired_token",
        format!("the session of access key {key} is over ({said})"),
        format!("renew it ({source})"),
    )
}

fn of_invalid_token(said: &str, Scene { key, source, .. }: &Scene<'_>) -> Words {
    (
        "invalid_token",
        format!("the session token does not belong to access key {key} ({said})"),
        format!("write key, secret and token that were issued together ({source})"),
    )
}

fn of_clock_skew(said: &str) -> Words {
    (
        "clock_skew",
        format!("the clock here differs too much from S3's ({said}); {NO_WORD}"),
        "set this machine's clock, and keep it set (NTP)".to_owned(),
    )
}

fn of_no_such_bucket(Scene { location, endpoint, region, settings, .. }: &Scene<'_>) -> Words {
    (
        "no_such_bucket",
        format!("there is no bucket {} at {endpoint}", location.bucket),
        format!("make the bucket in {region}, or write another in {}", settings.bucket()),
    )
}

fn of_refused_behind(action: &str, said: &str, Scene { key, .. }: &Scene<'_>) -> Words {
    (
        "refused_behind",
        format!("S3 lets access key {key} pass, and {action} is refused behind it ({said})"),
        format!(
            "allow {action} as well; for kms: on the key that the bucket encrypts with, in the key's policy or in \
             that of access key {key}"
        ),
    )
}

fn of_region(right: Option<&str>, said: &str, scene: &Scene<'_>) -> Words {
    let Scene { location: Location { bucket, .. }, region, settings, .. } = scene;
    let message = match right {
        Some(right) if right != *region => {
            format!("bucket {bucket} is in {right}, and requests are signed for {region}")
        }
        Some(_) | None => format!("bucket {bucket} is to be asked elsewhere than in {region} ({said})"),
    };
    let remedy = format!("write {} in {}", right.unwrap_or("its region"), settings.region());
    ("wrong_region", message, remedy)
}

fn of_throttled(said: &str) -> Words {
    (
        "throttled",
        format!("S3 asks to slow down, again and again ({said}); {NO_WORD}"),
        "run it again later".to_owned(),
    )
}

fn of_server_fault(said: &str, Scene { endpoint, .. }: &Scene<'_>) -> Words {
    (
        "server_fault",
        format!("{endpoint} fails ({said}); {NO_WORD}"),
        "run it again later; if it stays, look at the server's log".to_owned(),
    )
}

fn of_not_s3(said: &str, Scene { endpoint, settings, .. }: &Scene<'_>) -> Words {
    let address = settings.endpoint();
    (
        "not_s3",
        format!("{endpoint} gives an answer that is not S3's ({said}); {NO_WORD}"),
        format!(
            "check that {address} is an S3 server's address, and what stands before it: a proxy, a firewall for web \
             applications"
        ),
    )
}

fn of_unexpected(said: &str, Scene { endpoint, .. }: &Scene<'_>) -> Words {
    (
        "unexpected",
        format!("{endpoint} gives an answer that says nothing of permissions: {said}"),
        "look that code up in the S3 server's manual, and at its log".to_owned(),
    )
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

    fn told(problem: &Problem) -> Told {
        let location = Location { bucket: "druid".to_owned(), prefix: "msq".to_owned() };
        problem.told(&Scene {
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
