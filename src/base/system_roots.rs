//! The roots that the system trusts, or those that the environment names in their place

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls_native_certs::{CertificateResult, ErrorKind, load_certs_from_paths};

use super::redact::Shown;

/// The roots, and what is wrong with what the environment says of them
#[derive(Debug)]
pub struct SystemRoots {
    /// The certificates
    pub certificates: Vec<CertificateDer<'static>>,
    /// A sentence for each variable, and each folder of one, that does not give what it should
    pub faults: Vec<String>,
}

impl SystemRoots {
    /// Loads them; SSL_CERT_FILE and SSL_CERT_DIR, where either is set, stand for the system's own
    pub fn load() -> Self {
        let certificates = rustls_native_certs::load_native_certs().certs;
        let file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let folders = std::env::var_os("SSL_CERT_DIR").unwrap_or_default();
        let of_file = file
            .iter()
            .filter_map(|file| fault("SSL_CERT_FILE", file, &load_certs_from_paths(Some(file), None)));
        let of_folders = std::env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty());
        let of_folders = of_folders
            .filter_map(|folder| fault("SSL_CERT_DIR", &folder, &load_certs_from_paths(None, Some(&folder))));
        Self { faults: of_file.chain(of_folders).collect(), certificates }
    }
}

/// What is wrong with one file or folder; the library's own words may hold bytes of it
fn fault(variable: &str, path: &Path, found: &CertificateResult) -> Option<String> {
    if path.as_os_str().is_empty() {
        return Some(format!("{variable} is set and empty, which names no roots; unset it"));
    }
    let reason = found.errors.first().map(|error| match &error.kind {
        ErrorKind::Io { inner, .. } => format!(": {}", inner.kind()),
        ErrorKind::Os(_) | ErrorKind::Pem(_) | _ => ": there is what is no PEM".to_owned(),
    });
    let reason = match (found.certs.is_empty(), reason) {
        (true, reason) => format!("gives none that can be used{}", reason.unwrap_or_default()),
        (false, Some(reason)) => format!("does not give all that is there{reason}"),
        (false, None) => return None,
    };
    Some(format!("{variable} names {}, which {reason}", Shown(path)))
}
