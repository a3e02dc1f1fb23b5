//! From the text of proxy.toml to a [`Config`], gathering every fault on the way

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::advice::advise;
use super::durable_storage;
use super::fault::{Fault, Severity};
use super::issuers;
use super::keys::SECTIONS;
use super::listen;
use super::marked_name::doubt_of_identity;
use super::section::{At, Findings, Section, entry, is_misspelt_table, nearest, oddity};
use super::upstream;
use super::{
    Audit, AuditFile, Config, Door, DurableStorage, Health, IssuerConfig, Limits, Reading, Statements,
};
use crate::authenticate::BasicToken;
use crate::authorize::Policy;
use crate::authorize::permission::Permission;
use crate::authorize::policy::{Member, Role};
use crate::base::redact;
use crate::resource_actions::Rules;
use crate::resource_actions::rules::{Cancel, ContextKeys, InputSources, SelectTasks, SystemTables};

impl Config {
    /// Reads the text of a proxy.toml; paths in it are relative to `folder`
    pub fn read(text: &str, folder: &Path) -> Reading {
        let findings = Findings::new(text, folder);
        let root = parse(text, &findings);
        let config = root.as_ref().and_then(|root| read_root(root.get_ref(), text, &findings));
        let findings = findings.into_faults();
        let faulty = findings.iter().any(|fault| fault.severity == Severity::Error);
        Reading { config: config.filter(|_| !faulty), findings }
    }

    /// Reads `[durable_storage]` alone, for a preflight where Druid runs: the rest of the file need not be there
    pub fn read_durable_storage(text: &str, folder: &Path) -> (Vec<Fault>, DurableStorage) {
        let findings = Findings::new(text, folder);
        let root = parse(text, &findings);
        let section =
            root.as_ref().map(|root| Section::of_root(root.get_ref(), "durable_storage", &findings));
        let storage = section.map(|section| durable_storage::read(&section)).unwrap_or_default();
        (findings.into_faults(), storage)
    }
}

fn parse<'text>(text: &'text str, findings: &Findings<'_>) -> Option<Spanned<DeTable<'text>>> {
    let parsed = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        findings.error(offset, "TOML", error.message(), "mend the syntax; nothing else was looked at");
    });
    parsed.ok()
}

