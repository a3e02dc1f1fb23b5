//! Java's `.properties` files (`java.util.Properties.load`), as Druid's services read them
//!
//! Our own few lines: the crate for it turns on features of `regex` that would widen what grants can say.

use std::collections::BTreeMap;

/// The value of a property and the line that it begins on, from 1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its value
    pub value: String,
    /// Its line
    pub line: usize,
}

/// A line with an escape that is none; Java refuses the whole file
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: a `\\u` without four hexadecimal digits, or half of a pair")]
pub struct BadEscape(pub usize);

/// The properties of a file, by key; where a key stands twice, the later one counts
///
/// # Errors
///
/// Where Java would refuse the file.
pub fn read(text: &str) -> Result<BTreeMap<String, Property>, BadEscape> {
    let mut properties = BTreeMap::new();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches(is_blank);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        while goes_on(&whole) {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_start_matches(is_blank));
        }
        let (key, value) = split(&whole);
        let plain = |escaped: &str| unescaped(escaped).ok_or(BadEscape(number + 1));
        properties.insert(plain(key)?, Property { value: plain(value)?, line: number + 1 });
    }
    Ok(properties)
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

/// Whether a line ends with a backslash that is no escaped one
fn goes_on(line: &str) -> bool {
    line.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1
}

/// A key ends at the first blank, `=` or `:` that is not escaped; then blanks, at most one of the signs, and blanks
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, character)| {
        let ends = !escaped && (is_blank(*character) || matches!(character, '=' | ':'));
        escaped = !escaped && *character == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.map_or(line.len(), |(position, _)| position));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// A text without its escapes, in the 16-bit units that Java's are of: half of a pair is no character
fn unescaped(text: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { None };
        match (character, escaped) {
            ('\\', Some('u')) => units.push(unit(&mut characters)?),
            ('\\', None) => {}
            (_, Some(escaped)) => units.extend_from_slice(meant(escaped).encode_utf16(&mut [0; 2])),
            (plain, None) => units.extend_from_slice(plain.encode_utf16(&mut [0; 2])),
        }
    }
    String::from_utf16(&units).ok()
}

fn meant(escaped: char) -> char {
    match escaped {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\u{c}',
        other => other,
    }
}

/// Four hexadecimal digits
fn unit(characters: &mut std::str::Chars<'_>) -> Option<u16> {
    let digits: String = characters.by_ref().take(4).collect();
    let is_hexadecimal = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(&digits, 16).ok().filter(|_| is_hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text).unwrap().into_iter().map(|(key, property)| (key, property.value)).collect()
    }

    #[test]
    fn keys_and_values_are_read_as_java_reads_them() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("a = b ", "a", "b "),
            ("  a:b", "a", "b"),
            ("a b", "a", "b"),
            ("a", "a", ""),
            ("a==b", "a", "=b"),
            (r"a\=b=c", "a=b", "c"),
            (r"a\:\ b c", "a: b", "c"),
            ("a=b\\\n   c", "a", "bc"),
            ("a=b\\\\\nc=d", "a", "b\\"),
            (r"a=\u0041\tz\q", "a", "A\tzq"),
            ("a=b\r\n", "a", "b"),
            ("a=b\rc=d", "a", "b"),
            (r"a=\ud83d\ude00", "a", "\u{1f600}"),
            ("a=b#c", "a", "b#c"),
            ("a=b\\", "a", "b"),
        ] {
            assert_eq!(pairs(text).first(), Some(&(key.to_owned(), value.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn comments_and_empty_lines_are_no_properties() {
        assert_eq!(pairs("# a=b\n\n  ! c=d\n \t\n"), []);
        assert_eq!(read("\n#\nx=1").unwrap()["x"].line, 3);
        assert_eq!(pairs("a=b\na=c"), [("a".to_owned(), "c".to_owned())], "the later one counts");
    }

    #[test]
    fn an_escape_that_is_none_is_a_fault_as_for_java() {
        for text in [r"a=\u12", r"a=\uzzzz", r"a=\u+123", r"a=\ud83d", "ok=1\n\\ude00=a"] {
            let line = text.lines().count();
            assert_eq!(read(text), Err(BadEscape(line)), "{text}");
        }
    }
}
