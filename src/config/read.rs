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
use super::marked_name::{Doubt, Kind, doubt_of_identity};
use super::section::{At, Findings, Section, is_misspelt_table, nearest, oddity};
use super::upstream;
use super::{
    Audit, AuditFile, Config, Door, DurableStorage, Health, IssuerConfig, Limits, Reading, RefusalDetail,
    Statements, Verify,
};
use crate::authenticate::BasicToken;
use crate::authorize::Policy;
use crate::authorize::permission::Permission;
use crate::authorize::policy::{Member, Role};
use crate::resource_actions::Rules;
use crate::resource_actions::rules::{
    Cancel, ContextKeys, InputSources, Lookups, Metadata, RawQueryController, SelectTasks, SystemTables,
    TaskInputs,
};

pub(super) fn read(text: &str, folder: &Path) -> Reading {
    let mut findings = Findings::new(text);
    let root = parse(text, &mut findings);
    let config = root.and_then(|root| read_root(root.get_ref(), text, folder, &mut findings));
    let findings = findings.into_faults();
    let faulty = findings.iter().any(|fault| fault.severity == Severity::Error);
    Reading { config: config.filter(|_| !faulty), findings }
}

pub(super) fn read_durable_storage(text: &str, folder: &Path) -> (Vec<Fault>, DurableStorage) {
    let mut findings = Findings::new(text);
    let storage = parse(text, &mut findings).map(|root| {
        let section = Section::of_root(root.get_ref(), "durable_storage", &mut findings);
        durable_storage::read(&section, folder, &mut findings)
    });
    (findings.into_faults(), storage.unwrap_or_default())
}

fn parse<'text>(text: &'text str, findings: &mut Findings<'_>) -> Option<Spanned<DeTable<'text>>> {
    let parsed = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        findings.error(offset, "TOML", error.message(), "mend the syntax; nothing else was looked at");
    });
    parsed.ok()
}

fn read_root(root: &DeTable<'_>, text: &str, folder: &Path, findings: &mut Findings<'_>) -> Option<Config> {
    for key in root.keys() {
        if !SECTIONS.contains(&key.get_ref().as_ref()) {
            let instead = nearest(key.get_ref(), &SECTIONS).map_or_else(
                || format!("the tables are {}", SECTIONS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            findings.error(key.span().start, key.get_ref(), "there is no such table", instead);
        }
    }
    let listen = listen::read(&Section::of_root(root, "listen", findings), folder, findings);
    let admin_section = Section::of_root(root, "admin", findings);
    let admin = listen::read_admin(&admin_section, findings);
    if let (Some(listen), Some(admin)) = (&listen, &admin)
        && listen.addresses.contains(&admin.address)
        && !admin.address.ends_with(":0")
    {
        let what = format!("`{}` is where clients come in", admin.address);
        findings.error(admin_section.offset_of("address"), "admin.address", what, "write another port");
    }
    let upstream = upstream::read(&Section::of_root(root, "upstream", findings), folder, findings);
    let rules_section = Section::of_root(root, "rules", findings);
    let rules = read_rules(&rules_section, findings);
    let mut issuers = issuers::read(root, folder, findings);
    let policy = read_policy(root, &issuers, findings);
    issuers::require_roles_claims(&mut issuers, &policy);
    advise(root, &rules_section, &policy, &rules, &issuers, findings);
    let limits_section = Section::of_root(root, "limits", findings);
    let limits = Limits::read(&limits_section, findings);
    let audit = read_audit(&Section::of_root(root, "audit", findings), folder, findings);
    let storage = Section::of_root(root, "durable_storage", findings);
    let durable_storage = durable_storage::read(&storage, folder, findings);
    let door = read_door(&rules_section, findings);
    limits.advise(&limits_section, findings);
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

fn read_policy(root: &DeTable<'_>, issuers: &[IssuerConfig], findings: &mut Findings<'_>) -> Policy {
    let roles = roles_of(root, findings);
    let policy =
        Policy::new(roles.iter().map(|(name, value)| read_role(name, value, issuers, findings)).collect());
    for (issuer, role) in issuers.iter().flat_map(|issuer| {
        let confers = issuer.issuer.confers().unwrap_or_default();
        confers.iter().map(move |role| (issuer.issuer.name(), role))
    }) {
        if !policy.roles().is_empty() && !policy.roles().iter().any(|known| known.name == *role) {
            let what = format!("`{issuer}` may confer the role `{role}`, which is not in this file");
            findings.warn(
                0,
                "issuers.roles",
                what,
                format!("write `[roles.{role}]`, or take it off the list"),
            );
        }
    }
    policy
}

type NamedTable<'text> = (&'text str, &'text Spanned<DeValue<'text>>);

fn roles_of<'text>(root: &'text DeTable<'text>, findings: &mut Findings<'_>) -> Vec<NamedTable<'text>> {
    let found = root.iter().find(|(key, _)| key.get_ref().as_ref() == "roles").map(|(_, value)| value);
    match found.map(|value| (value, value.get_ref().as_table())) {
        Some((_, Some(table))) => {
            let mut roles: Vec<_> =
                table.iter().map(|(name, value)| (name.get_ref().as_ref(), value)).collect();
            roles.sort_by_key(|(_, value)| value.span().start);
            roles
        }
        Some((value, None)) => {
            findings.error(
                value.span().start,
                "roles",
                "is no table of roles",
                "write `[roles.NAME]` for each",
            );
            Vec::new()
        }
        None if is_misspelt_table(root, "roles") => Vec::new(),
        None => {
            let what = "there is no role, so nobody may do anything but `SELECT 1`";
            findings.warn(0, "roles", what, "write `[roles.NAME]` with `grants`");
            Vec::new()
        }
    }
}

