//! What is legal but unwise: grants that mean more, or less, than they look like

use toml::de::DeTable;

use super::IssuerConfig;
use super::marked_name::{Doubt, Kind, doubt_of};
use super::section::{Findings, Section, entry};
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
        let place = Place::of(root, &role.name);
        about_stubs(role, policy, rules, &place, findings);
        about_names(role, rules, &place, findings);
        about_denied_grants(role, &place, findings);
        about_holders(role, issuers, &place, findings);
    }
    about_rules(rules_section, policy, rules, findings);
}

/// A role's table, where findings about it stand
struct Place<'text> {
    name: String,
    offset: usize,
    table: Option<&'text DeTable<'text>>,
}

impl<'text> Place<'text> {
    fn of(root: &'text DeTable<'text>, role: &str) -> Self {
        let roles = entry(root, "roles").and_then(|roles| roles.get_ref().as_table());
        let value = roles.and_then(|roles| entry(roles, role));
        Self {
            name: format!("roles.{role}"),
            offset: value.map_or(0, |value| value.span().start),
            table: value.and_then(|value| value.get_ref().as_table()),
        }
    }

    /// Where a key's value stands, or the sentence of it that is meant; the table where it has no such key
    fn offset_of(&self, key: &str, sentence: Option<&str>) -> usize {
        let Some(value) = self.table.and_then(|table| entry(table, key)) else { return self.offset };
        let mut sentences = value.get_ref().as_array().into_iter().flat_map(|items| items.iter());
        let found = sentences.find(|item| sentence.is_some() && item.get_ref().as_str() == sentence);
        found.map_or(value.span().start, |item| item.span().start)
    }

    /// Something about a sentence of a key, or about the key where none is given
    fn warn(
        &self,
        (key, sentence): (&str, Option<&str>),
        what: impl Into<String>,
        instead: impl Into<String>,
        findings: &mut Findings<'_>,
    ) {
        findings.warn(self.offset_of(key, sentence), &format!("{}.{key}", self.name), what, instead);
    }

    /// What does nothing where it stands: a warning of a grant, since nobody gets more by it, and a fault of a
    /// deny, since somebody does
    fn miss(
        &self,
        (key, sentence): (&str, Option<&str>),
        what: impl Into<String>,
        instead: impl Into<String>,
        findings: &mut Findings<'_>,
    ) {
        match key {
            "denies" => self.error((key, sentence), what, instead, findings),
            _ => self.warn((key, sentence), what, instead, findings),
        }
    }

    fn error(
        &self,
        (key, sentence): (&str, Option<&str>),
        what: impl Into<String>,
        instead: impl Into<String>,
        findings: &mut Findings<'_>,
    ) {
        findings.error(self.offset_of(key, sentence), &format!("{}.{key}", self.name), what, instead);
    }
}

fn about_stubs(role: &Role, policy: &Policy, rules: &Rules, place: &Place<'_>, findings: &mut Findings<'_>) {
    let holds = |needed: &ResourceAction| policy.roles_that_hold(needed).contains(&role.name.as_str());
    if rules.select_tasks == SelectTasks::Shared
        && holds(&ResourceAction::read(ResourceType::Datasource, SELECT_STUB))
    {
        let what = "READ DATASOURCE __query_select shows the rows of everybody's SELECT tasks";
        place.warn(
            ("grants", None),
            what,
            "set rules.select_tasks = \"owner\", or deny it to this role",
            findings,
        );
    }
    if rules.cancel != Cancel::Write && holds(&ResourceAction::write(ResourceType::Datasource, SELECT_STUB)) {
        let what = "WRITE DATASOURCE __query_select is of no use through the gate";
        place.warn(("grants", None), what, "deny it to this role", findings);
    }
}

/// Names that look like the other kind of pattern
fn about_names(role: &Role, rules: &Rules, place: &Place<'_>, findings: &mut Findings<'_>) {
    for (key, permission) in permissions(role) {
        let written = permission.to_string();
        let at = (key, Some(written.as_str()));
        if let Some(Doubt { kind, what, instead }) = doubt_of(permission.written_name()) {
            let what = format!("`{written}` {what}");
            match kind {
                Kind::Mistake => place.error(at, what, instead, findings),
                Kind::Miss => place.miss(at, what, instead, findings),
                Kind::Odd => place.warn(at, what, instead, findings),
            }
        } else if let Some(instead) = why_nothing_asks(permission, rules) {
            let verb = if key == "denies" { "denies" } else { "grants" };
            let what = format!("`{written}` {verb} nothing, since nothing asks for it");
            place.miss(at, what, instead, findings);
        } else if permission.is_exact() && !permission.written_name().starts_with("exact:") {
            about_exact_name(at, permission, place, findings);
        }
    }
}

/// Exact names that were hardly meant so
fn about_exact_name(
    at: (&str, Option<&str>),
    permission: &Permission,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) {
    let (written, name) = (permission.to_string(), permission.written_name());
    if name.contains(['*', '?']) {
        let what = format!("`{written}` is the exact name with a `*` or `?` in it");
        let instead = format!("write `glob:{name}` for a pattern, `exact:{name}` for the name");
        place.miss(at, what, instead, findings);
    } else if name.contains(READS_LIKE_A_PATTERN) {
        let what = format!("`{written}` is one exact name, whatever `%`, `,` and backquotes mean elsewhere");
        let instead =
            format!("write `glob:` with `*`, or one sentence for each; `exact:{name}` for the name");
        place.miss(at, what, instead, findings);
    } else if let Some((_, table)) = name.split_once('.').filter(|(schema, _)| SCHEMAS.contains(schema))
        && permission.kind() == ResourceType::Datasource
    {
        let what = format!("`{written}` is a datasource with a dot in its name: no schema stands in a name");
        place.miss(at, what, format!("write `{table}`, or `exact:{name}` for the name"), findings);
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

/// Grants of one name that a deny of the same role takes back
fn about_denied_grants(role: &Role, place: &Place<'_>, findings: &mut Findings<'_>) {
    for grant in &role.grants {
        let denied = |needed: ResourceAction| role.denies.iter().any(|deny| deny.covers(&needed));
        let granted: Vec<_> = grant.exact_resource_actions().into_iter().collect();
        if !granted.is_empty() && granted.into_iter().all(denied) {
            let what = format!("`{grant}` grants nothing, since this role denies it");
            place.warn(
                ("grants", Some(&grant.to_string())),
                what,
                "take out the grant, or the deny",
                findings,
            );
        }
    }
}

fn about_holders(role: &Role, issuers: &[IssuerConfig], place: &Place<'_>, findings: &mut Findings<'_>) {
    let confers =
        |issuer: &IssuerConfig| issuer.issuer.confers().is_none_or(|roles| roles.contains(&role.name));
    if role.members.is_empty() && !issuers.is_empty() && !issuers.iter().any(confers) {
        let what = "nobody can hold this role: no issuer confers it, and it has no members";
        let key = if role.denies.is_empty() { "members" } else { "denies" };
        place.miss((key, None), what, "name it in an issuer's `roles`, or give it `members`", findings);
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
