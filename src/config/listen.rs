//! `[listen]` and `[admin]`: the addresses that clients and operators come to

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use ipnet::IpNet;

use super::section::{At, Findings, Section};
use super::{Admin, Listen};
use crate::base::redact::address as shown;

/// `[listen]`
pub(super) fn read(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<Listen> {
    let addresses = section.one_or_more("address", findings);
    let addresses: Vec<_> =
        addresses.into_iter().filter_map(|address| check_address(section, address, findings)).collect();
    let twice = addresses.iter().enumerate().find(|(place, address)| {
        addresses.iter().take(*place).any(|before| before == *address) && !address.ends_with(":0")
    });
    if let Some((_, address)) = twice {
        let (offset, what) = (section.offset_of("address"), format!("`{address}` stands twice"));
        findings.error(offset, &section.path("address"), what, "write each address once");
    }
    let certificate = section.required_string("certificate", findings);
    let key = section.required_string("key", findings);
    let balancers = read_balancers(section, findings);
    Some(Listen {
        addresses,
        certificate: folder.join(certificate?.value),
        key: folder.join(key?.value),
        balancers,
    })
}

/// Networks, or single addresses
fn read_balancers(section: &Section<'_>, findings: &mut Findings<'_>) -> Vec<IpNet> {
    let mut balancers = Vec::new();
    for text in section.strings("proxy_protocol_from", findings).unwrap_or_default() {
        let network = text.value.parse::<IpNet>().ok();
        match network.or_else(|| text.value.parse::<IpAddr>().ok().map(IpNet::from)) {
            Some(network) if network.addr() != network.network() => {
                let what = format!("`{}` is one address and a network", text.value);
                let instead = format!("write `{}`, or `{}`", network.addr(), network.trunc());
                findings.error(text.offset, &section.path("proxy_protocol_from"), what, instead);
            }
            Some(IpNet::V6(network)) if network.addr().to_ipv4_mapped().is_some() => {
                let what = format!("`{}` is nobody's: peers are known by their IPv4 address", text.value);
                findings.error(text.offset, &section.path("proxy_protocol_from"), what, "write `10.0.0.0/8`");
            }
            Some(network) if network.prefix_len() == 0 => {
                let what = format!("`{}` lets everybody say that he is somebody else", text.value);
                let instead = "name the balancers' own addresses";
                findings.error(text.offset, &section.path("proxy_protocol_from"), what, instead);
            }
            Some(network) => balancers.push(network),
            None => {
                let what = format!("{} is no network", shown(&text.value));
                let key = section.path("proxy_protocol_from");
                findings.error(text.offset, &key, what, "write `10.0.0.0/8`, or one address");
            }
        }
    }
    balancers
}

/// `[admin]`
pub(super) fn read_admin(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Admin> {
    let read = section.string("address", findings);
    let address = read.unwrap_or_else(|| At { value: "127.0.0.1:9901".to_owned(), offset: section.offset });
    Some(Admin { address: check_address(section, address, findings)? })
}

fn check_address(section: &Section<'_>, address: At<String>, findings: &mut Findings<'_>) -> Option<String> {
    if is_address(&address.value) {
        return Some(address.value);
    }
    let what = format!("{} is no address", shown(&address.value));
    findings.error(address.offset, &section.path("address"), what, "write `host:port`, IPv6 as `[::]:8443`");
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
