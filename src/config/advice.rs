//! What is legal but unwise: grants that mean more, or less, than they look like

use toml::de::DeTable;

use super::IssuerConfig;
use super::section::{Findings, Section};
use crate::authorize::Policy;
use crate::authorize::permission::{Permission, READS_LIKE_A_PATTERN};
use crate::authorize::policy::Role;
use crate::druid::task::SELECT_STUB;
use crate::druid::{Action, ResourceAction, ResourceType};
use crate::resource_actions::Rules;
use crate::resource_actions::rules::{Cancel, ContextKeys, InputSources, Lookups, SelectTasks, SystemTables};

/// Notes everything unwise
pub(super) fn advise(
    root: &DeTable<'_>,
    rules_section: &Section<'_>,
    policy: &Policy,
    rules: &Rules,
    issuers: &[IssuerConfig],
    findings: &mut Findings<'_>,
) {
    for role in policy.roles() {
        let place = Place { offset: role_offset(root, &role.name), key: format!("roles.{}", role.name) };
        about_stubs(role, policy, rules, &place, findings);
        about_names(role, rules, &place, findings);
        about_denied_grants(role, &place, findings);
        about_holders(role, issuers, &place, findings);
    }
    about_rules(rules_section, policy, rules, findings);
}

/// Where a finding stands
struct Place {
    offset: usize,
    key: String,
}

impl Place {
    fn warn(
        &self,
        key: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
        findings: &mut Findings<'_>,
    ) {
        findings.warn(self.offset, &format!("{}.{key}", self.key), what, instead);
    }

    /// What does nothing where it stands: a warning of a grant, since nobody gets more by it, and a fault of a
    /// deny, since somebody does
    fn miss(
        &self,
        key: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
        findings: &mut Findings<'_>,
    ) {
        match key {
            "denies" => findings.error(self.offset, &format!("{}.{key}", self.key), what, instead),
            _ => self.warn(key, what, instead, findings),
        }
    }
}

fn about_stubs(role: &Role, policy: &Policy, rules: &Rules, place: &Place, findings: &mut Findings<'_>) {
    let holds = |needed: &ResourceAction| policy.roles_that_hold(needed).contains(&role.name.as_str());
    if rules.select_tasks == SelectTasks::Shared
        && holds(&ResourceAction::read(ResourceType::Datasource, SELECT_STUB))
    {
        let what = "READ DATASOURCE __query_select shows the rows of everybody's SELECT tasks";
        place.warn("grants", what, "set rules.select_tasks = \"owner\", or deny it to this role", findings);
    }
    if rules.cancel != Cancel::Write && holds(&ResourceAction::write(ResourceType::Datasource, SELECT_STUB)) {
        let what = "WRITE DATASOURCE __query_select is of no use through the gate";
        place.warn("grants", what, "deny it to this role", findings);
    }
}

/// Names that look like the other kind of pattern
fn about_names(role: &Role, rules: &Rules, place: &Place, findings: &mut Findings<'_>) {
    for (key, permission) in permissions(role) {
        let written = permission.to_string();
        let name = permission.written_name();
        if let Some(instead) = why_nothing_asks(permission, rules) {
            let verb = if key == "denies" { "denies" } else { "grants" };
            let what = format!("`{written}` {verb} nothing, since nothing asks for it");
            place.miss(key, what, instead, findings);
        } else if let Some(pattern) = name.strip_prefix("regex:")
            && reads_like_a_glob(pattern)
        {
            let what = format!(
                "`{written}` matches more than a dot and what follows it: in a regex `.` is any character"
            );
            place.warn(key, what, format!("write `glob:{pattern}`, or `\\\\.` for a dot"), findings);
        } else if let Some(pattern) = name.strip_prefix("regex:")
            && (pattern.starts_with('^') || pattern.ends_with('$'))
        {
            let what =
                format!("`{written}` has an anchor, which is of no use: a regex has to match the whole name");
            place.warn(key, what, "leave `^` and `$` out", findings);
        } else if let Some(pattern) = name.strip_prefix("glob:").or(name.strip_prefix("regex:"))
            && pattern != pattern.trim()
        {
            let what =
                format!("`{written}` has a blank at an edge of its pattern, so every name must have it too");
            place.warn(key, what, "leave the blank out", findings);
        } else if permission.is_exact() && !name.starts_with("exact:") {
            about_exact_name(key, permission, place, findings);
        }
    }
}