fn read_role(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    issuers: &[IssuerConfig],
    findings: &mut Findings<'_>,
) -> Role {
    let section = Section::new(format!("roles.{name}"), "roles.*", value, findings);
    let line = findings.line(section.offset_of("grants"));
    if let Some((what, instead)) = oddity(name) {
        findings.error(section.offset, &section.name, format!("its name {what}"), instead);
    }
    let grants = section.required_strings("grants", findings);
    if grants.as_ref().is_some_and(Vec::is_empty) {
        findings.error(
            section.offset,
            &section.path("grants"),
            "is empty",
            "give the role something, or take it out",
        );
    }
    let grants = read_permissions(&section, "grants", grants.unwrap_or_default(), findings);
    let denies = section.strings("denies", findings).unwrap_or_default();
    let denies = read_permissions(&section, "denies", denies, findings);
    let members = section.strings("members", findings).unwrap_or_default();
    let mut read = Vec::new();
    for written in members {
        let Some(member) = read_member(&section, &written, issuers, findings) else { continue };
        if let Some(Doubt { kind, what, instead }) = doubt_of_identity(&member.identity) {
            match kind {
                // Whom a role with denies misses, they miss too.
                Kind::Miss if denies.is_empty() => {
                    findings.warn(written.offset, &section.path("members"), what, instead);
                }
                Kind::Mistake | Kind::Miss | Kind::Odd => {
                    findings.error(written.offset, &section.path("members"), what, instead);
                }
            }
        }
        read.push(member);
    }
    let members = read;
    Role { name: name.to_owned(), members, grants, denies, line }
}

fn read_permissions(
    section: &Section<'_>,
    key: &str,
    sentences: Vec<At<String>>,
    findings: &mut Findings<'_>,
) -> Vec<Permission> {
    let mut permissions = Vec::new();
    for sentence in sentences {
        match Permission::parse(&sentence.value) {
            Ok(permission) => permissions.push(permission),
            Err(error) => {
                let text = error.to_string();
                let (what, instead) = text.split_once("; ").unwrap_or((&text, "write `ACTION TYPE NAME`"));
                findings.error(sentence.offset, &section.path(key), what, instead);
            }
        }
    }
    permissions
}

