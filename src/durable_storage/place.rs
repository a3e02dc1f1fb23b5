//! Where durable storage is: a bucket, a prefix, and who serves them

use std::fmt;

use serde::Serialize;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// Where requests for the probe's key go
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `https://host:port`, as it is told to people
    pub endpoint: String,
    /// The key's whole address, percent-encoded
    pub url: String,
}

impl Place {
    /// The region that requests are signed for: configured, in Amazon's own host names, or the environment's
    pub fn region_or<'a>(&'a self, environment: Option<&'a str>) -> Option<&'a str> {
        let host = self.endpoint.as_deref().and_then(region_of_host);
        self.region.as_deref().or(host).or(environment)
    }

    /// The address of the probe's key, as Amazon's SDK would form it
    pub fn target(&self, region: &str) -> Target {
        let Location { bucket, .. } = &self.location;
        let amazon = || format!("https://s3.{region}.{}", part_of_cloud(region).1);
        let endpoint = self.endpoint.clone().unwrap_or_else(amazon);
        let (scheme, authority) = endpoint.split_once("://").unwrap_or(("https", &endpoint));
        let key = percent_encoded(&self.location.probe_key(), "/");
        let url = match self.addressing {
            Addressing::VirtualHosted if fits_before_a_host(bucket, scheme, authority) => {
                format!("{scheme}://{bucket}.{authority}/{key}")
            }
            Addressing::VirtualHosted | Addressing::PathStyle => format!("{endpoint}/{bucket}/{key}"),
        };
        Target { endpoint, url }
    }
}

/// A bucket stands in the path where no host name, no certificate or no address could carry it
fn fits_before_a_host(bucket: &str, scheme: &str, authority: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let is_address =
        authority.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    bucket.len() <= 63
        && bucket.split('.').all(is_label)
        && !(scheme == "https" && bucket.contains('.'))
        && !is_address
}

/// A text as it stands in an address: all but RFC 3986's unreserved characters, and these, encoded
pub fn percent_encoded(text: &str, kept: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.as_bytes().contains(&byte);
    let encoded = |byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encoded).collect()
}

/// The part of Amazon's cloud that a region is in, as it stands in names of resources
pub fn partition(region: &str) -> &'static str {
    part_of_cloud(region).0
}

/// The same, and the end of its host names
fn part_of_cloud(region: &str) -> (&'static str, &'static str) {
    match region.split_once('-').unwrap_or_default() {
        ("cn", _) => ("aws-cn", "amazonaws.com.cn"),
        ("eusc", _) => ("aws-eusc", "amazonaws.eu"),
        ("us", rest) if rest.starts_with("gov-") => ("aws-us-gov", "amazonaws.com"),
        ("us", rest) if rest.starts_with("iso-") => ("aws-iso", "c2s.ic.gov"),
        ("us", rest) if rest.starts_with("isob-") => ("aws-iso-b", "sc2s.sgov.gov"),
        _ => ("aws", "amazonaws.com"),
    }
}

/// `eu-west-1` of `https://s3.eu-west-1.amazonaws.com`, in all of Amazon's ways to write it
fn region_of_host(endpoint: &str) -> Option<&str> {
    let (_, authority) = endpoint.split_once("://")?;
    let host = authority.split(':').next()?;
    let mut labels = host.split('.').rev().skip_while(|label| !matches!(*label, "amazonaws" | "ic" | "sgov"));
    labels.next()?;
    labels
        .find(|label| !matches!(*label, "vpce" | "c2s" | "sc2s"))
        .map(|label| label.strip_prefix("s3-fips-").or_else(|| label.strip_prefix("s3-")).unwrap_or(label))
        .filter(|region| is_region(region) && region.contains('-'))
}

/// Whether this can be a region's name
pub fn is_region(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
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
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (scheme.to_owned(), text),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (authority.as_str(), None),
    };
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let is_known = matches!(scheme.as_str(), "http" | "https");
    (is_known && is_host(host) && has_port).then(|| format!("{scheme}://{authority}"))
}

