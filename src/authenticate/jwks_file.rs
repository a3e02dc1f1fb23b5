//! Keys from a file: the only place of this stage that reads anything

use std::io;
use std::path::Path;

use super::keys::{KeySet, KeySetError, MAX_SET_BYTES};
use crate::base::small_file::{self, SmallFile};

/// Why a file gives no keys
#[derive(Debug, thiserror::Error)]
pub enum JwksFileError {
    /// It cannot be read
    #[error("cannot read the key set: {0}")]
    Io(#[from] io::Error),
    /// It is no key set
    #[error(transparent)]
    KeySet(#[from] KeySetError),
}

/// A file that holds a JWK set, for a gate that reads it again and again
pub fn open(path: &Path) -> SmallFile {
    SmallFile::new(path, MAX_SET_BYTES)
}

/// Reads a file that holds a JWK set, and waits for it
///
/// # Errors
///
/// Where it cannot be read or has no usable key.
pub fn read(path: &Path) -> Result<KeySet, JwksFileError> {
    parse(&small_file::read(path, MAX_SET_BYTES)?)
}

/// Reads what is in such a file, or gives up after a while
///
/// # Errors
///
/// Where it cannot be read in time or has no usable key.
pub async fn read_again(file: &SmallFile) -> Result<KeySet, JwksFileError> {
    parse(&file.read().await?)
}

/// A set without keys is one, too: whoever empties the file takes back every key
fn parse(document: &[u8]) -> Result<KeySet, JwksFileError> {
    match KeySet::parse(document) {
        Err(KeySetError::NoUsableKey(remarks)) if remarks.is_empty() => Ok(KeySet::without_keys()),
        parsed => Ok(parsed?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_what_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        assert!(matches!(read(&path), Err(JwksFileError::Io(_))));
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        std::fs::write(&path, format!(r#"{{"keys":[{key}]}}"#)).unwrap();
        assert_eq!(read(&path).unwrap().usable(), 1);
        std::fs::write(&path, r#"{"keys":[]}"#).unwrap();
        assert_eq!(read(&path).unwrap().usable(), 0);
        std::fs::write(&path, r#"{"keys":[{"kty":"?"}]}"#).unwrap();
        assert!(matches!(read(&path), Err(JwksFileError::KeySet(KeySetError::NoUsableKey(_)))));
        std::fs::write(&path, " ".repeat(MAX_SET_BYTES + 9)).unwrap();
        assert!(matches!(read(&path), Err(JwksFileError::KeySet(KeySetError::TooLong))));
    }
}
