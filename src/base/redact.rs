//! What messages may repeat
//!
//! Whatever a message repeats of the configuration goes through [`presentable`], since people write passwords into
//! URLs, and keys where a file's name belongs.

use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A file's name as messages show it: what is hardly one is left out, from there on
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display().to_string();
        let hidden = "(a name that may be a secret, not shown)";
        if is_key(&path) || path.len() > LONGEST_PATH || path.chars().any(char::is_control) {
            return formatter.write_str(hidden);
        }
        let last = path.rfind('/').map_or(0, |slash| slash + 1);
        let mut start = 0;
        for part in path.split_inclusive('/') {
            let name = part.trim_end_matches('/');
            let is_told = match start {
                start if start == last => is_file_name(name),
                0 => is_words(name.trim_end_matches(':')),
                _ => is_folder_name(name),
            };
            if !is_told {
                return write!(formatter, "{}{hidden}", path.get(..start).unwrap_or_default());
            }
            start += part.len();
        }
        formatter.write_str(&path)
    }
}

/// No file of a gate stands deeper
const LONGEST_PATH: usize = 200;

/// Words as people write them, or something short that a system made up
fn is_folder_name(name: &str) -> bool {
    name.chars().count() <= 11 || is_words(name)
}

/// Words with an ending, or in small letters: `server.key`, `druid_password`
fn is_file_name(name: &str) -> bool {
    let is_small = |character: char| character.is_ascii_lowercase() || "_-".contains(character);
    is_words(name) && (name.trim_matches('.').contains('.') || name.chars().all(is_small))
}

/// Words, numbers and hexadecimal ids: no letters and digits in any order, and no signs
fn is_words(name: &str) -> bool {
    name.len() <= 64 && name.split(['.', '_', '-', ' ']).all(is_word)
}

fn is_word(word: &str) -> bool {
    let letters = word.trim_end_matches(|character: char| character.is_ascii_digit());
    let (digits, rest) = (word.len() - letters.len(), letters.chars().skip(1).collect::<String>());
    let is_one_case = rest.chars().all(char::is_lowercase) || letters.chars().all(char::is_uppercase);
    let is_hex = word.chars().all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit));
    is_hex || letters.chars().all(char::is_alphabetic) && is_one_case && letters.len() <= 24 && digits <= 8
}

/// A value that should be an address, as messages show it: its scheme, host, port and path, or nothing of it
pub fn address(value: &str) -> String {
    parse(value).map_or_else(|| "what stands there (not shown)".to_owned(), |shown| format!("`{shown}`"))
}

/// A value that should be one of a few words, as messages show it: nothing of what no word looks like
pub fn word(value: &str) -> String {
    if value.len() <= 24 && is_words(value) {
        format!("`{value}`")
    } else {
        "what stands there (not shown)".to_owned()
    }
}

/// What stands where a key or a table is named, as messages show it: nothing of it where it may be what belongs behind one
pub fn name(text: &str) -> &str {
    if text.len() <= 24 || is_words(text) { text } else { "(a name that may be a secret, not shown)" }
}

/// Whether a text holds what is left out of messages, but for a query, which an address may need
pub fn holds_credential(text: &str) -> bool {
    let is_name = text.starts_with("urn:") || text.starts_with("mailto:");
    let is_odd = |text: &str| {
        text.contains("://")
            && (text.contains(['#', ';']) || parse(text).is_none_or(|shown| shown.contains('@')))
    };
    let before_query = text.split('?').next().unwrap_or_default();
    !is_name
        && (is_key(text)
            || is_odd(text)
            || without_tokens(&without_user(text)) != text
            || without_assigned(before_query) != before_query)
}

/// A text as messages may repeat it: of a URL scheme, host, port and path, and nothing of what may be a password, a
/// key or a token
pub fn presentable(text: &str) -> String {
    if is_key(text) {
        return "(a key, not shown)".to_owned();
    }
    without_assigned(&with_parsed_urls(&without_tokens(&without_user(text))))
}

fn is_key(text: &str) -> bool {
    text.contains("-----BEGIN") || text.contains("PRIVATE KEY")
}

/// Scheme, host, port and path of a URL, or host and port; all else in it is `…`
fn parse(text: &str) -> Option<String> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let is_scheme = |character: char| character.is_ascii_alphanumeric() || "+.-:/".contains(character);
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, _)) if !is_user(user) => return None,
        Some((_, rest)) => ("…@", rest),
        None => ("", rest),
    };
    let end = rest.find(['?', '#', ';']).unwrap_or(rest.len());
    let (place, more) = rest.split_at(end);
    let more: String = more.chars().next().map(|sign| format!("{sign}…")).unwrap_or_default();
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let is_in_path =
        |character: char| character.is_ascii_alphanumeric() || "-._~%/:*+,=…".contains(character);
    let is_whole = scheme.len() <= 12 && scheme.chars().all(is_scheme) && path.chars().all(is_in_path);
    let is_bare_path = text.starts_with('/') && path.split('/').all(is_words);
    let has_place = !scheme.is_empty() || is_bare_path || !user.is_empty() || authority.contains(['.', ':']);
    (is_whole && has_place && is_authority(authority)).then(|| format!("{scheme}{user}{place}{more}"))
}

