//! From the tokens of a query to a small language that sqlparser reads in one way only
//!
//! What a query needs depends on its tables, its subqueries and the functions that name something. So
//! everything else is made uniform here, before sqlparser sees it, and its own special forms (and
//! what differs in them from Calcite's) never come into play:
//!
//! * every name is quoted, and only the keywords that shape a query stay keywords;
//! * every operator between two operands becomes `+`, operators before or after one go away;
//! * `CASE` becomes a group in parentheses, `OVER`, `FILTER` and `WITHIN GROUP` become operands;
//! * special forms of functions (`TRIM(BOTH a FROM b)`) become calls with commas;
//! * `VALUES` becomes a marked `SELECT`, `TABLE t` becomes `SELECT * FROM t`, `TABLE(f(…))` becomes `f(…)`;
//! * literals with a prefix word, types, limits, frames, `PIVOT` and its like are cut.
//!
//! None of this can hide a table: the second reader counts them in the tokens as they came.

use sqlparser::keywords::Keyword as Word;
use sqlparser::tokenizer::{Token as ParserToken, TokenWithSpan};

mod expression;
mod open;
mod query;

use crate::resource_actions::sql::cursor::Cursor;
use crate::resource_actions::sql::form::Form;
use crate::resource_actions::sql::keyword::Keyword;
use crate::resource_actions::sql::lexeme::Symbol;
use crate::resource_actions::sql::parameter::{Parameter, ParameterValue};
use crate::resource_actions::sql::refusal::SqlRefusal;
use crate::resource_actions::sql::rewritten::{Mark, Rewritten};
use crate::resource_actions::sql::skeleton::{Kind, Reading};
use crate::resource_actions::sql::token::{Token, TokenKind};
use open::{Closer, Group, Open};

/// Rewrites the tokens of a query
///
/// # Errors
///
/// Tokens that have no place in a query of Druid SQL.
pub(super) fn rewrite(
    cursor: Cursor<'_, '_, '_>,
    parameters: &[Parameter],
    reading: Reading,
) -> Result<Vec<TokenWithSpan>, SqlRefusal> {
    let whole = Open::new(Group::Plain, None);
    let rewritten = Rewritten::new(reading);
    let mut rewriter = Rewriter { cursor, parameters, rewritten, open: vec![whole] };
    while let Some(token) = rewriter.cursor.next() {
        rewriter.rewritten.stand_for(rewriter.cursor.index() - 1);
        rewriter.token(token)?;
    }
    if rewriter.open.len() > 1 {
        return Err(SqlRefusal::EndsEarly);
    }
    Ok(rewriter.rewritten.into_tokens())
}

struct Rewriter<'t, 'a, 'x> {
    cursor: Cursor<'t, 'a, 'x>,
    parameters: &'x [Parameter],
    rewritten: Rewritten,
    open: Vec<Open>,
}

