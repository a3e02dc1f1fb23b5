//! From text to lexemes, exactly as the token manager of Druid's Calcite grammar reads it
//!
//! The rules are those of `Parser.jj` in the lexical state `DQID` (identifiers quoted by `"`): the longest
//! token wins, and letters are those of its `LETTER`. Nothing is decoded and nothing is copied here;
//! white space and comments are lexemes too, since what is forwarded is printed from them. What
//! Calcite's token manager does not take, or takes as a token that no statement can hold, is refused.

use memchr::{memchr, memchr2};

use super::depth::Depth;
use super::hint::{self, Reading};
use super::lexeme::{Lexeme, LexemeKind, Symbol};
use super::limits::SqlLimits;
use super::refusal::{Position, SqlRefusal};

/// Reads the whole text
///
/// # Errors
///
/// What Calcite's token manager refuses, and what is beyond the limits.
pub(super) fn read<'a>(text: &'a str, limits: &SqlLimits) -> Result<Vec<Lexeme<'a>>, SqlRefusal> {
    if text.len() > limits.statement_bytes {
        return Err(SqlRefusal::TooManyBytes(limits.statement_bytes));
    }
    let mut lexer = Lexer { text, at: 0, no_collation_before: 0 };
    let mut depth = Depth::new(text, limits);
    let mut lexemes = Vec::with_capacity(text.len() / 4);
    while let Some(lexeme) = lexer.next()? {
        depth.count(&lexeme)?;
        lexemes.push(lexeme);
    }
    Ok(lexemes)
}

/// How many pieces a text has, white space and comments among them; what a lexer alone costs
///
/// # Errors
///
/// What Druid's lexer refuses, and what is beyond the limits.
pub fn pieces(text: &str, limits: &SqlLimits) -> Result<usize, SqlRefusal> {
    read(text, limits).map(|lexemes| lexemes.len())
}

/// Whether a character may begin an identifier (`LETTER` of `Parser.jj`)
pub(super) fn is_letter(character: char) -> bool {
    matches!(character,
        '$' | '_' | 'A'..='Z' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{1FFF}'
        | '\u{3040}'..='\u{318F}' | '\u{3300}'..='\u{337F}' | '\u{3400}'..='\u{3D2D}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}')
}

/// Every digit of `Parser.jj` beyond ASCII is a letter of it, too
fn is_identifier_part(character: char) -> bool {
    is_letter(character) || character.is_ascii_digit()
}

