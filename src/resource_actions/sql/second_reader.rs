//! The second reader: counts tables, queries and table functions in the tokens as they came
//!
//! It shares no code with rewriting, parsing and walking, and knows only where `FROM` stands, what
//! parentheses hold, and where a list of tables ends. Where it differs from the walk the statement
//! is refused.

use super::keyword::Keyword;
use super::lexeme::Symbol;
use super::mention::{Counts, TABLE_FUNCTIONS};
use super::token::{Token, TokenKind};

/// Counts what stands in these tokens
pub(super) fn count(tokens: &[Token<'_>]) -> Counts {
    let mut counter = Counter {
        tokens,
        at: 0,
        levels: vec![Level::default()],
        last_table: None,
        counts: Counts::default(),
    };
    while counter.at < tokens.len() {
        counter.step();
        counter.at += 1;
    }
    counter.counts.sorted()
}

/// What is expected at a place
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Expressions
    #[default]
    Elsewhere,
    /// A table
    Table,
    /// What may follow a table: an alias, a join, a comma, a condition
    AfterTable,
}

/// What is inside one pair of parentheses
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    place: Place,
    /// Whether `FROM` separates arguments here (`TRIM(a FROM b)`)
    is_words_call: bool,
}

struct Counter<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    levels: Vec<Level>,
    /// Where the name of the last table ended
    last_table: Option<usize>,
    counts: Counts,
}

impl<'t, 'a> Counter<'t, 'a> {
    fn token(&self, offset: isize) -> Option<&'t Token<'a>> {
        self.at.checked_add_signed(offset).and_then(|at| self.tokens.get(at))
    }

    fn is(&self, offset: isize, keyword: Keyword) -> bool {
        self.token(offset).is_some_and(|token| token.is(keyword))
    }

    fn is_symbol(&self, offset: isize, symbol: Symbol) -> bool {
        self.token(offset).is_some_and(|token| token.is_symbol(symbol))
    }

    fn place(&self) -> Place {
        self.levels.last().map_or(Place::Elsewhere, |level| level.place)
    }

    fn go_to(&mut self, place: Place) {
        if let Some(level) = self.levels.last_mut() {
            level.place = place;
        }
    }

    fn step(&mut self) {
        let Some(token) = self.token(0) else { return };
        if self.is_symbol(-1, Symbol::Dot) {
            return;
        }
        match &token.kind {
            TokenKind::Symbol(symbol) => self.symbol(*symbol),
            TokenKind::Keyword(keyword) => self.keyword(*keyword),
            TokenKind::Word(_) | TokenKind::Name(_) => self.name(),
            TokenKind::Text(_) | TokenKind::Number(_) | TokenKind::Bytes | TokenKind::Parameter(_) => {}
        }
    }

    fn symbol(&mut self, symbol: Symbol) {
        if symbol == Symbol::LeftParen {
            self.open();
        } else if symbol == Symbol::LeftBracket {
            self.levels.push(Level::default());
        } else if matches!(symbol, Symbol::RightParen | Symbol::RightBracket) {
            self.levels.pop();
        } else if symbol == Symbol::Comma && self.place() == Place::AfterTable {
            self.go_to(Place::Table);
        }
    }

    /// Parentheses where a table is expected hold a query, or more tables
    fn open(&mut self) {
        let is_query = self.begins_query(1);
        let expects_table = self.place() == Place::Table;
        if expects_table {
            self.counts.derived += usize::from(is_query);
            self.go_to(Place::AfterTable);
        }
        let place = if expects_table && !is_query { Place::Table } else { Place::Elsewhere };
        let is_words_call = !is_query && self.token(-1).is_some_and(takes_from);
        self.levels.push(Level { place, is_words_call });
    }

    fn begins_query(&self, offset: isize) -> bool {
        let words = [Keyword::Select, Keyword::With, Keyword::Values];
        words.into_iter().any(|keyword| self.is(offset, keyword)) || self.is_explicit_table(offset)
    }

    /// `TABLE t`, not `TABLE(…)`
    fn is_explicit_table(&self, offset: isize) -> bool {
        self.is(offset, Keyword::Table) && !self.is_symbol(offset + 1, Symbol::LeftParen)
    }

    fn keyword(&mut self, keyword: Keyword) {
        use Keyword as K;
        if keyword == K::Table && self.is_explicit_table(0) {
            self.counts.selects += 1;
            self.go_to(Place::Table);
        } else if matches!(keyword, K::Select | K::Values) {
            self.counts.selects += 1;
            self.go_to(Place::Elsewhere);
        } else if keyword == K::From {
            self.from();
        } else if keyword == K::Join {
            self.go_to(Place::Table);
        } else if keyword == K::Case {
            self.levels.push(Level::default());
        } else if keyword == K::End {
            self.levels.pop();
        } else if ends_tables(keyword) && !self.is(-1, Keyword::Within) && !self.is(-1, Keyword::Multiset) {
            self.go_to(Place::Elsewhere);
        } else if !(self.place() == Place::Table && matches!(keyword, K::Lateral | K::Table | K::Specific)) {
            self.name();
        }
    }

