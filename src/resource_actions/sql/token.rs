//! From lexemes to tokens: decoded, numbered, and without white space, comments and hints

use std::borrow::Cow;
use std::ops::Range;

use super::keyword::Keyword;
use super::lexeme::{Lexeme, LexemeKind, Symbol};
use super::literal;
use super::refusal::{Position, SqlRefusal};

/// A token, with its value
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    /// The text it was read from; a `UESCAPE` clause is not in it
    pub(super) text: &'a str,
    /// The byte at which that begins
    pub(super) start: usize,
    /// The lexemes it was read from, by number
    pub(super) lexemes: Range<usize>,
    /// How many tokens stand in the parentheses that it opens
    pub(super) inside: usize,
}

/// What a token is
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind<'a> {
    /// An unquoted word that shapes statements
    Keyword(Keyword),
    /// Any other unquoted word
    Word(&'a str),
    /// A quoted identifier
    Name(Cow<'a, str>),
    /// A string literal
    Text(Text<'a>),
    /// A number
    Number(&'a str),
    /// `X'…'`
    Bytes,
    /// The question mark of this number, from 0
    Parameter(usize),
    /// An operator or separator
    Symbol(Symbol),
}

/// A string literal
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text<'a> {
    pub(super) value: Cow<'a, str>,
    /// Whether it may name something: a table function takes no `E'…'`
    pub(super) may_name: bool,
}

impl<'a> Token<'a> {
    /// Whether it is this keyword, unquoted
    pub(super) fn is(&self, keyword: Keyword) -> bool {
        matches!(self.kind, TokenKind::Keyword(this) if this == keyword)
    }

    /// Whether it is this symbol
    pub(super) fn is_symbol(&self, symbol: Symbol) -> bool {
        matches!(self.kind, TokenKind::Symbol(this) if this == symbol)
    }

    /// The keyword it is, if any
    pub(super) fn keyword(&self) -> Option<Keyword> {
        if let TokenKind::Keyword(keyword) = self.kind { Some(keyword) } else { None }
    }

    /// The name it is where a name stands; any unquoted word is one
    pub(super) fn name(&self) -> Option<&str> {
        use TokenKind as K;
        match &self.kind {
            K::Keyword(_) => Some(self.text),
            K::Word(word) => Some(word),
            K::Name(name) => Some(name),
            K::Text(_) | K::Number(_) | K::Bytes | K::Parameter(_) | K::Symbol(_) => None,
        }
    }

    /// Whether it is an unquoted word of this spelling
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.kind, TokenKind::Keyword(_) | TokenKind::Word(_))
            && self.text.eq_ignore_ascii_case(word)
    }
}

/// Decodes the lexemes of `text`
///
/// # Errors
///
/// Escapes that Calcite refuses, or that could be read in two ways.
pub(super) fn decode<'a>(text: &str, lexemes: &[Lexeme<'a>]) -> Result<Vec<Token<'a>>, SqlRefusal> {
    let mut decoder = Decoder { text, lexemes, at: 0, parameters: 0 };
    let mut tokens = Vec::with_capacity(lexemes.len());
    while let Some((at, lexeme)) = decoder.next() {
        let kind = decoder.kind(&lexeme)?;
        let Lexeme { text, start, .. } = lexeme;
        tokens.push(Token { kind, text, start, lexemes: at..decoder.at, inside: 0 });
    }
    if pair(&mut tokens) { Ok(tokens) } else { Err(SqlRefusal::EndsEarly) }
}

/// `ORDER BY`, as if it stood before this token
pub(super) fn order_by<'a>(before: &Token<'a>) -> [Token<'a>; 2] {
    [Keyword::Order, Keyword::By].map(|keyword| Token {
        kind: TokenKind::Keyword(keyword),
        text: keyword.word(),
        inside: 0,
        ..before.clone()
    })
}

/// Notes with each `(` how far its `)` is, and says whether each has one
fn pair(tokens: &mut [Token<'_>]) -> bool {
    let mut open = Vec::new();
    let count = tokens.len();
    for at in 0..count {
        let Some(token) = tokens.get_mut(at) else { continue };
        token.inside = count;
        if token.is_symbol(Symbol::LeftParen) {
            open.push(at);
        } else if token.is_symbol(Symbol::RightParen) {
            let opener = open.pop().and_then(|opener| tokens.get_mut(opener).map(|token| (opener, token)));
            if let Some((opener, token)) = opener {
                token.inside = at - opener - 1;
            }
        }
    }
    open.is_empty()
}

struct Decoder<'t, 'a> {
    text: &'t str,
    lexemes: &'t [Lexeme<'a>],
    at: usize,
    parameters: usize,
}

