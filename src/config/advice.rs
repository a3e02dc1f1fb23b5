//! What is legal but unwise: grants that mean more, or less, than they look like

use std::borrow::Cow;

use super::IssuerConfig;
use super::fault::Severity;
use super::marked_name::{Doubt, Kind, SCHEMAS, doubt, doubt_of};
use super::section::Section;
use crate::authorize::Policy;
use crate::authorize::permission::{Permission, READS_LIKE_A_PATTERN};
use crate::authorize::policy::Role;
use crate::druid::endpoint::Rule;
use crate::druid::place::Scheme;
use crate::druid::task::SELECT_STUB;
use crate::druid::{Action, Endpoint, ResourceAction, ResourceType};
use crate::resource_actions::Rules;
use crate::resource_actions::rules::{Cancel, ContextKeys, InputSources, Lookups, SelectTasks, SystemTables};

/// Notes everything unwise
pub(super) fn advise(
    sections: &[Section<'_>],
    rules_section: &Section<'_>,
    policy: &Policy,
    rules: &Rules,
    issuers: &[IssuerConfig],
) {
    for (role, section) in policy.roles().iter().zip(sections) {
        about_stubs(role, rules, section);
        about_names(role, rules, section);
        about_denied_grants(role, section);
        about_holders(role, issuers, section);
    }
    about_rules(rules_section, policy, rules);
}

/// How grave it is that what stands for a key does nothing: a warning of a grant, since nobody gets more by it, and
/// a fault of a deny, since somebody does
fn severity(kind: Kind, key: &str) -> Severity {
    kind.severity(key == "denies")
}

fn about_stubs(role: &Role, rules: &Rules, section: &Section<'_>) {
    let warn = |needed: ResourceAction, what: &str, instead: &str| {
        let holds = role.holds(&needed);
        let grant = role.grants.iter().find(|grant| grant.covers(&needed)).map(ToString::to_string);
        if let Some(grant) = grant.filter(|_| holds) {
            section.note(Severity::Warning, ("grants", Some(&grant)), format!("{needed} {what}"), instead);
        }
    };
    if rules.select_tasks == SelectTasks::Shared {
        let what = "shows the rows of everybody's SELECT tasks";
        let instead = "set rules.select_tasks = \"owner\", or deny it to this role";
        warn(ResourceAction::read(ResourceType::Datasource, SELECT_STUB), what, instead);
    }
    if rules.cancel != Cancel::Write {
        let what = "is of no use through the gate";
        warn(ResourceAction::write(ResourceType::Datasource, SELECT_STUB), what, "deny it to this role");
    }
}

/// Names that look like the other kind of pattern
fn about_names(role: &Role, rules: &Rules, section: &Section<'_>) {
    let grants = role.grants.iter().map(|permission| ("grants", permission));
    for (key, permission) in grants.chain(role.denies.iter().map(|permission| ("denies", permission))) {
        let written = permission.to_string();
        let doubt = doubt_of(permission.written_name())
            .or_else(|| doubt_of_use(permission, rules, key))
            .or_else(|| doubt_of_exact(permission));
        if let Some(Doubt { kind, what, instead }) = doubt {
            let what = format!("`{written}` {what}");
            section.note(severity(kind, key), (key, Some(&written)), what, instead);
        }
    }
}

fn doubt_of_use(permission: &Permission, rules: &Rules, key: &str) -> Option<Doubt> {
    let verb = if key == "denies" { "denies" } else { "grants" };
    let instead = why_nothing_asks(permission, rules)?;
    doubt(Kind::Miss, format!("{verb} nothing, since nothing asks for it"), instead)
}

/// Exact names that were hardly meant so
fn doubt_of_exact(permission: &Permission) -> Option<Doubt> {
    let name = permission.written_name();
    if !permission.is_exact() || name.starts_with("exact:") {
        return None;
    }
    let schema = name.split_once('.').filter(|(schema, _)| SCHEMAS.contains(schema));
    let (what, instead) = if name.contains(['*', '?']) {
        let instead = format!("write `glob:{name}` for a pattern, `exact:{name}` for the name");
        ("is the exact name with a `*` or `?` in it", instead)
    } else if name.contains(READS_LIKE_A_PATTERN) {
        let instead =
            format!("write `glob:` with `*`, or one sentence for each; `exact:{name}` for the name");
        ("is one exact name, whatever its signs mean elsewhere", instead)
    } else {
        let (_, table) = schema.filter(|_| permission.kind() == ResourceType::Datasource)?;
        let instead = format!("write `{table}`, or `exact:{name}` for the name");
        ("is a datasource with a dot in its name: no schema stands in a name", instead)
    };
    doubt(Kind::Miss, what, instead)
}

/// What to write in place of a permission that nothing asks for; `None` where something may
fn why_nothing_asks(permission: &Permission, rules: &Rules) -> Option<Cow<'static, str>> {
    let acts = |action| permission.actions().contains(&action);
    let names = |action, name: &str| permission.covers(&ResourceAction::new(action, permission.kind(), name));
    let is_only = |name: &str| permission.exact_name() == Some(name);
    let (reads, writes) = (acts(Action::Read), acts(Action::Write));
    let (is_asked, instead) = match permission.kind() {
        ResourceType::Datasource => (true, ""),
        ResourceType::View => (reads, "write READ: views are only read"),
        ResourceType::Lookup => (
            reads && rules.lookups == Lookups::Granted,
            "write READ LOOKUP, and set rules.lookups = \"granted\"",
        ),
        ResourceType::SystemTable => (
            reads && rules.system_tables == SystemTables::Authorized,
            "write READ SYSTEM_TABLE, and set rules.system_tables = true",
        ),
        ResourceType::QueryContext => (
            writes && rules.context_keys == ContextKeys::Authorized,
            "write WRITE QUERY_CONTEXT, and set rules.context_keys = true",
        ),
        ResourceType::State | ResourceType::Config => {
            let is_asked = asked_areas(permission.kind()).any(|(action, area)| names(action, area));
            return (!is_asked).then(|| areas_of(permission.kind()).into());
        }
        ResourceType::External if permission.place().is_some() => {
            let exported = [Scheme::S3, Scheme::Gs, Scheme::File];
            let is_exported = permission.place().is_some_and(|place| exported.contains(&place.scheme()));
            (reads || is_exported, "exports go to s3, gs and file alone")
        }
        ResourceType::External => match rules.input_sources {
            InputSources::Together => (
                names(Action::Read, "EXTERNAL") || writes && !is_only("EXTERNAL"),
                "write READ EXTERNAL EXTERNAL, or set rules.input_source_types = true; WRITE EXTERNAL goes by type: s3, google, local …",
            ),
            InputSources::ByType => {
                (reads || writes && !is_only("EXTERNAL"), "WRITE EXTERNAL goes by type: s3, google, local …")
            }
        },
    };
    (!is_asked).then_some(instead.into())
}