    fn from(&mut self) {
        let is_distinct_from =
            self.is(-1, Keyword::Distinct) && (self.is(-2, Keyword::Is) || self.is(-2, Keyword::Not));
        let is_between_arguments = self.levels.last().is_some_and(|level| level.is_words_call);
        if !is_distinct_from && !is_between_arguments {
            self.go_to(Place::Table);
        }
    }

    /// A word or a quoted name: a table where one is expected, else perhaps a function
    fn name(&mut self) {
        if self.place() == Place::Table {
            return self.table();
        }
        if !self.is_symbol(1, Symbol::LeftParen) || self.is_alias() {
            return;
        }
        let name = self.token(0).and_then(Token::name).unwrap_or_default().to_lowercase();
        if name == "lookup" {
            self.counts.lookups += 1;
        } else if TABLE_FUNCTIONS.contains(&name.as_str()) {
            self.counts.table_functions.push(vec![name]);
        }
    }

    /// Whether the name that stands here is one that is given, with a list of columns
    fn is_alias(&self) -> bool {
        let after_table = self.place() == Place::AfterTable
            && (self.is_symbol(-1, Symbol::RightParen) || self.at.checked_sub(1) == self.last_table);
        let columns = self.token(1).map_or(0, |token| token.inside);
        let after = isize::try_from(columns).unwrap_or(isize::MAX).saturating_add(3);
        let is_body =
            self.is(after, Keyword::As) && self.is_symbol(after.saturating_add(1), Symbol::LeftParen);
        after_table || is_body || self.is(-1, Keyword::As) || self.is(-1, Keyword::With)
    }

    /// `a.b.c`, or `a.b.c(…)`; `TABLE(` may stand before
    fn table(&mut self) {
        let mut name = Vec::new();
        while let Some(part) = self.token(0).and_then(Token::name) {
            name.push(part.to_owned());
            if !self.is_symbol(1, Symbol::Dot) {
                break;
            }
            self.at += 2;
        }
        let is_function = self.is_symbol(1, Symbol::LeftParen);
        if is_function {
            self.counts.table_functions.push(name.iter().map(|part| part.to_lowercase()).collect());
        } else {
            self.counts.tables.push(name);
        }
        self.last_table = Some(self.at);
        self.go_to(Place::AfterTable);
    }
}

/// Functions whose arguments `FROM` may separate
fn takes_from(token: &Token<'_>) -> bool {
    ["EXTRACT", "TRIM", "SUBSTRING", "OVERLAY", "POSITION"].into_iter().any(|word| token.is_word(word))
}

/// Keywords with which a list of tables is over
fn ends_tables(keyword: Keyword) -> bool {
    use Keyword as K;
    matches!(
        keyword,
        K::Where
            | K::Group
            | K::Having
            | K::Window
            | K::Qualify
            | K::Order
            | K::Union
            | K::Except
            | K::Intersect
            | K::Limit
            | K::Offset
            | K::Fetch
    )
}

#[cfg(test)]
mod tests {
    use super::super::limits::SqlLimits;
    use super::super::{lexer, token};
    use super::*;

    fn counted(text: &str) -> Counts {
        let lexemes = lexer::read(text, &SqlLimits::default()).unwrap();
        count(&token::decode(text, &lexemes).unwrap())
    }

    /// The tables, or the table functions, that are found
    fn names(names: &[Vec<String>]) -> Vec<String> {
        names.iter().map(|parts| parts.join(".")).collect()
    }

    #[test]
    fn tables_are_found_wherever_they_stand() {
        for (text, tables) in [
            ("SELECT 1 FROM a JOIN b ON x[1, 2] = CASE WHEN 1, 2 THEN 3 END, c.d", vec!["a", "b", "c.d"]),
            ("SELECT TRIM(x FROM y), x IS DISTINCT FROM z FROM a", vec!["a"]),
            ("SELECT 1 FROM ((a JOIN b ON 1) JOIN (SELECT 1 FROM c, d) e ON 1)", vec!["a", "b", "c", "d"]),
            ("SELECT f(a, TRIM((SELECT x FROM b) FROM y)) FROM c ORDER BY x, y", vec!["b", "c"]),
            ("TABLE a UNION TABLE b", vec!["a", "b"]),
            (
                "SELECT 1 FROM a JOIN b ON f(x) WITHIN GROUP (ORDER BY y) = z MULTISET UNION w, c",
                vec!["a", "b", "c"],
            ),
        ] {
            assert_eq!(names(&counted(text).tables), tables, "{text}");
        }
    }

    #[test]
    fn functions_are_told_from_names_with_columns() {
        let text = "WITH lookup(a) AS (SELECT 1) SELECT LOOKUP(x, 'y') FROM \"Extern\"('z') AS append(b), TABLE(f(1)), t inline(c)";
        let counts = counted(text);
        assert_eq!(names(&counts.table_functions), ["extern", "f"]);
        assert_eq!((counts.lookups, counts.selects, counts.derived), (1, 2, 0));
        assert_eq!(names(&counted("SELECT \"EXTERN\"('a')").table_functions), ["extern"]);
    }
}
