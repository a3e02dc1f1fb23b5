//! `[[issuers]]`: who vouches for callers, what their tokens look like, and where their keys come from

use toml::de::DeTable;

use super::IssuerConfig;
use super::section::{At, Findings, Section, entry, is_misspelt_table};
use crate::authenticate::key_keeper::KeyPlace;
use crate::authenticate::{AbsentRoles, Algorithm, ClaimPath, Issuer, IssuerSettings};
use crate::authorize::Policy;
use crate::base::fetch::is_safe_address;
use crate::base::redact::{address as shown, holds_credential, word};

/// Every `[[issuers]]`
pub(super) fn read<'text>(
    root: &'text DeTable<'text>,
    findings: &'text Findings<'text>,
) -> Vec<IssuerConfig> {
    let found = entry(root, "issuers");
    if found.is_none() && is_misspelt_table(root, "issuers") {
        return Vec::new();
    }
    let Some(items) = found.and_then(|value| value.get_ref().as_array()).filter(|items| !items.is_empty())
    else {
        let offset = found.map_or(0, |value| value.span().start);
        findings.error(offset, "issuers", "nobody vouches for callers", "write at least one `[[issuers]]`");
        return Vec::new();
    };
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for item in items.iter() {
        let section = Section::new("issuers".to_owned(), "issuers", item, findings);
        let Some(read) = read_issuer(&section, items.len() > 1) else { continue };
        if issuers.iter().any(|known| known.issuer.name() == read.issuer.name()) {
            section.error_at(section.offset, "issuer", "stands twice", "write each issuer once");
        }
        issuers.push(read);
    }
    // What rests on issuers cannot be told where one of them is faulty, and is not reported either.
    if issuers.len() == items.len() { issuers } else { Vec::new() }
}

fn read_issuer(section: &Section<'_>, several: bool) -> Option<IssuerConfig> {
    let name = section.string("issuer");
    // Their values are told in logs and records.
    for key in ["issuer", "jwks_url"] {
        refuse_credential(section, key);
    }
    let audiences = section.strings("audiences");
    let algorithms = read_algorithms(section);
    let keys = read_key_place(section, name.as_deref());
    let ca_file = section.file("ca_file");
    let audience_claim = read_claim(section, "audience_claim");
    let identity_claim = read_claim(section, "identity_claim");
    let names_nobody = |path: &ClaimPath| NAMES_NOBODY.iter().any(|claim| path.claim() == *claim);
    if identity_claim.as_ref().is_some_and(names_nobody) {
        let what = "names nobody: it is the same for all callers, or another one in each token";
        section.error("identity_claim", what, "write `sub`, `email`, `preferred_username` or the like");
    }
    let roles_claim = read_claim(section, "roles_claim");
    let says_required = section.has("roles_claim_required");
    let absent_roles = says_required.then(|| absent_roles(section.switch("roles_claim_required")));
    let confers = section.strings("roles").map(texts);
    if several && !section.mentions("roles") {
        let instead = "say which roles this one may confer, `[]` for none";
        section.error("roles", "is missing, and there are several issuers", instead);
    }
    let issuer = Issuer::new(IssuerSettings {
        issuer: name?,
        audiences: texts(audiences?),
        audience_claim: audience_claim?,
        algorithms: algorithms?,
        identity_claim: identity_claim?,
        roles_claim: roles_claim?,
        absent_roles: AbsentRoles::Refused,
        confers,
    });
    let issuer = issuer.map_err(|fault| section.fault(section.offset, "", &fault)).ok()?;
    Some(IssuerConfig { issuer, keys: keys?, ca_file, absent_roles })
}

/// Claims of a token, not of its subject (RFC 7519, section 4.1; RFC 8693; OpenID Connect Core, section 2)
const NAMES_NOBODY: [&str; 12] =
    ["iss", "aud", "exp", "nbf", "iat", "jti", "typ", "scope", "nonce", "auth_time", "acr", "at_hash"];

fn texts(list: Vec<At>) -> Vec<String> {
    list.into_iter().map(|item| item.value).collect()
}

/// A password in an issuer's name or address would stand in logs, metrics and records
fn refuse_credential(section: &Section<'_>, key: &str) {
    if section.meant(key).is_some_and(holds_credential) {
        let what = "holds what looks like a password, a key or a token";
        section.error(key, what, "write the bare URL: nobody asks for more");
    }
}

/// The place of a claim: a dotted path, or a list of names
fn read_claim(section: &Section<'_>, key: &str) -> Option<ClaimPath> {
    let path = if section.is_list(key) {
        ClaimPath::of_names(texts(section.strings(key)?))
    } else if section.has(key) {
        ClaimPath::parse(&section.string(key)?)
    } else {
        ClaimPath::parse(&section.text(key))
    };
    path.map_err(|fault| section.fault(section.offset_of(key), key, &fault)).ok()
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
fn read_key_place(section: &Section<'_>, issuer: Option<&str>) -> Option<KeyPlace> {
    let (file, address) = (section.file("jwks_file"), section.string("jwks_url"));
    let https = "write `https://…`; plain http only on loopback";
    match (file, address) {
        (Some(_), Some(_)) => {
            section.error("jwks_url", "stands beside `jwks_file`", "keep one of the two");
            None
        }
        (Some(file), None) => Some(KeyPlace::File(file)),
        (None, Some(address)) if is_safe_address(&address) => Some(KeyPlace::Address(address)),
        (None, Some(address)) => {
            section.error("jwks_url", format!("{} may not be asked for keys", shown(&address)), https);
            None
        }
        (None, None) if section.mentions("jwks_file") || section.mentions("jwks_url") => None,
        (None, None) => {
            let issuer = issuer?;
            if is_safe_address(issuer) {
                return Some(KeyPlace::Discovery);
            }
            let what = format!("{} may not be asked for its keys", shown(issuer));
            section.error("issuer", what, format!("{https}, or give `jwks_file`"));
            None
        }
    }
}

/// `None` where none is left, which is reported
fn read_algorithms(section: &Section<'_>) -> Option<Vec<Algorithm>> {
    let mut algorithms = Vec::new();
    let names = section.strings("algorithms")?;
    for name in &names {
        let algorithm = Algorithm::from_name(&name.value);
        if algorithm.is_none() {
            let what = format!("{} is no algorithm that can count", word(&name.value));
            let known = Algorithm::ALL.map(Algorithm::as_str).join(", ");
            section.error_at(name.offset, "algorithms", what, format!("the algorithms are {known}"));
        }
        algorithms.extend(algorithm);
    }
    (names.is_empty() || !algorithms.is_empty()).then_some(algorithms)
}
