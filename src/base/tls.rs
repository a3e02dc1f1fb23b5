//! TLS: the server's settings and those towards Druid, from PEM files

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::certificate_advice;
use super::pem::{self, PemError};
use super::system_roots::SystemRoots;

/// Why there is no TLS
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of the server's certificate gives nothing
    #[error("certificate: {0}")]
    Chain(#[source] PemError),
    /// The file of its key gives nothing
    #[error("key: {0}")]
    Key(#[source] PemError),
    /// A PEM file gives nothing
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The key is another certificate's
    #[error(
        "the key is not the one of the certificate; give the key that the certificate was asked for with"
    )]
    OtherKey,
    /// The server's certificate does not come first in its file
    #[error(
        "the chain stands in the wrong order: the server's certificate is number {0} and has to be the first, then \
         the one that signed it, and so on"
    )]
    ChainOrder(usize),
    /// The key, or the certificate, cannot be used; the library's own words, which are of neither's content
    #[error("the certificate and its key cannot be used: {0}")]
    Certificate(#[source] rustls::Error),
    /// The system trusts nobody
    #[error("the system has no trusted roots{0}; give `ca_file`")]
    NoRoots(String),
}

/// The one source of cryptography, for TLS and tokens
fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// The server's certificate and key, which can be replaced while connections go on
#[derive(Debug)]
pub struct Certificate {
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a chain and its key
    ///
    /// # Errors
    ///
    /// Where the files cannot be read, or do not go together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = pem::certificates(certificate).map_err(TlsError::Chain)?;
        let key = pem::private_key(key).map_err(TlsError::Key)?;
        let pair = match CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider()) {
            Ok(pair) => pair,
            Err(error) => return Err(why_no_pair(&chain, &key, error)),
        };
        Ok(Self { current: RwLock::new(Arc::new(pair)) })
    }

    /// When it ends, where it says so
    pub fn end(&self) -> Option<SystemTime> {
        let pair = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        pair.cert.first().and_then(certificate_advice::end)
    }

    /// From the next handshake on, this one
    pub fn replace(&self, new: Self) {
        let new = new.current.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

/// What is wrong with a chain and a key that do not go together
fn why_no_pair(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    error: rustls::Error,
) -> TlsError {
    let fits = |certificate: &CertificateDer<'static>| {
        CertifiedKey::from_der(vec![certificate.clone()], key.clone_key(), &provider()).is_ok()
    };
    match (chain.iter().position(fits), &error) {
        (Some(position), _) if position > 0 => TlsError::ChainOrder(position + 1),
        (_, rustls::Error::InconsistentKeys(_)) => TlsError::OtherKey,
        _ => TlsError::Certificate(error),
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The public door: TLS 1.2 and 1.3, ALPN for HTTP/2 and HTTP/1.1
///
/// The keys of session tickets belong to the settings, not to the certificate: tickets outlive a change of it.
///
/// # Errors
///
/// Where the provider does not support these versions.
pub fn server(certificate: &Arc<Certificate>) -> Result<ServerConfig, TlsError> {
    let resolver: Arc<Certificate> = Arc::clone(certificate);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Certificate)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if let Ok(ticketer) = rustls::crypto::aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    Ok(config)
}

/// Towards an https router, trusting these roots, or the system's where no file is given
///
/// # Errors
///
/// Where there are no roots to trust.
pub fn client(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let (trusted, trouble) = match ca_file {
        Some(path) => (pem::certificates(path)?, String::new()),
        None => system_roots(),
    };
    roots.add_parsable_certificates(trusted);
    if roots.is_empty() { Err(TlsError::NoRoots(trouble)) } else { Ok(client_with(roots)) }
}

/// The system's, and what is wrong with what the environment says of them, which goes into the log as well
fn system_roots() -> (Vec<CertificateDer<'static>>, String) {
    let SystemRoots { certificates, faults } = SystemRoots::load();
    for fault in &faults {
        tracing::warn!("the system's trusted roots: {fault}");
    }
    let trouble = if faults.is_empty() { String::new() } else { format!(": {}", faults.join(", and ")) };
    (certificates, trouble)
}

/// For a client that speaks plain HTTP only: it trusts nobody
pub fn client_without_roots() -> ClientConfig {
    client_with(RootCertStore::empty())
}

#[expect(clippy::expect_used, reason = "the provider that is built in supports the default versions")]
fn client_with(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::development::Certificates;

    fn read(chain: &str, key: &str) -> Result<Certificate, TlsError> {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key_file) = (folder.path().join("server.pem"), folder.path().join("server.key"));
        std::fs::write(&certificate, chain).unwrap();
        std::fs::write(&key_file, key).unwrap();
        Certificate::read(&certificate, &key_file)
    }

    #[test]
    fn a_chain_begins_with_the_certificate_of_the_key() {
        let Certificates { ca, certificate, key } = Certificates::make(SystemTime::now()).unwrap();
        let other = Certificates::make(SystemTime::now()).unwrap().key;
        assert!(read(&certificate, &key).is_ok());
        assert!(read(&format!("{certificate}{ca}"), &key).is_ok());
        assert!(matches!(read(&format!("{ca}{certificate}"), &key), Err(TlsError::ChainOrder(2))));
        assert!(matches!(read(&certificate, &other), Err(TlsError::OtherKey)));
        assert!(matches!(read(&format!("{ca}{certificate}"), &other), Err(TlsError::OtherKey)));
    }
}
