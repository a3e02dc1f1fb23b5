//! The password of the gate's account: a type that shows nothing

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::small_file;

/// Where a password is
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// In a file, a line's end at its end left out
    File(PathBuf),
    /// In an environment variable
    Environment(String),
}

/// A password, shown to nobody
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why there is no password: a kind, and not even the name of what should hold it, which may be the password itself
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// The file cannot be read
    #[error("upstream.password_file: it cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// The file holds something else
    #[error("upstream.password_file: it is not UTF-8, or longer than {MOST} bytes")]
    NotText,
    /// The variable is not set, or is no text
    #[error("upstream.password_env: there is no environment variable of this name, or it is not UTF-8")]
    NotSet,
    /// It holds a character that no header can have
    #[error("the password of the gate's account cannot stand in a header")]
    NotAHeader,
}

impl Password {
    /// Reads the password, a line's end at its end left out
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn read(source: &PasswordSource) -> Result<Self, PasswordFault> {
        let path = match source {
            PasswordSource::Environment(name) => {
                return std::env::var(name).map(Self).map_err(|_| PasswordFault::NotSet);
            }
            PasswordSource::File(path) => path,
        };
        let bytes = small_file::read(path, MOST).map_err(|error| PasswordFault::Unreadable(error.kind()))?;
        if bytes.len() > MOST {
            return Err(PasswordFault::NotText);
        }
        let text = String::from_utf8(bytes).map_err(|_| PasswordFault::NotText)?;
        Ok(Self(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// The password itself, for the one header that it goes into
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// No password is longer
const MOST: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_read_without_its_line_end_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let source = PasswordSource::File(path.clone());
        assert_eq!(Password::read(&source), Err(PasswordFault::Unreadable(io::ErrorKind::NotFound)));
        std::fs::write(&path, "hunter2 \r\n").unwrap();
        let password = Password::read(&source).unwrap();
        assert_eq!((password.expose(), format!("{password:?}").as_str()), ("hunter2 ", "[secret]"));
        std::fs::write(&path, b"hunter\xff").unwrap();
        assert_eq!(Password::read(&source), Err(PasswordFault::NotText));
        let unset = PasswordSource::Environment("MSQ_GATE_NO_SUCH_VARIABLE".to_owned());
        assert_eq!(Password::read(&unset), Err(PasswordFault::NotSet));
    }
}
