//! PEM files (RFC 7468): certificates and keys, or what is wrong with the file, without a byte of it
//!
//! The only reader of such files. What the library says of a file that it cannot read shows the file's bytes, so it
//! is dropped, and the file is looked at anew for what people do to keys: copying half of one, joining its lines,
//! leaving a passphrase on it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::redact::Shown;
use super::small_file;

/// Why a PEM file gives nothing: a kind and a position
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemError {
    /// The file
    pub path: PathBuf,
    /// What is wrong
    pub fault: PemFault,
}

/// What is wrong with a PEM file; lines count from 1
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PemFault {
    /// It cannot be read
    Unreadable(io::ErrorKind),
    /// It is longer than any such file
    TooLong,
    /// It begins with a byte order mark
    ByteOrderMark,
    /// It is UTF-16
    Utf16,
    /// It is the binary form of the same thing
    Der,
    /// There is no block in it
    NoBlock,
    /// The line breaks are gone: a block's first line goes on
    NoLineBreaks(usize),
    /// The block that begins on this line does not end
    NoEnd(usize),
    /// The key that begins on this line has a passphrase
    Encrypted(usize),
    /// A certificate was expected, and there are only others
    NoCertificate(Label),
    /// A key was expected, and there are only others
    NoKey(Label),
    /// The block that begins on this line is not base64
    NotBase64(usize),
}

/// What a block says that it is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `CERTIFICATE`
    Certificate,
    /// `PRIVATE KEY`, with or without the name of a kind
    Key,
    /// `PUBLIC KEY`
    PublicKey,
    /// `CERTIFICATE REQUEST`
    Request,
    /// `OPENSSH PRIVATE KEY`
    OpenSsh,
    /// Something else
    Other,
}

/// The certificates in a file, at least one
///
/// # Errors
///
/// Where there are none, or one cannot be read.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let bytes = read(path)?;
    match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        // What the library says holds bytes of the file.
        Ok(_) | Err(_) => Err(error(path, diagnosis(&bytes, Label::Certificate))),
    }
}

/// The private key in a file, the first one
///
/// # Errors
///
/// Where there is none, or it cannot be read.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| error(path, diagnosis(&bytes, Label::Key)))
}

fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    let unreadable = |failure: io::Error| error(path, PemFault::Unreadable(failure.kind()));
    let bytes = small_file::read(path, MOST).map_err(unreadable)?;
    if bytes.len() > MOST {
        return Err(error(path, PemFault::TooLong));
    }
    // The first block would be passed over without a word.
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(error(path, PemFault::ByteOrderMark));
    }
    Ok(bytes)
}

fn error(path: &Path, fault: PemFault) -> PemError {
    PemError { path: path.to_owned(), fault }
}

/// What is wrong with a file that gives no certificate, or no key
fn diagnosis(bytes: &[u8], wanted: Label) -> PemFault {
    let marks: [&[u8]; 2] = [&[0xFF, 0xFE], &[0xFE, 0xFF]];
    if marks.iter().any(|mark| bytes.starts_with(mark)) || bytes.iter().take(64).any(|byte| *byte == 0) {
        return if bytes.first() == Some(&0x30) { PemFault::Der } else { PemFault::Utf16 };
    }
    if let [0x30, length, ..] = bytes
        && *length >= 0x80
    {
        return PemFault::Der;
    }
    let blocks = match blocks(&String::from_utf8_lossy(bytes)) {
        Ok(blocks) => blocks,
        Err(fault) => return fault,
    };
    if let (Label::Key, Some(block)) = (wanted, blocks.iter().find(|block| block.is_encrypted)) {
        return PemFault::Encrypted(block.line);
    }
    match (blocks.first(), blocks.iter().find(|block| block.label == wanted)) {
        (None, _) => PemFault::NoBlock,
        (Some(_), Some(wanted)) => PemFault::NotBase64(wanted.line),
        (Some(other), None) if wanted == Label::Key => PemFault::NoKey(other.label),
        (Some(other), None) => PemFault::NoCertificate(other.label),
    }
}

/// A block of a file
struct Block {
    label: Label,
    line: usize,
    is_encrypted: bool,
}

fn blocks(text: &str) -> Result<Vec<Block>, PemFault> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if let Some(label) = line.strip_prefix("-----BEGIN ") {
            if let Some(before) = open {
                return Err(PemFault::NoEnd(before.line));
            }
            let Some(label) = label.strip_suffix("-----").filter(|label| !label.contains("-----")) else {
                return Err(PemFault::NoLineBreaks(number));
            };
            let is_encrypted = label.starts_with("ENCRYPTED");
            open = Some(Block { label: Label::of(label), line: number, is_encrypted });
        } else if line.starts_with("-----END ") {
            blocks.extend(open.take());
        } else if let Some(block) = &mut open {
            block.is_encrypted |= line.starts_with("Proc-Type:") && line.contains("ENCRYPTED");
        }
    }
    match open {
        Some(block) => Err(PemFault::NoEnd(block.line)),
        None => Ok(blocks),
    }
}