fn is_white(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{C}')
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Up to here no collation name can end; spares a second look at the same run
    no_collation_before: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Option<Lexeme<'a>>, SqlRefusal> {
        let Some(first) = self.rest().chars().next() else {
            return Ok(None);
        };
        let (kind, length) = self.measure(first)?;
        let text = self.rest().get(..length).unwrap_or_default();
        let lexeme = Lexeme { kind, text, start: self.at };
        self.at += length;
        Ok(Some(lexeme))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn refuse(&self, what: &'static str) -> SqlRefusal {
        SqlRefusal::Lexical(what, Position::of(self.text, self.at))
    }

    fn measure(&mut self, first: char) -> Result<(LexemeKind, usize), SqlRefusal> {
        let rest = self.rest();
        if is_white(first) {
            return Ok((LexemeKind::White, run(rest, is_white)));
        }
        match first {
            '/' | '-' => match self.comment()? {
                Some(comment) => Ok(comment),
                None => self.symbol(),
            },
            '\'' => Ok((LexemeKind::Text, self.quoted(0, b'\'')?)),
            '"' => Ok((LexemeKind::Quoted, self.quoted(0, b'"')?)),
            '.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
                Ok((LexemeKind::Number, number(rest)))
            }
            _ if first.is_ascii_digit() => self.without_collation(LexemeKind::Number, number(rest)),
            _ if is_letter(first) => self.word(),
            _ => self.symbol(),
        }
    }

    /// The comment or hint that begins here, if one does, and its length
    ///
    /// `/**` and any character but `/` opens a comment and eats that character, so that `/***/` is
    /// still open.
    fn comment(&self) -> Result<Option<(LexemeKind, usize)>, SqlRefusal> {
        let rest = self.rest();
        if rest.starts_with("//") || rest.starts_with("--") {
            return Ok(Some((LexemeKind::Comment, run(rest, |character| !matches!(character, '\n' | '\r')))));
        }
        if !rest.starts_with("/*") {
            return Ok(None);
        }
        let eaten =
            rest.strip_prefix("/**").and_then(|after| after.chars().next()).filter(|next| *next != '/');
        let body = eaten.map_or("/*".len(), |next| "/**".len() + next.len_utf8());
        let end = rest.get(body..).and_then(|body| body.find("*/"));
        let end = end.ok_or_else(|| self.refuse("a comment without end"))? + body;
        let kind = if rest.starts_with("/*+") { self.hint(self.at + end)? } else { LexemeKind::Comment };
        Ok(Some((kind, end + "*/".len())))
    }

    /// What begins here with `/*+`, whose first `*/` stands at `end`
    fn hint(&self, end: usize) -> Result<LexemeKind, SqlRefusal> {
        let mut inside = Lexer { text: self.text, at: self.at + "/*+".len(), no_collation_before: 0 };
        // No hint holds another, and what is no hint needs no further look.
        let next = || if inside.rest().starts_with("/*+") { None } else { inside.next().ok().flatten() };
        match hint::read(end, next) {
            Reading::Hint => Ok(LexemeKind::Hint),
            Reading::Comment => Ok(LexemeKind::Comment),
            Reading::Two => Err(self.refuse("a hint that ends earlier where hints are comments")),
        }
    }

    /// The length of a quoted piece whose opening quote stands after `prefix` bytes
    fn quoted(&self, prefix: usize, quote: u8) -> Result<usize, SqlRefusal> {
        let rest = self.rest().as_bytes();
        let start = prefix + 1;
        let mut end = start;
        loop {
            let after = rest.get(end..).unwrap_or_default();
            let closing = memchr(quote, after);
            let inner = after.get(..closing.unwrap_or(after.len())).unwrap_or_default();
            if quote == b'"' && memchr2(b'\n', b'\r', inner).is_some() {
                return Err(self.refuse("a quoted identifier that is not closed on its line"));
            }
            let Some(closing) = closing else {
                return Err(self.refuse("a quoted piece that is not closed"));
            };
            end += closing + 1;
            if rest.get(end) != Some(&quote) {
                break;
            }
            end += 1;
        }
        if quote == b'"' && end == start + 1 {
            return Err(self.refuse("an empty identifier"));
        }
        Ok(end)
    }

    /// The length of `E'…'`, where a backslash takes the next character with it
    fn escaped(&self) -> Result<usize, SqlRefusal> {
        let mut characters = self.rest().char_indices().skip(2).peekable();
        while let Some((at, character)) = characters.next() {
            if character == '\\' {
                characters.next();
            } else if character == '\'' && characters.next_if(|(_, next)| *next == '\'').is_none() {
                return Ok(at + 1);
            }
        }
        Err(self.refuse("a string that is not closed"))
    }

    /// A word, or the quoted piece whose prefix looks like one; prefixes count in either case
    fn word(&mut self) -> Result<(LexemeKind, usize), SqlRefusal> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let second = bytes.get(1).copied();
        match (bytes.first().map(u8::to_ascii_lowercase), second, bytes.get(2).copied()) {
            (Some(b'n'), Some(b'\''), _) => Ok((LexemeKind::PrefixedText, self.quoted(1, b'\'')?)),
            (Some(b'x'), Some(b'\''), _) => Ok((LexemeKind::Bytes, self.quoted(1, b'\'')?)),
            (Some(b'e'), Some(b'\''), _) => Ok((LexemeKind::EscapedText, self.escaped()?)),
            (Some(b'u'), Some(b'&'), Some(b'\'')) => Ok((LexemeKind::UnicodeText, self.quoted(2, b'\'')?)),
            (Some(b'u'), Some(b'&'), Some(b'"')) => Ok((LexemeKind::UnicodeQuoted, self.unicode_quoted()?)),
            (Some(b'_'), Some(second), _) if second.is_ascii_alphanumeric() => self.charset_or_word(rest),
            _ => self.without_collation(LexemeKind::Word, run(rest, is_identifier_part)),
        }
    }

    fn unicode_quoted(&self) -> Result<usize, SqlRefusal> {
        self.quoted(2, b'"')
    }

    fn charset_or_word(&mut self, rest: &str) -> Result<(LexemeKind, usize), SqlRefusal> {
        let charset = run(rest, |character| {
            character.is_ascii_alphanumeric() || matches!(character, ':' | '.' | '-' | '_')
        });
        if rest.as_bytes().get(charset) == Some(&b'\'') {
            return Ok((LexemeKind::PrefixedText, self.quoted(charset, b'\'')?));
        }
        self.without_collation(LexemeKind::Word, run(rest, is_identifier_part))
    }

    /// Refuses a longer token, `COLLATION_ID`, such as `druid.secret$x`; no statement can hold one
    fn without_collation(
        &mut self,
        kind: LexemeKind,
        length: usize,
    ) -> Result<(LexemeKind, usize), SqlRefusal> {
        let end = self.at + length;
        if end >= self.no_collation_before {
            let tail = self.text.get(end..).unwrap_or_default();
            let tail_run =
                run(tail, |character| is_identifier_part(character) || matches!(character, ':' | '.' | '-'));
            let candidates = tail.get(..tail_run).unwrap_or_default();
            if !candidates.contains('$') {
                self.no_collation_before = end + tail_run;
                return Ok((kind, length));
            }
            let mut next = candidates.split('$').skip(1);
            if next.any(|after| after.chars().next().is_some_and(is_letter)) || candidates.contains("$$") {
                return Err(self.refuse("a collation name, which begins like a word and goes on to a `$`"));
            }
            self.no_collation_before = end + tail_run;
        }
        Ok((kind, length))
    }

    fn symbol(&self) -> Result<(LexemeKind, usize), SqlRefusal> {
        let rest = self.rest();
        if rest.starts_with('{') {
            return Ok(brace(rest));
        }
        symbol(rest.as_bytes())
            .map(|(symbol, length)| (LexemeKind::Symbol(symbol), length))
            .ok_or_else(|| self.refuse("a character that Druid SQL has no use for"))
    }
}

