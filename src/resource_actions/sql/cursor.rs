//! A place in a list of tokens

use super::keyword::Keyword;
use super::lexeme::Symbol;
use super::refusal::{Position, SqlRefusal};
use super::token::Token;

/// A place in a list of tokens, from which they are read one by one
#[derive(Clone, Debug)]
pub(super) struct Cursor<'t, 'a, 'x> {
    text: &'x str,
    tokens: &'t [Token<'a>],
    at: usize,
}

impl<'t, 'a, 'x> Cursor<'t, 'a, 'x> {
    /// At the beginning of tokens that were read from `text`
    pub(super) fn new(text: &'x str, tokens: &'t [Token<'a>]) -> Self {
        Self { text, tokens, at: 0 }
    }

    /// At the beginning of some of the tokens
    pub(super) fn within(&self, tokens: &'t [Token<'a>]) -> Self {
        Self::new(self.text, tokens)
    }

    /// The next token, and on
    pub(super) fn next(&mut self) -> Option<&'t Token<'a>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    pub(super) fn peek(&self) -> Option<&'t Token<'a>> {
        self.nth(0)
    }

    /// The token after so many others
    pub(super) fn nth(&self, count: usize) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at + count)
    }

    /// The token just read
    pub(super) fn last(&self) -> Option<&'t Token<'a>> {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at))
    }

    /// The token before the one just read
    pub(super) fn before_last(&self) -> Option<&'t Token<'a>> {
        self.at.checked_sub(2).and_then(|at| self.tokens.get(at))
    }

    /// How many tokens have been read
    pub(super) fn index(&self) -> usize {
        self.at
    }

    /// All that is left
    pub(super) fn rest(&self) -> &'t [Token<'a>] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek_keyword(&self) -> Option<Keyword> {
        self.peek().and_then(Token::keyword)
    }

    pub(super) fn next_is(&self, keyword: Keyword) -> bool {
        self.nth_is(0, keyword)
    }

    pub(super) fn nth_is(&self, count: usize, keyword: Keyword) -> bool {
        self.nth(count).is_some_and(|token| token.is(keyword))
    }

    pub(super) fn next_is_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    pub(super) fn next_is_symbol(&self, symbol: Symbol) -> bool {
        self.nth_is_symbol(0, symbol)
    }

    pub(super) fn nth_is_symbol(&self, count: usize, symbol: Symbol) -> bool {
        self.nth(count).is_some_and(|token| token.is_symbol(symbol))
    }

    /// Goes on by so many tokens
    pub(super) fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.tokens.len());
    }

    /// Goes on if the next token is this keyword
    pub(super) fn eat(&mut self, keyword: Keyword) -> bool {
        let is_next = self.next_is(keyword);
        self.skip(usize::from(is_next));
        is_next
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let is_next = self.next_is_word(word);
        self.skip(usize::from(is_next));
        is_next
    }

    pub(super) fn eat_symbol(&mut self, symbol: Symbol) -> bool {
        let is_next = self.next_is_symbol(symbol);
        self.skip(usize::from(is_next));
        is_next
    }

    pub(super) fn expect(&mut self, keyword: Keyword) -> Result<(), SqlRefusal> {
        if self.eat(keyword) { Ok(()) } else { Err(self.unexpected_here()) }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), SqlRefusal> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected_here()) }
    }

    pub(super) fn expect_symbol(&mut self, symbol: Symbol) -> Result<(), SqlRefusal> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.unexpected_here()) }
    }

    pub(super) fn expect_end(&self) -> Result<(), SqlRefusal> {
        self.peek().map_or(Ok(()), |token| Err(self.unexpected(token)))
    }

    /// The name that stands here, decoded
    pub(super) fn expect_name(&mut self) -> Result<String, SqlRefusal> {
        let name = self.peek().and_then(Token::name).map(str::to_owned);
        let name = name.ok_or_else(|| self.unexpected_here())?;
        self.skip(1);
        Ok(name)
    }

    /// The tokens up to the first of these keywords outside parentheses, or to the end
    pub(super) fn take_until(&mut self, keywords: &[Keyword]) -> &'t [Token<'a>] {
        let rest = self.rest();
        while self.peek().is_some_and(|token| !keywords.iter().any(|keyword| token.is(*keyword))) {
            self.skip_group();
        }
        rest.get(..rest.len() - self.rest().len()).unwrap_or_default()
    }

    /// Goes on by one token, or by a whole group in parentheses where one begins
    pub(super) fn skip_group(&mut self) {
        let inside = if self.next_is_symbol(Symbol::LeftParen) { self.group().len() + 1 } else { 0 };
        self.skip(inside + 1);
    }

    /// The tokens inside the parentheses that open here
    pub(super) fn group(&self) -> &'t [Token<'a>] {
        let inside = self.tokens.get(self.at + 1..).unwrap_or_default();
        let length = self.peek().map_or(0, |token| token.inside);
        inside.get(..length.min(inside.len())).unwrap_or_default()
    }

    /// Whether a query begins here, inside any number of parentheses
    pub(super) fn begins_query(&self) -> bool {
        let first = self.rest().iter().position(|token| !token.is_symbol(Symbol::LeftParen));
        first.is_some_and(|first| {
            let is_explicit_table =
                self.nth_is(first, Keyword::Table) && !self.nth_is_symbol(first + 1, Symbol::LeftParen);
            is_explicit_table || self.nth(first).and_then(Token::keyword).is_some_and(Keyword::begins_query)
        })
    }

    /// Whether a query begins here with a query in parentheses, and goes on behind it
    pub(super) fn begins_with_parenthesised_query(&self) -> bool {
        if !self.opens_query() {
            return false;
        }
        let after = self.group().len() + 2;
        let is_last = self.nth_is_symbol(after, Symbol::RightParen);
        self.goes_on(after) || is_last && self.inside().begins_with_parenthesised_query()
    }

    /// Whether the parentheses that open here hold a query and nothing else
    fn opens_query(&self) -> bool {
        if !self.next_is_symbol(Symbol::LeftParen) {
            return false;
        }
        let inside = self.inside();
        if !inside.next_is_symbol(Symbol::LeftParen) {
            return inside.begins_query();
        }
        let after = inside.group().len() + 2;
        inside.opens_query() && (inside.nth_is_symbol(after, Symbol::RightParen) || inside.goes_on(after))
    }

    fn inside(&self) -> Self {
        let mut inside = self.clone();
        inside.skip(1);
        inside
    }

    /// Whether a query goes on with the token after so many others
    fn goes_on(&self, count: usize) -> bool {
        self.nth(count).and_then(Token::keyword).is_some_and(Keyword::continues_query)
    }

    /// Whether a query stands anywhere in the group that begins here
    pub(super) fn holds_query(&self) -> bool {
        self.next_is_symbol(Symbol::LeftParen) && self.without_query(self.group()).is_err()
    }

    /// Refuses tokens among which a query stands
    pub(super) fn without_query(&self, tokens: &[Token<'_>]) -> Result<(), SqlRefusal> {
        const WORDS: [Keyword; 5] =
            [Keyword::Select, Keyword::Table, Keyword::Values, Keyword::With, Keyword::Value];
        let found = tokens.iter().find(|token| WORDS.iter().any(|keyword| token.is(*keyword)));
        found.map_or(Ok(()), |token| Err(self.unexpected(token)))
    }

    /// The refusal of the token that stands here
    pub(super) fn unexpected_here(&self) -> SqlRefusal {
        self.peek().map_or(SqlRefusal::EndsEarly, |token| self.unexpected(token))
    }

    /// The refusal of this token
    pub(super) fn unexpected(&self, token: &Token<'_>) -> SqlRefusal {
        SqlRefusal::Syntax { near: token.text.to_owned(), at: Position::of(self.text, token.start) }
    }

    /// The refusal of what can be read here and is not let through
    pub(super) fn unsupported(&self, what: String) -> SqlRefusal {
        let start = self.peek().or_else(|| self.last()).map_or(0, |token| token.start);
        SqlRefusal::Unsupported(format!("{what} is not supported"), Position::of(self.text, start))
    }
}
