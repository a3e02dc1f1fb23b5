//! Request targets with one reading, or none
//!
//! Jetty drops `;…`, decodes, resolves dots and then decides; Druid's router looks at the raw bytes
//! again (`AsyncQueryForwardingServlet`). Here a path is split and decoded exactly once; whatever a
//! second reader could take otherwise is refused, and what is sent is written anew from what was read.

use std::fmt::{self, Write};

/// A path with one reading: its segments, decoded
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath {
    segments: Vec<Segment>,
}

/// One segment of a path
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    decoded: String,
    escaped: bool,
}

/// Why a target has no single reading
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It does not begin with `/`
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// Two slashes follow each other
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A segment is `.` or `..`
    #[error("the path has a dot segment")]
    DotSegment,
    /// A byte that servers read differently: `;`, `\`, a control or non-ASCII byte …
    #[error("the path holds a character that is not allowed there, escaped or not")]
    Character,
    /// A `%` that is not followed by two hexadecimal digits, or escapes that are not UTF-8
    #[error("the path holds an escape that cannot be decoded")]
    Escape,
    /// A query string with characters that do not belong there
    #[error("the query string cannot be read in one way only")]
    Query,
}

impl CanonicalPath {
    /// Reads the path of a request target; one trailing slash is taken off, as Jersey does
    ///
    /// # Errors
    ///
    /// Where the path has, or could have, a second reading.
    pub fn parse(path: &str) -> Result<Self, TargetError> {
        let rest = path.strip_prefix('/').ok_or(TargetError::NotAbsolute)?;
        if rest.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let segments = rest.split('/').map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// The segments, in order
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl Segment {
    fn parse(raw: &str) -> Result<Self, TargetError> {
        if raw.is_empty() {
            return Err(TargetError::EmptySegment);
        }
        let decoded = decode(raw, is_path_byte).map_err(|fault| match fault {
            DecodeFault::Byte => TargetError::Character,
            DecodeFault::Escape => TargetError::Escape,
        })?;
        if matches!(decoded.as_str(), "." | "..") {
            return Err(TargetError::DotSegment);
        }
        if !decoded.chars().all(has_one_reading) {
            return Err(TargetError::Character);
        }
        Ok(Self { escaped: raw.contains('%'), decoded })
    }

    /// Whether it is this word, written without escapes
    pub fn is_literally(&self, word: &str) -> bool {
        !self.escaped && self.decoded == word
    }

    /// Its text, decoded
    pub fn text(&self) -> &str {
        &self.decoded
    }
}

/// A name for one path segment, every byte escaped that is not unreserved (RFC 3986, section 2.3)
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if is_unreserved(byte) {
                formatter.write_char(char::from(byte))?;
            } else {
                write!(formatter, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// The parameters of a query string, decoded once, in order
///
/// # Errors
///
/// [`TargetError::Query`] where the string has characters or escapes that readers take differently.
pub fn query_parameters(query: &str) -> Result<Vec<(String, String)>, TargetError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode_parameter(name)?, decode_parameter(value)?))
        })
        .collect()
}

fn decode_parameter(raw: &str) -> Result<String, TargetError> {
    let decoded = decode(raw, is_query_byte).map_err(|_| TargetError::Query)?;
    if decoded.chars().any(char::is_control) { Err(TargetError::Query) } else { Ok(decoded) }
}

pub(super) enum DecodeFault {
    Byte,
    Escape,
}

/// Each escape decoded once, where all else is allowed
pub(super) fn decode(raw: &str, allowed: impl Fn(u8) -> bool) -> Result<String, DecodeFault> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => escaped_byte(bytes.next(), bytes.next()).ok_or(DecodeFault::Escape)?,
            plain if allowed(plain) => plain,
            _ => return Err(DecodeFault::Byte),
        });
    }
    String::from_utf8(decoded).map_err(|_| DecodeFault::Escape)
}

fn escaped_byte(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986, section 3.3, without `;`, which Jetty drops with all that follows
pub(super) fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

/// `query` of RFC 3986, section 3.4
fn is_query_byte(byte: u8) -> bool {
    is_path_byte(byte) || matches!(byte, b'/' | b'?' | b';')
}

/// What may stand decoded in a segment: nothing that separates, escapes, ends or turns round a text
pub(super) fn has_one_reading(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '/' | '\\' | ';' | '%' | '?' | '#')
        && !matches!(character, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FF0E}' | '\u{FF0F}' | '\u{FF3C}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str) -> Vec<String> {
        CanonicalPath::parse(path).unwrap().segments().iter().map(|s| s.text().to_owned()).collect()
    }

    #[test]
    fn a_plain_path_is_split_at_its_slashes() {
        assert_eq!(texts("/druid/v2/sql/task"), ["druid", "v2", "sql", "task"]);
        assert_eq!(texts("/druid/v2/sql/task/"), ["druid", "v2", "sql", "task"]);
    }

    #[test]
    fn an_id_is_decoded_exactly_once_and_written_anew() {
        let path = CanonicalPath::parse("/task/query%2D1%20%C3%A9+x").unwrap();
        let id = path.segments().last().unwrap();
        assert_eq!(id.text(), "query-1 é+x");
        assert!(!id.is_literally("query-1 é+x"));
        assert_eq!(Escaped(id.text()).to_string(), "query-1%20%C3%A9%2Bx");
    }

    #[test]
    fn a_path_with_a_second_reading_is_refused() {
        for (path, error) in [
            ("druid", TargetError::NotAbsolute),
            ("*", TargetError::NotAbsolute),
            ("//druid", TargetError::EmptySegment),
            ("/druid//v2", TargetError::EmptySegment),
            ("/druid/v2//", TargetError::EmptySegment),
            ("//", TargetError::EmptySegment),
            ("/a/../b", TargetError::DotSegment),
            ("/a/%2e%2E/b", TargetError::DotSegment),
            ("/a/.", TargetError::DotSegment),
            ("/a/..;/b", TargetError::Character),
            ("/a;x=1", TargetError::Character),
            ("/a%3Bx", TargetError::Character),
            ("/a%2Fb", TargetError::Character),
            ("/a%5Cb", TargetError::Character),
            ("/a\\b", TargetError::Character),
            ("/a%2573", TargetError::Character),
            ("/a%00", TargetError::Character),
            ("/a%0d%0ab", TargetError::Character),
            ("/a%E2%80%AEb", TargetError::Character),
            ("/ä", TargetError::Character),
            ("/a%", TargetError::Escape),
            ("/a%zz", TargetError::Escape),
            ("/a%u0073", TargetError::Escape),
            ("/a%c0%af", TargetError::Escape),
            ("/a%ff", TargetError::Escape),
        ] {
            assert_eq!(CanonicalPath::parse(path), Err(error), "{path}");
        }
    }

    #[test]
    fn query_parameters_are_decoded_once() {
        assert_eq!(
            query_parameters("page=0&filename=a%20b&capabilities").unwrap(),
            [
                ("page".into(), "0".into()),
                ("filename".into(), "a b".into()),
                ("capabilities".into(), String::new())
            ]
        );
        assert_eq!(query_parameters("a=%00"), Err(TargetError::Query));
        assert_eq!(query_parameters("a=%zz"), Err(TargetError::Query));
        assert_eq!(query_parameters("a=é"), Err(TargetError::Query));
    }
}
