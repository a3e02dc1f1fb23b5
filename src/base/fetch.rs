//! Documents from an issuer: small, over https but on loopback, without redirects, in time

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, LOCATION, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::connector::{Connector, connector, why};
use super::redact;

/// How long a document may take, all in all
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches documents, trusting certain roots
pub struct Fetcher {
    client: Client<Connector, Empty<Bytes>>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fetcher")
    }
}

/// Why there is no document
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is none that may be asked
    #[error("{0} may not be asked; only https, or http on loopback, may")]
    Address(String),
    /// Nobody answered, or what came was no answer
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// It took too long
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Timeout,
    /// Another answer than 200
    #[error("the answer has status {}", .0.as_u16())]
    Status(StatusCode),
    /// A redirect, which is not followed: to where it points
    #[error("the answer has status {} and points to {location}; redirects are not followed: write that address", status.as_u16())]
    Redirect {
        /// Its status
        status: StatusCode,
        /// Where it points, without a query
        location: String,
    },
    /// It is longer than allowed, or broke off
    #[error("the document is longer than {0} bytes, or broke off")]
    Body(usize),
}

impl Fetcher {
    /// Fetches with these settings of TLS
    pub fn new(tls: ClientConfig) -> Self {
        // Documents are rare: no connection is worth keeping.
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(0)
            .build(connector(tls, PATIENCE));
        Self { client }
    }

    /// The document at this address
    ///
    /// # Errors
    ///
    /// Where the address may not be asked, or gives no small document in time.
    pub async fn document(&self, address: &str, most_bytes: usize) -> Result<Bytes, FetchError> {
        let uri = address.parse::<Uri>().ok().filter(may_be_asked);
        let uri = uri.ok_or_else(|| FetchError::Address(redact::address(address)))?;
        tokio::time::timeout(PATIENCE, self.fetch(uri, most_bytes)).await.map_err(|_| FetchError::Timeout)?
    }

    async fn fetch(&self, uri: Uri, most_bytes: usize) -> Result<Bytes, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        let json = http::HeaderValue::from_static("application/json, application/jwk-set+json");
        request.headers_mut().insert(ACCEPT, json);
        request.headers_mut().insert(USER_AGENT, http::HeaderValue::from_static("msq-gate"));
        let answer = self.client.request(request).await.map_err(|error| FetchError::NoAnswer(why(&error)))?;
        if let (true, Some(location)) = (answer.status().is_redirection(), answer.headers().get(LOCATION)) {
            let location = redact::address(&String::from_utf8_lossy(location.as_bytes()));
            let (status, location) = (answer.status(), location.chars().take(200).collect());
            return Err(FetchError::Redirect { status, location });
        }
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), most_bytes).collect().await;
        Ok(body.map_err(|_| FetchError::Body(most_bytes))?.to_bytes())
    }
}

fn may_be_asked(uri: &Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => uri.host().is_some_and(is_loopback),
        _ => false,
    }
}

/// Whether a host is this machine, by its address or by the one name that is reserved for it (RFC 6761)
pub fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an address is one that may be asked for keys
pub fn is_safe_address(address: &str) -> bool {
    address.parse::<Uri>().is_ok_and(|uri| may_be_asked(&uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_loopback_may_be_asked_and_nothing_else() {
        for address in
            ["https://id.example.org/keys", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]:9/x"]
        {
            assert!(is_safe_address(address), "{address}");
        }
        for address in [
            "http://id.example.org/keys",
            "http://127.0.0.1.example.org/",
            "http://localhost.evil/",
            "file:///etc/passwd",
            "ftp://a/",
            "x",
        ] {
            assert!(!is_safe_address(address), "{address}");
        }
    }
}
