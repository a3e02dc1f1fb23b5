//! From the text of proxy.toml to a [`Config`], gathering every fault on the way

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::advice::advise;
use super::durable_storage;
use super::fault::{Fault, Severity};
use super::issuers;
use super::keys::SECTIONS;
use super::section::{At, Findings, Section, is_misspelt_table, nearest, oddity};
use super::{
    Admin, Audit, AuditFile, Config, Door, DurableStorage, Health, IssuerConfig, Limits, Listen, Reading,
    RefusalDetail, SignIn, Statements, Upstream, UpstreamTls, Verify,
};
use crate::authenticate::BasicToken;
use crate::authorize::Policy;
use crate::authorize::permission::Permission;
use crate::authorize::policy::{Member, Role};
use crate::fetch::is_loopback;
use crate::password::PasswordSource;
use crate::resource_actions::Rules;
use crate::resource_actions::rules::{
    Cancel, ContextKeys, InputSources, Lookups, Metadata, RawQueryController, SelectTasks, SystemTables,
    TaskInputs,
};

pub(super) fn read(text: &str, folder: &Path) -> Reading {
    let mut findings = Findings::new(text);
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            findings.error(offset, "TOML", error.message(), "mend the syntax; nothing else was looked at");
            return Reading { findings: findings.into_faults(), config: None };
        }
    };
    let config = read_root(root.get_ref(), text, folder, &mut findings);
    let findings = findings.into_faults();
    let faulty = findings.iter().any(|fault| fault.severity == Severity::Error);
    Reading { config: config.filter(|_| !faulty), findings }
}

pub(super) fn read_durable_storage(text: &str, folder: &Path) -> (Vec<Fault>, DurableStorage) {
    let mut findings = Findings::new(text);
    let storage = match DeTable::parse(text) {
        Ok(root) => {
            let section = Section::of_root(root.get_ref(), "durable_storage", &mut findings);
            durable_storage::read(&section, folder, &mut findings)
        }
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            findings.error(offset, "TOML", error.message(), "mend the syntax; nothing else was looked at");
            DurableStorage::default()
        }
    };
    (findings.into_faults(), storage)
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
    let listen = read_listen(&Section::of_root(root, "listen", findings), folder, findings);
    let admin_section = Section::of_root(root, "admin", findings);
    let admin = read_admin(&admin_section, findings);
    if let (Some(listen), Some(admin)) = (&listen, &admin)
        && listen.addresses.contains(&admin.address)
        && !admin.address.ends_with(":0")
    {
        let what = format!("`{}` is where clients come in", admin.address);
        findings.error(admin_section.offset_of("address"), "admin.address", what, "write another port");
    }
    let upstream = read_upstream(&Section::of_root(root, "upstream", findings), folder, findings);
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

