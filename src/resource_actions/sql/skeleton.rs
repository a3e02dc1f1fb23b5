//! The skeleton of a query: what sqlparser does not have to see is left out while the query is rewritten
//!
//! Most of a statement is expressions that read nothing. Of those a place for one is kept, since it is what
//! the grammar asks for: `a.b` becomes a name, `f(a, 1)` and `(a + 1)` a value, `a + b` its first operand, and of a list
//! those items stay that hold more than that. Each of these was read whole before it goes, so a text that the grammar
//! does not take stays one that it does not take. What stands in FROM, in WITH and in the arguments of LOOKUP is kept
//! as it is, and so is whatever is not known here. The second reader goes through all the tokens as they came.

use sqlparser::keywords::Keyword as Word;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::mention::is_lookup;

/// A kind of token of the rewritten language
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A quoted name
    Name,
    /// A literal or question mark that may name nothing
    Value,
    /// A string literal
    Text,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// The operator
    Plus,
    /// `*`
    Star,
    /// A word that is no name
    Keyword(Word),
    /// `=>`
    Other,
}

impl Kind {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "sqlparser has a hundred kinds, of which rewriting writes these"
    )]
    pub(super) fn of(token: &Token) -> Self {
        match token {
            Token::Word(word) if word.quote_style.is_none() => Self::Keyword(word.keyword),
            Token::Word(_) => Self::Name,
            Token::Number(..) | Token::Placeholder(_) => Self::Value,
            Token::SingleQuotedString(_) | Token::NationalStringLiteral(_) => Self::Text,
            Token::LParen => Self::Open,
            Token::RParen => Self::Close,
            Token::Comma => Self::Comma,
            Token::Period => Self::Dot,
            Token::Plus => Self::Plus,
            Token::Mul => Self::Star,
            // `=>`, and whatever rewriting may come to write: kept as it is.
            _ => Self::Other,
        }
    }
}

/// How much of a query sqlparser is to see
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// What may name something, and what holds it
    Skeleton,
    /// Everything; slower, and nothing else may come of it
    Whole,
}

/// Leaves out of the tokens what names nothing, as soon as it has been read
#[derive(Debug)]
pub(super) struct Skeleton {
    /// The parentheses that are open, and the query around them; none where everything is to be read
    levels: Vec<Level>,
}

impl Skeleton {
    pub(super) fn new(reading: Reading) -> Self {
        Self {
            levels: if reading == Reading::Skeleton { vec![Level::new(List::Kept, 0)] } else { Vec::new() },
        }
    }

    /// Whether the next name or text is kept as it is
    pub(super) fn keeps(&self) -> bool {
        self.levels.last().is_none_or(|level| level.list == List::Kept)
    }

    /// Adds a token, and takes away what it brings to an end
    pub(super) fn add(&mut self, token: TokenWithSpan, tokens: &mut Vec<TokenWithSpan>) {
        let Some(level) = self.levels.last_mut() else { return tokens.push(token) };
        match Kind::of(&token.token) {
            Kind::Open => {
                let opened = level.open(tokens);
                self.levels.push(opened);
            }
            Kind::Close => return self.close(token, tokens),
            Kind::Keyword(word) if !matches!(word, Word::AS | Word::NULL) => level.clause(word, tokens),
            kind @ (Kind::Name
            | Kind::Value
            | Kind::Text
            | Kind::Comma
            | Kind::Dot
            | Kind::Plus
            | Kind::Star)
            | kind @ (Kind::Keyword(_) | Kind::Other) => level.step(kind, tokens),
        }
        tokens.push(token);
    }

    /// Parentheses that hold operands are an operand, and nothing is left of them
    fn close(&mut self, token: TokenWithSpan, tokens: &mut Vec<TokenWithSpan>) {
        let Some(mut level) = self.levels.pop_if(|level| level.open > 0) else { return tokens.push(token) };
        let begin = level.open.saturating_sub(1 + usize::from(level.is_call));
        match tokens.get(begin).map(|first| first.span) {
            Some(span) if level.is_operand(tokens) => {
                tokens.truncate(begin);
                tokens.push(TokenWithSpan::new(Token::Number(String::new(), false), span));
            }
            Some(_) | None => tokens.push(token),
        }
        if let Some(around) = self.levels.last_mut() {
            around.state = State::Operand;
        }
    }
}

/// What stands in a pair of parentheses, or after a keyword in them
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// What is kept as it is
    Kept,
    /// The items of a SELECT
    Select,
    /// Operands, with commas between them
    Operands,
    /// One condition
    Condition,
}

/// What has been read of an item
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing, or an operator
    Start,
    /// A name
    Name,
    /// A name and a dot
    Dot,
    /// A name of several parts
    Parts,
    /// An operand that is no name
    Operand,
    /// `*`
    Star,
    /// `AS` behind an operand
    As,
    /// A name behind that, or behind an operand
    Alias,
}

