//! `[upstream]`: the routers, whom to trust there, and the account that the gate has at Druid

use super::fault::Severity;
use super::listen::is_address;
use super::section::{At, Section};
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
pub(super) fn read(section: &Section<'_>) -> Option<Upstream> {
    let urls = section.one_or_more("url");
    let ca_file = section.file("ca_file");
    let sign_in = read_sign_in(section);
    let routers: Vec<_> = urls.iter().filter_map(|url| read_router(section, url)).collect();
    let first = routers.first()?;
    if routers.iter().any(|router| router.is_https != first.is_https) {
        let what = "mixes `http://` and `https://`";
        section.error_at(first.offset, "url", what, "write one of them throughout");
    }
    if ca_file.is_some() && !first.is_https {
        section.error("ca_file", "is of no use with `http://`", "leave it out, or write `https://`");
    }
    let tls = match ca_file {
        _ if !first.is_https => UpstreamTls::Plain,
        None => UpstreamTls::SystemRoots,
        Some(file) => UpstreamTls::CaFile(file),
    };
    let overheard = routers.iter().find(|router| !first.is_https && router.is_remote());
    if let (Some(_), Some(router)) = (&sign_in, overheard) {
        let what = "the password of `username` goes to another machine without TLS";
        let instead = "write `https://`, and have the router speak TLS";
        section.note_at(Severity::Warning, router.offset, "url", what, instead);
    }
    let authorities = routers.into_iter().map(|router| router.authority).collect();
    Some(Upstream { tls, authorities, sign_in })
}

fn read_router(section: &Section<'_>, url: &At) -> Option<Router> {
    let router = router_of(url);
    if router.is_none() {
        let what = format!("{} is no router's URL", shown(&url.value));
        section.error_at(url.offset, "url", what, "write `http://host:port`, without a path");
    }
    router
}

/// Scheme and `host:port` of a router's URL, which has neither path nor user
fn router_of(url: &At) -> Option<Router> {
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

fn read_sign_in(section: &Section<'_>) -> Option<SignIn> {
    let username = section.string("username");
    let (file, environment) = (section.file("password_file"), section.string("password_env"));
    if file.is_some() && environment.is_some() {
        section.error("password_env", "stands beside `password_file`", "keep one of the two");
    }
    let key = if file.is_some() { "password_file" } else { "password_env" };
    let password = file.map(PasswordSource::File).or(environment.map(PasswordSource::Environment));
    let (key, what, instead) = match (username, password) {
        (Some(username), Some(password)) if !username.is_empty() && !username.contains(':') => {
            return Some(SignIn { username, password });
        }
        (Some(_), Some(_)) => {
            ("username", "is empty or holds a colon", "write the name of the gate's account at Druid")
        }
        _ if ["username", "password_file", "password_env"].iter().any(|key| section.is_faulty(key)) => {
            return None;
        }
        (Some(_), None) => ("username", "has no password", "give `password_file` or `password_env`"),
        (None, Some(_)) => (key, "is missing", "say whose password that is"),
        (None, None) => return None,
    };
    section.error_at(section.offset_of(key), "username", what, instead);
    None
}
