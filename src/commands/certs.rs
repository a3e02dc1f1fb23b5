//! `msq-gate certs`: a development CA and a server certificate

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use super::{Exit, complain, say};
use crate::development::{Certificates, CertificatesError};

pub(super) fn run(folder: &Path) -> Exit {
    match make(folder) {
        Ok(()) => {
            say(format_args!(
                "{0}/ca.pem, {0}/server.pem and {0}/server.key are for development only",
                folder.display()
            ));
            say(format_args!("clients trust them with: curl --cacert {}/ca.pem …", folder.display()));
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
    #[error(transparent)]
    Write(#[from] io::Error),
}

fn make(folder: &Path) -> Result<(), CertsError> {
    let made = Certificates::make(std::time::SystemTime::now())?;
    std::fs::create_dir_all(folder)?;
    // The folder may be under version control; what is in it never should be.
    write_if_missing(&folder.join(".gitignore"), "*\n!.gitignore\n")?;
    write(&folder.join("ca.pem"), &made.ca, Secrecy::Public)?;
    write(&folder.join("server.pem"), &made.certificate, Secrecy::Public)?;
    write(&folder.join("server.key"), &made.key, Secrecy::Secret)?;
    Ok(())
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
