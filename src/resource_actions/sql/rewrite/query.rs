//! What becomes of the keywords that shape a query

use sqlparser::keywords::Keyword as Word;
use sqlparser::tokenizer::Token as ParserToken;

use super::Rewriter;
use super::open::{Closer, Group, Open};
use crate::resource_actions::sql::keyword::Keyword;
use crate::resource_actions::sql::lexeme::Symbol;
use crate::resource_actions::sql::refusal::SqlRefusal;
use crate::resource_actions::sql::rewritten::Mark;
use crate::resource_actions::sql::skeleton::Kind;
use crate::resource_actions::sql::token::{Token, TokenKind};

impl<'t, 'a> Rewriter<'t, 'a, '_> {
    pub(super) fn select(&mut self) -> Result<(), SqlRefusal> {
        self.begin_query();
        self.leave_windows();
        self.done(|rewritten| rewritten.keyword("SELECT"))
    }

    /// `VALUES` becomes a `SELECT` that is marked, since names resolve otherwise around it
    pub(super) fn values(&mut self) -> Result<(), SqlRefusal> {
        self.select()?;
        self.rewritten.mark(Mark::Values);
        self.done(|rewritten| rewritten.push(ParserToken::Comma))
    }

    /// `WITH`; `WITH ORDINALITY` behind `UNNEST(…)` goes away
    pub(super) fn with(&mut self) -> Result<(), SqlRefusal> {
        if self.rewritten.ends_with(Kind::Close) && self.cursor.eat(Keyword::Ordinality) {
            return Ok(());
        }
        self.begin_query();
        self.done(|rewritten| rewritten.keyword("WITH"))
    }

    /// `TABLE t` becomes `SELECT * FROM t`, `TABLE(f(…))` becomes `f(…)`
    pub(super) fn table(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        if self.cursor.next_is_symbol(Symbol::LeftParen) {
            return self.table_function(token);
        }
        self.begin_query();
        self.rewritten.keyword("SELECT");
        self.rewritten.push(ParserToken::Mul);
        self.done(|rewritten| rewritten.keyword("FROM"))
    }

    /// `TABLE([SPECIFIC] f(…))`, and nothing else in the parentheses
    fn table_function(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let inside = self.cursor.group();
        let call = inside
            .split_first()
            .filter(|(first, _)| first.is(Keyword::Specific))
            .map_or(inside, |(_, call)| call);
        let opener = call.iter().position(|token| token.is_symbol(Symbol::LeftParen));
        let is_one_call = opener.is_some_and(|opener| {
            let arguments = call.get(opener).map_or(0, |token| token.inside);
            opener > 0 && opener + arguments + 2 == call.len()
        });
        let is_table =
            self.rewritten.ends_with_any_keyword(&[Word::FROM, Word::JOIN]) || !self.rewritten.ends_operand();
        if !is_one_call || !is_table {
            return self.unexpected(token);
        }
        self.cursor.skip(1 + inside.len() - call.len());
        self.done_opening(Group::TableFunction, Symbol::RightParen)
    }

    pub(super) fn clause(&mut self, keyword: Keyword) -> Result<(), SqlRefusal> {
        self.leave_windows();
        self.done(|rewritten| rewritten.keyword(keyword.word()))
    }

    pub(super) fn window_or_qualify(&mut self, keyword: Keyword) -> Result<(), SqlRefusal> {
        if let Some(open) = self.open.last_mut() {
            open.in_windows = keyword == Keyword::Window;
        }
        self.done(|rewritten| rewritten.keyword(keyword.word()))
    }

    fn leave_windows(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.in_windows = false;
        }
    }

    /// A keyword that may stand behind certain others only
    pub(super) fn only_after(
        &mut self,
        words: &[Word],
        keyword: Keyword,
        token: &Token<'_>,
    ) -> Result<(), SqlRefusal> {
        if !self.rewritten.ends_with_any_keyword(words) {
            return self.unexpected(token);
        }
        self.done(|rewritten| rewritten.keyword(keyword.word()))
    }

    /// `ORDER BY` and `PARTITION BY` stay where they shape a query or a named window
    pub(super) fn order_or_partition(&mut self, keyword: Keyword) -> Result<(), SqlRefusal> {
        let is_list = self.group() == Group::Over || self.is_in_some_call();
        if !is_list || !self.cursor.next_is(Keyword::By) {
            if let Some(open) = self.open.last_mut().filter(|open| open.group != Group::Window) {
                open.in_windows = false;
                open.is_ordered = true;
            }
            return self.done(|rewritten| rewritten.keyword(keyword.word()));
        }
        self.cursor.skip(1);
        self.comma_between()
    }

    /// `LIMIT`, `OFFSET` and `FETCH` with a number are cut; `OFFSET(…)` is a function
    ///
    /// In parentheses something to order by is left of them: to Calcite a query with a limit is an ordered one
    /// (`SqlOrderBy`), which matters to the names that are seen around it and in recursive items.
    pub(super) fn limit(&mut self, keyword: Keyword, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        if self.cursor.next_is_symbol(Symbol::LeftParen) {
            return if keyword == Keyword::Offset { self.name(token) } else { self.unexpected(token) };
        }
        // It limits nothing, and Calcite's parser forgets it: no order stands there.
        if keyword == Keyword::Limit && self.cursor.eat(Keyword::All) {
            return Ok(());
        }
        self.leave_order();
        if keyword == Keyword::Fetch {
            return self.fetch();
        }
        self.count()?;
        if keyword == Keyword::Limit && self.cursor.eat_symbol(Symbol::Comma) {
            return self.count();
        }
        let _ = self.cursor.eat(Keyword::Row) || self.cursor.eat(Keyword::Rows);
        Ok(())
    }

    fn leave_order(&mut self) {
        let is_inner = self.open.len() > 1 && self.group() == Group::Plain;
        let is_ordered =
            self.open.last_mut().is_none_or(|open| std::mem::replace(&mut open.is_ordered, true));
        if is_inner && !is_ordered {
            self.rewritten.keyword("ORDER");
            self.rewritten.keyword("BY");
            self.rewritten.some_value();
        }
    }

    fn fetch(&mut self) -> Result<(), SqlRefusal> {
        if !self.cursor.eat(Keyword::First) {
            self.cursor.expect(Keyword::Next)?;
        }
        if !self.cursor.next_is(Keyword::Row) && !self.cursor.next_is(Keyword::Rows) {
            self.count()?;
        }
        if !self.cursor.eat(Keyword::Row) {
            self.cursor.expect(Keyword::Rows)?;
        }
        self.cursor.expect(Keyword::Only)
    }

    fn count(&mut self) -> Result<(), SqlRefusal> {
        let is_count = self
            .cursor
            .peek()
            .is_some_and(|token| matches!(token.kind, TokenKind::Number(_) | TokenKind::Parameter(_)));
        if !is_count {
            return Err(self.cursor.unexpected_here());
        }
        self.cursor.skip(1);
        Ok(())
    }

    /// `DISTINCT` and `ALL` go away where they may stand; so does `ALL` before a compared query
    pub(super) fn quantifier(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        let words = [Word::SELECT, Word::UNION, Word::EXCEPT, Word::INTERSECT, Word::BY];
        let after_word = self.rewritten.ends_with_any_keyword(&words);
        let after_symbol = [Kind::Open, Kind::Plus].into_iter().any(|kind| self.rewritten.ends_with(kind));
        if after_word || after_symbol { Ok(()) } else { self.unexpected(token) }
    }

    /// All joins are the same here, as far as they are joins
    pub(super) fn join(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        use Keyword::{Asof, Cross, Full, Inner, Left, Natural, Outer, Right};
        if self.cursor.next_is_symbol(Symbol::LeftParen) && (token.is(Left) || token.is(Right)) {
            return self.name(token);
        }
        while [Asof, Cross, Full, Inner, Left, Natural, Outer, Right]
            .into_iter()
            .any(|keyword| self.cursor.eat(keyword))
        {}
        self.cursor.expect(Keyword::Join)?;
        self.clause(Keyword::Join)
    }

    /// `ASOF JOIN` behind a table; the word is a name elsewhere (before Calcite 1.38 everywhere)
    pub(super) fn asof(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let is_join = self.rewritten.ends_operand() && self.cursor.next_is(Keyword::Join);
        if is_join { self.join(token) } else { self.name(token) }
    }

    /// `MATCH_CONDITION condition ON condition` becomes one condition; the word is a name elsewhere
    pub(super) fn match_condition(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        let is_after_table = self.rewritten.ends_operand();
        match self.open.last_mut() {
            Some(open) if is_after_table => open.is_matching = true,
            Some(_) | None => return self.name(token),
        }
        self.clause(Keyword::On)
    }

    /// `ON`, of which there is one to a join
    pub(super) fn on(&mut self) -> Result<(), SqlRefusal> {
        let is_second = self.open.last_mut().is_some_and(|open| std::mem::take(&mut open.is_matching));
        if is_second { self.operator() } else { self.clause(Keyword::On) }
    }

    /// Only a query needs the word
    pub(super) fn lateral(&mut self) -> Result<(), SqlRefusal> {
        if self.cursor.next_is(Keyword::Table) || self.cursor.next_is(Keyword::Unnest) {
            return Ok(());
        }
        self.done(|rewritten| rewritten.keyword("LATERAL"))
    }

    /// `TABLESAMPLE method(n) [REPEATABLE(n)]` is cut
    pub(super) fn sample(&mut self) -> Result<(), SqlRefusal> {
        self.cursor.expect_name()?;
        self.cut_group()?;
        if self.cursor.eat(Keyword::Repeatable) { self.cut_group() } else { Ok(()) }
    }

    /// `PIVOT (…)`, `UNPIVOT (…)` and `MATCH_RECOGNIZE (…)` behind a table are cut
    pub(super) fn reshaped(&mut self, keyword: Keyword, token: &Token<'_>) -> Result<(), SqlRefusal> {
        if !self.rewritten.ends_operand() {
            return self.unexpected(token);
        }
        let has_nulls = keyword == Keyword::Unpivot
            && (self.cursor.eat(Keyword::Include) || self.cursor.eat(Keyword::Exclude));
        if has_nulls {
            self.cursor.expect(Keyword::Nulls)?;
        }
        self.cut_group()
    }

    /// `OVER (…)` becomes an operand, a list of all that stands in it
    pub(super) fn over(&mut self) -> Result<(), SqlRefusal> {
        self.operator()?;
        if !self.cursor.eat_symbol(Symbol::LeftParen) {
            return Ok(());
        }
        let is_empty = self.cursor.next_is_symbol(Symbol::RightParen);
        let starts_with_frame = self.cursor.next_is(Keyword::Rows) || self.cursor.next_is(Keyword::Range);
        self.done_opening(Group::Over, Symbol::RightParen)?;
        if is_empty || starts_with_frame {
            self.rewritten.some_value();
        }
        Ok(())
    }

    /// `FILTER (WHERE …)` becomes an operand
    pub(super) fn filter(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        if !self.cursor.next_is_symbol(Symbol::LeftParen) || !self.cursor.nth_is(1, Keyword::Where) {
            return self.unexpected(token);
        }
        self.cursor.skip(2);
        self.operator()?;
        self.done_opening(Group::Plain, Symbol::RightParen)
    }

    /// `WITHIN GROUP (ORDER BY …)` and `WITHIN DISTINCT (…)` become an operand
    pub(super) fn within(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        let is_known = self.cursor.eat(Keyword::Group) || self.cursor.eat(Keyword::Distinct);
        if !is_known || !self.cursor.eat_symbol(Symbol::LeftParen) {
            return self.unexpected(token);
        }
        self.operator()?;
        self.done_opening(Group::Over, Symbol::RightParen)
    }

    /// The frame of a window is cut
    pub(super) fn frame(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        match self.group() {
            Group::Over | Group::Window => self.cut(),
            Group::Plain | Group::Call(_) | Group::Case | Group::TableFunction | Group::Braces => {
                self.unexpected(token)
            }
        }
    }

    /// `CASE` opens a group that holds all its parts as operands
    pub(super) fn case(&mut self) -> Result<(), SqlRefusal> {
        self.rewritten.push(ParserToken::LParen);
        self.open.push(Open::new(Group::Case, Some(Closer::End)));
        Ok(())
    }

    pub(super) fn case_part(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        if self.group() != Group::Case {
            return self.unexpected(token);
        }
        if self.rewritten.ends_with(Kind::Open) { Ok(()) } else { self.operator() }
    }
}
