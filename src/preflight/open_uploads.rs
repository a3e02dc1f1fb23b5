//! Uploads that were started and not yet given up: a small file, so that the next run knows what a killed one left
//!
//! The file is locked while a run uses it: two runs on one machine never disturb each other.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file, locked
#[derive(Debug)]
pub struct OpenUploads {
    file: File,
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
    /// Opens the file, or makes it with the folders it is in; waits for a run that has it
    ///
    /// # Errors
    ///
    /// Where it cannot be opened and written, or holds something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        let mut open = Self { file, path: path.to_owned(), uploads: Vec::new() };
        let mut text = String::new();
        open.file.read_to_string(&mut text)?;
        // A run that was killed may have left more behind the list than belongs to it.
        if let Some(first) = serde_json::Deserializer::from_str(&text).into_iter().next() {
            open.uploads = first.map_err(io::Error::other)?;
        }
        open.write()?;
        Ok(open)
    }

    /// The upload that may still be open at this address
    pub fn at(&self, url: &str) -> Option<&OpenUpload> {
        self.uploads.iter().find(|upload| upload.url == url)
    }

    /// Keeps an upload; it is on disk when this returns
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn remember(&mut self, upload: OpenUpload) -> io::Result<()> {
        self.uploads.push(upload);
        self.write()
    }

    /// Forgets the upload at this address: it is no longer open
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn forget(&mut self, url: &str) -> io::Result<()> {
        self.uploads.retain(|upload| upload.url != url);
        self.write()
    }

    /// Where they are kept
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self) -> io::Result<()> {
        let text = serde_json::to_string(&self.uploads).map_err(io::Error::other)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(url: &str) -> OpenUpload {
        OpenUpload { url: url.to_owned(), upload_id: "id".to_owned() }
    }

    #[test]
    fn what_one_run_remembers_the_next_one_knows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state.json");
        let mut first = OpenUploads::open(&path).unwrap();
        first.remember(upload("a")).unwrap();
        first.remember(upload("b")).unwrap();
        first.forget("a").unwrap();
        drop(first);
        let next = OpenUploads::open(&path).unwrap();
        assert_eq!((next.at("a"), next.at("b")), (None, Some(&upload("b"))));
    }

    #[test]
    fn a_file_that_holds_something_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "[]").unwrap();
        assert!(OpenUploads::open(&path).is_ok());
        std::fs::write(&path, "dear diary").unwrap();
        assert!(OpenUploads::open(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary");
    }

    #[test]
    fn a_list_with_the_rest_of_a_longer_one_behind_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        std::fs::write(&path, r#"[]{"url":"a","uploadId":"id"}]"#).unwrap();
        assert_eq!(OpenUploads::open(&path).unwrap().at("a"), None);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[]");
    }

    #[test]
    fn one_run_has_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let held = OpenUploads::open(&path).unwrap();
        let other = File::options().write(true).open(&path).unwrap();
        assert!(other.try_lock().is_err());
        drop(held);
        assert!(other.try_lock().is_ok());
    }
}
