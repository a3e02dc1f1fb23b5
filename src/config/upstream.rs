//! `[upstream]`: the routers, whom to trust there, and the account that the gate has at Druid

use std::path::Path;

use super::listen::is_address;
use super::section::{At, Findings, Section};
use super::{SignIn, Upstream, UpstreamTls};
use crate::base::fetch::is_loopback;
use crate::base::password::PasswordSource;
use crate::base::redact::address as shown;

/// A router's URL, read
struct Router {
    /// Where it stands in the file
    offset: usize,
    is_https: bool,
    /// `host:port`
    authority: String,
}

impl Router {
    fn is_remote(&self) -> bool {
        !is_loopback(self.authority.rsplit_once(':').map_or("", |(host, _)| host))
    }
}

/// `[upstream]`; its routers all speak TLS, or none does
pub(super) fn read(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<Upstream> {
    let key = section.path("url");
    let urls = section.one_or_more("url", findings);
    let ca_file = section.string("ca_file", findings);
    let sign_in = read_sign_in(section, folder, findings);
    let routers: Vec<_> = urls.iter().filter_map(|url| read_router(&key, url, findings)).collect();
    let first = routers.first()?;
    if routers.iter().any(|router| router.is_https != first.is_https) {
        let what = "mixes `http://` and `https://`";
        findings.error(first.offset, &key, what, "write one of them throughout");
    }
    let tls = match ca_file {
        None if first.is_https => UpstreamTls::SystemRoots,
        None => UpstreamTls::Plain,
        Some(file) if first.is_https => UpstreamTls::CaFile(folder.join(&file.value)),
        Some(file) => {
            let what = "is of no use with `http://`";
            findings.error(file.offset, &section.path("ca_file"), what, "leave it out, or write `https://`");
            UpstreamTls::Plain
        }
    };
    let overheard = routers.iter().find(|router| !first.is_https && router.is_remote());
    if let (Some(_), Some(router)) = (&sign_in, overheard) {
        let what = "the password of `username` goes to another machine without TLS";
        findings.warn(router.offset, &key, what, "write `https://`, and have the router speak TLS");
    }
    let authorities = routers.into_iter().map(|router| router.authority).collect();
    Some(Upstream { tls, authorities, sign_in })
}

fn read_router(key: &str, url: &At<String>, findings: &mut Findings<'_>) -> Option<Router> {
    let router = router_of(url);
    if router.is_none() {
        let what = format!("{} is no router's URL", shown(&url.value));
        findings.error(url.offset, key, what, "write `http://host:port`, without a path");
    }
    router
}

/// Scheme and `host:port` of a router's URL, which has neither path nor user
fn router_of(url: &At<String>) -> Option<Router> {
    let (is_https, rest, port) = match url.value.split_once("://")? {
        ("http", rest) => (false, rest, 80),
        ("https", rest) => (true, rest, 443),
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let authority = if is_address(rest) { rest.to_owned() } else { format!("{rest}:{port}") };
    let well_formed = is_address(&authority) && !rest.contains(['/', '?', '#', '@', ' ']);
    well_formed.then_some(Router { offset: url.offset, is_https, authority })
}

fn read_sign_in(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<SignIn> {
    let username = section.string("username", findings);
    let file = section.string("password_file", findings);
    let environment = section.string("password_env", findings);
    if let (Some(_), Some(second)) = (&file, &environment) {
        let what = "stands beside `password_file`";
        findings.error(second.offset, &section.path("password_env"), what, "keep one of the two");
    }
    let password = match (file, environment) {
        (Some(file), _) => Some(file.map(|file| PasswordSource::File(folder.join(file)))),
        (None, Some(name)) => Some(name.map(PasswordSource::Environment)),
        (None, None) => None,
    };
    let (offset, what, instead) = match (username, password) {
        (Some(name), Some(password)) if !name.value.is_empty() && !name.value.contains(':') => {
            return Some(SignIn { username: name.value, password: password.value });
        }
        (Some(name), Some(_)) => {
            (name.offset, "is empty or holds a colon", "write the name of the gate's account at Druid")
        }
        _ if ["username", "password_file", "password_env"].iter().any(|key| section.is_faulty(key)) => {
            return None;
        }
        (Some(name), None) => (name.offset, "has no password", "give `password_file` or `password_env`"),
        (None, Some(password)) => (password.offset, "is missing", "say whose password that is"),
        (None, None) => return None,
    };
    findings.error(offset, &section.path("username"), what, instead);
    None
}
