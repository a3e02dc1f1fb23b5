//! What every client knows: where the gate is, whom to trust, and a token

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::figures::Figures;
use crate::gate::Gate;

pub(crate) struct World {
    pub(crate) gate: SocketAddr,
    pub(crate) token: String,
    /// Of people who hold nothing
    pub(crate) others: Vec<String>,
    pub(crate) figures: Figures,
    tls: ClientConfig,
}

impl World {
    pub(crate) fn new(gate: &Gate, figures: Figures) -> Self {
        let mut roots = RootCertStore::empty();
        for pair in &gate.certificates {
            roots.add(CertificateDer::from_pem_slice(pair.ca.as_bytes()).unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = builder.with_root_certificates(roots).with_no_client_auth();
        Self { gate: gate.address, token: gate.token.clone(), others: gate.others.clone(), figures, tls }
    }

    /// A connection from this address of the loopback network, the last byte of it
    pub(crate) async fn dial(&self, from: u8) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, from], 0).into())?;
        // Or a request in two pieces would wait for the acknowledgement of the first.
        socket.set_nodelay(true)?;
        socket.connect(self.gate).await
    }

    /// The same, with TLS for this protocol
    pub(crate) async fn connect(&self, from: u8, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut tls = self.tls.clone();
        tls.alpn_protocols = vec![alpn.to_vec()];
        let socket = self.dial(from).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(tls)).connect(name, socket).await
    }

    /// A request of somebody who has a token, over HTTP/2 where it is to be absolute
    pub(crate) fn request(
        &self,
        target: &str,
        body: Option<&str>,
        is_absolute: bool,
    ) -> Request<Full<Bytes>> {
        let gate = self.gate;
        let uri = if is_absolute { format!("https://{gate}{target}") } else { target.to_owned() };
        let method = if body.is_some() { "POST" } else { "GET" };
        let mut request = Request::builder().method(method).uri(uri);
        if !is_absolute {
            request = request.header("host", gate.to_string());
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = Full::from(body.unwrap_or_default().to_owned());
        request.header("authorization", format!("Bearer {}", self.token)).body(body).unwrap()
    }

    /// Looks at the gate's memory and descriptors every so often
    pub(crate) async fn measure(self: Arc<Self>, process_id: u32) {
        let process = format!("/proc/{process_id}");
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let status = std::fs::read_to_string(format!("{process}/status")).unwrap_or_default();
            let resident =
                status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
            let descriptors = std::fs::read_dir(format!("{process}/fd")).map_or(0, Iterator::count);
            self.figures.size(resident.and_then(|size| size.parse().ok()).unwrap_or(0), descriptors);
        }
    }
}