impl Label {
    fn of(label: &str) -> Self {
        match label {
            "CERTIFICATE" => Self::Certificate,
            "PUBLIC KEY" => Self::PublicKey,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::Request,
            "OPENSSH PRIVATE KEY" => Self::OpenSsh,
            key if key.ends_with("PRIVATE KEY") => Self::Key,
            _ => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Certificate => "a certificate",
            Self::Key => "a private key",
            Self::PublicKey => "a public key",
            Self::Request => "a request for a certificate",
            Self::OpenSsh => "a key of OpenSSH",
            Self::Other => "something else",
        }
    }
}

impl std::error::Error for PemError {}

impl fmt::Display for PemError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Shown(&self.path);
        write!(formatter, "{file}: ")?;
        match &self.fault {
            PemFault::Unreadable(io::ErrorKind::InvalidInput) => formatter.write_str("it is no regular file"),
            PemFault::Unreadable(kind) => write!(formatter, "it cannot be read: {kind}"),
            PemFault::TooLong => write!(formatter, "it is longer than {MOST} bytes, which no such file is"),
            PemFault::ByteOrderMark => write!(
                formatter,
                "it begins with a byte order mark; type: sed -i '1s/^\\xEF\\xBB\\xBF//' {file}"
            ),
            PemFault::Utf16 => write!(
                formatter,
                "it is UTF-16 or binary, not PEM; where it is text, type: iconv -f UTF-16 -t ASCII {file}"
            ),
            PemFault::Der => write!(
                formatter,
                "it is DER, not PEM; type: openssl x509 -inform DER -in {file}, for a key: openssl pkey -inform DER -in {file}"
            ),
            PemFault::NoBlock => formatter.write_str("there is no PEM block in it (`-----BEGIN …`)"),
            PemFault::NoLineBreaks(line) => write!(
                formatter,
                "the first line of the block on line {line} goes on after `-----`: its line breaks are gone; write one \
                 after `-----BEGIN …-----`, one before `-----END`, and none as `\\n`"
            ),
            PemFault::NoEnd(line) => write!(
                formatter,
                "the block that begins on line {line} has no `-----END …` line: copy the file again, to its end"
            ),
            PemFault::Encrypted(line) => write!(
                formatter,
                "the key that begins on line {line} has a passphrase, which nobody can type here; type: openssl pkey -in {file}"
            ),
            PemFault::NoCertificate(found) => {
                write!(formatter, "there is no certificate in it, but {}", found.words())
            }
            PemFault::NoKey(Label::OpenSsh) => {
                write!(formatter, "it is a key of OpenSSH; type: ssh-keygen -p -m PEM -f {file}")
            }
            PemFault::NoKey(found) => {
                write!(formatter, "there is no private key in it, but {}", found.words())
            }
            PemFault::NotBase64(line) => {
                write!(formatter, "the block that begins on line {line} is not base64: copy the file again")
            }
        }
    }
}

/// The longest file that is read: all roots that are trusted anywhere take less
const MOST: usize = 8 << 20;
const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::development::Certificates;

    fn in_file<T>(
        content: impl AsRef<[u8]>,
        read: impl Fn(&Path) -> Result<T, PemError>,
    ) -> Result<T, PemFault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.pem");
        std::fs::write(&path, content).unwrap();
        read(&path).map_err(|error| error.fault)
    }

    fn key(content: impl AsRef<[u8]>) -> PemFault {
        in_file(content, private_key).unwrap_err()
    }

    #[test]
    fn what_people_do_to_a_key_is_named() {
        let pair = Certificates::make(SystemTime::now()).unwrap();
        let (pem, joined) = (pair.key.as_str(), pair.key.replace('\n', ""));
        assert!(in_file(pem, private_key).is_ok());
        assert!(in_file(format!("text\r\n{}", pem.replace('\n', "\r\n")), private_key).is_ok());
        assert_eq!(key(joined), PemFault::NoLineBreaks(1));
        assert_eq!(key(pem.replace('\n', " ")), PemFault::NoLineBreaks(1));
        assert_eq!(key(pem.replace('\n', "\\n")), PemFault::NoLineBreaks(1));
        assert_eq!(key(pem.split("-----END").next().unwrap()), PemFault::NoEnd(1));
        assert_eq!(key(format!("\u{feff}{pem}")), PemFault::ByteOrderMark);
        assert_eq!(
            key(pem
                .replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE")
                .replace("END PRIVATE", "END ENCRYPTED PRIVATE")),
            PemFault::Encrypted(1)
        );
        let old = pem.replace(
            "-----BEGIN PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
        );
        assert_eq!(key(old.replace("END PRIVATE", "END RSA PRIVATE")), PemFault::Encrypted(1));
        assert_eq!(key(pem.replacen('M', "!", 1)), PemFault::NotBase64(1));
        assert_eq!(key(&pair.certificate), PemFault::NoKey(Label::Certificate));
        assert_eq!(key(""), PemFault::NoBlock);
        assert_eq!(key(private_key_der(pem)), PemFault::Der);
        let utf16: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(key([&[0xFF, 0xFE], utf16.as_slice()].concat()), PemFault::Utf16);
        assert_eq!(in_file(pem, certificates).unwrap_err(), PemFault::NoCertificate(Label::Key));
        assert_eq!(in_file(&pair.certificate, certificates).unwrap().len(), 1);
    }

    fn private_key_der(pem: &str) -> Vec<u8> {
        PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap().secret_der().to_vec()
    }
}
