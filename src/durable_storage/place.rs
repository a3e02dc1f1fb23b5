//! Where durable storage is: a bucket, a prefix, and who serves them

use std::fmt;

use serde::{Deserialize, Serialize};

/// The last part of the one key that a preflight writes
pub const PROBE_NAME: &str = "msq-gate-preflight";

/// How a bucket stands in an address
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Before the host: `bucket.s3.eu-central-1.amazonaws.com`
    VirtualHosted,
    /// First in the path (`druid.s3.enablePathStyleAccess`)
    PathStyle,
}

/// Durable storage on S3 (Druid's `S3OutputConfig`, `AWSEndpointConfig`, `AWSClientConfig`)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bucket and what every key in it begins with
    pub location: Location,
    /// Another server than Amazon's: `https://host:port`
    pub endpoint: Option<String>,
    /// The region that requests are signed for; the environment's where not given
    pub region: Option<String>,
    /// How the bucket stands in addresses
    pub addressing: Addressing,
}

/// A bucket and a prefix
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The bucket
    pub bucket: String,
    /// What every key begins with, without the slash that follows it
    pub prefix: String,
}

impl Location {
    /// The key that a preflight writes: below the prefix as Druid joins it (`S3StorageConnector.objectPath`)
    pub fn probe_key(&self) -> String {
        format!("{}/{PROBE_NAME}", self.prefix)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}/", self.bucket, self.prefix)
    }
}

/// Whether this can be a bucket's name: what S3 allows, and what its oldest buckets have
pub fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (3..=255).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

/// Whether this can be what keys begin with: Druid needs one, and S3's keys are at most 1,024 bytes
pub fn is_prefix(prefix: &str) -> bool {
    !prefix.is_empty() && prefix.len() < 1_024 - PROBE_NAME.len() && !prefix.contains(char::is_control)
}

/// The address of an S3 server as `scheme://host:port`; with this scheme where it has none, as Druid does it
pub fn endpoint(text: &str, scheme: &str) -> Option<String> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        Some(_) => return None,
        None => (scheme, text),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    (!host.is_empty() && authority.bytes().all(plain) && has_port).then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_the_letters_of_one() {
        for name in ["druid", "my.bucket-1", "Old_Bucket"] {
            assert!(is_bucket(name), "{name}");
        }
        for name in ["", "ab", "a/b", "a b", "a?b", "bücket", ".abc", "a\nb"] {
            assert!(!is_bucket(name), "{name}");
        }
    }

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host() {
        for (text, read) in [
            ("https://s3.test", "https://s3.test"),
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
            ("s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(endpoint(text, "https").as_deref(), Some(read), "{text}");
        }
        for text in [
            "",
            "https://",
            "ftp://a",
            "https://a/b",
            "https://u@a",
            "https://a:0",
            "https://a:x",
            "https://a b",
        ] {
            assert_eq!(endpoint(text, "https"), None, "{text}");
        }
    }

    #[test]
    fn the_key_is_joined_as_druid_joins_it() {
        let key = |prefix: &str| Location { bucket: "b".to_owned(), prefix: prefix.to_owned() }.probe_key();
        assert_eq!(key("a/b"), "a/b/msq-gate-preflight");
        assert_eq!(key("a/"), "a//msq-gate-preflight");
    }
}
