//! `msq-gate certs`: a development CA, a server certificate, and an issuer's keys
//!
//! What is there stays: clients trust the CA that they were given, and its key is thrown away at once.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{Exit, complain, say};
use crate::base::certificate_advice::is_over;
use crate::development::issuer::DEVELOPMENT_KEY;
use crate::development::{Certificates, CertificatesError, ThrowAwayIssuer};

/// What becomes of a pair that is there and good
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays
    Kept,
    /// It is replaced
    Replaced,
}

pub(super) fn run(folder: &Path, existing: Existing) -> Exit {
    match make(folder, existing) {
        Ok(()) => {
            let folder = folder.display();
            say(format_args!(
                "{folder}/ca.pem, server.pem, server.key, jwks.json and issuer.key are for development only"
            ));
            say(format_args!("clients trust the gate with: curl --cacert {folder}/ca.pem …"));
            say(format_args!(
                "an issuer with jwks_file = \"{folder}/jwks.json\" gets its tokens from: msq-gate token"
            ));
            Exit::Ok
        }
        Err(error) => {
            complain(format_args!("{}: {error}", folder.display()));
            Exit::CannotCreate
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum CertsError {
    #[error(transparent)]
    Make(#[from] CertificatesError),
    #[error("the system gives no randomness")]
    Randomness(#[from] aws_lc_rs::error::Unspecified),
    #[error(transparent)]
    Write(#[from] io::Error),
}

fn make(folder: &Path, existing: Existing) -> Result<(), CertsError> {
    std::fs::create_dir_all(folder)?;
    // The folder may be under version control; what is in it never should be.
    write_if_missing(&folder.join(".gitignore"), "*\n!.gitignore\n")?;
    make_pair(folder, existing)?;
    make_issuer(folder, existing)
}

const PAIR: [&str; 3] = ["ca.pem", "server.pem", "server.key"];
const ISSUER: [&str; 2] = ["jwks.json", "issuer.key"];

fn make_pair(folder: &Path, existing: Existing) -> Result<(), CertsError> {
    let now = SystemTime::now();
    let over = is_over(&folder.join("server.pem"), now) || is_over(&folder.join("ca.pem"), now);
    if stays(folder, &PAIR, existing, over.then_some("no longer good"), "trust the new ca.pem") {
        return Ok(());
    }
    let made = Certificates::make(now)?;
    write(&folder.join("ca.pem"), &made.ca, Secrecy::Public)?;
    write(&folder.join("server.pem"), &made.certificate, Secrecy::Public)?;
    write(&folder.join("server.key"), &made.key, Secrecy::Secret)?;
    Ok(())
}

fn make_issuer(folder: &Path, existing: Existing) -> Result<(), CertsError> {
    if stays(folder, &ISSUER, existing, None, "get new tokens") {
        return Ok(());
    }
    let made = ThrowAwayIssuer::named(DEVELOPMENT_KEY)?;
    write(&folder.join("jwks.json"), &format!("{:#}\n", made.jwks()), Secrecy::Public)?;
    write(&folder.join("issuer.key"), &made.pem()?, Secrecy::Secret)?;
    Ok(())
}

/// Whether these files stay as they are; either way it is said, where any is there
fn stays(folder: &Path, names: &[&str], existing: Existing, fault: Option<&str>, then: &str) -> bool {
    let there = names.iter().filter(|name| folder.join(name).exists()).count();
    let fault = fault.or((there < names.len()).then_some("not all there"));
    let names = names.join(", ");
    match (there, fault, existing) {
        (0, ..) => false,
        (_, None, Existing::Kept) => {
            say(format_args!("{names} are there and stay; --replace makes new ones"));
            true
        }
        (_, fault, _) => {
            let why = fault.map(|fault| format!(", since they were {fault}")).unwrap_or_default();
            say(format_args!("{names} are replaced{why}: clients have to {then}"));
            false
        }
    }
}

fn write_if_missing(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() { Ok(()) } else { write(path, text, Secrecy::Public) }
}

#[derive(Clone, Copy)]
enum Secrecy {
    Public,
    Secret,
}

fn write(path: &Path, text: &str, secrecy: Secrecy) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mode = match secrecy {
        Secrecy::Public => 0o644,
        Secrecy::Secret => 0o600,
    };
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}
