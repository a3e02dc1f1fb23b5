//! Places of data outside Druid, each in one spelling: `s3://landing/eu/a.csv`, `https://data.example.org/a.json`
//!
//! What Druid would read is told from the text alone. Where a second reader could take the text otherwise there is no
//! place: whoever grants and denies by place then has nothing to compare, and the whole of the type is asked for.

mod host;
pub mod pattern;
mod scheme;

use std::fmt;

use super::path::{decode, has_one_reading, is_path_byte, is_unreserved};
pub use pattern::{PlaceFault, PlacePattern};
pub use scheme::Scheme;

/// What is reached outside Druid: one address, or all addresses that begin so
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// In its one spelling, without a query
    text: String,
    extent: Extent,
}

/// How much of what begins with a text is meant
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Extent {
    /// Just this
    One,
    /// This, with a query behind it that only its server understands
    Queried,
    /// This, and all below it where it is a folder
    Folder,
    /// All that begins so
    Prefix,
}

/// What external input or output reaches, as far as that can be told
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// It cannot be told, so it may be any place
    #[default]
    Unknown,
    /// No place: what stands in the request itself, or a stream
    Nowhere,
    /// This place
    At(Place),
}

impl Reach {
    /// The place, where there is one that can be told
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::At(place) => Some(place),
            Self::Unknown | Self::Nowhere => None,
        }
    }
}

/// Longer addresses are no places: each stands in receipts and records
const LONGEST: usize = 2_048;

impl Place {
    /// The object, file or page at this URI, whose scheme must be one of these
    pub fn at_uri(uri: &str, schemes: &[Scheme]) -> Option<Self> {
        Self::read(uri, schemes, Extent::One)
    }

    /// All objects whose URIs begin so, in the midst of a name too
    pub fn below_uri(uri: &str, schemes: &[Scheme]) -> Option<Self> {
        Self::read(uri, schemes, Extent::Prefix)
    }

    fn read(uri: &str, schemes: &[Scheme], extent: Extent) -> Option<Self> {
        let (scheme, rest) = Scheme::split(uri).filter(|(scheme, _)| schemes.contains(scheme))?;
        if scheme.is_web() {
            return Self::of_web(scheme, rest);
        }
        let (authority, path) = rest.split_once('/')?;
        // As `URI.getPath` decodes it, once; a query or a fragment would not be of the key.
        let may_stand = |byte: u8| is_path_byte(byte) || byte == b'/' || !byte.is_ascii();
        Self::of_key(scheme, authority, &decode(path, may_stand).ok()?, extent)
    }

    fn of_web(scheme: Scheme, rest: &str) -> Option<Self> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let is_plain = |byte: u8| is_path_byte(byte) || matches!(byte, b'/' | b'?' | b'%');
        let path = web_path(if path.is_empty() { "/" } else { path })?;
        if !query.is_none_or(|query| query.bytes().all(is_plain)) {
            return None;
        }
        let extent = if query.is_some() { Extent::Queried } else { Extent::One };
        Self::new(scheme, &scheme.authority(authority)?, &path, extent)
    }

    /// The object of this key, or all whose keys begin so; one slash before it counts for nothing
    /// (`CloudObjectLocation`)
    pub fn of_object(scheme: Scheme, bucket: &str, key: &str) -> Option<Self> {
        Self::of_key(scheme, bucket, key.strip_prefix('/').unwrap_or(key), Extent::One)
    }

    /// All below this folder of a bucket, where an export writes
    pub fn below_folder(scheme: Scheme, bucket: &str, folder: &str) -> Option<Self> {
        let folder = folder.trim_end_matches('/');
        let key = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Self::of_key(scheme, bucket, &key, Extent::Prefix)
    }

    fn of_key(scheme: Scheme, bucket: &str, key: &str, extent: Extent) -> Option<Self> {
        Self::new(scheme, &scheme.authority(bucket)?, &format!("/{key}"), extent)
    }

    /// A file of the server's by its absolute path
    pub fn of_file(path: &str) -> Option<Self> {
        Self::new(Scheme::File, "", path, Extent::One)
    }

    /// All files below a folder of the server's, by its absolute path
    pub fn below_file(path: &str) -> Option<Self> {
        Self::new(Scheme::File, "", &format!("{}/", path.strip_suffix('/').unwrap_or(path)), Extent::Prefix)
    }

    /// A path of Hadoop's, which may be a folder, or have a glob at whose fixed beginning it is looked at (`Path`,
    /// which decodes nothing, and leaves dot segments out wherever they stand)
    pub fn of_hadoop(path: &str) -> Option<Self> {
        let (scheme, rest) = Scheme::split(path).filter(|(scheme, _)| *scheme == Scheme::Hdfs)?;
        let (authority, path) = rest.split_once('/')?;
        let path = format!("/{path}");
        if path.contains(['{', '\\']) || !has_plain_segments(&path) {
            return None;
        }
        let glob = path.find(['*', '?', '[']);
        let (path, extent) =
            glob.map_or((path.as_str(), Extent::Folder), |end| (path.split_at(end).0, Extent::Prefix));
        Self::new(scheme, &scheme.authority(authority)?, path, extent)
    }

    /// With a path that is decoded and begins with a slash; behind one at its end all that follows is meant, where there
    /// are folders
    fn new(scheme: Scheme, authority: &str, path: &str, extent: Extent) -> Option<Self> {
        let has_one = |path: &str| {
            has_plain_segments(path) && path.chars().all(|sign| sign == '/' || has_one_reading(sign))
        };
        if !path.starts_with('/') || !has_one(path) {
            return None;
        }
        let extent = if extent == Extent::Folder && path.ends_with('/') { Extent::Prefix } else { extent };
        let text = format!("{}://{authority}{}", scheme.word(), Written(path));
        (text.len() <= LONGEST).then_some(Self { text, extent })
    }
}

