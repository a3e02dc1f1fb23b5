//! `[[issuers]]`: who vouches for callers, what their tokens look like, and where their keys come from

use std::path::Path;

use toml::de::DeTable;

use super::IssuerConfig;
use super::section::{At, Findings, Section, is_misspelt_table};
use crate::authenticate::key_keeper::KeyPlace;
use crate::authenticate::{AbsentRoles, Algorithm, ClaimPath, Issuer, IssuerSettings};
use crate::authorize::Policy;
use crate::base::fetch::is_safe_address;
use crate::base::redact::{address as shown, holds_credential, word};

/// Every `[[issuers]]`
pub(super) fn read(root: &DeTable<'_>, folder: &Path, findings: &mut Findings<'_>) -> Vec<IssuerConfig> {
    let found = root.iter().find(|(key, _)| key.get_ref().as_ref() == "issuers").map(|(_, value)| value);
    if found.is_none() && is_misspelt_table(root, "issuers") {
        return Vec::new();
    }
    let Some(items) = found.and_then(|value| value.get_ref().as_array()).filter(|items| !items.is_empty())
    else {
        let offset = found.map_or(0, |value| value.span().start);
        findings.error(offset, "issuers", "nobody vouches for callers", "write at least one `[[issuers]]`");
        return Vec::new();
    };
    let several = items.len() > 1;
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for item in items.iter() {
        let section = Section::new("issuers".to_owned(), "issuers", item, findings);
        let Some(read) = read_issuer(&section, several, folder, findings) else { continue };
        if issuers.iter().any(|known| known.issuer.name() == read.issuer.name()) {
            findings.error(section.offset, "issuers.issuer", "stands twice", "write each issuer once");
        }
        issuers.push(read);
    }
    // What rests on issuers cannot be told where one of them is faulty, and is not reported either.
    if issuers.len() == items.len() { issuers } else { Vec::new() }
}

