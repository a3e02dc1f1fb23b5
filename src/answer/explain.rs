//! Explanations before anything runs: what a request would need, who holds it, and how it would be decided
//!
//! By the code that enforces: the same needs, the same verdict, the same receipt.

use serde_json::{Map, Value, json};

use super::respond::{missing, needed};
use crate::authorize::{Caller, DeniedReason, Policy, Receipt, Verdict, verdict};
use crate::config::RefusalDetail;
use crate::resource_actions::Needed;

/// What would be decided, and on what that rests
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the caller would do: `run this INSERT`
    pub deed: String,
    /// How it would be decided
    pub verdict: Verdict,
    /// What is needed, held and missing
    pub receipt: Receipt,
    /// The statement as Druid would get it
    pub forwarded: Option<String>,
    /// Why READ STATE STATE is asked, where that is missing and worth a word
    pub why_state: Option<&'static str>,
}

impl Explanation {
    /// Explains what would need this
    pub fn new(
        deed: String,
        needs: &Needed,
        forwarded: Option<String>,
        caller: &Caller,
        policy: &Policy,
    ) -> Self {
        let (verdict, receipt) = verdict(needs, caller, policy);
        Self { deed, verdict, receipt, forwarded, why_state: None }
    }

    /// The same, with why a statement is asked for the state
    #[must_use]
    pub fn because(self, why_state: Option<&'static str>) -> Self {
        Self { why_state: why_state.filter(|_| self.receipt.misses_state()), ..self }
    }

    /// As an answer; how much it says of roles is up to `refusal_detail`
    pub fn json(&self, detail: RefusalDetail) -> Value {
        let mut answer = Map::new();
        answer.insert("deed".to_owned(), json!(self.deed));
        let (word, reason) = match (&self.verdict, detail) {
            (Verdict::Permit, _) => ("allowed", None),
            // As the refusal itself: the reason only, and none of those that tell more.
            (Verdict::Deny(_), RefusalDetail::Code) => {
                ("refused", Some(reason_code(DeniedReason::MissingPermission)))
            }
            (Verdict::Deny(reason), _) => ("refused", Some(reason_code(*reason))),
        };
        answer.insert("verdict".to_owned(), json!(word));
        if let Some(reason) = reason {
            answer.insert("reason".to_owned(), json!(reason));
        }
        if self.verdict != Verdict::Permit && detail == RefusalDetail::Code {
            return Value::Object(answer);
        }
        answer.insert("needed".to_owned(), needed(&self.receipt, detail));
        answer.insert("missing".to_owned(), missing(&self.receipt));
        if let Some(why) = self.why_state {
            answer.insert("whyState".to_owned(), json!(why));
        }
        if let Some(forwarded) = &self.forwarded {
            answer.insert("forwarded".to_owned(), json!(forwarded));
        }
        Value::Object(answer)
    }
}

fn reason_code(reason: DeniedReason) -> &'static str {
    crate::answer::refusal::denied_reason(reason).code()
}
