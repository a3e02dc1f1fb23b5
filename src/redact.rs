//! What messages may repeat
//!
//! Whatever a message repeats of the configuration goes through [`presentable`], since people write passwords into
//! URLs, and keys where a file's name belongs.

use std::fmt;
use std::path::Path;

/// A file's name as messages show it
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&presentable(&self.0.display().to_string()))
    }
}

/// Whether a text holds what is left out of messages, but for a query, which an address may need
pub fn holds_credential(text: &str) -> bool {
    let is_name = text.starts_with("urn:") || text.starts_with("mailto:");
    !is_name && (is_key(text) || without_tokens(&without_user(text)) != text)
}

/// A text as messages may repeat it: without what may be a password in a URL, a query, a key or a token
pub fn presentable(text: &str) -> String {
    if is_key(text) {
        return "(a key, not shown)".to_owned();
    }
    without_query(&without_tokens(&without_user(text)))
}

fn is_key(text: &str) -> bool {
    text.contains("-----BEGIN") || text.contains("PRIVATE KEY")
}

/// `https://user:password@host` without what stands before the host, however the password is written
fn without_user(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else { return text.to_owned() };
    let Some(colon) = before.find(':') else { return text.to_owned() };
    let (scheme, rest) = before.split_at(colon);
    if rest.starts_with("://") {
        return format!("{scheme}://…@{host}");
    }
    let quote = before.find('`').map_or(0, |position| position + 1);
    format!("{}…@{host}", before.split_at(quote.min(colon)).0)
}

fn without_tokens(text: &str) -> String {
    let is_token = |character: char| character.is_ascii_alphanumeric() || "-_.=".contains(character);
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.find("eyJ").map(|position| rest.split_at(position)) {
        let (token, after) = from.split_at(from.find(|character| !is_token(character)).unwrap_or(from.len()));
        shown.push_str(before);
        shown.push_str(if token.len() > 20 { "(a token, not shown)" } else { token });
        rest = after;
    }
    shown + rest
}

fn without_query(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    match rest.split_once('?') {
        None => text.to_owned(),
        Some((path, query)) => {
            let end = query.find(['`', ' ']).unwrap_or(query.len());
            format!("{scheme}://{path}?…{}", query.split_at(end).1)
        }
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
            ("https://id/keys?key=pass", "https://id/keys?…"),
            ("`https://id/keys?key=pass` may not", "`https://id/keys?…` may not"),
            ("certs/server.key", "certs/server.key"),
            ("-----BEGIN PRIVATE KEY-----\nMII", "(a key, not shown)"),
            ("a eyJhbGciOiJSUzI1NiJ9.e30.AAAA b", "a (a token, not shown) b"),
            ("`bob@corp.test` does not say", "`bob@corp.test` does not say"),
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
}
