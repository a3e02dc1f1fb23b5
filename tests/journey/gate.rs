//! A whole gate on a real socket, people with tokens, and a client that speaks HTTP/1.1 or HTTP/2 to it

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use msq_gate::config::Config;
use msq_gate::development::{Certificates, ThrowAwayIssuer};
use msq_gate::server::Server;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const ISSUER: &str = "https://id.test";

/// A gate before some Druid
pub(crate) struct TestGate {
    pub(crate) server: Option<Server>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) admin: std::net::SocketAddr,
    pub(crate) folder: TempDir,
    /// Whose tokens count here
    pub(crate) issuer_name: String,
    issuer: ThrowAwayIssuer,
    tls: Arc<ClientConfig>,
}

/// How a client speaks
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    Http2,
}

impl TestGate {
    /// A gate before the router at `druid`, with these tables of proxy.toml besides
    pub(crate) async fn start(druid: &str, tables: &str) -> Self {
        let issuer = ThrowAwayIssuer::new().unwrap();
        Self::start_for(druid, tables, ISSUER, "jwks_file = \"jwks.json\"", issuer).await
    }

    /// A gate with this line in its `[listen]`
    pub(crate) async fn start_listening(druid: &str, line: &str) -> Self {
        let issuer = ThrowAwayIssuer::new().unwrap();
        let text = proxy_toml(druid, "", ISSUER, "jwks_file = \"jwks.json\"");
        Self::start_with(&text.replace("[admin]", &format!("{line}\n[admin]")), ISSUER, issuer).await
    }

    /// A gate for tokens of a real issuer, whose table of proxy.toml has these lines
    pub(crate) async fn start_for_real(druid: &str, tables: &str, issuer_name: &str, lines: &str) -> Self {
        let text =
            proxy_toml(druid, tables, issuer_name, "LINES").replace("LINES\nalgorithms = [\"ES256\"]", lines);
        Self::start_with(&text, issuer_name, ThrowAwayIssuer::new().unwrap()).await
    }

    /// A gate before several routers, as a list of TOML
    pub(crate) async fn start_before(routers: &str, tables: &str) -> Self {
        let issuer = ThrowAwayIssuer::new().unwrap();
        let keys = "jwks_file = \"jwks.json\"";
        Self::start_with(
            &proxy_toml("http://druid", tables, ISSUER, keys).replace("\"http://druid\"", routers),
            ISSUER,
            issuer,
        )
        .await
    }

    /// The same for tokens of this issuer, whose keys come from where `keys` says
    pub(crate) async fn start_for(
        druid: &str,
        tables: &str,
        issuer_name: &str,
        keys: &str,
        issuer: ThrowAwayIssuer,
    ) -> Self {
        Self::start_with(&proxy_toml(druid, tables, issuer_name, keys), issuer_name, issuer).await
    }

    /// The same, trusting these tables `[[issuers]]` and not the issuer of [`TestGate::token`]
    pub(crate) async fn start_trusting(druid: &str, tables: &str, issuers: &str) -> Self {
        let issuer = ThrowAwayIssuer::new().unwrap();
        Self::start_with(&proxy_toml_trusting(druid, tables, issuers), ISSUER, issuer).await
    }

    async fn start_with(text: &str, issuer_name: &str, issuer: ThrowAwayIssuer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(SystemTime::now()).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", &certificates.ca);
        write("server.pem", &certificates.certificate);
        write("server.key", &certificates.key);
        write("jwks.json", &issuer.jwks().to_string());
        write("proxy.toml", text);
        let reading = Config::read(text, folder.path());
        let config = reading.config.unwrap_or_else(|| panic!("{:#?}\n{text}", reading.findings));
        let server = Server::start(config).await.unwrap();
        server.watch(folder.path().join("proxy.toml"));
        let tls = trusting(&certificates.ca);
        Self {
            address: server.addresses[0],
            admin: server.admin_address,
            server: Some(server),
            folder,
            issuer_name: issuer_name.to_owned(),
            issuer,
            tls,
        }
    }

    /// From now on its client trusts this CA, as where another gate stands at its address
    pub(crate) fn trust(&mut self, ca: &str) {
        self.tls = trusting(ca);
    }

    /// A token for this person with these roles, good for five minutes
    pub(crate) fn token(&self, subject: &str, roles: &[&str]) -> String {
        let expires = SystemTime::now() + Duration::from_secs(300);
        let expires = expires.duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.sign(
            &json!({"iss": self.issuer_name, "aud": "druid", "sub": subject, "roles": roles, "exp": expires}),
        )
    }