/// The length of the characters at the beginning that are of this kind
fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    let ascii = text.bytes().position(|byte| !byte.is_ascii() || !belongs(char::from(byte)));
    let Some(ascii) = ascii else { return text.len() };
    if text.as_bytes().get(ascii).is_some_and(u8::is_ascii) {
        return ascii;
    }
    let rest = text.get(ascii..).unwrap_or_default();
    ascii + rest.find(|character| !belongs(character)).unwrap_or(rest.len())
}

/// `12`, `12.`, `1.2`, `.2`, each with an exponent or without
fn number(text: &str) -> usize {
    let digits =
        |from: usize| run(text.get(from..).unwrap_or_default(), |character| character.is_ascii_digit());
    let whole = digits(0);
    let mut end = if text.get(whole..).is_some_and(|after| after.starts_with('.')) {
        whole + 1 + digits(whole + 1)
    } else {
        whole
    };
    let after = text.get(end..).unwrap_or_default();
    if after.starts_with(['e', 'E']) {
        let sign = usize::from(after.get(1..).is_some_and(|after| after.starts_with(['+', '-'])));
        let exponent = digits(end + 1 + sign);
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    end
}

/// `{fn`, `{d`, `{t` and `{ts`, with spaces after the brace or without
fn brace(text: &str) -> (LexemeKind, usize) {
    let spaces = text.chars().skip(1).take_while(|character| *character == ' ').count();
    let word = text.get(1 + spaces..).unwrap_or_default().as_bytes();
    let letter = |at: usize| word.get(at).map(u8::to_ascii_lowercase);
    let (symbol, length) = match (letter(0), letter(1)) {
        (Some(b'f'), Some(b'n')) => (Symbol::FunctionBrace, spaces + 3),
        (Some(b't'), Some(b's')) => (Symbol::LiteralBrace, spaces + 3),
        (Some(b't' | b'd'), _) => (Symbol::LiteralBrace, spaces + 2),
        _ => (Symbol::Useless, 1),
    };
    (LexemeKind::Symbol(symbol), length)
}

/// The longest symbol that these bytes begin with, and its length
fn symbol(bytes: &[u8]) -> Option<(Symbol, usize)> {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let long = match (byte(0), byte(1)) {
        (b'=', b'>') => Some((Symbol::NamedArgument, 2)),
        (b'-', b'>') | (b'.', b'.') | (b'*', b'/') => Some((Symbol::Useless, 2)),
        (b'|', b'|') | (b'<', b'=' | b'>') | (b'>' | b'!', b'=') => Some((Symbol::Operator, 2)),
        _ => None,
    };
    long.or_else(|| Some((short_symbol(byte(0))?, 1)))
}

fn short_symbol(byte: u8) -> Option<Symbol> {
    Some(match byte {
        b'(' => Symbol::LeftParen,
        b')' => Symbol::RightParen,
        b'[' => Symbol::LeftBracket,
        b']' => Symbol::RightBracket,
        b'}' => Symbol::RightBrace,
        b',' => Symbol::Comma,
        b'.' => Symbol::Dot,
        b';' => Symbol::Semicolon,
        b':' => Symbol::Colon,
        b'?' => Symbol::Question,
        b'=' => Symbol::Equals,
        b'*' => Symbol::Star,
        b'+' | b'-' => Symbol::Sign,
        b'<' | b'>' | b'/' | b'%' | b'^' => Symbol::Operator,
        b'|' => Symbol::Useless,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        let lexemes = read(text, &SqlLimits::default()).unwrap();
        assert_eq!(lexemes.iter().map(|lexeme| lexeme.text).collect::<String>(), text);
        lexemes
            .into_iter()
            .filter(|lexeme| lexeme.kind != LexemeKind::White)
            .map(|lexeme| lexeme.text)
            .collect()
    }

    fn is_refused(text: &str) -> bool {
        read(text, &SqlLimits::default()).is_err()
    }

    #[test]
    fn line_comments_end_at_lf_or_cr_and_at_no_other_character() {
        assert_eq!(pieces("a --b\rc"), ["a", "--b", "c"]);
        assert_eq!(pieces("a //b\nc"), ["a", "//b", "c"]);
        assert_eq!(pieces("a --b\u{85}c\u{2028}d"), ["a", "--b\u{85}c\u{2028}d"]);
    }

    #[test]
    fn block_comments_do_not_nest_and_a_formal_one_eats_a_character() {
        assert_eq!(pieces("a/* /* */b"), ["a", "/* /* */", "b"]);
        assert_eq!(pieces("a/**/b"), ["a", "/**/", "b"]);
        assert_eq!(pieces("a/***/b/**/c"), ["a", "/***/b/**/", "c"]);
        assert_eq!(pieces("/*!a*/b"), ["/*!a*/", "b"]);
        assert!(is_refused("a/***/b"));
        assert!(is_refused("a/*"));
    }

    #[test]
    fn a_dollar_is_a_letter_unless_it_makes_a_collation_name() {
        assert_eq!(pieces("$a$ b$1 $$ a$b$1"), ["$a$", "b$1", "$$", "a$b$1"]);
        for text in ["druid.secret$x", "a-b$c", "1$a", "a:b$c", "a.b$$c", "a-b-c-d$e"] {
            assert!(is_refused(text), "{text}");
        }
        assert_eq!(pieces("a-b-$1"), ["a", "-", "b", "-", "$1"]);
    }

    #[test]
    fn letters_are_calcites() {
        assert_eq!(pieces("sécret a\u{1680}b ſelect 表"), ["sécret", "a\u{1680}b", "ſelect", "表"]);
        for text in [
            "\u{FF53}ecret",
            "a\u{200B}b",
            "a\u{3000}b",
            "a\u{A0}b",
            "a\0b",
            "\u{FEFF}a",
            "a`b",
            "a@b",
            "#",
            "~",
            "\\",
            "a\u{7}",
            "!",
        ] {
            assert!(is_refused(text), "{text:?}");
        }
    }

    #[test]
    fn strings_take_a_backslash_as_it_is_but_after_an_e() {
        assert_eq!(pieces(r"'a\' b"), [r"'a\'", "b"]);
        assert_eq!(pieces(r"E'a\'b' c"), [r"E'a\'b'", "c"]);
        assert_eq!(
            pieces("n'a''b' _utf-8'c' x'00' u&'d' U&\"e\" _d"),
            ["n'a''b'", "_utf-8'c'", "x'00'", "u&'d'", "U&\"e\"", "_d"]
        );
        for text in ["'a", "\"a", "\"a\nb\"", "\"\"", "e'\\'", "U&\"\"", "N'a"] {
            assert!(is_refused(text), "{text}");
        }
    }

    #[test]
    fn numbers_and_symbols_are_the_longest_that_fit() {
        assert_eq!(
            pieces("1.5e-3x 1..2 .5 1e t.a"),
            ["1.5e-3", "x", "1.", ".2", ".5", "1", "e", "t", ".", "a"]
        );
        assert_eq!(pieces("a<=b<>c!=d=>e||f"), ["a", "<=", "b", "<>", "c", "!=", "d", "=>", "e", "||", "f"]);
        assert_eq!(
            pieces("{fn a()} { ts 'x'} {d'y'}"),
            ["{fn", "a", "(", ")", "}", "{ ts", "'x'", "}", "{d", "'y'", "}"]
        );
    }

    #[test]
    fn a_long_run_that_could_become_a_collation_name_is_read_in_linear_time() {
        let text = "a-".repeat(20_000) + "a";
        assert_eq!(pieces(&text).len(), 40_001);
    }
}
