//! Uploads that were started and not yet given up: a small file, so that the next run knows what a killed one left
//!
//! A lock beside it is held while a run uses it: two runs on one machine never disturb each other.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::small_file::{folder_of, replace};

/// Far more than any number of uploads needs
const MOST_BYTES: u64 = 1 << 20;

/// Between two looks at a lock that another run holds
const LOOK: Duration = Duration::from_millis(200);

/// The file, locked
#[derive(Debug)]
pub struct OpenUploads {
    /// Held, and never read
    _lock: File,
    path: PathBuf,
    uploads: Vec<OpenUpload>,
}

/// An upload that may still be open
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenUpload {
    /// The address of its key
    pub url: String,
    /// Its id
    pub upload_id: String,
}

impl OpenUploads {
    /// Opens the file, or makes it with the folders it is in; waits so long for a run that has it
    ///
    /// # Errors
    ///
    /// Where it cannot be read and replaced, holds something else, or another run has it for too long.
    pub fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        std::fs::create_dir_all(folder_of(path))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let lock = locked(Path::new(&beside), patience)?;
        let mut open = Self { _lock: lock, path: path.to_owned(), uploads: read(path)? };
        // What cannot be written is better known now than when an upload is open.
        open.write()?;
        Ok(open)
    }

    /// The ids of those that may still be open at this address, and those at any other
    pub fn at(&self, url: &str) -> (Vec<String>, Vec<OpenUpload>) {
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.uploads.iter().cloned().partition(|upload| upload.url == url);
        (here.into_iter().map(|upload| upload.upload_id).collect(), elsewhere)
    }

    /// Keeps an upload; it is on disk when this returns
    ///
    /// # Errors
    ///
    /// Where the file cannot be replaced; then it is as it was.
    pub fn remember(&mut self, upload: OpenUpload) -> io::Result<()> {
        self.uploads.push(upload);
        self.write()
    }

    /// Forgets the upload of this id: it is no longer open
    ///
    /// # Errors
    ///
    /// Where the file cannot be replaced.
    pub fn forget(&mut self, upload_id: &str) -> io::Result<()> {
        self.uploads.retain(|upload| upload.upload_id != upload_id);
        self.write()
    }

    /// Where they are kept
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self) -> io::Result<()> {
        let text = serde_json::to_vec(&self.uploads).map_err(io::Error::other)?;
        replace(&self.path, &text, 0o600)?;
        File::open(folder_of(&self.path))?.sync_all()
    }
}

fn read(path: &Path) -> io::Result<Vec<OpenUpload>> {
    let kind = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        kind => kind?,
    };
    if !kind.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text).map_err(|error| io::Error::other(format!("it holds something else: {error}")))
}

fn locked(path: &Path, patience: Duration) -> io::Result<File> {
    let lock = File::options().write(true).create(true).truncate(false).open(path)?;
    for _ in 0..=patience.as_millis() / LOOK.as_millis() {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOOK),
        }
    }
    let held = format!("another preflight has held it for {} seconds", patience.as_secs());
    Err(io::Error::new(io::ErrorKind::WouldBlock, held))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(url: &str, upload_id: &str) -> OpenUpload {
        OpenUpload { url: url.to_owned(), upload_id: upload_id.to_owned() }
    }

    fn open(path: &Path) -> io::Result<OpenUploads> {
        OpenUploads::open(path, Duration::ZERO)
    }

    #[test]
    fn what_one_run_remembers_the_next_one_knows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state.json");
        let mut first = open(&path).unwrap();
        for (url, id) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")] {
            first.remember(upload(url, id)).unwrap();
        }
        first.forget("1").unwrap();
        drop(first);
        let next = open(&path).unwrap();
        assert_eq!(next.at("a"), (vec!["2".to_owned(), "4".to_owned()], vec![upload("b", "3")]));
        assert_eq!(next.at("c").0, Vec::<String>::new());
    }

    #[test]
    fn a_file_that_holds_something_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for fine in ["[]", "", " \n"] {
            std::fs::write(&path, fine).unwrap();
            assert!(open(&path).is_ok(), "{fine:?}");
        }
        for other in ["dear diary", "[] dear diary", "{}", "[1]", "\u{feff}[]"] {
            std::fs::write(&path, other).unwrap();
            assert!(open(&path).is_err(), "{other}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
        }
        assert!(open(folder.path()).is_err(), "a folder is no file");
    }

    #[test]
    fn one_run_has_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let held = open(&path).unwrap();
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(open(&path).is_ok());
    }
}