/// `IDENTITY` where there is one issuer, else `ISSUER|IDENTITY`
fn read_member(
    section: &Section<'_>,
    member: &At<String>,
    issuers: &[IssuerConfig],
    findings: &mut Findings<'_>,
) -> Option<Member> {
    let qualified = issuers.iter().find_map(|issuer| {
        let identity = member.value.strip_prefix(issuer.issuer.name())?.strip_prefix('|')?;
        Some(Member { issuer: issuer.issuer.name().to_owned(), identity: identity.to_owned() })
    });
    match (qualified, issuers) {
        (Some(member), _) if !member.identity.is_empty() => Some(member),
        (None, [only]) if !member.value.is_empty() => {
            Some(Member { issuer: only.issuer.name().to_owned(), identity: member.value.clone() })
        }
        // An issuer with faults of its own is reported already.
        (None, []) => None,
        _ => {
            let what = format!("`{}` does not say whose identity it is", member.value);
            findings.error(
                member.offset,
                &section.path("members"),
                what,
                "write `ISSUER|IDENTITY`, with an issuer of this file",
            );
            None
        }
    }
}

fn read_rules(section: &Section<'_>, findings: &mut Findings<'_>) -> Rules {
    let cancel = [("read", Cancel::Read), ("write", Cancel::Write), ("owner", Cancel::Owner)];
    let select = [("shared", SelectTasks::Shared), ("owner", SelectTasks::Owner)];
    let metadata = [("state", Metadata::State), ("open", Metadata::Open)];
    let inputs = [("external", TaskInputs::External), ("druid", TaskInputs::Druid)];
    let lookups = [("open", Lookups::Open), ("granted", Lookups::Granted)];
    let default = Rules::default();
    Rules {
        cancel: section.choice("cancel", default.cancel, &cancel, findings),
        select_tasks: section.choice("select_tasks", default.select_tasks, &select, findings),
        metadata: section.choice("metadata", default.metadata, &metadata, findings),
        raw_query_controller: section.choice(
            "raw_query_controller",
            default.raw_query_controller,
            &[("deny", RawQueryController::Deny)],
            findings,
        ),
        task_inputs: section.choice("task_inputs", default.task_inputs, &inputs, findings),
        input_sources: if section.boolean("input_source_types", false, findings) {
            InputSources::ByType
        } else {
            InputSources::Together
        },
        context_keys: if section.boolean("context_keys", false, findings) {
            ContextKeys::Authorized
        } else {
            ContextKeys::Open
        },
        system_tables: if section.boolean("system_tables", false, findings) {
            SystemTables::Authorized
        } else {
            SystemTables::Open
        },
        lookups: section.choice("lookups", default.lookups, &lookups, findings),
    }
}

fn read_door(section: &Section<'_>, findings: &mut Findings<'_>) -> Door {
    let details =
        [("code", RefusalDetail::Code), ("missing", RefusalDetail::Missing), ("full", RefusalDetail::Full)];
    let verify = [("off", Verify::Off), ("watch", Verify::Watch), ("require", Verify::Require)];
    Door {
        health: if section.boolean("public_health", false, findings) {
            Health::Public
        } else {
            Health::Authenticated
        },
        basic: if section.boolean("basic_token", true, findings) {
            BasicToken::Accepted
        } else {
            BasicToken::Refused
        },
        refusal_detail: section.choice("refusal_detail", RefusalDetail::Missing, &details, findings),
        verify: section.choice("verify", Verify::Off, &verify, findings),
    }
}

fn read_audit(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Audit {
    let file = section.string("file", findings).map_or_else(|| "-".to_owned(), |file| file.value);
    let statements = section.boolean("statements", false, findings);
    Audit {
        file: if file == "-" { AuditFile::StandardOutput } else { AuditFile::File(folder.join(&file)) },
        statements: if statements { Statements::Text } else { Statements::Fingerprint },
    }
}