fn read_issuer(
    section: &Section<'_>,
    several: bool,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<IssuerConfig> {
    let name = section.required_string("issuer", findings);
    // Their values are told in logs and records.
    for key in ["issuer", "jwks_url"] {
        refuse_credential(section, key, findings);
    }
    let audiences = section.required_strings("audiences", findings);
    let algorithms = read_algorithms(section, findings);
    let keys = read_key_place(section, name.as_ref(), folder, findings);
    let ca_file = section.string("ca_file", findings).map(|file| folder.join(file.value));
    let audience_claim = read_claim(section, "audience_claim", "aud", findings);
    let identity_claim = read_claim(section, "identity_claim", "sub", findings);
    let roles_claim = read_claim(section, "roles_claim", "roles", findings);
    let required = section.has("roles_claim_required");
    let roles_claim_required =
        required.then(|| section.boolean("roles_claim_required", true, findings)).map(absent_roles);
    let confers = section.strings("roles", findings);
    if several && !section.mentions("roles") {
        let what = "is missing, and there are several issuers";
        findings.error(
            section.offset,
            "issuers.roles",
            what,
            "say which roles this one may confer, `[]` for none",
        );
    }
    let offset = section.offset;
    let issuer = Issuer::new(IssuerSettings {
        issuer: name?.value,
        audiences: audiences?.into_iter().map(|audience| audience.value).collect(),
        audience_claim: audience_claim?,
        algorithms: algorithms?,
        identity_claim: identity_claim?,
        roles_claim: roles_claim?,
        absent_roles: AbsentRoles::Refused,
        confers: confers.map(|roles| roles.into_iter().map(|role| role.value).collect()),
    });
    match issuer {
        Ok(issuer) => Some(IssuerConfig { issuer, keys: keys?, ca_file, absent_roles: roles_claim_required }),
        Err(fault) => {
            let text = fault.to_string();
            let (what, instead) = text.split_once("; ").unwrap_or((&text, "mend this issuer"));
            findings.error(offset, "issuers", what, instead);
            None
        }
    }
}

/// A password in an issuer's name or address would stand in logs, metrics and records
fn refuse_credential(section: &Section<'_>, key: &str, findings: &mut Findings<'_>) {
    let Some(url) = section.string(key, &mut Findings::new("")) else { return };
    if holds_credential(&url.value) {
        let what = "holds what looks like a password, a key or a token";
        findings.error(url.offset, &section.path(key), what, "write the bare URL: nobody asks for more");
    }
}

/// The place of a claim: a dotted path, or a list of names
fn read_claim(
    section: &Section<'_>,
    key: &str,
    default: &str,
    findings: &mut Findings<'_>,
) -> Option<ClaimPath> {
    let path = if !section.has(key) {
        ClaimPath::parse(default)
    } else if section.is_list(key) {
        let names = section.strings(key, findings)?;
        ClaimPath::of_names(names.into_iter().map(|name| name.value).collect())
    } else {
        ClaimPath::parse(&section.string(key, findings)?.value)
    };
    path.map_err(|fault| findings.fault(section.offset_of(key), &section.path(key), &fault)).ok()
}

fn absent_roles(required: bool) -> AbsentRoles {
    if required { AbsentRoles::Refused } else { AbsentRoles::None }
}

/// Where the file does not say: an absent roles claim is refused where a role that it might list has denies
pub(super) fn require_roles_claims(issuers: &mut [IssuerConfig], policy: &Policy) {
    for IssuerConfig { issuer, absent_roles: said, .. } in issuers {
        let confers = |name: &String| issuer.confers().is_none_or(|roles| roles.contains(name));
        let denies = policy.roles().iter().any(|role| !role.denies.is_empty() && confers(&role.name));
        issuer.set_absent_roles(said.unwrap_or_else(|| absent_roles(denies)));
    }
}

/// A file, an address, or the issuer's discovery document
fn read_key_place(
    section: &Section<'_>,
    issuer: Option<&At<String>>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<KeyPlace> {
    let file = section.string("jwks_file", findings);
    let address = section.string("jwks_url", findings);
    let https = "write `https://…`; plain http only on loopback";
    match (file, address) {
        (Some(_), Some(address)) => {
            findings.error(
                address.offset,
                "issuers.jwks_url",
                "stands beside `jwks_file`",
                "keep one of the two",
            );
            None
        }
        (Some(file), None) => Some(KeyPlace::File(folder.join(file.value))),
        (None, Some(address)) if is_safe_address(&address.value) => Some(KeyPlace::Address(address.value)),
        (None, Some(address)) => {
            let what = format!("{} may not be asked for keys", shown(&address.value));
            findings.error(address.offset, "issuers.jwks_url", what, https);
            None
        }
        (None, None) if section.mentions("jwks_file") || section.mentions("jwks_url") => None,
        (None, None) => {
            let issuer = issuer?;
            if is_safe_address(&issuer.value) {
                return Some(KeyPlace::Discovery);
            }
            let what = format!("{} may not be asked for its keys", shown(&issuer.value));
            findings.error(issuer.offset, "issuers.issuer", what, format!("{https}, or give `jwks_file`"));
            None
        }
    }
}

/// `None` where none is left, which is reported
fn read_algorithms(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Vec<Algorithm>> {
    let mut algorithms = Vec::new();
    let names = section.required_strings("algorithms", findings)?;
    let is_given = !names.is_empty();
    for name in names {
        match Algorithm::from_name(&name.value) {
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let known = Algorithm::ALL.map(Algorithm::as_str).join(", ");
                let what = format!("{} is no algorithm that can count", word(&name.value));
                findings.error(
                    name.offset,
                    "issuers.algorithms",
                    what,
                    format!("the algorithms are {known}"),
                );
            }
        }
    }
    (!is_given || !algorithms.is_empty()).then_some(algorithms)
}