impl<'a> Decoder<'_, 'a> {
    /// The next lexeme that is neither white space nor comment nor hint
    fn next(&mut self) -> Option<(usize, Lexeme<'a>)> {
        let mut rest = self.lexemes.get(self.at..)?.iter();
        let lexeme = rest.find(|lexeme| !lexeme.kind.is_skipped())?;
        self.at = self.lexemes.len() - rest.len();
        Some((self.at - 1, *lexeme))
    }

    fn kind(&mut self, lexeme: &Lexeme<'a>) -> Result<TokenKind<'a>, SqlRefusal> {
        let text = lexeme.text;
        Ok(match lexeme.kind {
            LexemeKind::Word => Keyword::of(text).map_or(TokenKind::Word(text), TokenKind::Keyword),
            LexemeKind::Quoted => TokenKind::Name(literal::unquote(text, '"')),
            LexemeKind::UnicodeQuoted => TokenKind::Name(Cow::Owned(self.unicode(lexeme, '"')?)),
            LexemeKind::Number => TokenKind::Number(text),
            LexemeKind::Text | LexemeKind::PrefixedText => {
                TokenKind::Text(Text { value: literal::unquote(text, '\''), may_name: true })
            }
            LexemeKind::UnicodeText => {
                TokenKind::Text(Text { value: Cow::Owned(self.unicode(lexeme, '\'')?), may_name: true })
            }
            LexemeKind::EscapedText => {
                TokenKind::Text(Text { value: Cow::Owned(self.c_style(lexeme)?), may_name: false })
            }
            LexemeKind::Bytes => TokenKind::Bytes,
            LexemeKind::Symbol(Symbol::Question) => {
                self.parameters += 1;
                TokenKind::Parameter(self.parameters - 1)
            }
            LexemeKind::Symbol(symbol) => TokenKind::Symbol(symbol),
            LexemeKind::White | LexemeKind::Comment | LexemeKind::Hint => {
                return Err(self.refuse(lexeme, "nothing"));
            }
        })
    }

    fn refuse(&self, lexeme: &Lexeme<'_>, what: &'static str) -> SqlRefusal {
        SqlRefusal::Lexical(what, Position::of(self.text, lexeme.start))
    }

    fn c_style(&self, lexeme: &Lexeme<'_>) -> Result<String, SqlRefusal> {
        literal::unescape_c_style(lexeme.text)
            .ok_or_else(|| self.refuse(lexeme, "an escape in `E'…'` that is not understood"))
    }

    /// Decodes `U&'…'` or `U&"…"`, with the `UESCAPE` clause that may follow
    fn unicode(&mut self, lexeme: &Lexeme<'_>, quote: char) -> Result<String, SqlRefusal> {
        let escape = self.escape_clause()?.unwrap_or('\\');
        literal::unescape_unicode(&literal::unquote(lexeme.text, quote), escape)
            .ok_or_else(|| self.refuse(lexeme, "a malformed unicode escape"))
    }

    fn escape_clause(&mut self) -> Result<Option<char>, SqlRefusal> {
        let before = self.at;
        let is_clause = self.next().is_some_and(|(_, lexeme)| {
            lexeme.kind == LexemeKind::Word && Keyword::of(lexeme.text) == Some(Keyword::Uescape)
        });
        if !is_clause {
            self.at = before;
            return Ok(None);
        }
        let value = self.next().filter(|(_, lexeme)| lexeme.kind == LexemeKind::Text);
        let (_, value) = value.ok_or(SqlRefusal::EndsEarly)?;
        let escape = literal::escape_character(&literal::unquote(value.text, '\''));
        escape.map(Some).ok_or_else(|| self.refuse(&value, "an escape character that is not allowed"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::read;
    use super::super::limits::SqlLimits;
    use super::*;

    fn tokens(text: &str) -> Result<Vec<Token<'_>>, SqlRefusal> {
        decode(text, &read(text, &SqlLimits::default()).unwrap())
    }

    #[test]
    fn identifiers_and_strings_are_decoded_in_every_spelling() {
        for (text, name) in [
            ("secret", "secret"),
            ("\"secret\"", "secret"),
            ("u&\"\\0073ecret\"", "secret"),
            ("U&\"!0073ecret\" /**/ UESCAPE '!'", "secret"),
        ] {
            let read = tokens(text).unwrap();
            assert_eq!(read.len(), 1, "{text}");
            assert_eq!(read[0].name(), Some(name), "{text}");
        }
        for text in ["'a'", "N'a'", "_utf8'a'", "U&'\\0061'"] {
            assert_eq!(
                tokens(text).unwrap()[0].kind,
                TokenKind::Text(Text { value: "a".into(), may_name: true }),
                "{text}"
            );
        }
        assert_eq!(
            tokens("E'a'").unwrap()[0].kind,
            TokenKind::Text(Text { value: "a".into(), may_name: false })
        );
    }

    #[test]
    fn malformed_escapes_are_refused() {
        for text in
            ["U&'\\00'", "U&\"\\d800\"", "U&'a' UESCAPE 'a'", "U&'a' UESCAPE", "U&'a' UESCAPE 1", "E'\\q'"]
        {
            assert!(tokens(text).is_err(), "{text}");
        }
    }

    #[test]
    fn question_marks_are_numbered_in_the_order_of_the_text() {
        let read = tokens("? '?' ?").unwrap();
        assert_eq!(read[0].kind, TokenKind::Parameter(0));
        assert_eq!(read[2].kind, TokenKind::Parameter(1));
    }

    #[test]
    fn parentheses_that_open_close_too() {
        assert!(tokens("a (b (c) d)").is_ok());
        for text in ["a (b", "a (b (c)", "a (b (c) ')'", "a (b -- )"] {
            assert_eq!(tokens(text).unwrap_err(), SqlRefusal::EndsEarly, "{text}");
        }
    }
}