fn read_root<'text>(
    root: &'text DeTable<'text>,
    text: &str,
    findings: &'text Findings<'text>,
) -> Option<Config> {
    for key in root.keys() {
        if !SECTIONS.contains(&key.get_ref().as_ref()) {
            let instead = nearest(key.get_ref(), &SECTIONS).map_or_else(
                || format!("the tables are {}", SECTIONS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            findings.error(key.span().start, redact::name(key.get_ref()), "there is no such table", instead);
        }
    }
    let section = |name| Section::of_root(root, name, findings);
    let (listen, admin_section) = (listen::read(&section("listen")), section("admin"));
    let admin = listen::read_admin(&admin_section);
    if let (Some(listen), Some(admin)) = (&listen, &admin)
        && listen.addresses.contains(&admin.address)
        && !admin.address.ends_with(":0")
    {
        let what = format!("`{}` is where clients come in", admin.address);
        admin_section.error("address", what, "write another port");
    }
    let upstream = upstream::read(&section("upstream"));
    let rules_section = section("rules");
    let rules = read_rules(&rules_section);
    let mut issuers = issuers::read(root, findings);
    let (policy, roles) = read_policy(root, &issuers, findings);
    issuers::require_roles_claims(&mut issuers, &policy);
    advise(&roles, &rules_section, &policy, &rules, &issuers);
    let limits_section = section("limits");
    let limits = Limits::read(&limits_section);
    let audit = read_audit(&section("audit"));
    let durable_storage = durable_storage::read(&section("durable_storage"));
    let door = read_door(&rules_section);
    limits.advise(&limits_section);
    Some(Config {
        listen: listen?,
        admin: admin?,
        upstream: upstream?,
        issuers,
        policy,
        rules,
        door,
        limits,
        audit,
        durable_storage,
        text: text.to_owned(),
    })
}

/// The policy, and where each of its roles stands
fn read_policy<'text>(
    root: &'text DeTable<'text>,
    issuers: &[IssuerConfig],
    findings: &'text Findings<'text>,
) -> (Policy, Vec<Section<'text>>) {
    let sections = roles_of(root, findings);
    let policy = Policy::new(sections.iter().map(|section| read_role(section, issuers)).collect());
    for issuer in issuers.iter().map(|issuer| &issuer.issuer).filter(|_| !sections.is_empty()) {
        let is_unknown = |role: &&String| !policy.roles().iter().any(|known| known.name == **role);
        for role in issuer.confers().unwrap_or_default().iter().filter(is_unknown) {
            let what = format!("`{}` may confer the role `{role}`, which is not in this file", issuer.name());
            let instead = format!("write `[roles.{role}]`, or take it off the list");
            findings.note(Severity::Warning, 0, "issuers.roles", what, instead);
        }
    }
    (policy, sections)
}

fn roles_of<'text>(root: &'text DeTable<'text>, findings: &'text Findings<'text>) -> Vec<Section<'text>> {
    let found = entry(root, "roles");
    match found.map(|value| (value, value.get_ref().as_table())) {
        Some((_, Some(table))) => {
            let mut roles: Vec<_> = table.iter().collect();
            roles.sort_by_key(|(_, value)| value.span().start);
            let section = |(name, value): (&Spanned<_>, &'text Spanned<DeValue<'text>>)| {
                Section::new(format!("roles.{}", name.get_ref()), "roles.*", value, findings)
            };
            roles.into_iter().map(section).collect()
        }
        Some((value, None)) => {
            let instead = "write `[roles.NAME]` for each";
            findings.error(value.span().start, "roles", "is no table of roles", instead);
            Vec::new()
        }
        None if is_misspelt_table(root, "roles") => Vec::new(),
        None => {
            let what = "there is no role, so nobody may do anything but `SELECT 1`";
            findings.note(Severity::Warning, 0, "roles", what, "write `[roles.NAME]` with `grants`");
            Vec::new()
        }
    }
}

fn read_role(section: &Section<'_>, issuers: &[IssuerConfig]) -> Role {
    let name = section.name.strip_prefix("roles.").unwrap_or_default().to_owned();
    if let Some((what, instead)) = oddity(&name) {
        section.error_at(section.offset, "", format!("its name {what}"), instead);
    }
    let grants = section.strings("grants");
    if grants.as_ref().is_some_and(Vec::is_empty) {
        let instead = "give the role something, or take it out";
        section.error_at(section.offset, "grants", "is empty", instead);
    }
    let grants = read_permissions(section, "grants", grants);
    let denies = read_permissions(section, "denies", section.strings("denies"));
    let mut members = Vec::new();
    for written in section.strings("members").unwrap_or_default() {
        let Some(member) = read_member(section, &written, issuers) else { continue };
        if let Some(doubt) = doubt_of_identity(&member.identity) {
            // Whom a role with denies misses, they miss too.
            let severity = doubt.kind.severity(!denies.is_empty());
            section.note_at(severity, written.offset, "members", doubt.what, doubt.instead);
        }
        members.push(member);
    }
    Role { name, members, grants, denies, line: section.line_of("grants") }
}

fn read_permissions(section: &Section<'_>, key: &str, sentences: Option<Vec<At>>) -> Vec<Permission> {
    let parse = |sentence: At| {
        let parsed = Permission::parse(&sentence.value);
        parsed.map_err(|error| section.fault(sentence.offset, key, &error)).ok()
    };
    sentences.unwrap_or_default().into_iter().filter_map(parse).collect()
}

/// `IDENTITY` where there is one issuer, else `ISSUER|IDENTITY`
fn read_member(section: &Section<'_>, member: &At, issuers: &[IssuerConfig]) -> Option<Member> {
    let of = |issuer: &IssuerConfig, identity: &str| Member {
        issuer: issuer.issuer.name().to_owned(),
        identity: identity.to_owned(),
    };
    let qualified = issuers.iter().find_map(|issuer| {
        let identity = member.value.strip_prefix(issuer.issuer.name())?.strip_prefix('|')?;
        Some(of(issuer, identity))
    });
    match (qualified, issuers) {
        (Some(member), _) if !member.identity.is_empty() => Some(member),
        (None, [only]) if !member.value.is_empty() => Some(of(only, &member.value)),
        // An issuer with faults of its own is reported already.
        (None, []) => None,
        _ => {
            let what = format!("`{}` does not say whose identity it is", member.value);
            let instead = "write `ISSUER|IDENTITY`, with an issuer of this file";
            section.error_at(member.offset, "members", what, instead);
            None
        }
    }
}

fn read_rules(section: &Section<'_>) -> Rules {
    let (cancel, select_tasks) = read_tasks(section);
    Rules {
        cancel,
        select_tasks,
        metadata: section.choice("metadata"),
        raw_query_controller: section.choice("raw_query_controller"),
        task_inputs: section.choice("task_inputs"),
        input_sources: section.either("input_source_types", InputSources::ByType, InputSources::Together),
        context_keys: section.either("context_keys", ContextKeys::Authorized, ContextKeys::Open),
        system_tables: section.either("system_tables", SystemTables::Authorized, SystemTables::Open),
        lookups: section.choice("lookups"),
    }
}

/// Whose tasks are: where `tasks` says it for both, each of them may say otherwise
fn read_tasks(section: &Section<'_>) -> (Cancel, SelectTasks) {
    let are_owners = section.word("tasks") == Some("owner");
    let (mut cancel, mut select_tasks) = (section.choice("cancel"), section.choice("select_tasks"));
    if are_owners && !section.has("cancel") {
        cancel = Cancel::Owner;
    }
    if are_owners && !section.has("select_tasks") {
        select_tasks = SelectTasks::Owner;
    }
    (cancel, select_tasks)
}

fn read_door(section: &Section<'_>) -> Door {
    Door {
        health: section.either("public_health", Health::Public, Health::Authenticated),
        basic: section.either("basic_token", BasicToken::Accepted, BasicToken::Refused),
        refusal_detail: section.choice("refusal_detail"),
        verify: section.choice("verify"),
    }
}

fn read_audit(section: &Section<'_>) -> Audit {
    let file = section.text("file");
    let is_output = file == "-";
    Audit {
        file: if is_output { AuditFile::StandardOutput } else { AuditFile::File(section.in_folder(&file)) },
        statements: section.either("statements", Statements::Text, Statements::Fingerprint),
    }
}
