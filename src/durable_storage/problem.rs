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
    /// It took too long
    #[error("no answer within {0} seconds")]
    Timeout(u64),
    /// What came was no answer
    #[error("{0}")]
    Broken(String),
}

/// A reason why durable storage is not proven
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// S3 refuses these actions
    Denied(Vec<Action>),
    /// S3 refuses all that was tried: these actions
    NothingAllowed(Vec<Action>),
    /// A policy denies these actions, which no grant overrules; the kind of policy
    ExplicitDeny(Vec<Action>, String),
    /// An answer that says nothing of permission, in short
    Trouble(Trouble, String),
    /// No answer
    NoAnswer(NoAnswer),
    /// What was written a moment ago is not there, or is something else
    Disturbed,
    /// There are no credentials; where they were looked for
    NoCredentials(Vec<String>),
    /// The credentials cannot be used to sign
    Unsigned(String),
    /// The id of an upload could not be kept, so it was given up at once
    Unremembered(String),
}

const NO_WORD: &str = "nothing is said of permissions";

impl Problem {
    /// Its code, its sentence, and its remedy
    pub fn told(&self, scene: &Scene<'_>) -> Told {
        let (kind, message) = self.what(scene);
        Told { kind: kind.to_owned(), message, remedy: self.remedy(scene) }
    }

    fn what(&self, scene: &Scene<'_>) -> (&'static str, String) {
        let Scene { location, endpoint, region, key, source: _ } = scene;
        match self {
            Self::Denied(actions) => {
                ("denied", format!("{} on {location}: Druid cannot {}", denied(actions), purposes(actions)))
            }
            Self::NothingAllowed(actions) => (
                "nothing_allowed",
                format!(
                    "access key {key} may do nothing of what was tried on {location}: {}",
                    denied(actions)
                ),
            ),
            Self::ExplicitDeny(actions, policy) => (
                "explicit_deny",
                format!("{} on {location} by an explicit Deny in a policy ({policy})", denied(actions)),
            ),
            Self::Trouble(trouble, said) => of_trouble(trouble, said, scene),
            Self::NoAnswer(NoAnswer::Untrusted(why)) => {
                ("untrusted", format!("the certificate of {endpoint} is not trusted ({why})"))
            }
            Self::NoAnswer(NoAnswer::Broken(why)) => {
                ("no_answer", format!("what {endpoint} sends is no answer ({why}); {NO_WORD}"))
            }
            Self::NoAnswer(why) => {
                ("unreachable", format!("{endpoint} cannot be reached ({why}); {NO_WORD}"))
            }
            Self::Disturbed => (
                "disturbed",
                format!("the object that was written to {location} a moment ago is not there, or is another"),
            ),
            Self::NoCredentials(looked) => {
                ("no_credentials", format!("there are no credentials: {}", looked.join("; ")))
            }
            Self::Unsigned(why) => ("unsigned", format!("no request can be signed for {region}: {why}")),
            Self::Unremembered(why) => {
                ("unremembered", format!("the id of an open upload could not be kept: {why}"))
            }
        }
    }

    fn remedy(&self, scene: &Scene<'_>) -> String {
        let Scene { location, source, key, .. } = scene;
        match self {
            Self::Denied(_) => format!(
                "attach the policy below to the user or role of access key {key}; if it is attached already, look for \
                 a Deny in the bucket's policy, in a permissions boundary and in the organisation's policies"
            ),
            Self::NothingAllowed(_) => format!(
                "check that {location} is the bucket and the prefix that the policy of access key {key} names; the \
                 policy below names them"
            ),
            Self::ExplicitDeny(..) => {
                "take that Deny out, or make an exception in it for Druid: no grant overrules it".to_owned()
            }
            Self::Trouble(trouble, _) => remedy_of_trouble(trouble, scene),
            Self::NoAnswer(NoAnswer::Untrusted(_)) => {
                "name the CA in `ca_file` of [durable_storage], or in SSL_CERT_FILE; Druid needs it in Java's trust \
                 store"
                    .to_owned()
            }
            Self::NoAnswer(_) => {
                "check druid.s3.endpoint.url, the resolution of that name here, and what stands between this machine \
                 and S3: firewall, proxy, VPC endpoint"
                    .to_owned()
            }
            Self::Disturbed => {
                "run it again; if it stays, another preflight of the same storage runs at the same time, or something \
                 removes new objects"
                    .to_owned()
            }
            Self::NoCredentials(_) => {
                "run it as the user that Druid runs as, with its environment, or name its properties in \
                 --druid-properties"
                    .to_owned()
            }
            Self::Unsigned(_) => format!("renew the credentials ({source})"),
            Self::Unremembered(_) => "name a file that can be written in --state".to_owned(),
        }
    }
}

