//! What Druid gets: the text as it came where it is plain, else printed from its tokens
//!
//! What was judged is what is sent, in forms on which no two lexers differ.

use super::lexeme::{Lexeme, LexemeKind};
use super::literal;
use super::refusal::{Position, SqlRefusal};
use super::token::{Token, TokenKind};

/// A text to send
pub(super) struct Forwarded {
    pub(super) text: String,
    /// Where the token stands in it that stood at `place`
    pub(super) place: usize,
}

/// The text to send, and where in it the token stands that begins at `place`
///
/// # Errors
///
/// An identifier whose decoded value cannot be written without escapes.
pub(super) fn print(
    text: &str,
    lexemes: &[Lexeme<'_>],
    tokens: &[Token<'_>],
    place: usize,
) -> Result<Forwarded, SqlRefusal> {
    if is_plain(text, lexemes) {
        return Ok(Forwarded { text: text.to_owned(), place });
    }
    let mut printed = String::with_capacity(text.len());
    let mut moved = 0;
    let mut lexemes = lexemes.iter().enumerate();
    let mut tokens = tokens.iter().peekable();
    while let Some((at, lexeme)) = lexemes.next() {
        match tokens.next_if(|token| token.lexemes.start == at) {
            Some(token) => {
                if token.start == place {
                    moved = printed.len();
                }
                push(&mut printed, &spelling(text, token)?);
                lexemes = skip(lexemes, token.lexemes.len().saturating_sub(1));
            }
            None if lexeme.kind == LexemeKind::Comment => printed.push(' '),
            None => printed.push_str(lexeme.text),
        }
    }
    Ok(Forwarded { text: printed, place: moved })
}

/// Appends a spelling, apart from a quoted piece before it with which it would become one
fn push(printed: &mut String, spelling: &str) {
    if spelling.starts_with(['\'', '"']) && printed.ends_with(spelling.chars().next().unwrap_or_default()) {
        printed.push(' ');
    }
    printed.push_str(spelling);
}

/// The iterator without its next `count` items
fn skip<I: Iterator>(mut items: I, count: usize) -> I {
    for _ in 0..count {
        items.next();
    }
    items
}

/// Whether the text has plain lexical forms only
fn is_plain(text: &str, lexemes: &[Lexeme<'_>]) -> bool {
    lexemes.iter().all(is_plain_lexeme) && !has_controls(text)
}

/// Whether it has a control character but tab, LF and CRLF
fn has_controls(text: &str) -> bool {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n')) {
        return false;
    }
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_line_end = character == '\n' || character == '\r' && characters.next_if_eq(&'\n').is_some();
        if character.is_control() && character != '\t' && !is_line_end {
            return true;
        }
    }
    false
}

fn is_plain_lexeme(lexeme: &Lexeme<'_>) -> bool {
    use LexemeKind as K;
    match lexeme.kind {
        K::White | K::Hint | K::Quoted | K::Number | K::Text | K::Symbol(_) => true,
        K::Word => lexeme.text.is_ascii(),
        K::Comment | K::UnicodeQuoted | K::PrefixedText | K::UnicodeText | K::EscapedText | K::Bytes => false,
    }
}

/// A token in its plain form
fn spelling(text: &str, token: &Token<'_>) -> Result<String, SqlRefusal> {
    use TokenKind as K;
    match &token.kind {
        K::Name(name) => quoted(text, token, name),
        K::Word(word) if !word.is_ascii() => quoted(text, token, word),
        K::Text(value) => Ok(literal::quote_text(&value.value)),
        K::Keyword(_) | K::Word(_) | K::Number(_) | K::Bytes | K::Parameter(_) | K::Symbol(_) => {
            Ok(token.text.to_owned())
        }
    }
}

fn quoted(text: &str, token: &Token<'_>, name: &str) -> Result<String, SqlRefusal> {
    literal::quote_name(name).ok_or_else(|| {
        SqlRefusal::Lexical(
            "an identifier that cannot be written without escapes",
            Position::of(text, token.start),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::limits::SqlLimits;
    use super::super::{lexer, token};
    use super::*;

    fn printed(text: &str) -> Result<String, SqlRefusal> {
        let lexemes = lexer::read(text, &SqlLimits::default())?;
        Ok(print(text, &lexemes, &token::decode(text, &lexemes)?, 0)?.text)
    }

    #[test]
    fn plain_statements_go_out_byte_for_byte() {
        for text in ["SELECT 'é', \"ü\" \t\r\n FROM a", " select /*+ x */ 1 ; ", ""] {
            assert_eq!(printed(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn others_are_printed_from_their_tokens() {
        for (text, expected) in [
            ("SELECT--x\r1/*y*/FROM a //", "SELECT \r1 FROM a  "),
            (
                "SELECT N'a''b', _utf8'c', U&'!0027' /**/ UESCAPE '!'  FROM U&\"\\0073\"",
                "SELECT 'a''b', 'c', ''''  FROM \"s\"",
            ),
            (
                "SELECT sécret, X'00', E'\\n' /*+ a(b='c') */",
                "SELECT \"sécret\", X'00', '\n' /*+ a(b='c') */",
            ),
        ] {
            assert_eq!(printed(text).as_deref(), Ok(expected));
            assert_eq!(printed(expected).as_deref(), Ok(expected), "a fixed point");
        }
    }

    #[test]
    fn two_quoted_pieces_do_not_become_one() {
        assert_eq!(
            printed("SELECT 'a'N'b', \"c\"U&\"d\", é\"f\"").as_deref(),
            Ok("SELECT 'a' 'b', \"c\" \"d\", \"é\" \"f\"")
        );
    }

    #[test]
    fn an_identifier_that_needs_escapes_is_refused() {
        assert!(printed("SELECT U&\"a\\000ab\"").is_err());
        assert!(printed("SELECT U&'a\\000ab'").is_ok());
    }
}
