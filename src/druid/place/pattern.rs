//! Places as the policy names them: one, or all below a folder, `s3://landing/eu/*`

use super::host::is_inner;
use super::{Extent, Place, Scheme};

/// The places that a permission names
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacePattern {
    /// In its one spelling, as far as the wildcard
    text: String,
    is_wild: bool,
    scheme: Scheme,
}

/// Why an address in the policy names no place
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceFault {
    /// Its scheme is none of a place
    #[error("has no scheme that is known; the schemes are {}", Scheme::ALL.map(Scheme::word).join(", "))]
    Scheme,
    /// A wildcard stands elsewhere than at the end, behind a slash
    #[error("has a wildcard in its midst; write one `*` at the end, behind a slash: `s3://landing/eu/*`")]
    Wildcard,
    /// It is a wildcard of hosts or buckets
    #[error("names no host or bucket; write each one: `s3://landing/*`, `https://data.example.org/*`")]
    Host,
    /// It is a host or bucket alone
    #[error("names no path; write `/*` behind it for all that is there")]
    Path,
    /// It is a folder, without a wildcard
    #[error("is a folder; write `*` behind its last slash for all that is in it")]
    Folder,
    /// A wildcard would open what may only be named exactly
    #[error(
        "would open files of a server, this machine or what tells it credentials; write each file, or a folder with a \
         slash at its end, exactly"
    )]
    Inner,
    /// It has a query or a fragment
    #[error("has a query or a fragment; write the address without")]
    Query,
    /// It has a mark for patterns
    #[error(
        "is a pattern, and places have none; write the place itself, with `/*` at its end for all below it"
    )]
    Mark,
    /// It could be read in two ways
    #[error(
        "could be read in two ways; write the address as it is: a bucket in small letters, no user, no dots or empty names \
         between slashes, `%20` for a blank"
    )]
    TwoReadings,
}

impl PlacePattern {
    /// Reads a place of the policy; a wildcard counts for itself where it `is_exact`
    ///
    /// # Errors
    ///
    /// Where it is none, or names more than anybody should hold.
    pub fn parse(written: &str, is_exact: bool) -> Result<Self, PlaceFault> {
        let (scheme, rest) = Scheme::split(written).ok_or(PlaceFault::Scheme)?;
        let prefix = written.strip_suffix("/*").filter(|_| !is_exact);
        let (authority, path) = rest.split_once('/').ok_or(if rest.contains('*') {
            PlaceFault::Host
        } else {
            PlaceFault::Path
        })?;
        let authority_is_wild = authority.contains('*') || authority.is_empty() && scheme != Scheme::File;
        let stars = path.matches('*').count();
        if authority_is_wild {
            return Err(PlaceFault::Host);
        }
        if !is_exact && stars > usize::from(prefix.is_some()) {
            return Err(PlaceFault::Wildcard);
        }
        if rest.contains(['?', '#']) {
            return Err(PlaceFault::Query);
        }
        let address = prefix.map_or_else(|| written.to_owned(), |prefix| format!("{prefix}/"));
        let place = place_of(scheme, &address).ok_or(PlaceFault::TwoReadings)?;
        let is_wild = prefix.is_some();
        if is_wild && is_inner_place(scheme, &place) {
            return Err(PlaceFault::Inner);
        }
        if !is_wild && path.is_empty() {
            return Err(PlaceFault::Path);
        }
        if !is_wild && path.ends_with('/') && scheme != Scheme::File {
            return Err(PlaceFault::Folder);
        }
        Ok(Self { text: place.text, is_wild, scheme })
    }

    /// Whether all of a place lies in it
    ///
    /// A folder of files, named exactly with its slash, is what a source reads that names that folder.
    pub fn covers(&self, place: &Place) -> bool {
        let is_same = self.text == place.text;
        match (self.is_wild, place.extent) {
            (true, _) => place.text.starts_with(&self.text),
            (false, Extent::One | Extent::Folder) => is_same,
            (false, Extent::Prefix) => is_same && self.scheme == Scheme::File && self.text.ends_with('/'),
            (false, Extent::Queried) => false,
        }
    }

