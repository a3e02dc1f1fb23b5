//! The decision, and the value that only it makes

use super::Caller;
use super::policy::Policy;
use super::receipt::Receipt;
use crate::druid::DruidRequest;
use crate::resource_actions::{AnalyzedRequest, Needed};

/// A request that was judged and may be sent, as it was judged; the only thing that `forward` takes
///
/// Only [`decide`] makes one:
///
/// ```compile_fail
/// # fn forge(request: msq_gate::druid::DruidRequest, receipt: msq_gate::authorize::Receipt) {
/// let forged = msq_gate::authorize::PermittedRequest { request, receipt };
/// # }
/// ```
#[must_use = "a permitted request that is not sent is a query that somebody waits for"]
#[derive(Debug)]
pub struct PermittedRequest {
    request: DruidRequest,
    receipt: Receipt,
}

impl PermittedRequest {
    /// What was needed and by what it was held
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The request, to be sent
    pub fn into_request(self) -> DruidRequest {
        self.request
    }
}

/// Why a known caller may not
#[derive(Clone, Debug)]
pub struct Denied {
    /// Which of the reasons
    pub reason: DeniedReason,
    /// What he was about to do: `run this INSERT`
    pub deed: String,
    /// What was needed, held and missing
    pub receipt: Receipt,
}

/// The reasons of a denial
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedReason {
    /// No role of his grants something that is needed
    MissingPermission,
    /// A role of his denies something that is needed
    Denied,
    /// He is not the one who submitted it, and holds nothing that stands in for that
    NotOwner,
}

/// Decides
///
/// A request is permitted if, and only if, any authenticated caller may make it; or, for every resource
/// action it needs, some role of the caller grants it and none denies it; or it asks for its submitter, and
/// the caller is he.
///
/// # Errors
///
/// In every other case, with what is missing.
pub fn decide(
    analyzed: AnalyzedRequest,
    caller: &Caller,
    policy: &Policy,
) -> Result<PermittedRequest, Box<Denied>> {
    let holder = policy.holder(&caller.issuer, &caller.identity, &caller.claimed_roles);
    let receipt = Receipt::new(analyzed.needs(), &holder, policy);
    let denial = match analyzed.needs() {
        Needed::Authenticated => None,
        Needed::All(_) => receipt.first_fault(),
        Needed::SubmitterOr { submitter: Some(owner), .. } if *owner == caller.owner() => None,
        Needed::SubmitterOr { .. } => receipt.first_fault().map(|_| DeniedReason::NotOwner),
    };
    match denial {
        None => Ok(PermittedRequest { request: analyzed.into_request(), receipt }),
        Some(reason) => Err(Box::new(Denied { reason, deed: analyzed.deed().to_owned(), receipt })),
    }
}