#[derive(Debug)]
struct Level {
    list: List,
    state: State,
    /// Where it begins, behind its `(`
    open: usize,
    /// Whether a name stands before it, the function that is called
    is_call: bool,
    /// Whether there has been a SELECT in it
    is_query: bool,
    /// Whether all items before this one are gone but the first, and that is one token
    is_plain: bool,
    /// Where the item begins that is being read
    item: usize,
    /// Whether none stands before it
    is_first: bool,
    /// Where its last operand begins
    operand: usize,
    /// Whether one token is left of its operands
    is_single: bool,
}

impl Level {
    fn new(list: List, open: usize) -> Self {
        Self {
            list,
            state: State::Start,
            open,
            is_call: false,
            is_query: false,
            is_plain: list == List::Operands,
            item: open,
            is_first: true,
            operand: open,
            is_single: false,
        }
    }

    /// From here on nothing is left out
    fn keep(&mut self) {
        self.list = List::Kept;
        self.is_plain = false;
    }

    /// The level that a `(` opens here
    fn open(&mut self, tokens: &[TokenWithSpan]) -> Self {
        let is_call = self.state == State::Name;
        let open = tokens.len() + 1;
        if self.list == List::Kept || !(is_call || self.state == State::Start) {
            self.keep();
            return Self::new(List::Kept, open);
        }
        let Some(function) = tokens.last().filter(|_| is_call) else {
            self.operand = tokens.len();
            return Self::new(List::Operands, open);
        };
        let is_lookup = matches!(&function.token, Token::Word(word) if is_lookup(&word.value));
        Self { is_call, ..Self::new(if is_lookup { List::Kept } else { List::Operands }, open) }
    }

    /// Whether all that it holds, when its `)` comes, is an operand that names nothing
    fn is_operand(&mut self, tokens: &mut Vec<TokenWithSpan>) -> bool {
        if self.list != List::Operands || self.is_query {
            return false;
        }
        let is_empty_call = self.is_call && tokens.len() == self.open;
        let is_star = self.state == State::Star;
        is_empty_call || self.end_item(tokens) && (self.is_plain || is_star) && tokens.len() == self.open + 1
    }

    /// What a keyword begins that is no part of an expression
    fn clause(&mut self, word: Word, tokens: &mut Vec<TokenWithSpan>) {
        let is_complete = self.list == List::Kept || self.end_item(tokens);
        self.is_query |= word == Word::SELECT;
        self.list = if word == Word::SELECT {
            List::Select
        } else if !is_complete || !self.is_query {
            List::Kept
        } else if matches!(word, Word::WHERE | Word::HAVING | Word::QUALIFY | Word::ON) {
            List::Condition
        } else if word == Word::BY {
            List::Operands
        } else {
            List::Kept
        };
        self.is_plain = false;
        self.is_first = true;
        self.begin_item(tokens.len() + 1);
    }

    fn begin_item(&mut self, at: usize) {
        self.state = State::Start;
        self.item = at;
        self.operand = at;
        self.is_single = false;
    }

    /// Goes on by a token that is neither parenthesis nor keyword of a clause
    fn step(&mut self, kind: Kind, tokens: &mut Vec<TokenWithSpan>) {
        use State as S;
        if self.list == List::Kept {
            return;
        }
        let is_select = self.list == List::Select;
        let ends_operand = matches!(self.state, S::Name | S::Parts | S::Operand);
        match (self.state, kind) {
            (S::Start, Kind::Name | Kind::Value | Kind::Text | Kind::Keyword(Word::NULL)) => {
                self.operand = tokens.len();
                self.state = if kind == Kind::Name { S::Name } else { S::Operand };
            }
            (S::Start, Kind::Star) if self.takes_star(tokens) => self.star(),
            (S::Dot, Kind::Star) if is_select => self.star(),
            (S::Name | S::Parts, Kind::Dot) => self.state = S::Dot,
            (S::Dot, Kind::Name) => self.state = S::Parts,
            (S::As, Kind::Name) => self.state = S::Alias,
            (_, Kind::Plus) if ends_operand => self.end_operand(S::Start, tokens),
            (_, Kind::Name) if ends_operand && is_select => self.end_operand(S::Alias, tokens),
            (_, Kind::Keyword(Word::AS)) if ends_operand && is_select => self.end_operand(S::As, tokens),
            (_, Kind::Comma) if self.takes_comma() && self.end_item(tokens) => {
                self.is_first = false;
                self.begin_item(tokens.len() + 1);
            }
            _ => self.keep(),
        }
    }

    /// `*` is an item of a SELECT, or all that a function is called with
    fn takes_star(&self, tokens: &[TokenWithSpan]) -> bool {
        let is_alone = tokens.len() == self.item;
        is_alone && (self.list == List::Select || self.is_call && self.item == self.open)
    }

    fn takes_comma(&self) -> bool {
        self.list == List::Select || self.list == List::Operands && self.state != State::Star
    }

    fn star(&mut self) {
        self.is_single = false;
        self.state = State::Star;
    }