    /// Whether any of a place may lie in it
    pub fn touches(&self, place: &Place) -> bool {
        let is_below =
            |folder: &str, text: &str| text.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let lies_in = match self.is_wild {
            true => place.text.starts_with(&self.text),
            // An exact folder is all of it: what is denied is denied below, too.
            false => {
                self.text == place.text || self.text.ends_with('/') && place.text.starts_with(&self.text)
            }
        };
        let takes_in = match place.extent {
            Extent::Prefix => self.text.starts_with(&place.text),
            Extent::Folder => is_below(&place.text, &self.text),
            Extent::One | Extent::Queried => false,
        };
        lies_in || takes_in
    }

    /// What reaches it: of a permission to write only what exports can write to
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// The place that this address is, read as addresses of its scheme are
fn place_of(scheme: Scheme, address: &str) -> Option<Place> {
    match scheme {
        Scheme::Hdfs | Scheme::File => {
            let (authority, path) = Scheme::split(address)?.1.split_once('/')?;
            let path = super::decode(path, |byte| {
                super::is_path_byte(byte) || byte == b'/' || byte == b' ' || !byte.is_ascii()
            });
            Place::new(scheme, &scheme.authority(authority)?, &format!("/{}", path.ok()?), Extent::One)
        }
        Scheme::Http | Scheme::Https => Place::at_uri(address, &[scheme]),
        Scheme::S3 | Scheme::Gs | Scheme::Azure | Scheme::AzureStorage | Scheme::Oss => {
            Place::at_uri(&address.replace(' ', "%20"), &[scheme])
        }
    }
}

fn is_inner_place(scheme: Scheme, place: &Place) -> bool {
    let authority = place.text.split('/').nth(2).unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    };
    // Of buckets the names are nobody's address.
    scheme == Scheme::File || (scheme.is_web() || scheme == Scheme::Hdfs) && is_inner(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Scheme] = &Scheme::ALL;

    fn pattern(written: &str) -> PlacePattern {
        PlacePattern::parse(written, false).unwrap()
    }

    fn at(uri: &str) -> Place {
        Place::at_uri(uri, ALL).unwrap()
    }

    fn below(uri: &str) -> Place {
        Place::below_uri(uri, ALL).unwrap()
    }

    #[test]
    fn a_wildcard_covers_what_is_below_its_folder_and_no_longer_name() {
        let eu = pattern("S3://landing/eu/*");
        for place in [
            at("s3a://landing/eu/a"),
            at("s3://landing/%65u/b/c"),
            below("s3://landing/eu/"),
            below("s3://landing/eu/2024"),
        ] {
            assert!(eu.covers(&place) && eu.touches(&place), "{place}");
        }
        for place in [
            at("s3://landing/eu"),
            at("s3://landing/eu-secret/a"),
            below("s3://landing/eu"),
            below("s3://landing/"),
            at("gs://landing/eu/a"),
            at("s3://landing2/eu/a"),
        ] {
            assert!(!eu.covers(&place), "{place}");
        }
    }

    #[test]
    fn an_exact_place_covers_itself_and_no_query() {
        let one = pattern("https://h:443/a");
        assert!(one.covers(&at("https://h/a")));
        assert!(!one.covers(&at("https://h/a?b")) && one.touches(&at("https://h/a?b")));
        assert!(!one.covers(&at("http://h/a")) && !one.covers(&at("https://h/a/b")));
        assert!(
            pattern("https://h/*").covers(&at("https://h/a?b"))
                && pattern("https://h/*").covers(&at("https://h"))
        );
    }

