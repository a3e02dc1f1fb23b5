//! What is wrong, or unwise, about the server's certificate and key, beyond their going together

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_parser::oid_registry::{OID_PKCS1_SHA1WITHRSA, Oid, asn1_rs};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pem;
use super::redact::Shown;

/// ecdsa-with-SHA1 (RFC 3279, section 2.2.3)
const ECDSA_WITH_SHA1: Oid<'static> = asn1_rs::oid!(1.2.840.10045.4.1);
/// How long before its end a certificate is worth a word
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// Something about a certificate or its key
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Whether the pair should not serve at all
    pub is_fault: bool,
    /// What is wrong, and what to do
    pub text: String,
}

/// Looks at a certificate file and its key file; files that cannot be read are somebody else's to report
pub fn look_at(certificate: &Path, key: &Path, now: SystemTime) -> Vec<Advice> {
    let mut advice = Vec::new();
    if let Some(leaf) = pem::certificates(certificate).ok().as_deref().and_then(<[_]>::first) {
        advice.extend(of_certificate(leaf, now));
    }
    if let Ok(text) = std::fs::read_to_string(certificate)
        && has_junk(&text)
    {
        let text =
            format!("{}: there is text outside the certificates in it; leave it out", Shown(certificate));
        advice.push(Advice { is_fault: false, text });
    }
    if is_open_to_all(key) {
        let text = format!("{}: everybody on this machine may read the key; chmod 600 it", Shown(key));
        advice.push(Advice { is_fault: false, text });
    }
    advice
}

/// When a certificate ends
pub fn end(der: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn of_certificate(der: &CertificateDer<'_>, now: SystemTime) -> Vec<Advice> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let mut advice = Vec::new();
    let algorithm = &certificate.signature_algorithm.algorithm;
    if [OID_PKCS1_SHA1WITHRSA, ECDSA_WITH_SHA1].contains(algorithm) {
        let text = "the certificate is signed with SHA-1, which nobody trusts; get a new one".to_owned();
        advice.push(Advice { is_fault: true, text });
    }
    let seconds = |time: SystemTime| {
        i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
    };
    let validity = certificate.validity();
    let warn = |text: String| Advice { is_fault: false, text };
    if validity.not_after.timestamp() < seconds(now) {
        advice.push(warn(format!("the certificate has expired, at {}; get a new one", validity.not_after)));
    } else if validity.not_after.timestamp() < seconds(now + SOON) {
        advice.push(warn(format!("the certificate expires soon, at {}", validity.not_after)));
    }
    if validity.not_before.timestamp() > seconds(now) {
        advice.push(warn(format!("the certificate is not valid before {}", validity.not_before)));
    }
    advice
}

/// Whether the first certificate in a file is past its end, or cannot be read; not where there is no file
pub fn is_over(path: &Path, now: SystemTime) -> bool {
    let is_good = |der: &CertificateDer<'_>| end(der).is_some_and(|end| end > now);
    path.exists() && !pem::certificates(path).ok().as_deref().and_then(<[_]>::first).is_some_and(is_good)
}

/// Text that is neither in a block nor blank
fn has_junk(pem: &str) -> bool {
    let mut is_inside = false;
    for line in pem.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match (line.starts_with("-----BEGIN "), line.starts_with("-----END ")) {
            (true, _) => is_inside = true,
            (_, true) => is_inside = false,
            (false, false) if !is_inside => return true,
            (false, false) => {}
        }
    }
    false
}

/// Whether everybody on this machine may read a file
#[cfg(unix)]
pub fn is_open_to_all(key: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(key).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}
