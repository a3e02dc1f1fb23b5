//! Throw-away certificates, for development and the demonstration

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A CA, and a certificate of its for `localhost` with its key, all PEM
#[derive(Debug)]
pub struct Certificates {
    /// The CA's certificate: what clients trust; its key is thrown away at once
    pub ca: String,
    /// The server's certificate chain
    pub certificate: String,
    /// The server's key
    pub key: String,
}

/// Why there are no certificates
pub type CertificatesError = rcgen::Error;

const DAY: Duration = Duration::from_secs(86_400);

impl Certificates {
    /// Makes a pair for `localhost` and the loopback addresses, good for 90 days
    ///
    /// # Errors
    ///
    /// Where the system gives no randomness.
    pub fn make(now: SystemTime) -> Result<Self, CertificatesError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(DnType::CommonName, "msq-gate development CA");
        ca.not_before = (now - DAY).into();
        ca.not_after = (now + 90 * DAY).into();
        let ca_certificate = ca.self_signed(&ca_key)?;
        let key = KeyPair::generate()?;
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "msq-gate development");
        server.not_before = (now - DAY).into();
        server.not_after = (now + 90 * DAY).into();
        let certificate = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;
        Ok(Self { ca: ca_certificate.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }
}
