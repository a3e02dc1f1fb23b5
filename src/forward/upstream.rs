//! The way to Druid: a pool of HTTP/1.1 connections to the router, and the gate's own sign-in

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, InvalidHeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::account::Account;
use super::answer_error::AnswerError;
use crate::base::connector::{Connector, connector, why};
use crate::base::password::Password;

/// How long a pooled connection may idle: well under Jetty's five minutes, so that no POST meets a dead one
const POOL_IDLE: Duration = Duration::from_secs(60);

/// What is read of an answer at one time. Several such pieces wait for a client that takes nothing: this is most of what
/// an answer on its way takes of memory
const READ_BUFFER: usize = 16 << 10;

/// How many may idle: as many as requests were under way at one time, since each of those that end may begin again at
/// once; so no bound, but the one on requests and the time
const KEPT: usize = usize::MAX;

/// The router
pub struct Upstream {
    client: Client<Connector, Full<Bytes>>,
    /// Keeps no connection: each request has one of its own
    fresh: Client<Connector, Full<Bytes>>,
    scheme: Scheme,
    authority: String,
    sign_in: Option<HeaderValue>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Upstream({}://{})", self.scheme, self.authority)
    }
}

/// Why Druid did not answer
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection could be made
    #[error("Druid cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer did not come in time
    #[error("Druid did not answer in time")]
    Timeout,
    /// What came was no answer, or none that may be passed on
    #[error("Druid's answer cannot be used: {0}")]
    Broken(String),
    /// It says of itself that it is nothing that Druid answers here
    #[error(
        "what answered with status {status} says that it is {said:?}, which Druid does not answer here; does a login \
         page or a firewall stand between the gate and Druid?"
    )]
    Stranger {
        /// The status of the answer
        status: StatusCode,
        /// Its media type, cut
        said: String,
    },
    /// Druid refuses the gate's own account, whatever the caller may
    #[error("Druid refuses {account}, with status {status}; {}", remedy(*status))]
    Account {
        /// 401 or 403
        status: StatusCode,
        /// Whom it refuses
        account: Account,
    },
}

fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "give `upstream.username` and its password as Druid knows them",
        _ => "grant that account in Druid whatever the gate's callers may do, with no policy on it",
    }
}

impl UpstreamError {
    /// Whether no connection could be made in `connect_seconds`
    pub fn is_connect_timeout(&self) -> bool {
        let Self::Unreachable(cause) = self else { return false };
        let first: &(dyn std::error::Error + 'static) = cause.as_ref();
        let mut causes = std::iter::successors(Some(first), |error| error.source());
        causes
            .any(|error| error.downcast_ref().map(std::io::Error::kind) == Some(std::io::ErrorKind::TimedOut))
    }
}

impl Upstream {
    /// A pool for this router, `host:port`, with the gate's user name and password; connects when it is first used
    ///
    /// # Errors
    ///
    /// Where the sign-in cannot stand in a header.
    pub(super) fn new(
        authority: String,
        tls: Option<ClientConfig>,
        sign_in: Option<&(String, Password)>,
        connect: Duration,
    ) -> Result<Self, InvalidHeaderValue> {
        let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let tls = tls.unwrap_or_else(crate::base::tls::client_without_roots);
        let keeping = |idle: usize| {
            let connector = connector(tls.clone(), connect);
            let mut builder = Client::builder(TokioExecutor::new());
            builder.pool_max_idle_per_host(idle);
            builder
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(POOL_IDLE)
                .http1_max_headers(200)
                .http1_max_buf_size(READ_BUFFER)
                .build(connector)
        };
        let sign_in = sign_in.map(|(name, password)| basic(name, password.expose())).transpose()?;
        Ok(Self { client: keeping(KEPT), fresh: keeping(0), scheme, authority, sign_in })
    }

    /// Sends one request, once, and awaits the head of the answer
    ///
    /// A GET is sent once more where the connection breaks before that: it may have idled in the pool, and Druid may have
    /// closed it just then.
    pub(super) async fn send(
        &self,
        question: &Question,
        fields: &HeaderMap,
        patience: Duration,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let asked = async {
            match self.client.request(self.request(question, fields)?).await {
                Err(error) if question.method == Method::GET && has_broken_off(&error) => {
                    self.fresh.request(self.request(question, fields)?).await.map_err(classify)
                }
                answer => answer.map_err(classify),
            }
        };
        tokio::time::timeout(patience, asked).await.map_err(|_| UpstreamError::Timeout)?
    }

    fn request(
        &self,
        question: &Question,
        fields: &HeaderMap,
    ) -> Result<Request<Full<Bytes>>, UpstreamError> {
        let Question { method, target, body } = question;
        let broken = |error: &dyn fmt::Display| UpstreamError::Broken(error.to_string());
        let mut fields = fields.clone();
        fields.insert(HOST, HeaderValue::from_str(&self.authority).map_err(|error| broken(&error))?);
        if let Some(sign_in) = &self.sign_in {
            fields.insert(AUTHORIZATION, sign_in.clone());
        }
        if *method == Method::POST || !body.is_empty() {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = self.uri(target).map_err(|error| broken(&error))?;
        *request.headers_mut() = fields;
        Ok(request)
    }

    fn uri(&self, target: &str) -> Result<Uri, http::Error> {
        let target: PathAndQuery = target.parse()?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.as_str())
            .path_and_query(target)
            .build()
    }
}

/// What Druid is asked
#[derive(Clone, Debug)]
pub struct Question {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) body: Bytes,
}

impl Question {
    /// A GET
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), body: Bytes::new() }
    }

    /// A DELETE; only of what the gate has made itself
    pub fn delete(target: impl Into<String>) -> Self {
        Self { method: Method::DELETE, target: target.into(), body: Bytes::new() }
    }

    /// A POST of JSON, which changes nothing
    pub fn post(target: impl Into<String>, body: Bytes) -> Self {
        Self { method: Method::POST, target: target.into(), body }
    }
}

fn basic(name: &str, password: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether a connection that was there ended before an answer's head was
fn has_broken_off(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(|error| {
        let of_the_socket =
            std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
        error.is_incomplete_message() || of_the_socket
    })
}

impl From<AnswerError> for UpstreamError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Stalled => Self::Timeout,
            AnswerError::Broken(error) => Self::Broken(why(error.as_ref())),
            AnswerError::Unlike(_) => Self::Broken(error.to_string()),
        }
    }
}

fn classify(error: hyper_util::client::legacy::Error) -> UpstreamError {
    if error.is_connect() {
        UpstreamError::Unreachable(Box::new(error))
    } else {
        UpstreamError::Broken(why(&error))
    }
}