    #[test]
    fn a_deny_touches_what_takes_it_in() {
        let secret = pattern("s3://b/eu/secret/*");
        for prefix in ["s3://b/", "s3://b/e", "s3://b/eu/", "s3://b/eu/secret", "s3://b/eu/secret/x"] {
            assert!(secret.touches(&below(prefix)), "{prefix}");
        }
        assert!(!secret.touches(&below("s3://b/eu/secrets")) && !secret.touches(&at("s3://b/eu/secret")));
        let folder = Place::of_hadoop("hdfs://nn/eu").unwrap();
        assert!(
            pattern("hdfs://nn/eu/secret").touches(&folder) && !pattern("hdfs://nn/eu2/*").touches(&folder)
        );
        assert!(pattern("file:///in/").touches(&Place::of_file("/in/a").unwrap()));
    }

    #[test]
    fn a_folder_of_files_is_named_exactly() {
        let folder = pattern("file:///in/");
        assert!(folder.covers(&Place::below_file("/in").unwrap()));
        assert!(
            !folder.covers(&Place::of_file("/in/a").unwrap())
                && !folder.covers(&Place::below_file("/in/b").unwrap())
        );
        assert!(pattern("file:///in/a").covers(&Place::of_file("/in/a").unwrap()));
    }

    #[test]
    fn what_names_no_place_says_why() {
        for (written, fault) in [
            ("s4://b/*", PlaceFault::Scheme),
            ("jar:file:///a", PlaceFault::Scheme),
            ("s3:b", PlaceFault::Scheme),
            ("s3://b/eu*", PlaceFault::Wildcard),
            ("s3://b/*/eu", PlaceFault::Wildcard),
            ("s3://b/**", PlaceFault::Wildcard),
            ("s3://b/*/*", PlaceFault::Wildcard),
            ("s3://*", PlaceFault::Host),
            ("https://*/a", PlaceFault::Host),
            ("https://*.example.org/*", PlaceFault::Host),
            ("https:///*", PlaceFault::Host),
            ("s3://b", PlaceFault::Path),
            ("s3://b/", PlaceFault::Path),
            ("s3://b/eu/", PlaceFault::Folder),
            ("file:///in/*", PlaceFault::Inner),
            ("http://localhost:8081/*", PlaceFault::Inner),
            ("http://169.254.169.254/*", PlaceFault::Inner),
            ("http://[::1]/*", PlaceFault::Inner),
            ("http://[::1]:80/a/*", PlaceFault::Inner),
            ("http://metadata.google.internal/*", PlaceFault::Inner),
            ("https://h/a?b", PlaceFault::Query),
            ("s3://b/a#b", PlaceFault::Query),
            ("s3://B/*", PlaceFault::TwoReadings),
            ("s3://b/../*", PlaceFault::TwoReadings),
            ("https://127.1/*", PlaceFault::TwoReadings),
            ("https://u@h/*", PlaceFault::TwoReadings),
            ("file://h/a", PlaceFault::TwoReadings),
        ] {
            assert_eq!(PlacePattern::parse(written, false), Err(fault), "{written}");
        }
        for written in [
            "http://169.254.169.254/latest",
            "http://10.0.0.5/*",
            "hdfs://nn:8020/a/*",
            "s3://localhost/*",
            "file:///etc/a b",
        ] {
            assert!(PlacePattern::parse(written, false).is_ok(), "{written}");
        }
        assert!(
            PlacePattern::parse("s3://b/a*", true)
                .unwrap()
                .covers(&Place::of_object(Scheme::S3, "b", "a*").unwrap())
        );
    }

    #[test]
    fn a_place_is_granted_by_the_sentence_that_shows_it() {
        for place in [
            at("https://h/a%20b"),
            at("s3://b/a,b=c"),
            below("s3://b/eu/"),
            Place::of_object(Scheme::Gs, "b", "a*b").unwrap(),
        ] {
            assert!(pattern(&place.to_string()).covers(&place), "{place}");
        }
    }
}
