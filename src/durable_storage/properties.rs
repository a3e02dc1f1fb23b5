//! Java's `.properties` files (`java.util.Properties.load`), as Druid's services read them
//!
//! Our own few lines: the crate for it turns on features of `regex` that would widen what grants can say.

/// A property and the line that it begins on, from 1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its key
    pub key: String,
    /// Its value
    pub value: String,
    /// Its line
    pub line: usize,
}

/// The properties of a file, in its order; where a key stands twice, the later one counts
pub fn read(text: &str) -> Vec<Property> {
    let mut properties = Vec::new();
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
        properties.push(Property { key: unescaped(key), value: unescaped(value), line: number + 1 });
    }
    properties
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

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => plain.push(code_unit(&mut characters)),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// Four hexadecimal digits; half of a pair is no character and becomes a mark that it was there
fn code_unit(characters: &mut std::str::Chars<'_>) -> char {
    let digits: String = characters.by_ref().take(4).collect();
    let unit = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
    unit.unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text).into_iter().map(|property| (property.key, property.value)).collect()
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
            ("a=b#c", "a", "b#c"),
            ("a=b\\", "a", "b"),
        ] {
            assert_eq!(pairs(text).first(), Some(&(key.to_owned(), value.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn comments_and_empty_lines_are_no_properties() {
        assert_eq!(pairs("# a=b\n\n  ! c=d\n \t\n"), []);
        assert_eq!(read("\n#\nx=1").first().map(|property| property.line), Some(3));
    }
}
