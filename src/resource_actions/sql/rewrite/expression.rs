//! What becomes of the keywords that stand in expressions

use super::Rewriter;
use super::open::Group;
use crate::resource_actions::sql::form::Form;
use crate::resource_actions::sql::keyword::Keyword;
use crate::resource_actions::sql::lexeme::Symbol;
use crate::resource_actions::sql::refusal::SqlRefusal;
use crate::resource_actions::sql::skeleton::Kind;
use crate::resource_actions::sql::token::{Token, TokenKind};
use sqlparser::tokenizer::Token as ParserToken;

impl<'t, 'a> Rewriter<'t, 'a, '_> {
    pub(super) fn is_in_some_call(&self) -> bool {
        matches!(self.group(), Group::Call(_))
    }

    /// A comma in place of a word, unless nothing stands before it
    pub(super) fn comma_between(&mut self) -> Result<(), SqlRefusal> {
        if !self.rewritten.ends_with(Kind::Open) {
            self.rewritten.push(ParserToken::Comma);
        }
        Ok(())
    }

    /// Whether what is left of the call says what to return, and what on errors (`JsonValueFunctionCall()` and others)
    pub(super) fn is_json_tail(&self, keyword: Keyword) -> bool {
        use Keyword::{
            Absent, Default, Empty, Error, False, Null, Passing, Returning, True, Unknown, With, Without,
        };
        let words =
            [Absent, Default, Empty, Error, False, Null, Passing, Returning, True, Unknown, With, Without];
        self.is_in_call(Form::Json) && self.rewritten.ends_operand() && words.contains(&keyword)
    }

    /// `VALUE` between a key and its value
    pub(super) fn json_value(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        if self.is_in_call(Form::Json) && self.rewritten.ends_operand() {
            self.comma_between()
        } else {
            self.unexpected(token)
        }
    }

    /// `FORMAT JSON [ENCODING e]` behind an operand goes away
    pub(super) fn json_format(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let is_in_place = self.is_in_call(Form::Json) && self.rewritten.ends_operand();
        if !is_in_place || !self.cursor.eat(Keyword::Json) {
            return self.name(token);
        }
        let has_encoding = self.cursor.eat_word("ENCODING");
        self.cursor.skip(usize::from(has_encoding));
        Ok(())
    }

    /// `KEY` before a key goes away
    pub(super) fn json_key(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let is_first = self
            .previous()
            .is_some_and(|before| before.is_symbol(Symbol::LeftParen) || before.is_symbol(Symbol::Comma));
        let is_in_place = self.is_in_call(Form::Json) && is_first;
        if is_in_place && self.key_follows() { Ok(()) } else { self.name(token) }
    }

    /// Whether `KEY` is a word before a key rather than the key itself
    fn key_follows(&self) -> bool {
        use TokenKind::{Name, Number, Parameter, Text, Word};
        let Some(token) = self.cursor.peek() else { return false };
        let is_value = matches!(token.kind, Word(_) | Name(_) | Text(_) | Number(_) | Parameter(_));
        is_value || token.is(Keyword::Case)
    }

    /// `ANY` and `SOME` before a compared query go away; else they are functions
    pub(super) fn quantified(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        if self.rewritten.ends_with(Kind::Plus) && self.cursor.next_is_symbol(Symbol::LeftParen) {
            return Ok(());
        }
        self.name(token)
    }

    /// `EXISTS (query)` and `UNIQUE (query)` become the query
    pub(super) fn exists(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        if self.cursor.next_is_symbol(Symbol::LeftParen) { Ok(()) } else { self.unexpected(token) }
    }

    /// `BETWEEN [A]SYMMETRIC` and `SIMILAR TO`
    pub(super) fn long_operator(&mut self) -> Result<(), SqlRefusal> {
        let _ = self.cursor.eat(Keyword::Symmetric)
            || self.cursor.eat(Keyword::Asymmetric)
            || self.cursor.eat(Keyword::To);
        self.operator()
    }

    /// `IS [NOT] DISTINCT FROM` is an operator; the other forms stand behind one operand and go away
    pub(super) fn is(&mut self) -> Result<(), SqlRefusal> {
        self.cursor.eat(Keyword::Not);
        if self.cursor.eat(Keyword::Distinct) {
            self.cursor.expect(Keyword::From)?;
            return self.operator();
        }
        if self.cursor.eat_word("A") {
            return self.cursor.expect(Keyword::Set);
        }
        if self.cursor.eat(Keyword::Json) {
            let _ = ["VALUE", "OBJECT", "ARRAY", "SCALAR"].into_iter().any(|word| self.cursor.eat_word(word));
            return Ok(());
        }
        let states = [Keyword::Null, Keyword::True, Keyword::False, Keyword::Unknown, Keyword::Empty];
        let is_state = states.into_iter().any(|state| self.cursor.eat(state));
        if is_state { Ok(()) } else { Err(self.cursor.unexpected_here()) }
    }

    /// `MULTISET UNION`, `MEMBER OF` and `SUBMULTISET OF` behind an operand; else a function
    pub(super) fn multiset(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let words = [Keyword::Of, Keyword::Union, Keyword::Except, Keyword::Intersect];
        if self.rewritten.ends_operand() && words.into_iter().any(|word| self.cursor.eat(word)) {
            let _ = self.cursor.eat(Keyword::All) || self.cursor.eat(Keyword::Distinct);
            return self.operator();
        }
        self.name(token)
    }

    /// `OVERLAPS` and its like behind an operand; else a function
    pub(super) fn period(&mut self, keyword: Keyword, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        if !self.rewritten.ends_operand() {
            return self.name(token);
        }
        if keyword == Keyword::Immediately
            && !self.cursor.eat(Keyword::Precedes)
            && !self.cursor.eat(Keyword::Succeeds)
        {
            return self.name(token);
        }
        self.operator()
    }

    /// `INTERVAL '1' DAY` becomes its value
    pub(super) fn interval(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        self.cursor.eat_symbol(Symbol::Sign);
        if self.cursor.eat_symbol(Symbol::LeftParen) {
            self.done_opening(Group::Plain, Symbol::RightParen)?;
            return self.open.last_mut().map_or(Err(SqlRefusal::EndsEarly), |open| {
                open.has_unit = true;
                Ok(())
            });
        }
        let value = self.cursor.next().ok_or(SqlRefusal::EndsEarly)?;
        match &value.kind {
            TokenKind::Text(_) | TokenKind::Number(_) | TokenKind::Parameter(_) => {
                self.rewritten.some_value()
            }
            TokenKind::Word(_) | TokenKind::Name(_) => {
                self.name(value)?;
                while self.cursor.eat_symbol(Symbol::Dot) {
                    self.rewritten.push(ParserToken::Period);
                    let part = self.cursor.expect_name()?;
                    self.rewritten.name(&part);
                }
            }
            TokenKind::Keyword(_) | TokenKind::Bytes | TokenKind::Symbol(_) => return self.unexpected(token),
        }
        self.skip_unit();
        Ok(())
    }

    /// Goes on behind `DAY`, `DAY(2) TO SECOND(3)` and their like
    pub(super) fn skip_unit(&mut self) {
        if !UNITS.split(' ').any(|unit| self.cursor.eat_word(unit)) {
            return;
        }
        self.skip_precision();
        if self.cursor.eat(Keyword::To) && UNITS.split(' ').any(|unit| self.cursor.eat_word(unit)) {
            self.skip_precision();
        }
    }

    fn skip_precision(&mut self) {
        let is_number = self.cursor.nth(1).is_some_and(|token| matches!(token.kind, TokenKind::Number(_)));
        if self.cursor.next_is_symbol(Symbol::LeftParen) && is_number {
            self.cursor.skip_group();
        }
    }

    /// `DATE '…'` and `TIMESTAMP WITH LOCAL TIME ZONE '…'` become the string, which names nothing
    pub(super) fn typed_literal(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let before = self.cursor.clone();
        if self.cursor.eat(Keyword::With) || self.cursor.eat(Keyword::Without) {
            self.cursor.eat(Keyword::Local);
            let _ = self.cursor.eat(Keyword::Time) && self.cursor.eat(Keyword::Zone);
        }
        let is_literal = self.cursor.peek().is_some_and(|token| matches!(token.kind, TokenKind::Text(_)));
        if is_literal {
            self.cursor.skip(1);
            return self.done(crate::resource_actions::sql::rewritten::Rewritten::some_value);
        }
        self.cursor = before;
        self.name(token)
    }

    /// `NULLS FIRST`, `NULLS LAST`, `IGNORE NULLS` and `RESPECT NULLS` behind an operand go away
    pub(super) fn nulls(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let words =
            if token.is(Keyword::Nulls) { [Keyword::First, Keyword::Last] } else { [Keyword::Nulls; 2] };
        if self.rewritten.ends_operand() && words.into_iter().any(|word| self.cursor.eat(word)) {
            return Ok(());
        }
        self.name(token)
    }

    /// `BOTH`, `LEADING` and `TRAILING` in `TRIM(…)` go away
    pub(super) fn trimmed_side(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        let is_first = self.rewritten.ends_with(Kind::Open);
        if self.is_in_call(Form::Words) && is_first { Ok(()) } else { self.unexpected(token) }
    }
}

/// The units of time of `IntervalQualifier()`
const UNITS: &str = "YEAR YEARS QUARTER QUARTERS MONTH MONTHS WEEK WEEKS DAY DAYS HOUR HOURS MINUTE MINUTES SECOND \
                     SECONDS MILLISECOND MICROSECOND NANOSECOND DECADE";
