//! The public door: sockets, TLS, one task for each connection, and a drain at the end

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use ipnet::IpNet;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;

use super::activity::{InFlight, Protocol};
use super::connection::{Serving, Unread};
use super::outgoing::OutgoingBody;
use super::proxy_protocol::{self, ProxyProtocolError};
use super::shares::{OverShare, Place, Shares};
use crate::base::drain::{self, Stop};
use crate::base::live::Live;
use crate::base::metrics::Metrics;
use crate::config::Limits;

/// After an error of accept, which is mostly a lack of descriptors that others will give back
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What serves behind a door: one request, one answer
pub trait Serves: Send + Sync + 'static {
    /// How long and how much
    fn limits(&self) -> &Limits;

    /// Who connects in another's name: balancers, by PROXY protocol
    fn balancers(&self) -> &[IpNet];

    /// The counters
    fn metrics(&self) -> &Metrics;

    /// Answers a request, whatever becomes of it
    fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        in_flight: InFlight,
    ) -> impl Future<Output = Response<OutgoingBody>> + Send;

    /// Is told of a request that was answered before it could get here
    fn unread(&self, client: SocketAddr, unread: Unread);
}

/// How long those who are cut have to note it
const CUT_WITHIN: Duration = Duration::from_secs(1);

/// Takes connections at these doors until told to drain, then waits for those at hand, for `drain_seconds` or until it
/// is hurried
///
/// Those that are not done by then are cut; their requests are counted as left by the gate.
pub async fn listen<Gate: Serves>(
    doors: Vec<TcpListener>,
    tls: Arc<ServerConfig>,
    live: Arc<Live<Gate>>,
    draining: watch::Receiver<bool>,
    mut hurried: watch::Receiver<bool>,
) {
    let places = connection_limit(live.now().limits().connections);
    let (cut, is_cut) = watch::channel(false);
    let inside = Arc::new(Inside {
        acceptor: TlsAcceptor::from(tls),
        live,
        share: (places / 4).max(1),
        places: Arc::new(Semaphore::new(places)),
        shares: Arc::default(),
        connections: TaskTracker::new(),
        stop: Stop { draining, is_cut },
    });
    let taking: JoinSet<_> = doors.into_iter().map(|listener| Arc::clone(&inside).take(listener)).collect();
    taking.join_all().await;
    let (gate, connections) = (inside.live.now(), &inside.connections);
    connections.close();
    let in_time = tokio::select! {
        waited = tokio::time::timeout(gate.limits().drain, connections.wait()) => waited.is_ok(),
        () = drain::begins(&mut hurried) => false,
    };
    if !in_time {
        gate.metrics().leaving.begin();
        cut.send_replace(true);
        // Whoever has noted nothing by then is left all the same.
        let _noted = tokio::time::timeout(CUT_WITHIN, connections.wait()).await;
    }
}

/// What every connection needs
struct Inside<Gate> {
    acceptor: TlsAcceptor,
    live: Arc<Live<Gate>>,
    places: Arc<Semaphore>,
    /// Of these for one address, where the configuration says nothing else
    share: usize,
    shares: Arc<Shares>,
    connections: TaskTracker,
    stop: Stop,
}

