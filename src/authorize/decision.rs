//! The decision, and the value that only it makes

use super::caller::Caller;
use super::policy::{Policy, Sight};
use super::receipt::{DeniedReason, Receipt};
use crate::authenticate::Identity;
use crate::druid::endpoint::Rule;
use crate::druid::{DruidRequest, Endpoint, Owner};
use crate::resource_actions::listed::Listed;
use crate::resource_actions::{AnalyzedRequest, Needed, Parts, RunningQuery, Storage};

/// A request that was judged and may be sent, as it was judged; the only thing that `forward` takes
///
/// Only [`decide`] makes one:
///
/// ```compile_fail
/// # use msq_gate::{authorize::{Receipt, decision::Shown}, druid::DruidRequest, resource_actions::Storage};
/// # fn forge(request: DruidRequest, receipt: Receipt, storage: Storage, shown: Shown) {
/// let forged = msq_gate::authorize::PermittedRequest { request, receipt, storage, shown, running: None };
/// # }
/// ```
#[must_use = "a permitted request that is not sent is a query that somebody waits for"]
#[derive(Debug)]
pub struct PermittedRequest {
    request: DruidRequest,
    receipt: Receipt,
    storage: Storage,
    shown: Shown,
    running: Option<(Option<String>, RunningQuery)>,
}

/// How much of the answer its caller may see
#[derive(Clone, Debug)]
pub enum Shown {
    /// All of it
    Whole,
    /// Of a list, those rows
    Rows(Listed, Sight),
}

impl PermittedRequest {
    fn new(
        analyzed: AnalyzedRequest,
        receipt: Receipt,
        sight: impl FnOnce() -> Sight,
        submitter: Option<Owner>,
    ) -> Self {
        let Parts { request, storage, listed, query_id, running } = analyzed.into_parts();
        let running =
            running.zip(submitter).map(|(needs, submitter)| (query_id, RunningQuery { submitter, needs }));
        let shown = listed.map_or(Shown::Whole, |listed| {
            let sight = sight();
            let is_all = listed.unless.as_ref().is_some_and(|unless| sight.holds(unless));
            if is_all { Shown::Whole } else { Shown::Rows(listed, sight) }
        });
        PermittedRequest { request, receipt, storage, shown, running }
    }

    /// The query that runs as long as this is answered, and the id by which it can be cancelled, where it brings one
    pub fn running(&self) -> Option<(Option<&str>, &RunningQuery)> {
        self.running.as_ref().map(|(id, query)| (id.as_deref(), query))
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

    /// The request, to be sent, and how much of its answer may be passed on
    pub fn into_parts(self) -> (DruidRequest, Shown) {
        (self.request, self.shown)
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
    let mut receipt = Receipt::new(needs, &caller.holder(policy));
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
    let caller = Caller::verified(identity);
    match verdict(analyzed.needs(), &caller, policy) {
        (Verdict::Permit, receipt) => {
            let sight = || caller.holder(policy).sight().of(caller.owner());
            Ok(PermittedRequest::new(analyzed, receipt, sight, Some(identity.owner())))
        }
        (Verdict::Deny(reason), receipt) => {
            let why_state = analyzed.why_state().filter(|_| receipt.misses_state());
            Err(Box::new(Denied { reason, deed: analyzed.deed().to_owned(), why_state, receipt }))
        }
    }
}

/// Permits the one request that needs no caller, where the configuration opens it: the router's health
pub fn permit_public_health(analyzed: AnalyzedRequest) -> Option<PermittedRequest> {
    let is_health = analyzed.endpoint().rule == Rule::Health && *analyzed.needs() == Needed::Authenticated;
    is_health.then(|| PermittedRequest::new(analyzed, Receipt::default(), Sight::default, None))
}
