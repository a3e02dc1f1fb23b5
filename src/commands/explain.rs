//! `msq-gate explain`: what would be needed, who holds it, what is missing, and how to mend that

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::load::{Tell, load};
use super::needs::{Answer, Asking, Input, on_a_large_stack, open};
use super::{Exit, complain, say};
use crate::answer::explain::Explanation;
use crate::authenticate::ListedRoles;
use crate::authenticate::error::MalformedToken;
use crate::authenticate::token_kind::OtherKind;
use crate::authorize::permission::exact_sentence;
use crate::authorize::receipt::{Holding, NeededPermission};
use crate::authorize::{Caller, DeniedReason, Policy, Verdict};
use crate::config::{Config, RefusalDetail};
use crate::druid::resource::Printable;

/// Who would ask
pub(super) struct Who<'a> {
    /// A file with the claims of a token
    pub(super) claims: Option<&'a Path>,
    /// Role names
    pub(super) roles: Option<&'a str>,
}

pub(super) fn run(config_file: &Path, who: &Who<'_>, json: bool, file: Option<&Path>) -> Exit {
    let config = match load(config_file, Tell::Faults) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let caller = match caller(who, &config) {
        Ok((caller, listed)) => {
            if let Some(listed) = listed {
                complain(roles_found(&listed, &config.policy));
            }
            caller
        }
        Err(message) => {
            complain(message);
            return Exit::DataError;
        }
    };
    let input = match open(file) {
        Ok(input) => input,
        Err(error) => {
            complain(format_args!("{}: {error}", file.unwrap_or(Path::new("standard input")).display()));
            return Exit::NoInput;
        }
    };
    let name = config_file.display().to_string();
    on_a_large_stack(move || explain(config, &name, &caller, json, input))
}

/// The caller of these claims, and what they list as roles; or one with these roles
fn caller(who: &Who<'_>, config: &Config) -> Result<(Caller, Option<ListedRoles>), String> {
    let first = config.issuers.first().ok_or("there is no issuer")?;
    let Some(path) = who.claims else {
        let roles = config.policy.named_roles(who.roles.unwrap_or(""));
        let roles = roles.map_err(|error| error.to_string())?;
        return Ok((Caller::supposed(first.issuer.name(), "somebody", roles), None));
    };
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let claims = crate::druid::json::parse(&text, config.limits.json_depth);
    let claims = claims.map_err(|error| format!("{}: {error}", path.display()))?;
    let claims =
        claims.as_object().ok_or_else(|| format!("{}: the claims must be a JSON object", path.display()))?;
    if let Some(kind) = OtherKind::of(claims) {
        return Err(format!("{}: {}", path.display(), MalformedToken::OtherKind(kind)));
    }
    let named = claims.get("iss").and_then(Value::as_str);
    let issuer = match named {
        Some(name) => config.issuers.iter().find(|issuer| issuer.issuer.name() == name),
        None if config.issuers.len() == 1 => Some(first),
        None => None,
    };
    let issuer = issuer.ok_or("`iss` is none of the configuration's issuers")?;
    let person = issuer.issuer.person(claims).map_err(|error| error.to_string())?;
    let caller = Caller::supposed(issuer.issuer.name(), &person.identity, person.roles);
    Ok((caller, Some(person.listed)))
}

/// Which claim was looked for, and what was found there
fn roles_found(listed: &ListedRoles, policy: &Policy) -> String {
    let claim = Printable(&listed.claim);
    let Some(roles) = &listed.listed else {
        return format!("roles: there is no claim `{claim}`; only `members` count");
    };
    let known = |role: &&String| policy.roles().iter().any(|known| known.name == **role);
    let named = |roles: Vec<&String>| match roles.is_empty() {
        true => "none".to_owned(),
        false => roles.into_iter().map(|role| Printable(role).to_string()).collect::<Vec<_>>().join(", "),
    };
    let (known, unknown): (Vec<_>, Vec<_>) = roles.iter().partition(known);
    format!("roles: `{claim}` lists {}; not in this file: {}", named(known), named(unknown))
}

fn explain(config: Config, file: &str, caller: &Caller, json: bool, mut input: Input) -> Exit {
    let mut text = String::new();
    if let Err(error) = input.read_to_string(&mut text) {
        complain(format_args!("the input cannot be read: {error}"));
        return Exit::NoInput;
    }
    let asking =
        Asking { limits: config.limits.sql(), json_depth: config.limits.json_depth, rules: config.rules };
    let Answer { needs, forwarded, deed, why_state } = match asking.answer(text) {
        Ok(answer) => answer,
        Err(refusal) if json => {
            say(crate::answer::respond::json_refusal(&refusal));
            return Exit::NoPermission;
        }
        Err(refusal) => {
            say(format_args!("refused for everybody, {}: {refusal}", refusal.reason().code()));
            return Exit::NoPermission;
        }
    };
    let explanation = Explanation::new(deed, &needs, forwarded, caller, &config.policy).because(why_state);
    if json {
        say(explanation.json(RefusalDetail::Full));
    } else {
        print(&explanation, &config.policy, file);
    }
    match explanation.verdict {
        Verdict::Permit => Exit::Ok,
        Verdict::Deny(_) => Exit::NoPermission,
    }
}

fn print(explanation: &Explanation, policy: &Policy, file: &str) {
    say(format_args!("to {}:", explanation.deed));
    if explanation.receipt.needed.is_empty() {
        say("  any authenticated caller may");
    }
    for needed in &explanation.receipt.needed {
        say(format_args!("  {}: {}", needed.permission, standing(needed)));
        if let Holding::Missing { .. } = needed.holding {
            say(format_args!("    {}", remedy(needed, policy, file)));
        }
    }
    if let Some(why) = explanation.why_state {
        say(format_args!("  {why}"));
    }
    say(match explanation.verdict {
        Verdict::Permit => "allowed",
        Verdict::Deny(DeniedReason::NotOwner) => "refused: only the submitter may, or who holds the above",
        Verdict::Deny(DeniedReason::MissingPermission | DeniedReason::Denied) => "refused",
    });
}

fn standing(needed: &NeededPermission) -> String {
    match &needed.holding {
        Holding::Held { by } => format!("held by {}", Printable(by)),
        Holding::Denied { by } => format!("denied by {}, which no grant can mend", Printable(by)),
        Holding::Missing { held_by } if held_by.is_empty() => "missing; no role holds it".to_owned(),
        Holding::Missing { held_by } => format!("missing; held by {}", held_by.join(", ")),
    }
}

/// The line of the file that would grant it
fn remedy(needed: &NeededPermission, policy: &Policy, file: &str) -> String {
    let Holding::Missing { held_by } = &needed.holding else { return String::new() };
    let sentence = format!("{:?}", exact_sentence(&needed.permission));
    let holder = held_by.first().and_then(|name| policy.roles().iter().find(|role| role.name == *name));
    match holder {
        Some(role) => format!(
            "{file}:{}: be in the role `{}`, or add {sentence} to the `grants` of a role that you are in",
            role.line, role.name
        ),
        None => {
            let line = policy.roles().last().map_or(1, |role| role.line);
            format!("{file}:{line}: add {sentence} to the `grants` of a role")
        }
    }
}
