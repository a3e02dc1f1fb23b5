//! The configuration and the files it names, looked at every second
//!
//! Half a file is no policy: what two looks a second apart find equal, and other than what holds, is applied
//! ([`Watcher`](crate::base::watcher::Watcher)).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::faulty_files::Part;
use crate::base::password::PasswordSource;
use crate::base::small_file;
use crate::config::{Config, UpstreamTls};

/// The files that a configuration names, its own first, each with the part that it is about
#[derive(Clone, Debug)]
pub struct Files(Vec<(Part, PathBuf)>);

impl Files {
    /// The configuration's file and the files that it names
    pub fn named_by(file: &Path, config: &Config) -> Self {
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
        Self(paths.into_iter().map(|(part, path)| (part, path.to_owned())).collect())
    }

    /// Reads them; a file system may take its time for that
    pub fn look(&self) -> Look {
        let read =
            |(part, path): &(Part, PathBuf)| (*part, path.clone(), small_file::read(path, MOST_BYTES).ok());
        Look(self.0.iter().map(read).collect())
    }
}

/// No file of a configuration is longer
pub(super) const MOST_BYTES: usize = 16 << 20;

/// The bytes of each file, or that it cannot be read
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look(Vec<(Part, PathBuf, Option<Vec<u8>>)>);

impl Look {
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
        let mut look = Files::named_by(file, config).look();
        if let Some((_, _, bytes)) = look.0.first_mut() {
            *bytes = read.map(<[u8]>::to_vec);
        }
        look
    }
}
