//! The output of rewriting: sqlparser's tokens, each with the number of the token it stands for
//!
//! sqlparser's places (line and column) carry that number, so that an error can be told in terms of the
//! client's text.

use sqlparser::keywords::Keyword as Word;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word as WordToken};

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
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    tokens: Vec<TokenWithSpan>,
    source: u64,
}

impl Rewritten {
    /// From here on tokens stand for this one of the source
    pub(super) fn stand_for(&mut self, source: usize) {
        self.source = source as u64;
    }

    /// With room for what a query of so many tokens becomes
    pub(super) fn with_capacity(tokens: usize) -> Self {
        Self { tokens: Vec::with_capacity(tokens + tokens / 4), source: 0 }
    }

    pub(super) fn into_tokens(self) -> Vec<TokenWithSpan> {
        self.tokens
    }

    pub(super) fn push(&mut self, token: Token) {
        let place = Location::new(self.source, 1);
        self.tokens.push(TokenWithSpan::new(token, Span::new(place, place)));
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
        self.push(Token::make_word(name, Some('"')));
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
        self.push(Token::SingleQuotedString(value.to_owned()));
    }

    /// A string literal that may name nothing
    pub(super) fn odd_text(&mut self) {
        self.push(Token::NationalStringLiteral(String::new()));
    }

    /// Makes the string literal just written one that may name nothing
    pub(super) fn spoil_text(&mut self) {
        self.tokens.pop();
        self.odd_text();
    }

    fn last(&self) -> Option<&Token> {
        self.tokens.last().map(|token| &token.token)
    }

    pub(super) fn ends_with(&self, token: &Token) -> bool {
        self.last() == Some(token)
    }

    pub(super) fn ends_with_any_keyword(&self, words: &[Word]) -> bool {
        matches!(self.last(), Some(Token::Word(word)) if words.contains(&word.keyword))
    }

    pub(super) fn ends_with_name(&self) -> bool {
        matches!(self.last(), Some(Token::Word(word)) if word.quote_style.is_some())
    }

    pub(super) fn ends_with_text(&self) -> bool {
        matches!(self.last(), Some(Token::SingleQuotedString(_) | Token::NationalStringLiteral(_)))
    }

    /// Whether an operand has just ended
    pub(super) fn ends_operand(&self) -> bool {
        let by_value = matches!(self.last(), Some(Token::Number(..) | Token::RParen | Token::Placeholder(_)));
        by_value
            || self.ends_with_name()
            || self.ends_with_text()
            || self.ends_with_any_keyword(&[Word::NULL])
    }
}
