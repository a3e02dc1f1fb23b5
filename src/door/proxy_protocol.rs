//! The PROXY protocol, versions 1 and 2: from whom a connection came before a balancer passed it on
//!
//! Taken only from the balancers that the configuration names, and from these it is required: a header that
//! anybody could send would say nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest header of version 1, its line end included
const V1_BYTES: usize = 107;
/// How much of addresses and extensions a header of version 2 may carry
const V2_BYTES: usize = 2_048;

/// Why a balancer's connection is not taken
#[derive(Debug, thiserror::Error)]
pub enum ProxyProtocolError {
    /// It broke off
    #[error("the connection broke off before the PROXY header was there")]
    Io(#[from] io::Error),
    /// It does not begin with a header
    #[error("the connection does not begin with a PROXY header")]
    Header,
}

/// Who the client is, where that is said
type Read = Result<Option<SocketAddr>, ProxyProtocolError>;

/// Whether a peer is one of these balancers
pub fn is_from(peer: IpAddr, balancers: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    balancers.iter().any(|network| network.contains(&peer))
}

/// Reads the header, and nothing of what follows it: who the client is, where it says so
///
/// # Errors
///
/// Where the connection does not begin with a whole header.
pub async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Read {
    let mut header = vec![0; v2::PROTOCOL_PREFIX.len()];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX { read_v2(stream, header).await } else { read_v1(stream, header).await }
}

async fn read_v1(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> Read {
    while !header.ends_with(b"\r\n") {
        if header.len() >= V1_BYTES || !header.starts_with(b"PROXY ") {
            return Err(ProxyProtocolError::Header);
        }
        header.push(stream.read_u8().await?);
    }
    let header = v1::Header::try_from(header.as_slice()).map_err(|_| ProxyProtocolError::Header)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(tcp) => Some((tcp.source_address, tcp.source_port).into()),
        v1::Addresses::Tcp6(tcp) => Some((tcp.source_address, tcp.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

async fn read_v2(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> Read {
    header.extend([stream.read_u8().await?, stream.read_u8().await?]);
    let length = stream.read_u16().await?;
    header.extend(length.to_be_bytes());
    let length = usize::from(length);
    if length > V2_BYTES {
        return Err(ProxyProtocolError::Header);
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    header.extend(rest);
    let header = v2::Header::try_from(header.as_slice()).map_err(|_| ProxyProtocolError::Header)?;
    Ok(match (header.command, header.addresses) {
        // A balancer's own look whether the gate lives.
        (v2::Command::Local, _) => None,
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => Some((ip.source_address, ip.source_port).into()),
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => Some((ip.source_address, ip.source_port).into()),
        (v2::Command::Proxy, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyProtocolError>, Vec<u8>) {
        let mut stream = bytes;
        let header = read_header(&mut stream).await;
        (header, stream.to_vec())
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
        header.extend(addresses);
        header.extend(b"TLS");
        header
    }

    #[tokio::test]
    async fn both_versions_say_who_the_client_is_and_leave_what_follows() {
        let client: SocketAddr = "192.0.2.7:4242".parse().unwrap();
        let four = [192, 0, 2, 7, 127, 0, 0, 1, 0x10, 0x92, 0x20, 0xfb];
        for bytes in [b"PROXY TCP4 192.0.2.7 127.0.0.1 4242 8443\r\nTLS".to_vec(), v2(1, 0x11, &four)] {
            let (header, rest) = read(&bytes).await;
            assert_eq!((header.unwrap(), rest.as_slice()), (Some(client), &b"TLS"[..]));
        }
        let (header, _) = read(b"PROXY TCP6 2001:db8::7 ::1 4242 8443\r\n").await;
        assert_eq!(header.unwrap(), Some("[2001:db8::7]:4242".parse().unwrap()));
        for bytes in [b"PROXY UNKNOWN\r\nTLS".to_vec(), v2(0, 0, &[])] {
            let (header, rest) = read(&bytes).await;
            assert_eq!((header.unwrap(), rest.as_slice()), (None, &b"TLS"[..]));
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let huge = [v2::PROTOCOL_PREFIX.to_vec(), vec![0x21, 0x11, 0xff, 0xff]].concat();
        for bytes in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00"[..],
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 x y 1 2\r\n",
            &long,
            &huge,
            b"PROXY",
        ] {
            assert!(read(bytes).await.0.is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn balancers_are_known_by_their_network() {
        let balancers = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        for (peer, is_one) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::1", true),
            ("11.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(is_from(peer.parse().unwrap(), &balancers), is_one, "{peer}");
        }
    }
}