/// `host`, `host:8888`, `[::1]:8888`, and what our own advice writes: `host:port`, `…`
fn is_authority(text: &str) -> bool {
    let is_in_host = |character: char| character.is_alphanumeric() || "-._…*".contains(character);
    let is_in_address = |character: char| character.is_ascii_hexdigit() || ":.".contains(character);
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.chars().all(is_in_address) => ("", port.strip_prefix(':')),
        Some(_) => return false,
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_number = |port: &str| port.len() <= 5 && port.chars().all(|digit| digit.is_ascii_digit());
    host.chars().all(is_in_host)
        && port.is_none_or(|port| is_number(port) || port == "port" || port == "PORT")
}

/// `https://user:password@host` without what stands before the host, however the password is written; nothing of it but
/// the scheme where the `@` stands behind the host
fn without_user(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else { return text.to_owned() };
    if let Some((scheme, rest)) = before.split_once("://") {
        if is_user(rest) {
            return format!("{scheme}://…@{host}");
        }
        let end = host.find(['`', ' ']).unwrap_or(host.len());
        return format!("{scheme}://…{}", host.get(end..).unwrap_or_default());
    }
    let quote = before.find('`').map_or(0, |position| position + 1);
    let (kept, user) = before.split_at(quote);
    let end = host.find(|character: char| !character.is_ascii_alphanumeric() && !"-._".contains(character));
    let port = end.and_then(|end| host.get(end..)).and_then(|rest| rest.strip_prefix(':'));
    let has_port = port.is_some_and(|port| port.starts_with(|digit: char| digit.is_ascii_digit()));
    let has_password = user.contains(':') && !user.contains(' ') && end != Some(0);
    let is_marked = ["exact:", "glob:", "regex:"].into_iter().any(|mark| user.starts_with(mark));
    if has_port || has_password && !is_marked { format!("{kept}…@{host}") } else { text.to_owned() }
}

/// Whether what stands before an `@` is a user, with a password perhaps, and no host with a path or a query
fn is_user(text: &str) -> bool {
    let Some(end) = text.find(['/', '?', '#', ';']) else { return true };
    let password = text.get(..end).and_then(|first| first.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|password| !password.chars().all(|digit| digit.is_ascii_digit()))
}

fn without_tokens(text: &str) -> String {
    static TOKEN: Pattern = LazyLock::new(|| Regex::new(r"eyJ[A-Za-z0-9\-_.=]{18,}"));
    replaced(&TOKEN, text, |_| "(a token, not shown)".to_owned())
}

/// Each URL in a text as far as [`parse`] shows it
fn with_parsed_urls(text: &str) -> String {
    static URL: Pattern = LazyLock::new(|| Regex::new("[A-Za-z0-9+.-]*://[^` \"|\n]*"));
    replaced(&URL, text, |url| parse(&url[0]).unwrap_or_else(|| "(an address, not shown)".to_owned()))
}

/// What stands behind `password=` and the like
fn without_assigned(text: &str) -> String {
    static ASSIGNED: Pattern =
        LazyLock::new(|| Regex::new("((?i:password|passwd|pwd|token|secret|key|credential)=)[^` &;,]+"));
    replaced(&ASSIGNED, text, |assigned| format!("{}…", &assigned[1]))
}

type Pattern = LazyLock<Result<Regex, regex::Error>>;

