//! `msq-gate explain`: what would be needed, who holds it, what is missing, and how to mend that

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::load::{Tell, load};
use super::needs::{Asking, Input, on_a_large_stack, open, read_whole};
use super::{Exit, complain, fail, say};
use crate::answer::explain::Explanation;
use crate::answer::respond::json_refusal;
use crate::authenticate::ListedRoles;
use crate::authenticate::error::MalformedToken;
use crate::authenticate::token_kind::OtherKind;
use crate::authorize::permission::exact_sentence;
use crate::authorize::receipt::{Holding, NeededPermission};
use crate::authorize::{Caller, DeniedReason, Policy, Verdict};
use crate::config::{Config, RefusalDetail};
use crate::druid::resource::Printable;

/// What was typed
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The configuration
    #[arg(long, default_value = "proxy.toml", value_name = "FILE")]
    config: PathBuf,
    /// A file with the claims of a token, as JSON
    #[arg(long, value_name = "FILE", required_unless_present = "roles", conflicts_with = "roles")]
    claims: Option<PathBuf>,
    /// Role names, in place of claims
    #[arg(long, value_name = "A,B")]
    roles: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// The file with the statement or the task; standard input where not given
    file: Option<PathBuf>,
}

pub(super) fn run(asked: Asked) -> Result<(), Exit> {
    let config = load(&asked.config, Tell::Faults)?;
    let caller = caller(&asked, &config).map_err(|message| fail(Exit::DataError, message))?;
    let input = open(asked.file.as_deref())?;
    on_a_large_stack(move || explain(&config, &asked, &caller, input))
}

/// The caller of these claims, while it is said what they list as roles; or one with these roles
fn caller(asked: &Asked, config: &Config) -> Result<Caller, String> {
    let first = config.issuers.first().ok_or("there is no issuer")?;
    let Some(path) = &asked.claims else {
        let roles = config.policy.named_roles(asked.roles.as_deref().unwrap_or(""));
        let roles = roles.map_err(|error| error.to_string())?;
        return Ok(Caller::supposed(first.issuer.name(), "somebody", roles));
    };
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let claims = crate::druid::json::parse(&text, config.limits.json());
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
    complain(roles_found(&person.listed, &config.policy));
    Ok(Caller::supposed(issuer.issuer.name(), &person.identity, person.roles))
}

/// Which claim was looked for, and what was found there
fn roles_found(listed: &ListedRoles, policy: &Policy) -> String {
    let claim = Printable(&listed.claim);
    let Some(roles) = &listed.listed else {
        return format!("roles: there is no claim `{claim}`; only `members` count");
    };
    let known = |role: &&String| policy.roles().iter().any(|known| known.name == **role);
    let named = |roles: Vec<&String>| {
        let roles: Vec<_> = roles.into_iter().map(|role| Printable(role).to_string()).collect();
        if roles.is_empty() { "none".to_owned() } else { roles.join(", ") }
    };
    let (known, unknown): (Vec<_>, Vec<_>) = roles.iter().partition(known);
    format!("roles: `{claim}` lists {}; not in this file: {}", named(known), named(unknown))
}

fn explain(config: &Config, asked: &Asked, caller: &Caller, input: Input) -> Result<(), Exit> {
    let needed = Asking::of(config).answer(&read_whole(input)?).map_err(|refusal| {
        if asked.json {
            say(json_refusal(&refusal));
        } else {
            say(format_args!("refused for everybody, {}: {refusal}", refusal.reason().code()));
        }
        Exit::NoPermission
    })?;
    let explanation = Explanation::new(needed, caller, &config.policy);
    if asked.json {
        say(explanation.json(RefusalDetail::Full));
    } else {
        print(&explanation, &config.policy, &asked.config);
    }
    if explanation.verdict == Verdict::Permit { Ok(()) } else { Err(Exit::NoPermission) }
}

fn print(explanation: &Explanation, policy: &Policy, file: &Path) {
    say(format_args!("to {}:", explanation.deed));
    if explanation.receipt.needed.is_empty() {
        say("  any authenticated caller may");
    }
    for needed in &explanation.receipt.needed {
        say(format_args!("  {}: {}", needed.permission, standing(&needed.holding)));
        for place in &needed.places {
            say(format_args!("    {}: {}", place.sentence, standing(&place.holding)));
        }
        if let Holding::Missing { held_by } = &needed.holding {
            say(format_args!("    {}", remedy(needed, held_by, policy, file)));
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

fn standing(holding: &Holding) -> String {
    match holding {
        Holding::Held { by } => format!("held by {}", Printable(by)),
        Holding::Denied { by } => format!("denied by {}, which no grant can mend", Printable(by)),
        Holding::Missing { held_by } if held_by.is_empty() => "missing; no role holds it".to_owned(),
        Holding::Missing { held_by } => format!("missing; held by {}", held_by.join(", ")),
    }
}

/// The line of the file that would grant it
fn remedy(needed: &NeededPermission, held_by: &[String], policy: &Policy, file: &Path) -> String {
    let (file, sentence) = (file.display(), format!("{:?}", exact_sentence(&needed.permission)));
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
