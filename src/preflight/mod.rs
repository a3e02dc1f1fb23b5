//! The preflight of durable storage: asks S3 with Druid's credentials whether Druid may do what it needs
//!
//! 1. [`credentials`]: found where Druid finds them, in its order;
//! 2. [`s3`]: one signed request at a time, its answer whole, over [`wire`];
//! 3. [`open_uploads`]: what a run that is killed leaves to the next one;
//! 4. [`probe`]: the steps, in an order in which each branch cleans up, and their [`findings`].

pub mod storage_report;
pub mod credentials;
pub mod findings;
pub mod open_uploads;
pub mod probe;
pub mod s3;
pub mod wire;

use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use reqsign_aws_v4::Credential;
use rustls::ClientConfig;

use crate::durable_storage::druid_properties::Encryption;
use crate::durable_storage::place::Target;
use crate::durable_storage::problem::{Problem, Scene, Settings};
use crate::durable_storage::report::{CredentialsUsed, Report, Source};
use crate::durable_storage::{Place, policy};
use credentials::Chain;
use findings::Findings;
use open_uploads::OpenUploads;
use probe::{Pauses, Probe};
use s3::S3;

/// Where requests go that nobody gives a region to
const DEFAULT_REGION: &str = "us-east-1";

/// What a preflight needs besides the place
#[derive(Debug)]
pub struct Means<'a> {
    /// Where credentials are looked for
    pub chain: Chain,
    /// How S3 is told to encrypt
    pub encryption: Encryption,
    /// Trust for the S3 server
    pub tls: ClientConfig,
    /// Whom the bucket policy is to name
    pub principal: &'a str,
    /// Which file said where the storage is
    pub settings: Settings,
    /// What its reading left to say
    pub warnings: Vec<String>,
    /// Set where the run is to clean up and end
    pub interrupted: &'a AtomicBool,
    /// How long it waits before it tries again
    pub pauses: Pauses,
}

/// Probes durable storage, and reports
///
/// `now` is asked once, when all is over.
pub async fn run(
    place: &Place,
    means: Means<'_>,
    uploads: &mut OpenUploads,
    now: impl FnOnce() -> SystemTime,
) -> Report {
    let Means { chain, encryption, tls, principal, settings, mut warnings, interrupted, pauses } = means;
    let location = &place.location;
    let of_environment = chain.environment.variable("AWS_REGION");
    let region = place.region_or(of_environment).map(str::to_owned).unwrap_or_else(|| {
        warnings.push(format!("nobody names a region; requests are signed for {DEFAULT_REGION}"));
        DEFAULT_REGION.to_owned()
    });
    let Target { endpoint, url } = place.target(&region);
    let (first, faults) = chain.find().await;
    warnings.extend(faults.iter().map(|fault| format!("no credentials from {fault}")));
    let secrets = first.as_ref().map(|(_, credential)| secrets(credential)).unwrap_or_default();
    let used = first.as_ref().map(|(source, credential)| (*source, shown(&credential.access_key_id)));
    let findings = match first {
        Some((_, credential)) => {
            let s3 = S3::new(&url, &region, credential, encryption, tls);
            Probe::new(&s3, location, uploads, interrupted, pauses).run().await
        }
        None => Findings::without_credentials(Problem::NoCredentials(looked(&faults))),
    };
    let (source, key) = used.as_ref().map_or(("", ""), |(source, key)| (source.words(), key));
    let scene = Scene { location, endpoint: &endpoint, region: &region, key, source, settings };
    let report = Report {
        time: now(),
        location: location.clone(),
        actions: findings.proofs(),
        problem: findings.problem().map(|problem| problem.diagnosis(&scene)),
        left_behind: findings.left_behind,
        warnings: [warnings, findings.warnings].concat(),
        policy: policy::of_identity(location, &region),
        bucket_policy: policy::of_bucket(location, &region, principal),
        credentials: used.map(|(source, access_key_id)| CredentialsUsed { source, access_key_id }),
        endpoint,
        region,
    };
    without(&secrets, report)
}

/// Where credentials were looked for, and why they were not found
fn looked(faults: &[String]) -> Vec<String> {
    let has_fault = |source: &Source| faults.iter().any(|fault| fault.starts_with(source.words()));
    let none = Source::ALL.into_iter().filter(|source| !has_fault(source)).map(Source::words);
    let none = format!("none in {}", none.collect::<Vec<_>>().join(", "));
    faults.iter().cloned().chain([none]).collect()
}

/// The id of an access key is no secret; what stands in its place may be one
fn shown(id: &str) -> String {
    let is_id = id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if is_id { id.to_owned() } else { format!("{}…", id.chars().take(4).collect::<String>()) }
}

/// What may not stand in a report, though a server says it back
fn secrets(credential: &Credential) -> Vec<String> {
    let Credential { access_key_id, secret_access_key, session_token, .. } = credential;
    let id = Some(access_key_id).filter(|id| shown(id) != **id);
    let all = [Some(secret_access_key), session_token.as_ref(), id];
    // A short one would take words apart that say something.
    all.into_iter().flatten().filter(|secret| secret.len() >= 8).cloned().collect()
}

fn without(secrets: &[String], mut report: Report) -> Report {
    let answers = report.actions.iter_mut().filter_map(|proof| proof.answer.as_mut());
    let answers = answers.flat_map(|answer| [&mut answer.code, &mut answer.message]).flatten();
    let problem = report.problem.iter_mut().flat_map(|problem| [&mut problem.message, &mut problem.remedy]);
    let rest = report.warnings.iter_mut().chain(&mut report.left_behind);
    for text in answers.chain(problem).chain(rest) {
        for secret in secrets {
            *text = text.replace(secret.as_str(), "…");
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_and_what_may_be_a_secret_is_not() {
        assert_eq!(shown("AKIAIOSFODNN7EXAMPLE"), "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(shown("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), "wJal…");
        assert_eq!(shown("minioadmin"), "mini…");
    }

    #[test]
    fn sources_without_credentials_are_all_named() {
        let faults = [format!("{}: it is broken", Source::Profile.words())];
        let looked = looked(&faults);
        assert_eq!(looked.len(), 2);
        for source in Source::ALL {
            assert_eq!(looked.iter().filter(|said| said.contains(source.words())).count(), 1, "{source:?}");
        }
    }
}
