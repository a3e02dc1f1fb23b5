//! Hosts of places: each in one spelling, and which of them lead back into a machine or its cloud

use core::net::{Ipv4Addr, Ipv6Addr};

/// Names of this machine, and of what tells a machine of a cloud its credentials
const INNER_NAMES: [&str; 11] = [
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "loopback",
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
    "instance-data",
    "instance-data.ec2.internal",
    "rancher-metadata",
];

/// What tells a machine its credentials in Alibaba's, Oracle's and Azure's clouds; Amazon's and Google's are link-local
const INNER_ADDRESSES: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];

/// A host in its one spelling; `None` where resolvers could read it in two ways
///
/// Java and the system's resolver read `0x7f.1`, `127.1` and `2130706433` as addresses; of those only four plain
/// decimal numbers are taken.
pub(super) fn canonical(written: &str) -> Option<String> {
    let host = written.to_ascii_lowercase();
    if let Some(inside) = host.strip_prefix('[') {
        let address: Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let is_label = |label: &str| {
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(may_stand)
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return None;
    }
    let last = host.rsplit('.').next()?;
    let ends_in_a_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if ends_in_a_number && host.parse::<Ipv4Addr>().is_err() { None } else { Some(host) }
}

/// Whether it is this machine, its link, or what tells it its credentials; of a host in its one spelling
pub(super) fn is_inner(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inside.parse().map_or(true, is_inner_v6);
    }
    match host.parse::<Ipv4Addr>() {
        Ok(address) => is_inner_v4(address),
        Err(_) => INNER_NAMES.contains(&host) || host.ends_with(".localhost"),
    }
}

fn is_inner_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || first == 0
        || INNER_ADDRESSES.contains(&address)
}

/// Among them all that carry an address of the older kind in them
fn is_inner_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, second, third, ..] = segments;
    let is_metadata =
        matches!(segments, [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]);
    let carries_another = segments.iter().take(5).all(|part| *part == 0)
        || (first, second) == (0x64, 0xff9b)
        || first == 0x2002
        || (first, second, third) == (0x2001, 0, 0);
    is_metadata || carries_another || first & 0xffc0 == 0xfe80 || address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling_or_none() {
        for (written, host) in [
            ("Data.Example.ORG", "data.example.org"),
            ("10.0.0.5", "10.0.0.5"),
            ("[2001:DB8::0:1]", "[2001:db8::1]"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(canonical(written).as_deref(), Some(host), "{written}");
        }
        for written in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "a b",
            "a%2eb",
            "bücher.example",
            "a\u{ff0e}b",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "127.0.0.0x1",
            "0177.0.0.1",
            "127.0.0.01",
            "1.2.3.4.5",
            "256.1.1.1",
            "[::1",
            "::1",
            "[::1%25lo]",
            "[fe80::1%eth0]",
            "[::g]",
            "[127.0.0.1]",
            "user@a",
            "a:80",
        ] {
            assert_eq!(canonical(written), None, "{written}");
        }
    }

    #[test]
    fn this_machine_and_what_tells_it_credentials_are_known_by_name_and_by_number() {
        for written in [
            "LocalHost",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "169.254.169.254",
            "100.100.100.200",
            "[::1]",
            "[::]",
            "[::ffff:10.0.0.5]",
            "[::7f00:1]",
            "[fe80::1]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
            "metadata.google.internal",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(canonical(written).is_some_and(|host| is_inner(&host)), "{written}");
        }
        for written in ["data.example.org", "10.0.0.5", "[2001:db8::1]", "[fd00::1]", "metadata.example.org"]
        {
            assert!(canonical(written).is_some_and(|host| !is_inner(&host)), "{written}");
        }
    }
}
