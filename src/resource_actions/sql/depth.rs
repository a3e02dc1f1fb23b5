//! How deep and how long a statement is, counted while it is read

use super::lexeme::{Lexeme, LexemeKind, Symbol};
use super::limits::SqlLimits;
use super::refusal::{Position, SqlRefusal};

/// Counts tokens and levels while a statement is read
pub(super) struct Depth<'a> {
    text: &'a str,
    limits: SqlLimits,
    tokens: usize,
    levels: usize,
    prefixes: usize,
}

impl<'a> Depth<'a> {
    pub(super) fn new(text: &'a str, limits: &SqlLimits) -> Self {
        Self { text, limits: limits.on_judges_stack(), tokens: 0, levels: 0, prefixes: 0 }
    }

    /// Counts one more lexeme
    pub(super) fn count(&mut self, lexeme: &Lexeme<'_>) -> Result<(), SqlRefusal> {
        if lexeme.kind.is_skipped() {
            return Ok(());
        }
        self.tokens += 1;
        if self.tokens > self.limits.statement_tokens {
            return Err(SqlRefusal::TooManyTokens { limit: self.limits.statement_tokens });
        }
        let step = step(lexeme);
        match step {
            Step::Down => self.levels += 1,
            Step::Up => self.levels = self.levels.saturating_sub(1),
            Step::Prefix | Step::Level => {}
        }
        self.prefixes = if step == Step::Prefix { self.prefixes + 1 } else { 0 };
        if self.levels + self.prefixes > self.limits.statement_nesting {
            let at = Position::of(self.text, lexeme.start);
            return Err(SqlRefusal::TooDeep { limit: self.limits.statement_nesting, at });
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Down,
    Up,
    /// An operator that may stand before its operand; a run of them nests
    Prefix,
    Level,
}

fn step(lexeme: &Lexeme<'_>) -> Step {
    let is = |word: &str| lexeme.kind == LexemeKind::Word && lexeme.text.eq_ignore_ascii_case(word);
    if let LexemeKind::Symbol(symbol) = lexeme.kind {
        step_of_symbol(symbol)
    } else if is("CASE") {
        Step::Down
    } else if is("END") {
        Step::Up
    } else if is("NOT") {
        Step::Prefix
    } else {
        Step::Level
    }
}

fn step_of_symbol(symbol: Symbol) -> Step {
    use Symbol as S;
    match symbol {
        S::LeftParen | S::LeftBracket | S::FunctionBrace | S::LiteralBrace => Step::Down,
        S::RightParen | S::RightBracket | S::RightBrace => Step::Up,
        S::Sign => Step::Prefix,
        S::Comma | S::Dot | S::Semicolon | S::Colon | S::Question => Step::Level,
        S::NamedArgument | S::Star | S::Equals | S::Operator | S::Useless => Step::Level,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::read;
    use super::*;

    fn refusal(text: &str) -> Option<SqlRefusal> {
        read(text, &SqlLimits::default()).err()
    }

    #[test]
    fn ninety_levels_are_read_and_a_hundred_and_one_are_not() {
        for (open, close) in [("(", ")"), ("[", "]"), ("CASE x ", " END"), ("NOT ", ""), ("- ", "")] {
            assert_eq!(refusal(&(open.repeat(90) + "1" + &close.repeat(90))), None, "{open}");
            let refused = refusal(&(open.repeat(101) + "1" + &close.repeat(101)));
            assert!(matches!(refused, Some(SqlRefusal::TooDeep { limit: 100, .. })), "{open}: {refused:?}");
        }
    }

    #[test]
    fn the_limits_themselves_are_allowed_and_one_more_is_not() {
        let limits = SqlLimits::default();
        assert_eq!(refusal(&"a ".repeat(limits.statement_tokens)), None);
        let refused = refusal(&"a ".repeat(limits.statement_tokens + 1));
        assert_eq!(refused, Some(SqlRefusal::TooManyTokens { limit: limits.statement_tokens }));
        assert_eq!(refusal(&" ".repeat(limits.statement_bytes)), None);
        let refused = refusal(&" ".repeat(limits.statement_bytes + 1));
        assert_eq!(refused, Some(SqlRefusal::TooManyBytes(limits.statement_bytes)));
    }
}
