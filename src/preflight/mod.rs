//! The preflight of durable storage: asks S3 with Druid's credentials whether Druid may do what it needs
//!
//! 1. [`credentials`]: found where Druid finds them, in its order;
//! 2. [`s3`]: one signed request at a time, its answer whole, over [`wire`];
//! 3. [`open_uploads`]: what a run that is killed leaves to the next one;
//! 4. [`probe`]: the steps, in an order in which each branch cleans up.

pub mod credentials;
pub mod open_uploads;
pub mod probe;
pub mod s3;
pub mod wire;

use std::time::SystemTime;

use crate::durable_storage::problem::{Problem, Scene};
use crate::durable_storage::report::{CredentialsUsed, Proof, Report};
use crate::durable_storage::{Place, policy};

/// What a preflight needs besides the place
#[derive(Debug)]
pub struct Means<'a> {
    /// Where credentials are looked for
    pub chain: credentials::Chain,
    /// The region of the environment (`AWS_REGION`)
    pub environment_region: Option<&'a str>,
    /// Trust for the S3 server
    pub tls: rustls::ClientConfig,
    /// Whom the bucket policy is to name
    pub principal: &'a str,
}

/// Probes durable storage, and reports
///
/// `now` is asked once, when all is over.
pub async fn run(
    place: &Place,
    means: Means<'_>,
    uploads: &mut open_uploads::OpenUploads,
    now: impl FnOnce() -> SystemTime,
) -> Report {
    let region = place.region_or(means.environment_region).to_owned();
    let target = place.target(&region);
    let found = means.chain.find().await;
    let (used, findings) = match found {
        Ok(found) => {
            let used = found.used();
            let s3 = s3::S3::new(&target.url, &region, found.credential, means.tls);
            (Some(used), probe::Probe::new(&s3, &place.location, &target.url, uploads).run().await)
        }
        Err(looked) => (None, probe::Findings::without_credentials(Problem::NoCredentials(looked))),
    };
    let scene = Scene {
        location: &place.location,
        endpoint: &target.endpoint,
        region: &region,
        key: used.as_ref().map_or("", |used| &used.access_key_id),
        source: used.as_ref().map_or("", |used| &used.source),
    };
    let problem = findings.problem().map(|problem| problem.told(&scene));
    let actions: Vec<Proof> = findings.proofs();
    Report {
        time: now(),
        location: place.location.clone(),
        policy: policy::of_identity(&place.location, &region),
        bucket_policy: policy::of_bucket(&place.location, &region, means.principal),
        endpoint: target.endpoint.clone(),
        credentials: used.clone(),
        actions,
        problem,
        left_behind: findings.left_behind,
        region,
    }
}

impl credentials::Found {
    fn used(&self) -> CredentialsUsed {
        CredentialsUsed {
            source: self.source.to_owned(),
            access_key_id: self.credential.access_key_id.clone(),
        }
    }
}
