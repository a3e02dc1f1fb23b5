//! Splits a statement into its words; enough of SQL for a stand-in, and no more

use std::iter::Peekable;
use std::str::Chars;

use super::fault::Fault;
use super::word::{Place, Token, Word};

/// Splits a statement into its words; the last one is [`Word::End`]
pub(super) fn words(text: &str) -> Result<Vec<Token>, Fault> {
    let mut cursor = Cursor { chars: text.chars().peekable(), line: 1, column: 1 };
    let mut tokens = Vec::new();
    loop {
        cursor.skip_blanks();
        let (line, column) = (cursor.line, cursor.column);
        let Some(first) = cursor.take() else { break };
        let word = cursor.word(first, Place { line, column, end_column: column })?;
        if let Some(word) = word {
            let end_column = cursor.column.saturating_sub(1);
            tokens.push(Token { word, place: Place { line, column, end_column } });
        }
    }
    let end = Place { line: cursor.line, column: cursor.column, end_column: cursor.column };
    tokens.push(Token { word: Word::End, place: end });
    Ok(tokens)
}

struct Cursor<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    column: usize,
}

impl Cursor<'_> {
    fn take(&mut self) -> Option<char> {
        let character = self.chars.next()?;
        if character == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(character)
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        if self.chars.peek().copied().is_some_and(wanted) { self.take() } else { None }
    }

    fn skip_blanks(&mut self) {
        while self.take_if(char::is_whitespace).is_some() {}
    }

    /// The word that begins with this character, or none where it begins a comment
    fn word(&mut self, first: char, place: Place) -> Result<Option<Word>, Fault> {
        let word = match first {
            '\'' => Word::Text(self.quoted('\'', place)?),
            '"' => Word::Quoted(self.quoted('"', place)?),
            '-' if self.take_if(|next| next == '-').is_some() => return Ok(self.skip_line()),
            '/' if self.take_if(|next| next == '*').is_some() => return self.skip_block(place),
            digit if digit.is_ascii_digit() => {
                Word::Number(self.run(digit, |next| next.is_ascii_digit() || next == '.'))
            }
            letter if letter.is_alphabetic() || letter == '_' => {
                Word::Bare(self.run(letter, |next| next.is_alphanumeric() || matches!(next, '_' | '$')))
            }
            mark => self.mark(mark, place)?,
        };
        Ok(Some(word))
    }

    fn run(&mut self, first: char, wanted: impl Fn(char) -> bool) -> String {
        let mut text = String::from(first);
        while let Some(next) = self.take_if(&wanted) {
            text.push(next);
        }
        text
    }

    fn quoted(&mut self, quote: char, place: Place) -> Result<String, Fault> {
        let mut text = String::new();
        while let Some(character) = self.take() {
            if character != quote || self.take_if(|next| next == quote).is_some() {
                text.push(character);
            } else {
                return Ok(text);
            }
        }
        Err(Self::lexical(quote, place))
    }

    fn mark(&mut self, first: char, place: Place) -> Result<Word, Fault> {
        let second = match first {
            '=' => self.take_if(|next| next == '>'),
            '<' => self.take_if(|next| matches!(next, '=' | '>')),
            '>' | '!' => self.take_if(|next| next == '='),
            '(' | ')' | ',' | ';' | '*' | '.' | '+' | '-' | '/' | '?' | '[' | ']' | '|' | '%' => None,
            other => return Err(Self::lexical(other, place)),
        };
        Ok(Word::Mark([Some(first), second].into_iter().flatten().collect()))
    }

    fn skip_line(&mut self) -> Option<Word> {
        while self.take_if(|next| next != '\n').is_some() {}
        None
    }

    fn skip_block(&mut self, place: Place) -> Result<Option<Word>, Fault> {
        while let Some(character) = self.take() {
            if character == '*' && self.take_if(|next| next == '/').is_some() {
                return Ok(None);
            }
        }
        Err(Self::lexical('*', place))
    }

    fn lexical(character: char, place: Place) -> Fault {
        Fault::sql(format!(
            "Lexical error at line {}, column {}.  Encountered: \"{}\" ({}), after : \"\"",
            place.line,
            place.column,
            character.escape_default(),
            u32::from(character)
        ))
    }
}
