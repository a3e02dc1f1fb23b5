//! Small files that others write, read while the gate serves, whatever stands behind their names
//!
//! A network file system may never answer, and a FIFO waits for somebody to write: neither may hold up a start, a
//! reload or the end. So only regular files are read, in a thread of their own, for a time; and no second read of a
//! file begins while one hangs, so that a second's rhythm does not fill the process with threads that hang.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

/// How long a read may take
const PATIENCE: Duration = Duration::from_secs(5);

type Reading = JoinHandle<io::Result<Vec<u8>>>;

/// A file that is read again and again
#[derive(Debug)]
pub struct SmallFile {
    path: PathBuf,
    most: usize,
    patience: Duration,
    under_way: Mutex<Option<Reading>>,
}

impl SmallFile {
    /// A file that should have at most so many bytes
    pub fn new(path: &Path, most: usize) -> Self {
        Self { path: path.to_owned(), most, patience: PATIENCE, under_way: Mutex::default() }
    }

    /// Its path
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it, up to one byte more than it should have; of a read that hung, what it gives at last
    ///
    /// # Errors
    ///
    /// Where it cannot be read, is no regular file, or is not read within five seconds (`TimedOut`).
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        let mut under_way = self.under_way.lock().await;
        let reading = under_way.get_or_insert_with(|| self.begin());
        let read = tokio::time::timeout(self.patience, reading).await.map_err(|_| self.hangs())?;
        *under_way = None;
        read.map_err(io::Error::other)?
    }

    fn begin(&self) -> Reading {
        let (path, most) = (self.path.clone(), self.most);
        spawn_blocking(move || read(&path, most))
    }

    fn hangs(&self) -> io::Error {
        let text = format!("it was not read within {} seconds", self.patience.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    }
}

/// What is in a regular file, up to one byte more than the `most` that it should have; for commands, which may wait
///
/// # Errors
///
/// Where it cannot be read, or is no regular file.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // Opening a FIFO waits for whoever writes to it, so this is asked before.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file in the place of another, or where there is none; whoever reads it sees the old one or the new one, and
/// whoever is killed here leaves one of them
///
/// # Errors
///
/// Where it cannot be written; then the old one is left.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let permissions = PermissionsExt::from_mode(mode);
    let mut new = tempfile::Builder::new().permissions(permissions).tempfile_in(folder_of(path))?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The folder that a file is in
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn fifo(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    fn kind(read: io::Result<Vec<u8>>) -> io::ErrorKind {
        read.unwrap_err().kind()
    }

    #[tokio::test]
    async fn a_regular_file_is_read_up_to_its_limit_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let file = SmallFile::new(&folder.path().join("f"), 3);
        assert_eq!(kind(file.read().await), io::ErrorKind::NotFound);
        for (text, read) in [("", ""), ("abc", "abc"), ("abcdefgh", "abcd")] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(file.read().await.unwrap(), read.as_bytes());
        }
    }

    #[tokio::test]
    async fn what_is_no_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kind(SmallFile::new(folder.path(), 3).read().await), io::ErrorKind::InvalidInput);
        let path = folder.path().join("fifo");
        fifo(&path);
        assert_eq!(kind(SmallFile::new(&path, 3).read().await), io::ErrorKind::InvalidInput);
        assert_eq!(kind(read(&path, 3)), io::ErrorKind::InvalidInput);
    }

    #[tokio::test]
    async fn a_read_that_hangs_is_waited_for_a_time_and_not_begun_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (path, hung) = (folder.path().join("f"), folder.path().join("fifo"));
        std::fs::write(&path, "new").unwrap();
        fifo(&hung);
        let file = SmallFile { patience: Duration::from_millis(50), ..SmallFile::new(&path, 9) };
        assert_eq!(file.read().await.unwrap(), b"new");
        let opened = hung.clone();
        *file.under_way.lock().await = Some(spawn_blocking(move || std::fs::read(opened)));
        for _ in 0..3 {
            assert_eq!(kind(file.read().await), io::ErrorKind::TimedOut);
        }
        std::fs::write(&hung, "late").unwrap();
        let file = SmallFile { patience: PATIENCE, ..file };
        assert_eq!(file.read().await.unwrap(), b"late", "the read that hung is the one that is waited for");
        assert_eq!(file.read().await.unwrap(), b"new", "and then another begins");
    }
}