/// Exact names that were hardly meant so
fn about_exact_name(key: &str, permission: &Permission, place: &Place, findings: &mut Findings<'_>) {
    let (written, name) = (permission.to_string(), permission.written_name());
    if name.contains(['*', '?']) {
        let what = format!("`{written}` is the exact name with a `*` or `?` in it");
        let instead = format!("write `glob:{name}` for a pattern, `exact:{name}` for the name");
        place.miss(key, what, instead, findings);
    } else if name.contains(READS_LIKE_A_PATTERN) {
        let what = format!("`{written}` is one exact name, whatever `%`, `,` and backquotes mean elsewhere");
        let instead =
            format!("write `glob:` with `*`, or one sentence for each; `exact:{name}` for the name");
        place.miss(key, what, instead, findings);
    } else if let Some((_, table)) = name.split_once('.').filter(|(schema, _)| SCHEMAS.contains(schema))
        && permission.kind() == ResourceType::Datasource
    {
        let what = format!("`{written}` is a datasource with a dot in its name: no schema stands in a name");
        place.miss(key, what, format!("write `{table}`, or `exact:{name}` for the name"), findings);
    }
}

/// Druid's own schemas (`DruidSchemaName`, `LookupSchema`, `ViewSchema`, `SystemSchema`, `InformationSchema`)
const SCHEMAS: [&str; 6] = ["druid", "lookup", "view", "sys", "ext", "INFORMATION_SCHEMA"];

/// What to write in place of a permission that nothing asks for; `None` where something may
fn why_nothing_asks(permission: &Permission, rules: &Rules) -> Option<&'static str> {
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
        ResourceType::State => {
            (names(Action::Read, "STATE") || names(Action::Write, "STATE"), "the only name here is STATE")
        }
        ResourceType::Config => {
            (names(Action::Read, "security"), "all that is asked for is READ CONFIG security")
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
    (!is_asked).then_some(instead)
}

/// `sales.*`: letters, digits and dots, and a dot before a star
fn reads_like_a_glob(pattern: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '*');
    let begins_with_a_word = pattern.starts_with(|first: char| first.is_alphanumeric());
    begins_with_a_word && pattern.contains(".*") && pattern.chars().all(plain) && !pattern.contains("_.*")
}

/// Grants of one name that a deny of the same role takes back
fn about_denied_grants(role: &Role, place: &Place, findings: &mut Findings<'_>) {
    for grant in &role.grants {
        let denied = |needed: ResourceAction| role.denies.iter().any(|deny| deny.covers(&needed));
        let granted: Vec<_> = grant.exact_resource_actions().into_iter().collect();
        if !granted.is_empty() && granted.into_iter().all(denied) {
            let what = format!("`{grant}` grants nothing, since this role denies it");
            place.warn("grants", what, "take out the grant, or the deny", findings);
        }
    }
}

fn about_holders(role: &Role, issuers: &[IssuerConfig], place: &Place, findings: &mut Findings<'_>) {
    let confers =
        |issuer: &IssuerConfig| issuer.issuer.confers().is_none_or(|roles| roles.contains(&role.name));
    if role.members.is_empty() && !issuers.is_empty() && !issuers.iter().any(confers) {
        let what = "nobody can hold this role: no issuer confers it, and it has no members";
        let key = if role.denies.is_empty() { "members" } else { "denies" };
        place.miss(key, what, "name it in an issuer's `roles`, or give it `members`", findings);
    }
}

fn about_rules(section: &Section<'_>, policy: &Policy, rules: &Rules, findings: &mut Findings<'_>) {
    if section.string("cancel", &mut Findings::new("")).is_some_and(|cancel| cancel.value == "read") {
        let what = "whoever may read a datasource may cancel what writes it";
        findings.warn(
            section.offset_of("cancel"),
            &section.path("cancel"),
            what,
            "write \"owner\", or leave it out if that is meant",
        );
    }
    let all = policy.roles().iter().flat_map(|role| &role.grants);
    let is_all_input = |grant: &Permission| {
        grant.kind() == ResourceType::External
            && grant.actions().contains(&Action::Read)
            && grant.exact_name() == Some("EXTERNAL")
    };
    if rules.input_sources == InputSources::ByType && all.into_iter().any(is_all_input) {
        let what = "READ EXTERNAL EXTERNAL grants no input source where `input_source_types` is on";
        findings.warn(
            section.offset_of("input_source_types"),
            &section.path("input_source_types"),
            what,
            "grant READ EXTERNAL by type: http, s3, inline …",
        );
    }
}

fn permissions(role: &Role) -> impl Iterator<Item = (&'static str, &Permission)> {
    let grants = role.grants.iter().map(|permission| ("grants", permission));
    grants.chain(role.denies.iter().map(|permission| ("denies", permission)))
}

fn role_offset(root: &DeTable<'_>, name: &str) -> usize {
    let roles = root.iter().find(|(key, _)| key.get_ref().as_ref() == "roles");
    let table = roles.and_then(|(_, value)| value.get_ref().as_table());
    let role = table.and_then(|table| table.iter().find(|(key, _)| key.get_ref().as_ref() == name));
    role.map_or(0, |(key, _)| key.span().start)
}
