//! `msq-gate certs`: a development CA, a server certificate, and an issuer's keys
//!
//! What is there stays: clients trust the CA that they were given, and its key is thrown away at once.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Exit, fail, say};
use crate::base::certificate_advice::is_over;
use crate::development::issuer::DEVELOPMENT_KEY;
use crate::development::{Certificates, CertificatesError, ThrowAwayIssuer};

/// What was typed
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// Make new ones though there are some; clients have to trust the new CA then
    #[arg(long)]
    replace: bool,
    /// The folder to write to
    #[arg(default_value = "certs")]
    folder: PathBuf,
}

pub(super) fn run(asked: &Asked) -> Result<(), Exit> {
    let folder = asked.folder.display();
    asked.make().map_err(|error| fail(Exit::CannotCreate, format_args!("{folder}: {error}")))?;
    say(format_args!(
        "{folder}/ca.pem, server.pem, server.key, jwks.json and issuer.key are for development only\n\
         clients trust the gate with: curl --cacert {folder}/ca.pem …\n\
         an issuer with jwks_file = \"{folder}/jwks.json\" gets its tokens from: msq-gate token"
    ));
    Ok(())
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

const PAIR: [&str; 3] = ["ca.pem", "server.pem", "server.key"];
const ISSUER: [&str; 2] = ["jwks.json", "issuer.key"];

/// Everybody may read it
const PUBLIC: u32 = 0o644;
/// Only its owner may
const SECRET: u32 = 0o600;

impl Asked {
    fn make(&self) -> Result<(), CertsError> {
        std::fs::create_dir_all(&self.folder)?;
        // The folder may be under version control; what is in it never should be.
        if !self.folder.join(".gitignore").exists() {
            self.write(".gitignore", "*\n!.gitignore\n", PUBLIC)?;
        }
        self.make_pair()?;
        self.make_issuer()
    }

    fn make_pair(&self) -> Result<(), CertsError> {
        let now = SystemTime::now();
        let over = ["server.pem", "ca.pem"].iter().any(|name| is_over(&self.folder.join(name), now));
        if self.stays(&PAIR, over.then_some("no longer good"), "trust the new ca.pem") {
            return Ok(());
        }
        let made = Certificates::make(now)?;
        self.write("ca.pem", &made.ca, PUBLIC)?;
        self.write("server.pem", &made.certificate, PUBLIC)?;
        Ok(self.write("server.key", &made.key, SECRET)?)
    }

    fn make_issuer(&self) -> Result<(), CertsError> {
        if self.stays(&ISSUER, None, "get new tokens") {
            return Ok(());
        }
        let made = ThrowAwayIssuer::named(DEVELOPMENT_KEY)?;
        self.write("jwks.json", &format!("{:#}\n", made.jwks()), PUBLIC)?;
        Ok(self.write("issuer.key", &made.pem()?, SECRET)?)
    }

    /// Whether these files stay as they are; either way it is said, where any is there
    fn stays(&self, names: &[&str], fault: Option<&str>, then: &str) -> bool {
        let there = names.iter().filter(|name| self.folder.join(name).exists()).count();
        let fault = fault.or((there < names.len()).then_some("not all there"));
        let names = names.join(", ");
        let stay = there > 0 && fault.is_none() && !self.replace;
        if stay {
            say(format_args!("{names} are there and stay; --replace makes new ones"));
        } else if there > 0 {
            let why = fault.map(|fault| format!(", since they were {fault}")).unwrap_or_default();
            say(format_args!("{names} are replaced{why}: clients have to {then}"));
        }
        stay
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(mode);
        options.open(self.folder.join(name))?.write_all(text.as_bytes())
    }
}