/// No segment is empty but the last, and none means another place
fn has_plain_segments(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if matches!(segment, "." | "..") || segment.is_empty() && !is_last {
            return false;
        }
    }
    true
}

/// A path of the web, decoded; none where an escape stands for a sign that means something there, which servers read
/// differently
fn web_path(path: &str) -> Option<String> {
    for escape in path.split('%').skip(1) {
        let byte = u8::from_str_radix(escape.get(..2)?, 16).ok()?;
        if byte == b'/' || is_path_byte(byte) && !is_unreserved(byte) {
            return None;
        }
    }
    // `*` would be shown as a wildcard is.
    let may_stand = |byte: u8| is_path_byte(byte) && byte != b'*' || byte == b'/';
    decode(path, may_stand).ok()
}

/// A path with all but the signs of RFC 3986, section 3.3, escaped; `*` too, which is the wildcard's
struct Written<'a>(&'a str);

impl fmt::Display for Written<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'*' => formatter.write_str("%2A")?,
                plain if is_path_byte(plain) || plain == b'/' => write!(formatter, "{}", char::from(plain))?,
                other => write!(formatter, "%{other:02X}")?,
            }
        }
        Ok(())
    }
}

/// As it stands in a sentence; a query is not told, since it may hold a key
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)?;
        formatter.write_str(match self.extent {
            Extent::One | Extent::Folder => "",
            Extent::Queried => "?…",
            Extent::Prefix => "*",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &[Scheme] = &[Scheme::Http, Scheme::Https];
    const S3: &[Scheme] = &[Scheme::S3];

    fn web(uri: &str) -> Option<String> {
        Place::at_uri(uri, WEB).map(|place| place.to_string())
    }

    #[test]
    fn an_address_of_the_web_has_one_spelling() {
        for (uri, place) in [
            ("HTTPS://Data.Example.org:443/a/%62?x=1%20&y", "https://data.example.org/a/b?…"),
            ("http://h:080/%7Ea%20b", "http://h/~a%20b"),
            ("http://h:8080", "http://h:8080/"),
            ("http://h?x", "http://h/?…"),
            ("https://h/%c3%a9,b;".trim_end_matches(';'), "https://h/%C3%A9,b"),
        ] {
            assert_eq!(web(uri).as_deref(), Some(place), "{uri}");
        }
    }

    #[test]
    fn what_a_second_reader_could_take_otherwise_is_no_place() {
        for uri in [
            "https://h/a/../b",
            "https://h/a/%2e%2E/b",
            "https://h/a/.%2e",
            "https://h/a//b",
            "https://h//b",
            "https://h/a%2Fb",
            "https://h/a\\b",
            "https://h/a%5cb",
            "https://h/a%252e",
            "https://h/a;x/b",
            "https://h/a%3Bx",
            "https://h/a#b",
            "https://h#b",
            "https://h/a?b#c",
            "https://u@h/",
            "https://u:p@h/",
            "https://h@/",
            "https://h:/",
            "https://h:0x50/",
            "https://h:+80/",
            "https://h:99999/",
            "https:/h/a",
            "https:h",
            "//h/a",
            "https:///a",
            "https://h/a b",
            "https://h/\u{e9}",
            "https://h/%e9",
            "https://h/%c0%ae",
            "https://h/%",
            "https://h/%u0041",
            "https://h/\n",
            " https://h/",
            "https://h\\@g/",
            "https://h/a*",
            "https://h/a%2a",
            "https://h/%ef%bc%8e%ef%bc%8e/",
            "ftp://h/",
            "file:///etc/passwd",
            "jar:https://h/a!/b",
            "https://h/a%2Bb",
            "https://h%2eexample/",
            "https://127.1/",
            "https://h/a?b\\c",
        ] {
            assert_eq!(web(uri), None, "{uri}");
        }
        assert_eq!(web(&format!("https://h/{}", "a".repeat(LONGEST))), None);
    }

    #[test]
    fn a_key_is_read_as_druid_reads_it() {
        let uri = |uri: &str| Place::at_uri(uri, S3).map(|place| place.to_string());
        for (written, place) in [
            ("s3://b/dt=2024/a%20b", "s3://b/dt=2024/a%20b"),
            ("S3A://b/eu%2Fa", "s3://b/eu/a"),
            ("s3n://my.bucket-1_x/\u{e9}", "s3://my.bucket-1_x/%C3%A9"),
        ] {
            assert_eq!(uri(written).as_deref(), Some(place), "{written}");
        }
        for written in [
            "s3://b/eu/../us",
            "s3://b/eu%2F%2e%2e/us",
            "s3://b//a",
            "s3://b/a?x",
            "s3://b/a#x",
            "s3://b",
            "s3:///a",
            "s3://B/a",
            "s3://u@b/a",
            "s3://b:80/a",
            "s3://b%2Fc/a",
            "s3://b/a%25",
            "s3://b/%00",
            "s3://b/%ff",
            "s3:b/a",
            "s3_zip://b/a",
            "gs://b/a",
        ] {
            assert_eq!(uri(written), None, "{written}");
        }
        let object = |key: &str| Place::of_object(Scheme::S3, "b", key).map(|place| place.to_string());
        assert_eq!(object("/eu/a*").as_deref(), Some("s3://b/eu/a%2A"));
        assert_eq!((object("//a"), object("a/../b"), object("a%2Fb")), (None, None, None));
        assert_eq!(Place::below_uri("s3://b/eu", S3).unwrap().to_string(), "s3://b/eu*");
        assert_eq!(Place::below_folder(Scheme::S3, "b", "eu").unwrap().to_string(), "s3://b/eu/*");
    }

    #[test]
    fn a_path_of_hadoops_is_looked_at_up_to_its_glob() {
        let path = |path: &str| Place::of_hadoop(path).map(|place| place.to_string());
        for (written, place) in [
            ("hdfs://NN:8020/a/b", "hdfs://nn/a/b"),
            ("hdfs://NN:9000/a/b", "hdfs://nn:9000/a/b"),
            ("hdfs://nn/a/", "hdfs://nn/a/*"),
            ("hdfs://nn/a/2024-*/x", "hdfs://nn/a/2024-*"),
        ] {
            assert_eq!(path(written).as_deref(), Some(place), "{written}");
        }
        for written in [
            "/a/b",
            "hdfs:///a",
            "hdfs://nn/a/*/../../b",
            "hdfs://nn/a/{b,c}",
            "hdfs://nn/a\\*",
            "file:///a",
            "hdfs://u@nn/a",
            "hdfs://nn/a//b",
            "hdfs://nn",
        ] {
            assert_eq!(path(written), None, "{written}");
        }
    }

    #[test]
    fn a_file_has_an_absolute_path() {
        assert_eq!(Place::of_file("/in/a b").unwrap().to_string(), "file:///in/a%20b");
        assert_eq!(Place::below_file("/in/").unwrap().to_string(), "file:///in/*");
        for path in ["", "in/a", "/in/../etc", "//in", "/in\\a", "/in/%2e", "C:\\in"] {
            assert_eq!(Place::of_file(path), None, "{path}");
        }
    }
}
