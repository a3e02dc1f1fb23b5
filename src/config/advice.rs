//! What is legal but unwise: grants that mean more, or less, than they look like

use toml::de::DeTable;

use super::IssuerConfig;
use super::section::{Findings, Section};
use crate::authorize::Policy;
use crate::authorize::permission::Permission;
use crate::authorize::policy::Role;
use crate::druid::task::SELECT_STUB;
use crate::druid::{Action, ResourceAction, ResourceType};
use crate::resource_actions::Rules;
use crate::resource_actions::rules::{InputSources, SelectTasks};

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
        about_names(role, &place, findings);
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
}

fn about_stubs(role: &Role, policy: &Policy, rules: &Rules, place: &Place, findings: &mut Findings<'_>) {
    let holds = |needed: &ResourceAction| policy.roles_that_hold(needed).contains(&role.name.as_str());
    if rules.select_tasks == SelectTasks::Shared
        && holds(&ResourceAction::read(ResourceType::Datasource, SELECT_STUB))
    {
        let what = "READ DATASOURCE __query_select shows the rows of everybody's SELECT tasks";
        place.warn("grants", what, "set rules.select_tasks = \"owner\", or deny it to this role", findings);
    }
    if holds(&ResourceAction::write(ResourceType::Datasource, SELECT_STUB)) {
        let what = "WRITE DATASOURCE __query_select is of no use through the gate";
        place.warn("grants", what, "deny it to this role", findings);
    }
}

/// Names that look like the other kind of pattern
fn about_names(role: &Role, place: &Place, findings: &mut Findings<'_>) {
    for (key, permission) in permissions(role) {
        let written = permission.to_string();
        let name = permission.written_name();
        if let Some(pattern) = name.strip_prefix("regex:")
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
        } else if permission.is_exact() && name.contains(['*', '?']) && !name.starts_with("exact:") {
            let what = format!("`{written}` is the exact name with a `*` or `?` in it");
            place.warn(
                key,
                what,
                format!("write `glob:{name}` for a pattern, `exact:{name}` for the name"),
                findings,
            );
        }
    }
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
        place.warn("members", what, "name it in an issuer's `roles`, or give it `members`", findings);
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
    let external = ResourceAction::new(Action::Read, ResourceType::External, "EXTERNAL");
    if rules.input_sources == InputSources::ByType && !policy.roles_that_hold(&external).is_empty() {
        let what = "READ EXTERNAL EXTERNAL grants nothing where `input_source_types` is on";
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