impl<'t, 'a> Rewriter<'t, 'a, '_> {
    fn token(&mut self, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        if self.rewritten.ends_with(Kind::Dot) {
            return self.after_dot(token);
        }
        match &token.kind {
            TokenKind::Keyword(keyword) if self.is_json_tail(*keyword) => self.cut(),
            TokenKind::Keyword(keyword) => self.keyword(*keyword, token),
            TokenKind::Word(_) | TokenKind::Name(_) => self.name(token),
            TokenKind::Text(_) if self.rewritten.ends_with(Kind::Text) && self.previous_is_text() => {
                self.done(Rewritten::spoil_text)
            }
            TokenKind::Text(text) if text.may_name => self.done(|rewritten| rewritten.text(&text.value)),
            TokenKind::Text(_) | TokenKind::Bytes => self.done(Rewritten::odd_text),
            TokenKind::Number(_) => self.done(Rewritten::some_value),
            TokenKind::Parameter(number) => self.parameter(*number),
            TokenKind::Symbol(symbol) => self.symbol(*symbol, token),
        }
    }

    /// Writes, and has nothing to refuse
    fn done(&mut self, write: impl FnOnce(&mut Rewritten)) -> Result<(), SqlRefusal> {
        write(&mut self.rewritten);
        Ok(())
    }

    fn unexpected(&self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        Err(self.cursor.unexpected(token))
    }

    /// The token before the one just read
    fn previous(&self) -> Option<&'t Token<'a>> {
        self.cursor.before_last()
    }

    fn previous_is_text(&self) -> bool {
        self.previous().is_some_and(|token| matches!(token.kind, TokenKind::Text(_) | TokenKind::Bytes))
    }

    fn name(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        match token.name() {
            Some(name) => self.done(|rewritten| rewritten.name(name)),
            None => self.unexpected(token),
        }
    }

    /// After a dot any word is a name
    fn after_dot(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        if token.is_symbol(Symbol::Star) {
            return self.done(|rewritten| rewritten.push(ParserToken::Mul));
        }
        self.name(token)
    }

    /// A question mark, bound where the request has a value for it
    fn parameter(&mut self, number: usize) -> Result<(), SqlRefusal> {
        let parameter = self.parameters.get(number);
        match parameter.map(|parameter| (parameter.text(), &parameter.value)) {
            Some((Some(text), _)) => self.done(|rewritten| rewritten.text(text)),
            Some((None, ParameterValue::Number(_) | ParameterValue::Boolean(_) | ParameterValue::Null)) => {
                self.done(Rewritten::some_value)
            }
            Some((None, ParameterValue::Text(_) | ParameterValue::Other)) => self.done(Rewritten::odd_text),
            None => self.done(|rewritten| rewritten.push(ParserToken::Placeholder("?".to_owned()))),
        }
    }

    fn symbol(&mut self, symbol: Symbol, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        match symbol {
            Symbol::LeftParen => self.open_paren(),
            Symbol::LeftBracket => self.open_bracket(token),
            Symbol::FunctionBrace | Symbol::LiteralBrace => {
                self.done_opening(Group::Braces, Symbol::RightBrace)
            }
            Symbol::RightParen | Symbol::RightBracket | Symbol::RightBrace => {
                self.close(Closer::Symbol(symbol), token)
            }
            Symbol::Comma => self.done(|rewritten| rewritten.push(ParserToken::Comma)),
            Symbol::Dot if self.rewritten.ends_with(Kind::Close) => self.operator(),
            Symbol::Dot => self.done(|rewritten| rewritten.push(ParserToken::Period)),
            Symbol::Colon if self.is_in_call(Form::Json) => {
                self.done(|rewritten| rewritten.push(ParserToken::Comma))
            }
            Symbol::NamedArgument => self.done(|rewritten| rewritten.push(ParserToken::RArrow)),
            Symbol::Star if !self.rewritten.ends_operand() => {
                self.done(|rewritten| rewritten.push(ParserToken::Mul))
            }
            Symbol::Sign if !self.rewritten.ends_operand() => Ok(()),
            Symbol::Star | Symbol::Sign | Symbol::Equals | Symbol::Operator => self.operator(),
            Symbol::Colon | Symbol::Semicolon | Symbol::Question | Symbol::Useless => self.unexpected(token),
        }
    }

    fn operator(&mut self) -> Result<(), SqlRefusal> {
        self.done(|rewritten| rewritten.push(ParserToken::Plus))
    }
}

