//! Explanations before anything runs: what a request would need, who holds it, and how it would be decided
//!
//! By the code that enforces: the same needs, the same verdict, the same receipt.

use serde_json::{Value, json};

use super::refusal::denied_reason;
use super::respond::{missing, needed};
use crate::authorize::{Caller, DeniedReason, Policy, Receipt, Verdict, verdict};
use crate::config::RefusalDetail;
use crate::druid::json::JsonLimits;
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::supervisor_spec::SupervisorSpec;
use crate::resource_actions::{AnalysisError, Needed, Rules, ingestion, native, query_context, supervisor};

/// What a request would do and need, whoever asks
#[derive(Clone, Debug)]
pub struct Asked {
    /// What the caller would do: `run this INSERT`
    pub deed: String,
    /// What it needs
    pub needs: Needed,
    /// The statement as Druid would get it
    pub forwarded: Option<String>,
    why_state: Option<&'static str>,
}

impl Asked {
    /// By a statement that was judged, and the context keys that come with it
    pub fn statement(judged: &JudgedStatement, context_keys: &[String], rules: &Rules) -> Self {
        let judgement = judged.judgement();
        Self {
            deed: format!("run this {}", judgement.kind),
            needs: judgement.needs.clone().and(query_context::resource_actions(context_keys, rules)),
            forwarded: Some(judgement.forwarded.clone()),
            why_state: judgement.needs.why_state(rules),
        }
    }

    /// By a native query
    ///
    /// # Errors
    ///
    /// Where it is not understood or not let through.
    pub fn native(body: &[u8], limits: impl Into<JsonLimits>, rules: &Rules) -> Result<Self, AnalysisError> {
        let native::NativeQuery { kind, needs, .. } = native::judge(body, limits, rules)?;
        Ok(Self { deed: format!("run this {kind} query"), needs, forwarded: None, why_state: None })
    }

    /// By a posted task, or a supervisor where none of its id is there yet
    ///
    /// # Errors
    ///
    /// Where it is not understood or not let through.
    pub fn task(body: &[u8], limits: impl Into<JsonLimits>, rules: &Rules) -> Result<Self, AnalysisError> {
        let is_supervisor =
            serde_json::from_slice::<SupervisorSpec>(body).is_ok_and(|spec| spec.is_supervisor());
        let (what, judged) = match is_supervisor {
            true => ("supervisor", supervisor::judge(body, limits, rules)?),
            false => ("task", ingestion::judge(body, limits, rules)?),
        };
        let ingestion::JudgedTask { kind, needs, .. } = judged;
        Ok(Self { deed: format!("post this {what} of type {kind}"), needs, forwarded: None, why_state: None })
    }
}

/// What would be decided, and on what that rests
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the caller would do: `run this INSERT`
    pub deed: String,
    /// How it would be decided
    pub verdict: Verdict,
    /// What is needed, held and missing
    pub receipt: Receipt,
    /// Why READ STATE STATE is asked, where that is missing and worth a word
    pub why_state: Option<&'static str>,
    forwarded: Option<String>,
}

impl Explanation {
    /// Explains what this caller would be told
    pub fn new(asked: Asked, caller: &Caller, policy: &Policy) -> Self {
        let Asked { deed, needs, forwarded, why_state } = asked;
        let (verdict, receipt) = verdict(&needs, caller, policy);
        let why_state = why_state.filter(|_| receipt.misses_state());
        Self { deed, verdict, receipt, why_state, forwarded }
    }

    /// As an answer; how much it says of roles is up to `refusal_detail`
    pub fn json(&self, detail: RefusalDetail) -> Value {
        let reason = match (&self.verdict, detail) {
            (Verdict::Permit, _) => None,
            // As the refusal itself: the reason only, and none of those that tell more.
            (Verdict::Deny(_), RefusalDetail::Code) => Some(DeniedReason::MissingPermission),
            (Verdict::Deny(reason), _) => Some(*reason),
        };
        let has_grounds = reason.is_none() || detail != RefusalDetail::Code;
        let members = [
            ("deed", Some(json!(self.deed))),
            ("verdict", Some(json!(if reason.is_none() { "allowed" } else { "refused" }))),
            ("reason", reason.map(|reason| json!(denied_reason(reason).code()))),
            ("needed", has_grounds.then(|| needed(&self.receipt, detail))),
            ("missing", has_grounds.then(|| missing(&self.receipt))),
            ("whyState", self.why_state.filter(|_| has_grounds).map(Value::from)),
            ("forwarded", self.forwarded.as_deref().filter(|_| has_grounds).map(Value::from)),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