    /// A token with just these claims
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.issuer.token(claims).unwrap()
    }

    /// A request to this gate, ready to be sent
    pub(crate) fn request(&self, method: Method, target: &str) -> Asking<'_> {
        let request = Request::builder().method(method).uri(target).body(Full::default()).unwrap();
        Asking { gate: self, request, speaks: Speaks::Http1 }
    }

    pub(crate) fn get(&self, target: &str) -> Asking<'_> {
        self.request(Method::GET, target)
    }

    pub(crate) fn post(&self, target: &str, body: &Value) -> Asking<'_> {
        self.request(Method::POST, target).header("content-type", "application/json").body(body.to_string())
    }

    /// Sends the same request this often over one connection; how often each status came
    pub(crate) async fn send_often(&self, target: &str, token: &str, times: usize) -> HashMap<u16, usize> {
        let mut connection = self.keep_alive().await;
        let mut statuses = HashMap::new();
        for _ in 0..times {
            *statuses.entry(connection.send(target, token).await.as_u16()).or_default() += 1;
        }
        statuses
    }

    /// What somebody is told who posts over HTTP/2, and sends no byte of his body before he is asked to
    pub(crate) async fn expect_over_http_2(&self, target: &str, token: Option<&String>) -> Answer {
        let io = TokioIo::new(self.connect(b"h2").await);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::post(format!("https://{}{target}", self.address))
            .header("content-type", "application/json")
            .header("expect", "100-continue");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (head, body) = sender.send_request(request.body(Unsent).unwrap()).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, trailers: None, body }
    }

    /// The status of one request over a connection of its own; `None` where the connection was cut
    pub(crate) async fn try_get(&self, target: &str, token: &str) -> Option<StatusCode> {
        let stream = self.connect_after(b"", b"http/1.1").await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let request = Request::get(target)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {token}"))
            .body(Full::<Bytes>::default())
            .unwrap();
        Some(sender.send_request(request).await.ok()?.status())
    }

    /// A connection that is kept
    pub(crate) async fn keep_alive(&self) -> KeptAlive {
        let io = TokioIo::new(self.connect(b"http/1.1").await);
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        KeptAlive { sender, authority: self.address.to_string() }
    }

    /// Whether a handshake succeeds for somebody who trusts this CA alone
    pub(crate) async fn try_connect(&self, ca: &str) -> bool {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(trusting(ca)).connect(name, socket).await.is_ok()
    }

    /// A connection for those who speak for themselves
    pub(crate) async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        self.connect_after(b"", alpn).await.unwrap()
    }

    /// A connection that begins with these bytes, as a balancer's does
    pub(crate) async fn connect_after(
        &self,
        first: &[u8],
        alpn: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut socket = TcpStream::connect(self.address).await?;
        socket.write_all(first).await?;
        self.shake_hands(socket, alpn).await
    }

    /// A connection from this address of the loopback network
    pub(crate) async fn connect_from(
        &self,
        address: [u8; 4],
        alpn: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((address, 0).into())?;
        self.shake_hands(socket.connect(self.address).await?, alpn).await
    }

    async fn shake_hands(&self, socket: TcpStream, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(tls)).connect(name, socket).await
    }

    /// That it answers operators within 100 ms, whatever else it does, and stops at once when it is told to twice
    pub(crate) async fn obeys(mut self) -> Self {
        self.lives().await;
        let hurried = self.server.take().unwrap().drain_unless(std::future::ready(()));
        let ended = tokio::time::timeout(Duration::from_secs(5), hurried).await;
        assert!(ended.is_ok(), "it does not stop");
        self
    }

    /// That it answers operators within 100 ms, at the third try at the latest
    pub(crate) async fn lives(&self) {
        let mut took = Duration::MAX;
        for _ in 0..3 {
            let began = std::time::Instant::now();
            assert_eq!(self.ask_admin("/livez").await.0, 200);
            took = took.min(began.elapsed());
        }
        assert!(took < Duration::from_millis(100), "{took:?}");
    }

    /// How often a limit was met
    pub(crate) async fn limit_met(&self, limit: &str) -> usize {
        let line = format!("msq_gate_limit_met_total{{limit=\"{limit}\"}} ");
        let page = self.metrics().await;
        page.lines().find_map(|counted| counted.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
    }

    /// The lines of the audit record so far
    pub(crate) fn audit(&self) -> Vec<Value> {
        self.is_recorded();
        let text = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until what has happened is in the file, which a thread of its own writes
    pub(crate) fn is_recorded(&self) {
        assert!(self.server.as_ref().is_none_or(Server::flush_record));
    }

    /// The lines of the record about the decision that an answer names
    pub(crate) fn record(&self, answer: &Answer) -> Vec<Value> {
        let decision = answer.decision();
        self.audit().into_iter().filter(|line| line["decision"] == decision).collect()
    }

    /// The page of `/metrics`
    pub(crate) async fn metrics(&self) -> String {
        self.ask_admin("/metrics").await.1
    }

    /// What the admin address answers
    pub(crate) async fn ask_admin(&self, path: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Puts another text in place of the gate's file of this name
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Waits until the gate has looked at changed files this often, with this outcome
    pub(crate) async fn has_reloaded(&self, outcome: &str, times: usize) {
        let line = format!("msq_gate_reloads_total{{outcome=\"{outcome}\"}} {times}\n");
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while !self.metrics().await.contains(&line) {
            assert!(
                std::time::Instant::now() < end,
                "no reload was {outcome} {times} times: {}",
                self.metrics().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

fn proxy_toml(druid: &str, tables: &str, issuer: &str, keys: &str) -> String {
    let issuer = format!(
        "[[issuers]]\nissuer = \"{issuer}\"\naudiences = [\"druid\"]\n{keys}\nalgorithms = [\"ES256\"]\n"
    );
    proxy_toml_trusting(druid, tables, &issuer)
}

fn proxy_toml_trusting(druid: &str, tables: &str, issuers: &str) -> String {
    format!(
        r#"[listen]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server.key"
[admin]
address = "127.0.0.1:0"
[upstream]
url = "{druid}"
{tables}
{issuers}
[audit]
file = "audit.jsonl"
"#
    )
}

fn trusting(ca: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A body that does not come
struct Unsent;

impl Body for Unsent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

/// A connection over which requests are sent one after the other
pub(crate) struct KeptAlive {
    sender: http1::SendRequest<Full<Bytes>>,
    authority: String,
}

impl KeptAlive {
    pub(crate) async fn send(&mut self, target: &str, token: &str) -> StatusCode {
        self.sender.ready().await.unwrap();
        let request = Request::get(target)
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {token}"))
            .body(Full::default())
            .unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status();
        answer.into_body().collect().await.unwrap();
        status
    }
}

/// A request on its way
pub(crate) struct Asking<'a> {
    gate: &'a TestGate,
    request: Request<Full<Bytes>>,
    speaks: Speaks,
}

impl Asking<'_> {
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        let request = self.request.map(|_| Full::new(body.into()));
        Self { request, ..self }
    }

    pub(crate) fn over(self, speaks: Speaks) -> Self {
        Self { speaks, ..self }
    }

    pub(crate) async fn send(self) -> Answer {
        let broke_off = || panic!("the connection broke off before the answer's end");
        self.try_send().await.unwrap_or_else(broke_off)
    }

    /// Its answer; `None` where the connection breaks off before that is whole
    pub(crate) async fn try_send(self) -> Option<Answer> {
        let Self { gate, mut request, speaks } = self;
        let authority = gate.address.to_string();
        let answer = match speaks {
            Speaks::Http1 => {
                request.headers_mut().entry("host").or_insert(authority.parse().unwrap());
                let io = TokioIo::new(gate.connect(b"http/1.1").await);
                let (mut sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(request).await.ok()?
            }
            Speaks::Http2 => {
                *request.uri_mut() = format!("https://{authority}{}", request.uri()).parse().unwrap();
                let io = TokioIo::new(gate.connect(b"h2").await);
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(request).await.ok()?
            }
        };
        let (head, body) = answer.into_parts();
        let collected = body.collect().await.ok()?;
        let trailers = collected.trailers().cloned();
        Some(Answer { status: head.status, headers: head.headers, trailers, body: collected.to_bytes() })
    }
}

/// An answer, read whole
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn decision(&self) -> String {
        self.header("x-msq-gate-decision").unwrap_or_else(|| panic!("no decision: {self:?}")).to_owned()
    }

    /// The reason that the gate gives; `None` where the answer is Druid's
    pub(crate) fn reason(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body["context"]["reason"].as_str()?.to_owned())
    }

    /// The permissions that the receipt says are missing
    pub(crate) fn missing(&self) -> Vec<String> {
        let missing = self.json()["receipt"]["missing"].clone();
        serde_json::from_value(missing).unwrap_or_default()
    }
}