/// Groups
impl<'t, 'a> Rewriter<'t, 'a, '_> {
    fn group(&self) -> Group {
        self.open.last().map_or(Group::Plain, |open| open.group)
    }

    fn is_in_call(&self, form: Form) -> bool {
        self.group() == Group::Call(form)
    }

    fn done_opening(&mut self, group: Group, closer: Symbol) -> Result<(), SqlRefusal> {
        let open = Open::new(group, Some(Closer::Symbol(closer)));
        if open.is_written {
            self.rewritten.push(ParserToken::LParen);
        }
        self.open.push(open);
        Ok(())
    }

    fn open_paren(&mut self) -> Result<(), SqlRefusal> {
        let form = self.previous().and_then(Form::of);
        let is_call = self.rewritten.ends_with(Kind::Name);
        let is_window = self.rewritten.ends_with_any_keyword(&[Word::AS])
            && self.open.last().is_some_and(|open| open.in_windows);
        let is_body = self.rewritten.ends_with_any_keyword(&[Word::AS]);
        let group = match form {
            _ if is_window => Group::Window,
            Some(form) if is_call => Group::Call(form),
            Some(_) | None => Group::Plain,
        };
        self.done_opening(group, Symbol::RightParen)?;
        if group == Group::Plain && self.cursor.next_is_symbol(Symbol::RightParen) {
            self.rewritten.some_value();
        } else if !is_body && self.cursor.begins_with_parenthesised_query() {
            self.put_query_first();
        }
        Ok(())
    }

    /// `((SELECT 1) UNION …)` gets a query in front, by which sqlparser knows it as a query
    fn put_query_first(&mut self) {
        self.begin_query();
        self.rewritten.keyword("SELECT");
        self.rewritten.mark(Mark::Nothing);
        self.rewritten.keyword("UNION");
    }

    /// `ARRAY[…]`, `MULTISET[…]` and `MAP[…]` are calls; else it is an element of what stands before
    fn open_bracket(&mut self, token: &Token<'_>) -> Result<(), SqlRefusal> {
        const COLLECTIONS: [Keyword; 3] = [Keyword::Array, Keyword::Multiset, Keyword::Map];
        let is_call =
            self.previous().is_some_and(|token| COLLECTIONS.iter().any(|keyword| token.is(*keyword)));
        if is_call {
            return self.done_opening(Group::Call(Form::Plain), Symbol::RightBracket);
        }
        if !self.rewritten.ends_operand() {
            return self.unexpected(token);
        }
        self.operator()?;
        self.done_opening(Group::Plain, Symbol::RightBracket)
    }

    fn close(&mut self, closer: Closer, token: &Token<'_>) -> Result<(), SqlRefusal> {
        let Some(open) = self.open.pop_if(|open| open.closer == Some(closer)) else {
            return self.unexpected(token);
        };
        for _ in 0..usize::from(open.is_written) + usize::from(open.is_wrapped) {
            self.rewritten.push(ParserToken::RParen);
        }
        if open.has_unit {
            self.skip_unit();
        }
        if open.group == Group::TableFunction {
            return self.skip_extension();
        }
        Ok(())
    }

    /// Opens a query that stands as an argument without parentheses of its own
    fn begin_query(&mut self) {
        let is_first =
            [Kind::Open, Kind::Comma, Kind::Other].into_iter().any(|kind| self.rewritten.ends_with(kind));
        let call = self.open.last_mut().filter(|open| is_first && matches!(open.group, Group::Call(_)));
        if let Some(open) = call {
            open.group = Group::Plain;
            open.is_wrapped = true;
            self.rewritten.push(ParserToken::LParen);
        }
    }

    /// Cuts what is left of the innermost group
    fn cut(&mut self) -> Result<(), SqlRefusal> {
        while !self.cursor.next_is_symbol(Symbol::RightParen) {
            if self.cursor.peek().is_none() {
                return Err(SqlRefusal::EndsEarly);
            }
            self.cursor.skip_group();
        }
        Ok(())
    }

    /// Cuts a whole group in parentheses
    fn cut_group(&mut self) -> Result<(), SqlRefusal> {
        if !self.cursor.next_is_symbol(Symbol::LeftParen) {
            return Err(self.cursor.unexpected_here());
        }
        self.cursor.skip_group();
        Ok(())
    }

    /// Cuts `[EXTEND] (column type, …)` behind `TABLE(…)`
    fn skip_extension(&mut self) -> Result<(), SqlRefusal> {
        if self.cursor.eat(Keyword::Extend) || self.cursor.next_is_symbol(Symbol::LeftParen) {
            return self.cut_group();
        }
        Ok(())
    }
}

