//! The values of quoted identifiers and string literals, decoded as Calcite decodes them
//!
//! Escapes on which two readers could differ are refused.

use std::borrow::Cow;

/// The value between the quotes of `'…'` or `"…"`, a doubled quote being one
pub(super) fn unquote(text: &str, quote: char) -> Cow<'_, str> {
    let plain = text.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote));
    let inner = plain.unwrap_or_else(|| between(text, quote));
    if inner.contains(quote) {
        let doubled = [quote, quote].iter().collect::<String>();
        Cow::Owned(inner.replace(&doubled, &quote.to_string()))
    } else {
        Cow::Borrowed(inner)
    }
}

/// The text between the first and the last of this character
fn between(text: &str, quote: char) -> &str {
    text.split_once(quote).and_then(|(_, rest)| rest.rsplit_once(quote)).map_or("", |(inner, _)| inner)
}

/// Whether Calcite takes this as the escape character after `UESCAPE` (`SqlParserUtil.checkUnicodeEscapeChar`)
pub(super) fn escape_character(value: &str) -> Option<char> {
    let mut characters = value.chars();
    let escape = characters.next().filter(|_| characters.next().is_none())?;
    let is_taken = escape.is_ascii_hexdigit() || escape.is_whitespace() || matches!(escape, '+' | '"' | '\'');
    (!is_taken && escape.len_utf16() == 1).then_some(escape)
}

/// Decodes `\0061`, four hexadecimal digits, and a doubled escape character (`SqlLiteral.unescapeUnicode`)
///
/// `None` where an escape is malformed or leaves half of a surrogate pair.
pub(super) fn unescape_unicode(value: &str, escape: char) -> Option<String> {
    let mut units = Vec::new();
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        if character != escape || characters.next_if_eq(&escape).is_some() {
            units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
        } else {
            let digits: String = characters.by_ref().take(4).collect();
            let is_hex = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            units.push(is_hex.then(|| u16::from_str_radix(&digits, 16).ok()).flatten()?);
        }
    }
    String::from_utf16(&units).ok()
}

/// Decodes the inside of `E'…'`: the escapes that every dialect of C knows, and no other
pub(super) fn unescape_c_style(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = between(text, '\'').chars();
    while let Some(character) = characters.next() {
        value.push(match character {
            '\\' => c_escape(characters.next()?)?,
            '\'' => characters.next().filter(|next| *next == '\'')?,
            plain => plain,
        });
    }
    Some(value)
}

fn c_escape(letter: char) -> Option<char> {
    match letter {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{C}'),
        '\\' | '\'' => Some(letter),
        _ => None,
    }
}

/// A string literal of this value, without prefix
pub(super) fn quote_text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A quoted identifier of this value, where one can be written
pub(super) fn quote_name(value: &str) -> Option<String> {
    let can_be_written = !value.is_empty() && !value.contains(['\n', '\r']);
    can_be_written.then(|| format!("\"{}\"", value.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_quote_is_one() {
        assert_eq!(unquote("'a''b'", '\''), "a'b");
        assert_eq!(unquote("\"a\"\"b\"", '"'), "a\"b");
        assert_eq!(unquote("_utf8'a'", '\''), "a");
        assert_eq!(unquote("''", '\''), "");
    }

    #[test]
    fn unicode_escapes_are_four_hexits_or_the_escape_character_itself() {
        assert_eq!(unescape_unicode("\\0073ecret", '\\').as_deref(), Some("secret"));
        assert_eq!(unescape_unicode("!0073!!\\", '!').as_deref(), Some("s!\\"));
        assert_eq!(unescape_unicode("\\d83d\\de00", '\\').as_deref(), Some("😀"));
        for text in ["\\73", "\\+073", "\\-073", "\\d83d", "\\００７３", "a\\"] {
            assert_eq!(unescape_unicode(text, '\\'), None, "{text}");
        }
    }

    #[test]
    fn not_every_character_may_be_the_escape() {
        assert_eq!(escape_character("!"), Some('!'));
        for value in ["", "!!", "a", "7", "+", "\"", " ", "'", "😀"] {
            assert_eq!(escape_character(value), None, "{value}");
        }
    }

    #[test]
    fn c_escapes_beyond_the_common_ones_are_refused() {
        assert_eq!(unescape_c_style(r"E'a\'b\n''\\'").as_deref(), Some("a'b\n'\\"));
        for text in [r"E'\x41'", r"E'\u0041'", r"E'\101'", r"E'\q'"] {
            assert_eq!(unescape_c_style(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_reads_back() {
        assert_eq!(quote_text("a'b"), "'a''b'");
        assert_eq!(quote_name("a\"b").as_deref(), Some("\"a\"\"b\""));
        assert_eq!(quote_name("a\nb"), None);
        assert_eq!(quote_name(""), None);
    }
}
