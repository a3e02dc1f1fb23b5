//! The decision, and the value that only it makes

use super::caller::Caller;
use super::policy::Policy;
use super::receipt::{DeniedReason, Receipt};
use crate::authenticate::Identity;
use crate::druid::{DruidRequest, Endpoint};
use crate::resource_actions::{AnalyzedRequest, Needed, Storage};

/// A request that was judged and may be sent, as it was judged; the only thing that `forward` takes
///
/// Only [`decide`] makes one:
///
/// ```compile_fail
/// # use msq_gate::{authorize::Receipt, druid::DruidRequest, resource_actions::Storage};
/// # fn forge(request: DruidRequest, receipt: Receipt, storage: Storage) {
/// let forged = msq_gate::authorize::PermittedRequest { request, receipt, storage };
/// # }
/// ```
#[must_use = "a permitted request that is not sent is a query that somebody waits for"]
#[derive(Debug)]
pub struct PermittedRequest {
    request: DruidRequest,
    receipt: Receipt,
    storage: Storage,
}

impl PermittedRequest {
    fn new(analyzed: AnalyzedRequest, receipt: Receipt) -> Self {
        let (request, storage) = analyzed.into_parts();
        PermittedRequest { request, receipt, storage }
    }

    /// Which endpoint it is for
    pub fn endpoint(&self) -> Endpoint {
        self.request.endpoint
    }

    /// Whether it asks for durable storage
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

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
#[derive(Clone, Debug, thiserror::Error)]
#[error("the caller may not {deed}")]
pub struct Denied {
    /// Which of the reasons
    pub reason: DeniedReason,
    /// What he was about to do: `run this INSERT`
    pub deed: String,
    /// Why READ STATE STATE is asked, where a statement misses that
    pub why_state: Option<&'static str>,
    /// What was needed, held and missing
    pub receipt: Receipt,
}

/// What the policy says of a caller and what a request needs
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// He may
    Permit,
    /// He may not
    Deny(DeniedReason),
}

/// Whether this caller may do what needs this, and on what that rests
///
/// He may if, and only if, any authenticated caller may; or, for every resource action that is needed, some
/// role of his grants it and none denies it; or it asks for its submitter, and that is he.
pub fn verdict(needs: &Needed, caller: &Caller, policy: &Policy) -> (Verdict, Receipt) {
    let mut receipt = Receipt::new(needs, &caller.holder(policy), policy);
    let denial = match needs {
        Needed::Authenticated => None,
        Needed::All(_) => receipt.first_fault(),
        Needed::SubmitterOr { submitter: Some(owner), .. } if *owner == caller.owner() => {
            receipt.is_submitters = receipt.first_fault().is_some();
            None
        }
        Needed::SubmitterOr { .. } => receipt.first_fault().map(|_| DeniedReason::NotOwner),
    };
    (denial.map_or(Verdict::Permit, Verdict::Deny), receipt)
}

/// Decides: permits the request as it was judged, for the identity that was verified
///
/// # Errors
///
/// Where the [`verdict`] is to deny, with what is missing.
pub fn decide(
    analyzed: AnalyzedRequest,
    identity: &Identity,
    policy: &Policy,
) -> Result<PermittedRequest, Box<Denied>> {
    match verdict(analyzed.needs(), &Caller::verified(identity), policy) {
        (Verdict::Permit, receipt) => Ok(PermittedRequest::new(analyzed, receipt)),
        (Verdict::Deny(reason), receipt) => {
            let why_state = analyzed.why_state().filter(|_| receipt.misses_state());
            Err(Box::new(Denied { reason, deed: analyzed.deed().to_owned(), why_state, receipt }))
        }
    }
}

/// Permits the one request that needs no caller, where the configuration opens it: the router's health
pub fn permit_public_health(analyzed: AnalyzedRequest) -> Option<PermittedRequest> {
    let is_health = analyzed.endpoint() == Endpoint::Health && *analyzed.needs() == Needed::Authenticated;
    is_health.then(|| PermittedRequest::new(analyzed, Receipt::default()))
}