/// A text with each match replaced; nothing of it where the pattern is none, which the tests would tell
fn replaced(pattern: &Pattern, text: &str, by: impl Fn(&Captures<'_>) -> String) -> String {
    match pattern.as_ref() {
        Ok(pattern) => pattern.replace_all(text, by).into_owned(),
        Err(_) => "(not shown)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out_and_the_rest_is_told() {
        for (text, shown) in [
            (
                "`http://127.0.0.1:8888/druid` is no router's URL",
                "`http://127.0.0.1:8888/druid` is no router's URL",
            ),
            ("`http://gate:pass@druid:8888` is none", "`http://…@druid:8888` is none"),
            ("`http://gate:p/a?s s@w`o#rd@druid:8888` is none", "`http://…@druid:8888` is none"),
            ("`gate:pass@druid:8888` is none", "`…@druid:8888` is none"),
            ("`hunter2@druid:8888` is none", "`…@druid:8888` is none"),
            ("`http://druid:8888#access_token=pass` is none", "`http://druid:8888#…` is none"),
            ("`http://druid:8888;password=pass` is none", "`http://druid:8888;…` is none"),
            ("`http://gate:pass` is none", "`(an address, not shown)` is none"),
            ("`druid:8888;password=pass` is none", "`druid:8888;password=…` is none"),
            ("write `http://host:port`, without a path", "write `http://host:port`, without a path"),
            ("write `https://…`; plain http", "write `https://…`; plain http"),
            ("https://id/keys?key=pass", "https://id/keys?…"),
            ("`https://id/keys?key=pass` may not", "`https://id/keys?…` may not"),
            ("certs/server.key", "certs/server.key"),
            ("-----BEGIN PRIVATE KEY-----\nMII", "(a key, not shown)"),
            ("a eyJhbGciOiJSUzI1NiJ9.e30.AAAA b", "a (a token, not shown) b"),
            ("`bob@corp.test` does not say", "`bob@corp.test` does not say"),
            ("`http://h:8888?a=b@pass` is none", "`http://…` is none"),
            ("to `https://id/x?ticket=ab@pass`", "to `https://…`"),
            ("`glob:^a@b` has a `^` in a glob", "`glob:^a@b` has a `^` in a glob"),
            ("would never be found: `@this` cannot", "would never be found: `@this` cannot"),
            ("eyJ", "eyJ"),
        ] {
            assert_eq!(presentable(text), shown);
        }
    }

    #[test]
    fn an_issuers_name_is_told_and_so_may_hold_no_credential() {
        for name in
            ["https://id.test/realms/data", "robot@corp.test", "urn:corp:id@a", "https://id.test/x?tenant=1"]
        {
            assert!(!holds_credential(name), "{name}");
        }
        for name in ["https://a:b@id.test", "https://a:b/c@id.test", "a:b@id.test", "-----BEGIN X-----"] {
            assert!(holds_credential(name), "{name}");
        }
    }

    #[test]
    fn an_address_is_told_by_its_scheme_host_port_and_path_or_not_at_all() {
        for (value, shown) in [
            ("http://druid:8888/druid", "`http://druid:8888/druid`"),
            ("0.0.0.0", "`0.0.0.0`"),
            ("[::1]:8443", "`[::1]:8443`"),
            ("druid:8888", "`druid:8888`"),
            ("http://u:p`a b#@druid:8888/x?y=z", "`http://…@druid:8888/x?…`"),
            ("hunter2@druid", "`…@druid`"),
            ("https://druid/x;password=y", "`https://druid/x;…`"),
        ] {
            assert_eq!(address(value), shown, "{value}");
            assert_eq!(presentable(&address(value)), shown, "{value}");
        }
        for value in ["http://u:secret", "u:secret", "hunter2", "http://a b", "http://[secret]", "secret://"]
        {
            assert!(
                !address(value).contains("secret") || value == "secret://",
                "{value}: {}",
                address(value)
            );
            assert!(!address(value).contains("hunter2"), "{value}: {}", address(value));
        }
    }

    #[test]
    fn a_file_is_told_by_its_name_unless_that_may_be_what_should_be_in_it() {
        for name in [
            "certs/server.key",
            "/run/secrets/druid",
            "/etc/msq-gate/tls.crt",
            "druid_password",
            "/var/lib/kubelet/pods/0b1f7c9e-1111-4222-8333-abcdefabcdef/volumes/ca.pem",
            "/tmp/.tmpAb3dEf/proxy.toml",
            "/srv/Shared Files/ca-2026.pem",
            "C:/x.y",
            "report.json",
            "",
        ] {
            assert_eq!(Shown(Path::new(name)).to_string(), name);
        }
        for name in [
            "Zq7kVw3Xb/tRy5LmH2c/PfG4.key",
            "/etc/gate/hunter2",
            "/etc/gate/Pa55w0rd!",
            "/etc/gate/Zq7kVw3XbN9tRy5LmH2cJd8PfG4sKa6U",
            "/etc/gate/MIIEvQIBADANBgkqhkiG9w0BAQEFAASC/abc/x.y",
            "/etc/gate/aGVsbG8gd29ybGQ=",
            "/etc/gate/a+b",
            "/etc/gate/{\"keys\":[]}",
            "/etc/gate/a\nb",
            "/etc/gate/-----BEGIN PRIVATE KEY-----",
        ] {
            let shown = Shown(Path::new(name)).to_string();
            assert!(shown.ends_with("(a name that may be a secret, not shown)"), "{shown}");
            assert!(shown.len() <= 60, "{shown}");
        }
        assert!(!Shown(Path::new(&"a.b".repeat(99))).to_string().contains("a.b"));
    }
}
