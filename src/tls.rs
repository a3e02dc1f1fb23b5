//! TLS: the server's settings and those towards Druid, from PEM files

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Why there is no TLS
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read
    #[error("{}: {source}", path.display())]
    Pem {
        /// The file
        path: PathBuf,
        /// Why
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate file holds none
    #[error("{}: there is no certificate in it", .0.display())]
    NoCertificate(PathBuf),
    /// Certificate and key do not go together, or cannot be used
    #[error("the certificate and its key cannot be used: {0}")]
    Certificate(#[source] rustls::Error),
    /// The system trusts nobody
    #[error("the system has no trusted roots; give `ca_file`")]
    NoRoots,
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
        let chain = certificates(certificate)?;
        let pem = |source| TlsError::Pem { path: key.to_owned(), source };
        let key = PrivateKeyDer::from_pem_file(key).map_err(pem)?;
        let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Certificate)?;
        Ok(Self { current: RwLock::new(Arc::new(pair)) })
    }

    /// From the next handshake on, this one
    pub fn replace(&self, new: Self) {
        let new = new.current.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
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
    let trusted = match ca_file {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(trusted);
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(client_with(roots)) }
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

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { path: path.to_owned(), source };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)?;
    if chain.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(chain) }
}
