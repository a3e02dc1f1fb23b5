//! The configuration and the files it names, looked at every second
//!
//! Half a file is no policy: what two looks a second apart find equal, and other than what holds, is applied.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::{Config, PasswordSource, UpstreamTls};
use crate::faulty_files::Part;

/// The bytes of each file, or that it cannot be read
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look(Vec<(Part, PathBuf, Option<Vec<u8>>)>);

impl Look {
    /// Reads the configuration's file and the files that a configuration names
    pub fn at(file: &Path, config: &Config) -> Self {
        let mut paths = vec![
            (Part::Configuration, file),
            (Part::Certificate, &config.listen.certificate),
            (Part::Certificate, &config.listen.key),
        ];
        if let UpstreamTls::CaFile(path) = &config.upstream.tls {
            paths.push((Part::Upstream, path));
        }
        if let Some(PasswordSource::File(path)) =
            config.upstream.sign_in.as_ref().map(|account| &account.password)
        {
            paths.push((Part::Upstream, path));
        }
        let roots = config.issuers.iter().filter_map(|issuer| issuer.ca_file.as_deref());
        paths.extend(roots.map(|path| (Part::Issuers, path)));
        Self(
            paths.into_iter().map(|(part, path)| (part, path.to_owned(), std::fs::read(path).ok())).collect(),
        )
    }

    /// The bytes of the configuration's file
    pub fn configuration(&self) -> Option<&[u8]> {
        self.0.first().and_then(|(_, _, bytes)| bytes.as_deref())
    }

    /// The parts whose files are others than in another look; where none is, it is about all of them
    pub fn parts_other_than(&self, other: &Self) -> BTreeSet<Part> {
        let of =
            |look: &Self, part| look.0.iter().filter(|(of, ..)| *of == part).cloned().collect::<Vec<_>>();
        let changed: BTreeSet<_> =
            Part::ALL.into_iter().filter(|part| of(self, *part) != of(other, *part)).collect();
        if changed.is_empty() { Part::ALL.into() } else { changed }
    }

    /// The same, when these bytes were read of the configuration's file, though it may have changed since
    pub fn after(file: &Path, read: Option<&[u8]>, config: &Config) -> Self {
        let mut look = Self::at(file, config);
        if let Some((_, _, bytes)) = look.0.first_mut() {
            *bytes = read.map(<[u8]>::to_vec);
        }
        look
    }
}

/// Decides when what is seen is to be applied
#[derive(Debug)]
pub struct Watcher<Seen> {
    applied: Seen,
    previous: Seen,
    is_asked: bool,
}

impl<Seen: Clone + PartialEq> Watcher<Seen> {
    /// This holds
    pub fn new(applied: Seen) -> Self {
        Self { previous: applied.clone(), applied, is_asked: false }
    }

    /// Somebody asks for a new look (SIGHUP); a thousand of them ask for one
    pub fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Whether what is seen now is whole, and new or asked for; then it counts as applied, whatever comes of it
    pub fn is_due(&mut self, look: Seen) -> bool {
        let whole = look == self.previous;
        let due = whole && (self.is_asked || look != self.applied);
        if due {
            self.applied = look.clone();
            self.is_asked = false;
        }
        self.previous = look;
        due
    }

    /// The applied configuration names other files from now on
    pub fn follow(&mut self, applied: Seen) {
        *self = Self { is_asked: self.is_asked, ..Self::new(applied) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> Look {
        Look(vec![(Part::Configuration, PathBuf::from("f"), Some(text.as_bytes().to_vec()))])
    }

    #[test]
    fn what_two_looks_find_equal_and_new_is_applied_once() {
        let mut watcher = Watcher::new(look("a"));
        assert!(!watcher.is_due(look("a")));
        assert!(!watcher.is_due(look("b")), "seen once");
        assert!(watcher.is_due(look("b")), "seen twice");
        assert!(!watcher.is_due(look("b")), "applied");
    }

    #[test]
    fn half_a_file_is_never_applied() {
        let mut watcher = Watcher::new(look("abc"));
        for torn in ["", "d", "de", "def"] {
            assert!(!watcher.is_due(look(torn)), "{torn}");
        }
        assert!(watcher.is_due(look("def")));
    }

    #[test]
    fn what_is_asked_for_is_applied_though_it_is_not_new() {
        let mut watcher = Watcher::new(look("a"));
        watcher.ask();
        watcher.ask();
        assert!(watcher.is_due(look("a")));
        assert!(!watcher.is_due(look("a")));
    }
}
