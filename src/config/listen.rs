//! `[listen]` and `[admin]`: the addresses that clients and operators come to

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::section::Section;
use super::{Admin, Listen};
use crate::base::redact::address as shown;

/// `[listen]`
pub(super) fn read(section: &Section<'_>) -> Option<Listen> {
    let mut addresses: Vec<String> = Vec::new();
    for address in section.one_or_more("address") {
        if addresses.contains(&address.value) && !address.value.ends_with(":0") {
            let what = format!("`{}` stands twice", address.value);
            section.error("address", what, "write each address once");
        }
        addresses.extend(check_address(section, address.value, address.offset));
    }
    let (certificate, key) = (section.file("certificate"), section.file("key"));
    let balancers = read_balancers(section);
    Some(Listen { addresses, certificate: certificate?, key: key?, balancers })
}

/// Networks, or single addresses
fn read_balancers(section: &Section<'_>) -> Vec<IpNet> {
    let mut balancers = Vec::new();
    for text in section.strings("proxy_protocol_from").unwrap_or_default() {
        match read_network(&text.value) {
            Ok(network) => balancers.push(network),
            Err((what, instead)) => section.error_at(text.offset, "proxy_protocol_from", what, instead),
        }
    }
    balancers
}

/// A network, or what is wrong and what to write
fn read_network(text: &str) -> Result<IpNet, (String, String)> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let (what, instead) = match network {
        Some(network) if network.addr() != network.network() => {
            let instead = format!("write `{}`, or `{}`", network.addr(), network.trunc());
            return Err((format!("`{text}` is one address and a network"), instead));
        }
        Some(IpNet::V6(network)) if network.addr().to_ipv4_mapped().is_some() => {
            (format!("`{text}` is nobody's: peers are known by their IPv4 address"), "write `10.0.0.0/8`")
        }
        Some(network) if network.prefix_len() == 0 => {
            let what = format!("`{text}` lets everybody say that he is somebody else");
            (what, "name the balancers' own addresses")
        }
        Some(network) => return Ok(network),
        None => (format!("{} is no network", shown(text)), "write `10.0.0.0/8`, or one address"),
    };
    Err((what, instead.to_owned()))
}

/// `[admin]`
pub(super) fn read_admin(section: &Section<'_>) -> Option<Admin> {
    let address = check_address(section, section.text("address"), section.offset_of("address"))?;
    Some(Admin { address })
}

fn check_address(section: &Section<'_>, address: String, offset: usize) -> Option<String> {
    if is_address(&address) {
        return Some(address);
    }
    let what = format!("{} is no address", shown(&address));
    section.error_at(offset, "address", what, "write `host:port`, IPv6 as `[::]:8443`");
    None
}

/// `host:port`, with an IPv6 address in brackets
pub(super) fn is_address(text: &str) -> bool {
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