/// What becomes of each keyword
impl<'t, 'a> Rewriter<'t, 'a, '_> {
    #[rustfmt::skip]
    fn keyword(&mut self, keyword: Keyword, token: &'t Token<'a>) -> Result<(), SqlRefusal> {
        use Keyword as K;
        match keyword {
            K::Select => self.select(),
            K::Values => self.values(),
            K::Table => self.table(token),
            K::With => self.with(),
            K::Recursive => self.only_after(&[Word::WITH], keyword, token),
            K::From | K::For | K::To | K::Using | K::Placing if self.is_in_call(Form::Words) => self.comma_between(),
            K::From | K::Using | K::Where | K::Group | K::Having | K::Union | K::Except | K::Intersect | K::Join => self.clause(keyword),
            K::On => self.on(),
            K::Window | K::Qualify => self.window_or_qualify(keyword),
            K::By => self.only_after(&[Word::GROUP, Word::ORDER, Word::PARTITION], keyword, token),
            K::Order | K::Partition => self.order_or_partition(keyword),
            K::As if self.is_in_call(Form::Cast) => self.cut(),
            K::As | K::Null => self.done(|rewritten| rewritten.keyword(keyword.word())),
            K::Limit | K::Offset | K::Fetch => self.limit(keyword, token),
            K::Distinct | K::All => self.quantifier(token),
            K::Any | K::Some => self.quantified(token),
            K::Natural | K::Inner | K::Left | K::Right | K::Full | K::Outer | K::Cross => self.join(token),
            K::Asof => self.asof(token),
            K::MatchCondition => self.match_condition(token),
            K::Lateral => self.lateral(),
            K::Case => self.case(),
            K::When | K::Then | K::Else => self.case_part(token),
            K::End => self.close(Closer::End, token),
            K::Not => Ok(()),
            K::Exists | K::Unique => self.exists(token),
            K::And | K::Or | K::In | K::Like | K::Ilike | K::Rlike | K::Escape => self.operator(),
            K::Between | K::Similar => self.long_operator(),
            K::Is => self.is(),
            K::Multiset | K::Member | K::Submultiset => self.multiset(token),
            K::Overlaps | K::Contains | K::Equals | K::Precedes | K::Succeeds | K::Immediately => self.period(keyword, token),
            K::True | K::False | K::Unknown => self.done(Rewritten::some_value),
            K::Interval => self.interval(token),
            K::Date | K::Time | K::Timestamp => self.typed_literal(token),
            K::Over => self.over(),
            K::Filter => self.filter(token),
            K::Within => self.within(token),
            K::Rows | K::Range => self.frame(token),
            K::Asc | K::Desc if self.rewritten.ends_operand() => Ok(()),
            K::Nulls | K::Ignore | K::Respect => self.nulls(token),
            K::Both | K::Leading | K::Trailing => self.trimmed_side(token),
            K::Key => self.json_key(token),
            K::Value => self.json_value(token),
            K::Format => self.json_format(token),
            K::Separator if self.is_in_some_call() && self.rewritten.ends_operand() => self.comma_between(),
            K::Grouping if self.cursor.eat(K::Sets) => self.done(|rewritten| rewritten.name("GROUPING SETS")),
            K::Tablesample => self.sample(),
            K::Pivot | K::Unpivot | K::MatchRecognize => self.reshaped(keyword, token),
            K::Absent | K::Array | K::Asc | K::Desc | K::Call | K::Default | K::Empty | K::Error | K::Exclude | K::Explain | K::Extern
            | K::First | K::Grouping | K::Include | K::Json | K::Last | K::Local | K::Map | K::Next | K::Only | K::Ordinality
            | K::Overwrite | K::Passing | K::Placing | K::Plan | K::Repeatable | K::Replace | K::Returning | K::Row | K::Separator
            | K::Session | K::Sets | K::Show | K::System | K::Unnest | K::Zone => self.name(token),
            K::Alter | K::Asymmetric | K::Clustered | K::Create | K::Delete | K::Describe | K::Drop | K::Extend | K::For | K::Insert
            | K::Into | K::Merge | K::Minus | K::Of | K::Partitioned | K::Reset | K::Set | K::Specific | K::Symmetric | K::To
            | K::Uescape | K::Update | K::Upsert | K::Without => self.unexpected(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_actions::sql::limits::SqlLimits;
    use crate::resource_actions::sql::{lexer, token};

    /// The rewritten query, its tokens apart
    fn rewritten(text: &str) -> Result<String, SqlRefusal> {
        let lexemes = lexer::read(text, &SqlLimits::default())?;
        let tokens = token::decode(text, &lexemes)?;
        let rewritten = rewrite(Cursor::new(text, &tokens), &[], Reading::Whole)?;
        let spelling = |token: &ParserToken| match token.to_string() {
            number if number.is_empty() => "0".to_owned(),
            spelling => spelling,
        };
        let tokens: Vec<_> = rewritten.iter().map(|token| spelling(&token.token)).collect();
        Ok(tokens.join(" ").replace(['"'], ""))
    }

    #[test]
    fn all_that_names_nothing_becomes_uniform() {
        for (text, expected) in [
            ("SELECT DISTINCT a.b c, * FROM t", "SELECT a . b c , * FROM t"),
            ("SELECT -a * NOT b || c >= 1", "SELECT a + b + c + 0"),
            ("SELECT a NOT BETWEEN 1 AND 2 OR b IS NOT NULL", "SELECT a + 0 + 0 + b"),
            (
                "SELECT a IN (SELECT 1), b = ALL (TABLE c)",
                "SELECT a + ( SELECT 0 ) , b + ( SELECT * FROM c )",
            ),
            ("SELECT CASE a WHEN b THEN c END", "SELECT ( a + b + c )"),
            (
                "SELECT f(x) FILTER (WHERE y) OVER (PARTITION BY a ORDER BY b ROWS 1 PRECEDING)",
                "SELECT f ( x ) + ( y ) + ( a , b )",
            ),
            (
                "SELECT TRIM(BOTH 'a' FROM b), EXTRACT(DAY FROM c)",
                "SELECT TRIM ( 'a' , b ) , EXTRACT ( DAY , c )",
            ),
            ("SELECT CAST(a AS DECIMAL(1, 2)), INTERVAL '1' DAY(2) TO SECOND", "SELECT CAST ( a ) , 0"),
            ("SELECT a[1].b, ARRAY[1]", "SELECT a + ( 0 ) + b , ARRAY ( 0 )"),
            ("SELECT f(SELECT a FROM b)", "SELECT f ( ( SELECT a FROM b ) )"),
            (
                "SELECT ((SELECT 1) UNION SELECT 2)",
                "SELECT ( SELECT NOTHING UNION ( SELECT 0 ) UNION SELECT 0 )",
            ),
            ("VALUES (1), ROW(2)", "SELECT VALUES , ( 0 ) , ROW ( 0 )"),
            ("SELECT 1 FROM TABLE(f(a => 'b')) (c INT) AS d", "SELECT 0 FROM f ( a => 'b' ) AS d"),
            (
                "SELECT 1 FROM a NATURAL LEFT JOIN b, UNNEST(c) WITH ORDINALITY",
                "SELECT 0 FROM a JOIN b , UNNEST ( c )",
            ),
            (
                "SELECT 1 GROUP BY GROUPING SETS ((), (a)) ORDER BY a DESC NULLS LAST LIMIT 1",
                "SELECT 0 GROUP BY GROUPING SETS ( ( 0 ) , ( a ) ) ORDER BY a",
            ),
            ("SELECT JSON_OBJECT(KEY 'a' VALUE key ABSENT ON NULL)", "SELECT JSON_OBJECT ( 'a' , key )"),
            ("SELECT JSON_OBJECT('a' : b = key, key : c)", "SELECT JSON_OBJECT ( 'a' , b + key , key , c )"),
        ] {
            assert_eq!(rewritten(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_no_place_in_a_query_is_refused() {
        for text in [
            "SELECT 1 MINUS SELECT 2",
            "SELECT (1",
            "SELECT 1)",
            "SELECT [a]",
            "SELECT a -> b",
            "SELECT 1 FROM a FOR UPDATE",
            "SELECT END",
            "SELECT {a}",
            "SELECT a : b",
        ] {
            assert!(rewritten(text).is_err(), "{text}");
        }
    }
}
