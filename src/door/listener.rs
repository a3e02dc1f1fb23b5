//! The public door: sockets, TLS, one task for each connection, and a drain at the end

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use ipnet::IpNet;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::activity::{InFlight, Protocol};
use super::connection::{self, Unread};
use super::outgoing::OutgoingBody;
use super::proxy_protocol::{self, ProxyProtocolError};
use crate::base::drain;
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

/// Takes connections at these doors until told to drain, then waits for those at hand
///
/// Returns whether all of them were done in time.
pub async fn listen<Gate: Serves>(
    doors: Vec<TcpListener>,
    tls: Arc<ServerConfig>,
    live: Arc<Live<Gate>>,
    draining: watch::Receiver<bool>,
) -> bool {
    let places = Arc::new(Semaphore::new(connection_limit(live.now().limits().connections)));
    let connections = TaskTracker::new();
    let mut taking = JoinSet::new();
    for listener in doors {
        let door = Door {
            acceptor: TlsAcceptor::from(Arc::clone(&tls)),
            live: Arc::clone(&live),
            places: Arc::clone(&places),
            connections: connections.clone(),
            draining: draining.clone(),
        };
        taking.spawn(door.take(listener));
    }
    taking.join_all().await;
    connections.close();
    tokio::time::timeout(live.now().limits().drain, connections.wait()).await.is_ok()
}

/// What every connection at a door needs
struct Door<Gate> {
    acceptor: TlsAcceptor,
    live: Arc<Live<Gate>>,
    places: Arc<Semaphore>,
    connections: TaskTracker,
    draining: watch::Receiver<bool>,
}

impl<Gate: Serves> Door<Gate> {
    /// Takes connections until the gate drains
    async fn take(self, listener: TcpListener) {
        let mut draining = self.draining.clone();
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
                Ok((socket, client)) => {
                    let (acceptor, live) = (self.acceptor.clone(), Arc::clone(&self.live));
                    let served = serve(socket, client, acceptor, live, self.draining.clone());
                    self.connections.spawn(async move {
                        served.await;
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
}

async fn serve<Gate: Serves>(
    mut socket: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    live: Arc<Live<Gate>>,
    draining: watch::Receiver<bool>,
) {
    let gate = live.now();
    let _open = Open::new(gate.metrics());
    // Small answers wait for nobody; a socket that cannot promise it serves all the same.
    let _delayed = socket.set_nodelay(true);
    let handshake = async {
        let client = client_behind(&mut socket, peer, gate.balancers()).await;
        let client = client.map_err(|error| error.to_string())?;
        let stream = acceptor.accept(socket).await;
        Ok::<_, String>((client, stream.map_err(|error| format!("TLS: {error}"))?))
    };
    let (client, stream) = match tokio::time::timeout(gate.limits().handshake, handshake).await {
        Ok(Ok(shaken)) => shaken,
        Ok(Err(error)) => {
            tracing::debug!(%error, %peer, "the handshake failed");
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
    let (answering, refusing) = (Arc::clone(&live), live);
    let answer = move |request, in_flight| {
        // A request keeps the gate that it began with; the next one on this connection may meet another.
        let gate = answering.now();
        async move { gate.answer(request, client, in_flight).await }
    };
    let unread = move |unread| refusing.now().unread(client, unread);
    connection::serve(stream, protocol, gate.limits(), gate.metrics(), draining, answer, unread).await;
}

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

/// What the configuration allows, but never more than half of the file limit: each connection may need another
fn connection_limit(configured: usize) -> usize {
    configured.min(file_limit().map_or(usize::MAX, |limit| limit / 2)).max(1)
}

/// The soft limit of open files, where the system tells it (Linux)
fn file_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