fn of_trouble(trouble: &Trouble, said: &str, scene: &Scene<'_>) -> (&'static str, String) {
    let Scene { location, endpoint, region, key, .. } = scene;
    match trouble {
        Trouble::WrongSecret => {
            ("wrong_secret", format!("the secret does not belong to access key {key} ({said})"))
        }
        Trouble::UnknownKey => ("unknown_key", format!("{endpoint} does not know access key {key} ({said})")),
        Trouble::ExpiredToken => {
            ("expired_token", format!("the session token of access key {key} is over ({said})"))
        }
        Trouble::InvalidToken => {
            ("invalid_token", format!("the session token does not belong to access key {key} ({said})"))
        }
        Trouble::ClockSkew => {
            ("clock_skew", format!("the clock here differs too much from S3's ({said}); {NO_WORD}"))
        }
        Trouble::WrongRegion { right: Some(right) } => (
            "wrong_region",
            format!("bucket {} is in {right}, and requests are signed for {region}", location.bucket),
        ),
        Trouble::WrongRegion { right: None } => (
            "wrong_region",
            format!("bucket {} is in another region than {region} ({said})", location.bucket),
        ),
        Trouble::NoSuchBucket => {
            ("no_such_bucket", format!("there is no bucket {} at {endpoint}", location.bucket))
        }
        Trouble::Throttled => {
            ("throttled", format!("S3 asks to slow down, again and again ({said}); {NO_WORD}"))
        }
        Trouble::ServerFault => ("server_fault", format!("{endpoint} fails ({said}); {NO_WORD}")),
        Trouble::Unexpected => {
            ("unexpected", format!("{endpoint} gives an answer that says nothing: {said}"))
        }
    }
}

fn remedy_of_trouble(trouble: &Trouble, scene: &Scene<'_>) -> String {
    let Scene { source, region, .. } = scene;
    match trouble {
        Trouble::WrongSecret => format!("write the secret that was issued with this key ({source})"),
        Trouble::UnknownKey => format!(
            "write a key that is alive ({source}), or the address of the server that issued this one \
             (druid.s3.endpoint.url)"
        ),
        Trouble::ExpiredToken => format!("renew it ({source})"),
        Trouble::InvalidToken => format!("write key, secret and token that were issued together ({source})"),
        Trouble::ClockSkew => "set this machine's clock, and keep it set (NTP)".to_owned(),
        Trouble::WrongRegion { right } => format!(
            "write {} in druid.s3.endpoint.signingRegion, with its endpoint in druid.s3.endpoint.url; without Druid's \
             properties in `region` of [durable_storage]",
            right.as_deref().unwrap_or("its region")
        ),
        Trouble::NoSuchBucket => {
            format!("make the bucket in {region}, or write another in druid.msq.intermediate.storage.bucket")
        }
        Trouble::Throttled | Trouble::ServerFault => "run it again later".to_owned(),
        Trouble::Unexpected => "check that an S3 server answers there, and what its log says".to_owned(),
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

    fn told(problem: &Problem) -> Told {
        let location = Location { bucket: "druid".to_owned(), prefix: "msq".to_owned() };
        problem.told(&Scene {
            location: &location,
            endpoint: "https://s3.test",
            region: "r",
            key: "AK",
            source: "environment",
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
            Trouble::NoSuchBucket,
            Trouble::Throttled,
            Trouble::ServerFault,
            Trouble::Unexpected,
        ];
        let problems = troubles.map(|trouble| Problem::Trouble(trouble, said.clone())).into_iter().chain([
            Problem::Denied(vec![Action::GetObject]),
            Problem::NothingAllowed(vec![Action::PutObject]),
            Problem::ExplicitDeny(vec![Action::GetObject], "resource-based policy".to_owned()),
            Problem::NoAnswer(NoAnswer::Unreachable("refused".to_owned())),
            Problem::NoAnswer(NoAnswer::Untrusted("unknown issuer".to_owned())),
            Problem::NoAnswer(NoAnswer::Broken("garbage".to_owned())),
            Problem::Disturbed,
            Problem::NoCredentials(vec!["environment: none".to_owned()]),
            Problem::Unsigned("expired".to_owned()),
            Problem::Unremembered("full".to_owned()),
        ]);
        let told: Vec<_> = problems.map(|problem| told(&problem)).collect();
        let kinds: HashSet<_> = told.iter().map(|told| &told.kind).collect();
        let messages: HashSet<_> = told.iter().map(|told| &told.message).collect();
        assert_eq!((kinds.len(), messages.len()), (told.len(), told.len()), "{told:#?}");
        assert!(told.iter().all(|told| !told.remedy.is_empty()));
    }

    #[test]
    fn a_denial_says_what_druid_cannot_do() {
        let told = told(&Problem::Denied(vec![Action::AbortMultipartUpload]));
        assert_eq!(
            told.message,
            "s3:AbortMultipartUpload is denied on s3://druid/msq/: Druid cannot give up a push that failed"
        );
    }
}