/// Why a connection is not served
#[derive(Debug, thiserror::Error)]
enum Unserved {
    #[error(transparent)]
    Proxy(#[from] ProxyProtocolError),
    #[error("its address has its share")]
    OverShare,
    #[error("TLS: {0}")]
    Tls(#[from] io::Error),
}

impl<Gate: Serves> Inside<Gate> {
    /// Takes connections until the gate drains
    async fn take(self: Arc<Self>, listener: TcpListener) {
        let mut draining = self.stop.draining.clone();
        loop {
            if self.places.available_permits() == 0 {
                self.live.now().metrics().limit_met("connections");
            }
            // Never closed, so there is always a place in the end. A gate that is waited with would outlive its time.
            let place = tokio::select! {
                place = Arc::clone(&self.places).acquire_owned() => place,
                () = drain::begins(&mut draining) => return,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = drain::begins(&mut draining) => return,
            };
            match accepted {
                Ok((socket, peer)) => {
                    let inside = Arc::clone(&self);
                    self.connections.spawn(async move {
                        inside.serve(socket, peer).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve(&self, socket: TcpStream, peer: SocketAddr) {
        let gate = self.live.now();
        let _open = Open::new(gate.metrics());
        // Boxed: else the connection would hold its place as long as it lasts.
        let shaking = Box::pin(self.let_in(socket, peer, &gate));
        let handshake = tokio::time::timeout(gate.limits().handshake, shaking);
        let (client, stream, _place) = match handshake.await {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(error)) => {
                tracing::debug!(%error, %peer, "a connection is not served");
                return;
            }
            Err(_) => {
                gate.metrics().limit_met("handshake_seconds");
                return;
            }
        };
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let (answering, refusing) = (Arc::clone(&self.live), Arc::clone(&self.live));
        let answer = move |request, in_flight| {
            // A request keeps the gate that it began with; the next one on this connection may meet another.
            let gate = answering.now();
            async move { gate.answer(request, client, in_flight).await }
        };
        let unread = move |unread| refusing.now().unread(client, unread);
        let serving =
            Serving::new(protocol, gate.limits(), gate.metrics(), self.stop.clone(), &self.connections);
        serving.serve(stream, answer, unread).await;
    }

    /// Who it is, in his share of the connections, and TLS with him
    async fn let_in(
        &self,
        mut socket: TcpStream,
        peer: SocketAddr,
        gate: &Gate,
    ) -> Result<(SocketAddr, Box<TlsStream<TcpStream>>, Place), Unserved> {
        let client = client_behind(&mut socket, peer, gate.balancers()).await?;
        let share = gate.limits().connections_per_address.unwrap_or(self.share);
        let place = self.shares.take(client.ip(), share, Instant::now()).map_err(|OverShare { is_to_be_told }| {
            gate.metrics().limit_met("connections_per_address");
            if is_to_be_told {
                let client = client.ip();
                tracing::warn!(%client, share, "an address has its share of the connections; more of it are closed at once");
            }
            Unserved::OverShare
        })?;
        // Small answers wait for nobody; a socket that cannot promise it serves all the same.
        let _delayed = socket.set_nodelay(true);
        bound_unsent(&socket);
        let mut stream = self.acceptor.accept(socket).await?;
        stream.get_mut().1.set_buffer_limit(Some(SEALED));
        Ok((client, Box::new(stream), place))
    }
}

/// Lets the kernel keep little that is not sent: what a client takes is seen as he takes it, and costs less memory
#[cfg(target_os = "linux")]
fn bound_unsent(socket: &TcpStream) {
    const UNSENT_BYTES: u32 = 64 << 10;
    let _unbounded = socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn bound_unsent(_: &TcpStream) {}

/// The peer, or the client whom a balancer names
async fn client_behind(
    socket: &mut TcpStream,
    peer: SocketAddr,
    balancers: &[IpNet],
) -> Result<SocketAddr, ProxyProtocolError> {
    if !proxy_protocol::is_from(peer.ip(), balancers) {
        return Ok(peer);
    }
    Ok(proxy_protocol::read_header(socket).await?.unwrap_or(peer))
}

/// Counts a connection while it is open
struct Open<'a>(&'a Metrics);

impl<'a> Open<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// What is sealed for a client at one time, the most that a record of TLS holds; rustls would seal four times that for
/// one who takes nothing
const SEALED: usize = 16 << 10;

/// What the configuration allows, but never more than half of the file limit: each connection may need another
pub fn connection_limit(configured: usize) -> usize {
    configured.min(file_limit().map_or(usize::MAX, |limit| limit / 2)).max(1)
}

/// The soft limit of open files, where the system tells it (Linux)
fn file_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
