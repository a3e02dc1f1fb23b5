//! One request out, one whole answer back, in time

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::base::connector::{Connector, causes, connector};
use crate::durable_storage::problem::NoAnswer;

/// How long one exchange may take, connecting included
const PATIENCE: Duration = Duration::from_secs(10);

/// Services that hand out credentials stand on the same host, or there are none
const LINK_LOCAL_PATIENCE: Duration = Duration::from_secs(2);

/// No answer that is asked for is longer; of another one the beginning is enough
const MOST_BYTES: usize = 64 << 10;

/// Sends requests as they are; follows no redirect, repeats nothing
#[derive(Clone)]
pub struct Wire {
    client: Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wire")
    }
}

impl Wire {
    /// Sends with these settings of TLS
    pub fn new(tls: ClientConfig) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_max_idle_per_host(0)
            .build(connector(tls, PATIENCE));
        Self { client }
    }

    /// The answer to a request; of a long body only its beginning
    ///
    /// # Errors
    ///
    /// Where there is none in time.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let link_local = request.uri().host().is_some_and(|host| host.starts_with("169.254."));
        let patience = if link_local { LINK_LOCAL_PATIENCE } else { PATIENCE };
        let answer = tokio::time::timeout(patience, self.send(request)).await;
        answer.unwrap_or(Err(NoAnswer::Timeout(patience.as_secs())))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let answer = self.client.request(request.map(Full::new)).await.map_err(|error| no_answer(&error))?;
        let (head, body) = answer.into_parts();
        Ok(Response::from_parts(head, beginning(body).await?))
    }
}

async fn beginning(mut body: Incoming) -> Result<Bytes, NoAnswer> {
    let mut bytes = BytesMut::new();
    while bytes.len() < MOST_BYTES
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|error| NoAnswer::Broken(causes(&error)))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    bytes.truncate(MOST_BYTES);
    Ok(bytes.freeze())
}

fn no_answer(error: &hyper_util::client::legacy::Error) -> NoAnswer {
    // The outermost says only that a client failed.
    let why = error.source().map_or_else(|| error.to_string(), causes);
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) => NoAnswer::Untrusted(why),
        Some(rustls::Error::InvalidMessage(_)) => NoAnswer::NoTls(why),
        Some(_) => NoAnswer::Unreachable(why),
        None if error.is_connect() => NoAnswer::Unreachable(why),
        None => NoAnswer::Broken(why),
    }
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut causes = std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        // An I/O error's source is that of what is in it, which would be passed over.
        let inner = (*error).downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.map_or_else(|| (*error).source(), |inner| Some(inner))
    });
    causes.find_map(|error| error.downcast_ref())
}