    /// An operand is complete: one token is left of a name, and of a later operand nothing
    fn end_operand(&mut self, state: State, tokens: &mut Vec<TokenWithSpan>) {
        if self.state == State::Parts {
            tokens.truncate(self.operand + 1);
        }
        if self.operand > self.item && tokens.len() == self.operand + 1 {
            tokens.truncate(self.operand - 1);
        }
        self.is_single = tokens.len() == self.item + 1;
        self.state = state;
    }

    /// Whether the item is complete; one that names nothing goes, unless it is the first
    fn end_item(&mut self, tokens: &mut Vec<TokenWithSpan>) -> bool {
        if matches!(self.state, State::Name | State::Parts | State::Operand) {
            self.end_operand(State::Alias, tokens);
        }
        if self.is_single && !self.is_first && self.state == State::Alias {
            tokens.truncate(self.item - 1);
        }
        self.is_plain &= self.is_single;
        matches!(self.state, State::Alias | State::Star)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_actions::sql::cursor::Cursor;
    use crate::resource_actions::sql::limits::SqlLimits;
    use crate::resource_actions::sql::{lexer, rewrite, token};

    /// What is left of a query, its tokens apart; `_` is a name that does not matter, 0 a value
    fn skeleton(text: &str) -> String {
        let lexemes = lexer::read(text, &SqlLimits::default()).unwrap();
        let tokens = token::decode(text, &lexemes).unwrap();
        let rewritten = rewrite::rewrite(Cursor::new(text, &tokens), &[], Reading::Skeleton).unwrap();
        let spelling = |token: &Token| match token.to_string().as_str() {
            "" => "0".to_owned(),
            "\"\"" => "_".to_owned(),
            spelling => spelling.replace('"', ""),
        };
        rewritten.iter().map(|token| spelling(&token.token)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn of_what_names_nothing_a_place_is_left() {
        for (text, left) in [
            ("SELECT a.b.c + f(d, 'x' || e) * 2 FROM t", "SELECT _ FROM t"),
            ("SELECT a, b AS c, f(d), COUNT(*) e, (1, 2) FROM t", "SELECT _ FROM t"),
            ("SELECT CASE WHEN a THEN g() END FROM t", "SELECT 0 FROM t"),
            ("SELECT *, a FROM t WHERE b = 1 AND c", "SELECT * FROM t WHERE _"),
            (
                "SELECT a FROM t GROUP BY a, b.c HAVING f(a) > 1 ORDER BY a, 2",
                "SELECT _ FROM t GROUP BY _ HAVING 0 ORDER BY _",
            ),
            ("VALUES (1, a), (2, b)", "SELECT VALUES"),
        ] {
            assert_eq!(
                skeleton(&format!("{text} UNION TABLE z")),
                format!("{left} UNION SELECT * FROM z"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_may_name_something_stays_whole() {
        for (text, left) in [
            ("SELECT a, LOOKUP(b.c, 'l'), d FROM t", "SELECT _ , LOOKUP ( b . c , 'l' ) FROM t"),
            ("SELECT f(a, (SELECT b.c FROM t), d) FROM u", "SELECT _ ( _ , ( SELECT _ FROM t ) ) FROM u"),
            ("SELECT a + b IN (SELECT c FROM t) + d FROM u", "SELECT _ + ( SELECT _ FROM t ) FROM u"),
            (
                "SELECT a FROM TABLE(EXTERN('x', f(b))) AS e JOIN c.d AS g (h, i) ON g.h = e.i AND 1, k.l",
                "SELECT _ FROM EXTERN ( 'x' , f ( b ) ) AS e JOIN c . d AS g ( h , i ) ON _ + 0 , k . l",
            ),
            (
                "WITH w (x, y) AS (SELECT a.b, c FROM t) SELECT d FROM w",
                "WITH w ( x , y ) AS ( SELECT _ FROM t ) SELECT _ FROM w",
            ),
            ("SELECT a FROM t JOIN u USING (b, c)", "SELECT _ FROM t JOIN u USING ( b , c )"),
            ("SELECT f(a => 1, b), c FROM t", "SELECT _ ( _ => 0 , b ) FROM t"),
        ] {
            assert_eq!(skeleton(text), left, "{text}");
        }
    }

    #[test]
    fn what_the_grammar_does_not_take_is_not_made_what_it_takes() {
        for (text, left) in [
            ("SELECT a b c, d FROM t", "SELECT _ _ _ , d FROM t"),
            ("SELECT a b + c FROM t", "SELECT _ _ + c FROM t"),
            ("SELECT f(a)(b) FROM t", "SELECT 0 ( b ) FROM t"),
            ("SELECT * || a FROM t", "SELECT * + a FROM t"),
            ("SELECT a,, b FROM t", "SELECT _ , , b FROM t"),
            ("SELECT FROM t WHERE a.b", "SELECT FROM t WHERE _ . _"),
            ("SELECT f(a b) FROM t", "SELECT _ ( _ _ ) FROM t"),
            ("SELECT f(*, a) FROM t", "SELECT _ ( * , a ) FROM t"),
            ("SELECT a.b(c) FROM t", "SELECT _ . _ ( c ) FROM t"),
        ] {
            assert_eq!(skeleton(text), left, "{text}");
        }
    }
}
