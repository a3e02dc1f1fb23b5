//! The way out: TCP with a deadline, TLS where the address says https

use std::time::Duration;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;

/// Connects to `http://` and `https://`, speaks HTTP/1.1
pub type Connector = HttpsConnector<HttpConnector>;

/// Connects within this time, with these settings of TLS
pub fn connector(tls: ClientConfig, connect: Duration) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(connect));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp)
}

/// The causes of an error, down to the one that says something: "connection refused", "certificate expired"
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