fn read_listen(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<Listen> {
    let addresses = section.one_or_more("address", findings);
    let addresses: Vec<_> =
        addresses.into_iter().filter_map(|address| check_address(section, address, findings)).collect();
    let twice = addresses.iter().enumerate().find(|(place, address)| {
        addresses.iter().take(*place).any(|before| before == *address) && !address.ends_with(":0")
    });
    if let Some((_, address)) = twice {
        let what = format!("`{address}` stands twice");
        findings.error(
            section.offset_of("address"),
            &section.path("address"),
            what,
            "write each address once",
        );
    }
    let certificate = section.required_string("certificate", findings);
    let key = section.required_string("key", findings);
    let balancers = read_balancers(section, findings);
    Some(Listen {
        addresses,
        certificate: folder.join(certificate?.value),
        key: folder.join(key?.value),
        balancers,
    })
}

/// Networks, or single addresses
fn read_balancers(section: &Section<'_>, findings: &mut Findings<'_>) -> Vec<IpNet> {
    let mut balancers = Vec::new();
    for text in section.strings("proxy_protocol_from", findings).unwrap_or_default() {
        let network = text.value.parse::<IpNet>().ok();
        match network.or_else(|| text.value.parse::<IpAddr>().ok().map(IpNet::from)) {
            Some(network) if network.addr() != network.network() => {
                let what = format!("`{}` is one address and a network", text.value);
                let instead = format!("write `{}`, or `{}`", network.addr(), network.trunc());
                findings.error(text.offset, &section.path("proxy_protocol_from"), what, instead);
            }
            Some(IpNet::V6(network)) if network.addr().to_ipv4_mapped().is_some() => {
                let what = format!("`{}` is nobody's: peers are known by their IPv4 address", text.value);
                findings.error(text.offset, &section.path("proxy_protocol_from"), what, "write `10.0.0.0/8`");
            }
            Some(network) if network.prefix_len() == 0 => {
                let what = format!("`{}` lets everybody say that he is somebody else", text.value);
                let instead = "name the balancers' own addresses";
                findings.error(text.offset, &section.path("proxy_protocol_from"), what, instead);
            }
            Some(network) => balancers.push(network),
            None => {
                let what = format!("`{}` is no network", text.value);
                let key = section.path("proxy_protocol_from");
                findings.error(text.offset, &key, what, "write `10.0.0.0/8`, or one address");
            }
        }
    }
    balancers
}

fn read_admin(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Admin> {
    let read = section.string("address", findings);
    let address = read.unwrap_or_else(|| At { value: "127.0.0.1:9901".to_owned(), offset: section.offset });
    Some(Admin { address: check_address(section, address, findings)? })
}

fn check_address(section: &Section<'_>, address: At<String>, findings: &mut Findings<'_>) -> Option<String> {
    if is_address(&address.value) {
        return Some(address.value);
    }
    let what = format!("`{}` is no address", address.value);
    findings.error(address.offset, &section.path("address"), what, "write `host:port`, IPv6 as `[::]:8443`");
    None
}

/// `host:port`, with an IPv6 address in brackets
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    port.parse::<u16>().is_ok() && is_host(host)
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    !host.is_empty() && host.chars().all(is_plain)
}

fn read_upstream(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<Upstream> {
    let urls = section.one_or_more("url", findings);
    let ca_file = section.string("ca_file", findings);
    let sign_in = read_sign_in(section, folder, findings);
    let routers: Vec<_> = urls.iter().map(|url| (url, router_of(&url.value))).collect();
    for (url, router) in &routers {
        if router.is_none() {
            let what = format!("`{}` is no router's URL", url.value);
            findings.error(
                url.offset,
                &section.path("url"),
                what,
                "write `http://host:port`, without a path",
            );
        }
    }
    let routers: Vec<_> = routers.into_iter().filter_map(|(url, router)| Some((url, router?))).collect();
    let (first, _) = routers.first()?;
    let scheme = routers.first().map(|(_, router)| router.scheme)?;
    if routers.iter().any(|(_, router)| router.scheme != scheme) {
        findings.error(
            first.offset,
            &section.path("url"),
            "mixes `http://` and `https://`",
            "write one of them throughout",
        );
    }
    let tls = match (scheme, &ca_file) {
        (RouterScheme::Http, None) => UpstreamTls::Plain,
        (RouterScheme::Http, Some(file)) => {
            let what = "is of no use with `http://`";
            findings.error(file.offset, &section.path("ca_file"), what, "leave it out, or write `https://`");
            UpstreamTls::Plain
        }
        (RouterScheme::Https, Some(file)) => UpstreamTls::CaFile(folder.join(&file.value)),
        (RouterScheme::Https, None) => UpstreamTls::SystemRoots,
    };
    let is_remote =
        |router: &Router| !is_loopback(router.authority.rsplit_once(':').map_or("", |(host, _)| host));
    if sign_in.is_some()
        && let Some((url, _)) =
            routers.iter().find(|(_, router)| scheme == RouterScheme::Http && is_remote(router))
    {
        let what = "the password of `username` goes to another machine without TLS";
        findings.warn(
            url.offset,
            &section.path("url"),
            what,
            "write `https://`, and have the router speak TLS",
        );
    }
    let authorities = routers.into_iter().map(|(_, router)| router.authority).collect();
    Some(Upstream { tls, authorities, sign_in })
}

struct Router {
    scheme: RouterScheme,
    authority: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RouterScheme {
    Http,
    Https,
}

/// Scheme and `host:port` of a router's URL, which has neither path nor user
fn router_of(url: &str) -> Option<Router> {
    let (scheme, rest, port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (RouterScheme::Http, rest, 80),
        (None, Some(rest)) => (RouterScheme::Https, rest, 443),
        (None, None) => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let authority = if is_address(rest) { rest.to_owned() } else { format!("{rest}:{port}") };
    let well_formed = is_address(&authority) && !rest.contains(['/', '?', '#', '@', ' ']);
    well_formed.then_some(Router { scheme, authority })
}

fn read_sign_in(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<SignIn> {
    let username = section.string("username", findings);
    let file = section.string("password_file", findings);
    let environment = section.string("password_env", findings);
    if let (Some(_), Some(second)) = (&file, &environment) {
        findings.error(
            second.offset,
            &section.path("password_env"),
            "stands beside `password_file`",
            "keep one of the two",
        );
    }
    let password = match (file, environment) {
        (Some(file), _) => Some(file.map(|file| PasswordSource::File(folder.join(file)))),
        (None, Some(name)) => Some(name.map(PasswordSource::Environment)),
        (None, None) => None,
    };
    match (username, password) {
        (Some(name), Some(password)) if !name.value.is_empty() && !name.value.contains(':') => {
            Some(SignIn { username: name.value, password: password.value })
        }
        (Some(name), Some(_)) => {
            let key = section.path("username");
            findings.error(
                name.offset,
                &key,
                "is empty or holds a colon",
                "write the name of the gate's account at Druid",
            );
            None
        }
        _ if ["username", "password_file", "password_env"].iter().any(|key| section.is_faulty(key)) => None,
        (Some(name), None) => {
            findings.error(
                name.offset,
                &section.path("username"),
                "has no password",
                "give `password_file` or `password_env`",
            );
            None
        }
        (None, Some(password)) => {
            findings.error(
                password.offset,
                &section.path("username"),
                "is missing",
                "say whose password that is",
            );
            None
        }
        (None, None) => None,
    }
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
    let members =
        members.into_iter().filter_map(|member| read_member(&section, &member, issuers, findings)).collect();
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
