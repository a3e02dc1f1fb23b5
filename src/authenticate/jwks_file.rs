//! Keys from a file: the only place of this stage that reads anything

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::keys::{KeySet, KeySetError, MAX_SET_BYTES};

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

/// Reads a file that holds a JWK set
///
/// # Errors
///
/// Where it cannot be read or has no usable key.
pub fn read(path: &Path) -> Result<KeySet, JwksFileError> {
    let mut document = Vec::new();
    let one_more_than_allowed = MAX_SET_BYTES as u64 + 1;
    File::open(path)?.take(one_more_than_allowed).read_to_end(&mut document)?;
    Ok(KeySet::parse(&document)?)
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
        std::fs::write(&path, " ".repeat(MAX_SET_BYTES + 9)).unwrap();
        assert!(matches!(read(&path), Err(JwksFileError::KeySet(KeySetError::TooLong))));
    }
}
