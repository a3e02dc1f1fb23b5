//! The output of rewriting: sqlparser's tokens, each with the number of the token it stands for
//!
//! sqlparser's places (line and column) carry that number, so that an error can be told in terms of the
//! client's text.

use sqlparser::keywords::Keyword as Word;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word as WordToken};

use super::mention::is_lookup;
use super::skeleton::{Kind, Reading, Skeleton};

/// What a `SELECT` stands for that the source does not have; its first item
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// `VALUES`
    Values,
    /// Nothing: it only tells sqlparser that a query begins
    Nothing,
}

impl Mark {
    pub(super) const fn spelling(self) -> &'static str {
        match self {
            Self::Values => "VALUES",
            Self::Nothing => "NOTHING",
        }
    }
}

/// The tokens written so far
#[derive(Debug)]
pub(super) struct Rewritten {
    tokens: Vec<TokenWithSpan>,
    source: u64,
    /// What was written last, whether it is still there or not
    last: Option<Kind>,
    skeleton: Skeleton,
}

impl Rewritten {
    /// From here on tokens stand for this one of the source
    pub(super) fn stand_for(&mut self, source: usize) {
        self.source = source as u64;
    }

    /// None yet, for such a reading
    pub(super) fn new(reading: Reading) -> Self {
        Self { tokens: Vec::with_capacity(64), source: 0, last: None, skeleton: Skeleton::new(reading) }
    }

    pub(super) fn into_tokens(self) -> Vec<TokenWithSpan> {
        self.tokens
    }

    pub(super) fn push(&mut self, token: Token) {
        let place = Location::new(self.source, 1);
        self.last = Some(Kind::of(&token));
        self.skeleton.add(TokenWithSpan::new(token, Span::new(place, place)), &mut self.tokens);
    }

    /// An unquoted word, which sqlparser takes as a keyword
    pub(super) fn keyword(&mut self, word: &str) {
        let keyword = match word {
            "AS" => Word::AS,
            "BY" => Word::BY,
            "FROM" => Word::FROM,
            "NULL" => Word::NULL,
            "SELECT" => Word::SELECT,
            "WHERE" => Word::WHERE,
            _ => return self.push(Token::make_word(word, None)),
        };
        self.push(Token::Word(WordToken { value: word.to_owned(), quote_style: None, keyword }));
    }

    /// A name; quoted, so that sqlparser never takes it as anything else
    pub(super) fn name(&mut self, name: &str) {
        let value = if self.skeleton.keeps() || is_lookup(name) { name.to_owned() } else { String::new() };
        self.push(Token::Word(WordToken { value, quote_style: Some('"'), keyword: Word::NoKeyword }));
    }

    /// A literal whose value does not matter, and which sqlparser copies again and again
    pub(super) fn some_value(&mut self) {
        self.push(Token::Number(String::new(), false));
    }

    /// A mark that no source can make: of this kind of token a source has the question mark alone
    pub(super) fn mark(&mut self, mark: Mark) {
        self.push(Token::Placeholder(mark.spelling().to_owned()));
    }

    /// A string literal that may name something
    pub(super) fn text(&mut self, value: &str) {
        let value = if self.skeleton.keeps() { value.to_owned() } else { String::new() };
        self.push(Token::SingleQuotedString(value));
    }

    /// A string literal that may name nothing
    pub(super) fn odd_text(&mut self) {
        self.push(Token::NationalStringLiteral(String::new()));
    }

    /// Makes the string literal just written one that may name nothing
    pub(super) fn spoil_text(&mut self) {
        if let Some(last) = self.tokens.last_mut() {
            last.token = Token::NationalStringLiteral(String::new());
        }
    }

    pub(super) fn ends_with(&self, kind: Kind) -> bool {
        self.last == Some(kind)
    }

    pub(super) fn ends_with_any_keyword(&self, words: &[Word]) -> bool {
        matches!(self.last, Some(Kind::Keyword(word)) if words.contains(&word))
    }

    /// Whether an operand has just ended
    pub(super) fn ends_operand(&self) -> bool {
        use Kind::{Close, Keyword, Name, Text, Value};
        matches!(self.last, Some(Value | Close | Name | Text | Keyword(Word::NULL)))
    }
}
