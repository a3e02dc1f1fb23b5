//! Whether an address is one that the gate itself listens at, as far as that can be told without asking a name server
//!
//! What cannot be told so is found out by the mark on a request that comes back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Whether a connection to this `host:port` comes to who listens at one of these
pub(super) fn is_own(authority: &str, listening: &[String]) -> bool {
    let Some(to) = Address::read(authority) else { return false };
    listening.iter().filter_map(|own| Address::read(own)).any(|own| own.takes(&to))
}

/// `host:port`, where the host is an address or `localhost`
struct Address {
    ip: IpAddr,
    port: u16,
}

impl Address {
    fn read(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let ip = match host {
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            address => address.parse::<IpAddr>().ok()?.to_canonical(),
        };
        // One way to this machine by each protocol is as good as another.
        let ip = if ip == IpAddr::V6(Ipv6Addr::LOCALHOST) { Ipv4Addr::LOCALHOST.into() } else { ip };
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some(Self { ip, port })
    }

    fn takes(&self, to: &Self) -> bool {
        let everywhere = self.ip.is_unspecified();
        let is_here = || to.ip.is_loopback() || to.ip.is_unspecified() || is_this_machines(to.ip);
        self.port == to.port && (self.ip == to.ip || everywhere && is_here())
    }
}

/// Only a machine's own addresses can be bound; no packet is sent for that
fn is_this_machines(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_to_be_the_gates_own_by_its_port_and_host() {
        for (router, own) in [
            ("127.0.0.1:8443", "127.0.0.1:8443"),
            ("127.0.0.1:8443", "0.0.0.0:8443"),
            ("127.0.0.9:8443", "0.0.0.0:8443"),
            ("localhost:8443", "127.0.0.1:8443"),
            ("localhost:8443", "[::]:8443"),
            ("[::1]:8443", "[::1]:8443"),
            ("[::ffff:127.0.0.1]:8443", "127.0.0.1:8443"),
            ("0.0.0.0:8443", "0.0.0.0:8443"),
        ] {
            assert!(is_own(router, &["10.0.0.1:1".to_owned(), own.to_owned()]), "{router} {own}");
        }
        for (router, own) in [
            ("127.0.0.1:8888", "0.0.0.0:8443"),
            ("127.0.0.2:8443", "127.0.0.1:8443"),
            ("192.0.2.1:8443", "0.0.0.0:8443"),
            ("druid:8443", "0.0.0.0:8443"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert!(!is_own(router, &[own.to_owned()]), "{router} {own}");
        }
    }
}
