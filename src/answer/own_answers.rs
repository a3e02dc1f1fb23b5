//! What the gate answers itself: who am I, and what would this need

use serde_json::{Value, json};

use super::explain::{Asked, Explanation};
use super::refusal::Refusal;
use super::respond::{json_refusal, status};
use crate::authenticate::Identity;
use crate::authorize::caller::AboutWhomError;
use crate::authorize::{Caller, Denied, Policy, Verdict, verdict};
use crate::base::budget::Holder;
use crate::base::budgets::Budgets;
use crate::config::RefusalDetail;
use crate::druid::json::{self, JsonLimits};
use crate::druid::path::query_parameters;
use crate::druid::{ResourceAction, ResourceActions, ResourceType};
use crate::evidence::judge::Judge;
use crate::request::route::own::OwnEndpoint;
use crate::resource_actions::submit::Submit;
use crate::resource_actions::{AnalysisError, Needed, Rules};

/// The parameters that say whom an explanation is about
const ABOUT: [&str; 2] = ["identity", "roles"];

/// What answers of the gate's own rest on
#[derive(Clone, Copy, Debug)]
pub struct OwnAnswers<'a> {
    /// Who holds what
    pub policy: &'a Policy,
    /// Between which of Druid's modes to choose
    pub rules: &'a Rules,
    /// Judges statements
    pub judge: &'a Judge,
    /// How much JSON there may be in a body
    pub json: JsonLimits,
    /// Where large bodies are read, and statements wait
    pub budgets: &'a Budgets,
    /// Who asks, as far as that counts there
    pub holder: Holder,
    /// How much a refusal says
    pub detail: RefusalDetail,
}

impl OwnAnswers<'_> {
    /// Answers at one of the gate's own endpoints, with this query string and body
    ///
    /// # Errors
    ///
    /// Where the request cannot be read, names a role that is not there, or asks about somebody else without READ CONFIG security.
    pub async fn answer(
        &self,
        endpoint: OwnEndpoint,
        query: &str,
        body: Vec<u8>,
        identity: &Identity,
    ) -> Result<Value, Refusal> {
        match endpoint {
            OwnEndpoint::WhoAmI => Ok(self.who_am_i(identity)),
            OwnEndpoint::Explain => self.explain(body, &self.about_whom(query, identity)?).await,
        }
    }

    fn who_am_i(&self, identity: &Identity) -> Value {
        let caller = Caller::verified(identity);
        let holder = caller.holder(self.policy);
        let sentences =
            |permissions: &[_]| permissions.iter().map(ToString::to_string).collect::<Vec<String>>();
        let grants = holder.roles().map(|role| {
            json!({"role": role.name, "grants": sentences(&role.grants), "denies": sentences(&role.denies)})
        });
        let listed = identity.listed_roles();
        json!({
            "identity": identity.subject(),
            "issuer": identity.issuer(),
            "roles": holder.roles().map(|role| &role.name).collect::<Vec<_>>(),
            "rolesClaim": {"claim": listed.claim, "found": listed.listed},
            "grants": grants.collect::<Value>(),
            "expires": humantime::format_rfc3339_seconds(identity.expires_at()).to_string(),
        })
    }

    /// The caller himself, or whom he asks about: `?identity=…&roles=a,b`
    fn about_whom(&self, query: &str, identity: &Identity) -> Result<Caller, Refusal> {
        let himself = Caller::verified(identity);
        let parameters = query_parameters(query)?;
        let mut names = Vec::new();
        for (name, _) in &parameters {
            if !ABOUT.contains(&name.as_str()) || names.contains(&name) {
                return Err(AboutWhomError::Parameter(name.clone()).into());
            }
            names.push(name);
        }
        let value =
            |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let (other, roles) = (value("identity"), value("roles"));
        if other.is_none() && roles.is_none() {
            return Ok(himself);
        }
        let needs =
            Needed::All(ResourceActions::only(ResourceAction::read(ResourceType::Config, "security")));
        match verdict(&needs, &himself, self.policy) {
            (Verdict::Permit, _) => {
                let roles = self.policy.named_roles(roles.unwrap_or("")).map_err(AboutWhomError::from)?;
                Ok(Caller::supposed(identity.issuer(), other.unwrap_or(""), roles))
            }
            (Verdict::Deny(reason), receipt) => {
                let deed = "ask about somebody else".to_owned();
                Err(Refusal::Denied(Box::new(Denied { reason, deed, why_state: None, receipt })))
            }
        }
    }

    /// What a statement or a task would need, and how it would be decided; a refusal is an explanation too
    async fn explain(&self, body: Vec<u8>, caller: &Caller) -> Result<Value, Refusal> {
        let (json, rules) = (self.json, self.rules.clone());
        let (size, reading) = (body.len(), move || read(&body, json, &rules));
        let read = self.budgets.workshop.work(self.holder, size, reading).await??;
        match self.asked(read).await {
            Ok(asked) => Ok(Explanation::new(asked, caller, self.policy).json(self.detail)),
            Err(refusal) if status(refusal.reason()).is_server_error() => Err(refusal),
            Err(refusal) => Ok(json_refusal(&refusal)),
        }
    }

    async fn asked(&self, read: Result<Read, Refusal>) -> Result<Asked, Refusal> {
        let submit = match read? {
            Read::Asked(asked) => return Ok(asked),
            Read::Statement(submit) => submit,
        };
        let judged = self.judge.judged(&submit, self.budgets.judging.lease(self.holder)).await?;
        Ok(Asked::statement(&judged, &submit.context_keys, self.rules))
    }
}

/// A body that asks for an explanation, read
enum Read {
    Statement(Box<Submit>),
    Asked(Asked),
}

/// Reads it; what is no JSON is no question, and all else has an answer, though that be a refusal
fn read(body: &[u8], json: JsonLimits, rules: &Rules) -> Result<Result<Read, Refusal>, AnalysisError> {
    let value = json::parse(body, json).map_err(AnalysisError::json)?;
    // At the SQL endpoints it would be a statement, whatever stands beside it.
    if value.get("queryType").is_some() && !value.get("query").is_some_and(Value::is_string) {
        return Ok(Asked::native(body, json, rules).map(Read::Asked).map_err(Refusal::from));
    }
    if value.get("query").is_none() {
        return Ok(Asked::task(body, json, rules).map(Read::Asked).map_err(Refusal::from));
    }
    Ok(Submit::read(body, json).map(Box::new).map(Read::Statement).map_err(Refusal::from))
}