/// The whole of STATE or CONFIG and the areas of it that some endpoint asks for
fn asked_areas(kind: ResourceType) -> impl Iterator<Item = (Action, &'static str)> {
    let fixed = Endpoint::all().filter_map(move |endpoint| {
        let Rule::Fixed(action, of, area) = endpoint.rule else { return None };
        (of == kind).then_some((action, area))
    });
    let whole = Action::ALL.into_iter().filter_map(move |action| Some((action, kind.whole()?)));
    // Of running queries, and of supervisors whose datasources nobody knows.
    let others = Action::ALL.into_iter().flat_map(|action| [(action, "queries"), (action, "supervisors")]);
    fixed.chain(whole).chain(others.filter(move |_| kind == ResourceType::State))
}

fn areas_of(kind: ResourceType) -> String {
    let others = if kind == ResourceType::Config { ", and security" } else { "" };
    format!(
        "the names here are {} for all of it, in part {}{others}, with READ or WRITE as `msq-gate routes` says",
        kind.word(),
        kind.areas().join(", ")
    )
}

/// Grants of one name that a deny of the same role takes back
fn about_denied_grants(role: &Role, section: &Section<'_>) {
    for grant in &role.grants {
        let denied = |needed: &ResourceAction| role.denies.iter().any(|deny| deny.covers(needed));
        let granted = grant.exact_resource_actions();
        if !granted.is_empty() && granted.iter().all(denied) {
            let written = grant.to_string();
            let what = format!("`{grant}` grants nothing, since this role denies it");
            let at = ("grants", Some(written.as_str()));
            section.note(Severity::Warning, at, what, "take out the grant, or the deny");
        }
    }
}

fn about_holders(role: &Role, issuers: &[IssuerConfig], section: &Section<'_>) {
    let confers =
        |issuer: &IssuerConfig| issuer.issuer.confers().is_none_or(|roles| roles.contains(&role.name));
    if role.members.is_empty() && !issuers.is_empty() && !issuers.iter().any(confers) {
        let what = "nobody can hold this role: no issuer confers it, and it has no members";
        let key = if role.denies.is_empty() { "members" } else { "denies" };
        let instead = "name it in an issuer's `roles`, or give it `members`";
        section.note(severity(Kind::Miss, key), (key, None), what, instead);
    }
}

fn about_rules(section: &Section<'_>, policy: &Policy, rules: &Rules) {
    if section.meant("cancel") == Some("read") {
        let what = "whoever may read a datasource may cancel what writes it";
        section.warn("cancel", what, "write \"owner\", or leave it out if that is meant");
    }
    let is_all_input = |grant: &Permission| {
        grant.kind() == ResourceType::External
            && grant.actions().contains(&Action::Read)
            && grant.exact_name() == Some("EXTERNAL")
    };
    let mut grants = policy.roles().iter().flat_map(|role| &role.grants);
    if rules.input_sources == InputSources::ByType && grants.any(is_all_input) {
        let what = "READ EXTERNAL EXTERNAL grants no input source where `input_source_types` is on";
        section.warn("input_source_types", what, "grant READ EXTERNAL by type: http, s3, inline …");
    }
}