/// A name, an IPv4 address, or an IPv6 address in brackets
fn is_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let hexadecimal = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.contains(':') && address.bytes().all(hexadecimal),
        None => !host.is_empty() && host.bytes().all(plain),
    }
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
            ("HTTP://S3.Test", "http://s3.test"),
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
            "http://[::1",
            "http://::1",
            "http://[a]",
        ] {
            assert_eq!(endpoint(text, "https"), None, "{text}");
        }
    }

    fn place(endpoint: Option<&str>, addressing: Addressing, bucket: &str) -> Place {
        let location = Location { bucket: bucket.to_owned(), prefix: "a b".to_owned() };
        Place { location, endpoint: endpoint.map(str::to_owned), region: None, addressing }
    }

    #[test]
    fn a_bucket_stands_before_the_host_where_it_can() {
        use Addressing::{PathStyle, VirtualHosted};
        for (endpoint, addressing, bucket, url) in [
            (None, VirtualHosted, "druid", "https://druid.s3.eu-west-1.amazonaws.com/a%20b/"),
            (None, PathStyle, "druid", "https://s3.eu-west-1.amazonaws.com/druid/a%20b/"),
            (None, VirtualHosted, "my.druid", "https://s3.eu-west-1.amazonaws.com/my.druid/a%20b/"),
            (None, VirtualHosted, "Old_Druid", "https://s3.eu-west-1.amazonaws.com/Old_Druid/a%20b/"),
            (Some("http://s3.test:9000"), VirtualHosted, "my.druid", "http://my.druid.s3.test:9000/a%20b/"),
            (Some("http://127.0.0.1:9000"), VirtualHosted, "druid", "http://127.0.0.1:9000/druid/a%20b/"),
            (Some("http://[::1]:9000"), VirtualHosted, "druid", "http://[::1]:9000/druid/a%20b/"),
        ] {
            let target = place(endpoint, addressing, bucket).target("eu-west-1");
            assert_eq!(target.url, format!("{url}{PROBE_NAME}"));
        }
    }

    #[test]
    fn the_region_is_the_configured_one_then_the_hosts_then_the_environments() {
        let mut place = place(Some("https://s3.eu-west-1.amazonaws.com"), Addressing::PathStyle, "druid");
        assert_eq!(place.region_or(Some("eu-west-3")), Some("eu-west-1"));
        place.region = Some("eu-west-2".to_owned());
        assert_eq!(place.region_or(Some("eu-west-3")), Some("eu-west-2"));
        (place.region, place.endpoint) = (None, Some("https://s3.test".to_owned()));
        assert_eq!(place.region_or(Some("eu-west-3")), Some("eu-west-3"));
        assert_eq!(place.region_or(None), None);
    }

    #[test]
    fn amazons_own_hosts_name_their_region() {
        for (host, region) in [
            ("https://s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://s3.eu-west-1.amazonaws.com:443", Some("eu-west-1")),
            ("https://s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://s3.dualstack.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://s3-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("https://s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("https://bucket.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
            ("https://s3.amazonaws.com", None),
            ("https://s3.test", None),
            ("https://amazonaws.com.test", None),
        ] {
            assert_eq!(region_of_host(host), region, "{host}");
        }
    }

    #[test]
    fn other_parts_of_amazons_cloud_have_their_own_names() {
        for (region, host) in [
            ("us-east-1", "https://s3.us-east-1.amazonaws.com"),
            ("us-gov-west-1", "https://s3.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn"),
            ("us-isob-east-1", "https://s3.us-isob-east-1.sc2s.sgov.gov"),
        ] {
            assert_eq!(place(None, Addressing::PathStyle, "druid").target(region).endpoint, host);
        }
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
    }

    #[test]
    fn the_key_is_joined_as_druid_joins_it() {
        let key = |prefix: &str| Location { bucket: "b".to_owned(), prefix: prefix.to_owned() }.probe_key();
        assert_eq!(key("a/b"), "a/b/msq-gate-preflight");
        assert_eq!(key("a/"), "a//msq-gate-preflight");
    }
}
