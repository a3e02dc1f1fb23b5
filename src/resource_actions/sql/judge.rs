//! The judge of Druid SQL

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use super::cursor::Cursor;
use super::lexeme::Symbol;
use super::limits::SqlLimits;
use super::objection::Objection;
use super::parameter::Parameter;
use super::refusal::{Position, SqlRefusal};
use super::skeleton::Reading;
use super::statement::{Request, Target};
use super::token::Token;
use super::walk::Findings;
use super::{dialect, forwarded, lexer, needs, rewrite, second_reader, statement, token, walk};
use crate::druid::ResourceAction;
use crate::druid::owner::is_reserved_context_key;
use crate::resource_actions::query_context::{Setting, of_key};
use crate::resource_actions::{Needed, Rules};

/// The stack of the thread on which [`judge`] is called
///
/// It holds the largest statement within the default limits, in a debug build.
pub const JUDGE_STACK_BYTES: usize = 64 * 1024 * 1024;

/// A statement as a request brings it
#[derive(Clone, Copy, Debug)]
pub struct SqlStatement<'a> {
    /// Its text
    pub text: &'a str,
    /// The values of its question marks
    pub parameters: &'a [Parameter],
}

/// What a statement needs, and what Druid gets
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What kind of statement it is
    pub kind: StatementKind,
    /// What it needs, all of it
    pub needs: Needed,
    /// The text to send in place of the one that came
    pub forwarded: String,
    /// Where in it the statement begins, behind its `SET`s; in bytes
    pub statement_start: usize,
    /// What its `SET`s put into the query context, in the order of the text
    pub settings: Vec<Setting>,
    /// The datasource it writes
    pub target: Option<String>,
}

impl Judgement {
    /// The text that asks Druid for a plan of what would be sent
    pub fn explanation(&self) -> String {
        if matches!(self.kind, StatementKind::Explain(_)) {
            return self.forwarded.clone();
        }
        let (settings, statement) = self.forwarded.split_at(self.statement_start.min(self.forwarded.len()));
        format!("{settings}EXPLAIN PLAN FOR {statement}")
    }
}

/// A kind of statement
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// A query whose rows go to the caller, `WITH`, `VALUES` and `TABLE t` among them
    Select,
    /// `INSERT INTO` a datasource
    Insert,
    /// `REPLACE INTO` a datasource
    Replace,
    /// `INSERT INTO EXTERN(…)`
    Export,
    /// `EXPLAIN PLAN FOR` one of the others
    Explain(Box<StatementKind>),
}

impl fmt::Display for StatementKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Select => formatter.write_str("SELECT"),
            Self::Insert => formatter.write_str("INSERT"),
            Self::Replace => formatter.write_str("REPLACE"),
            Self::Export => formatter.write_str("INSERT INTO EXTERN"),
            Self::Explain(kind) => write!(formatter, "EXPLAIN of {kind}"),
        }
    }
}

/// Says what a statement needs under the rules, and what Druid gets (`DruidPlanner`, `SqlResourceCollectorShuttle`)
///
/// Call it on a thread with [`JUDGE_STACK_BYTES`] of stack.
///
/// # Errors
///
/// Whatever is not understood, not supported, too large, or could be read in two ways.
pub fn judge(sql: &SqlStatement<'_>, rules: &Rules, limits: &SqlLimits) -> Result<Judgement, SqlRefusal> {
    judge_by(Reading::Skeleton, sql, rules, limits)
}

/// As [`judge`], by a reading of so much; both come to the same, which the tests hold
///
/// # Errors
///
/// As [`judge`].
pub fn judge_by(
    reading: Reading,
    sql: &SqlStatement<'_>,
    rules: &Rules,
    limits: &SqlLimits,
) -> Result<Judgement, SqlRefusal> {
    let lexemes = lexer::read(sql.text, limits)?;
    let tokens = token::decode(sql.text, &lexemes)?;
    let request = statement::parse(sql.text, &tokens)?;
    refuse_reserved_keys(&request.settings)?;
    let query = Query { text: sql.text, tokens: query_tokens(&request), parameters: sql.parameters, limits };
    let findings = query.findings(reading)?;
    let needs = Needed::after_reading_everything(
        all_needs(&request, &findings, rules).ok_or_else(|| query.undecided())?,
    );
    let forwarded = forwarded::print(sql.text, &lexemes, &tokens, request.start)?;
    Ok(Judgement {
        kind: kind(&request),
        needs,
        forwarded: forwarded.text,
        statement_start: forwarded.place,
        target: target(&request.target),
        settings: request.settings,
    })
}

fn refuse_reserved_keys(settings: &[Setting]) -> Result<(), SqlRefusal> {
    let reserved = settings.iter().find(|setting| is_reserved_context_key(&setting.key));
    reserved.map_or(Ok(()), |setting| Err(SqlRefusal::ReservedContextKey(setting.key.clone())))
}

fn all_needs(
    request: &Request<'_, '_>,
    findings: &Findings,
    rules: &Rules,
) -> Option<BTreeSet<ResourceAction>> {
    let mut all: BTreeSet<_> = needs::of_target(&request.target).into_iter().collect();
    all.extend(request.settings.iter().filter_map(|setting| of_key(&setting.key, rules)));
    for mention in &findings.mentions {
        all.extend(needs::of_mention(mention, rules)?);
    }
    Some(all)
}

fn kind(request: &Request<'_, '_>) -> StatementKind {
    let kind = match request.target {
        Target::Caller => StatementKind::Select,
        Target::Insert(_) => StatementKind::Insert,
        Target::Replace(_) => StatementKind::Replace,
        Target::Export(..) => StatementKind::Export,
    };
    if request.is_explained { StatementKind::Explain(Box::new(kind)) } else { kind }
}

fn target(target: &Target) -> Option<String> {
    match target {
        Target::Insert(name) | Target::Replace(name) => Some(name.clone()),
        Target::Caller | Target::Export(..) => None,
    }
}

/// The query with the items of `CLUSTERED BY` as its `ORDER BY` (`DruidSqlParserUtils.convertClusterByToOrderBy`)
fn query_tokens<'t, 'a>(request: &Request<'t, 'a>) -> Cow<'t, [Token<'a>]> {
    let Some(first) = request.clustered_by.first() else {
        return Cow::Borrowed(request.query);
    };
    let query = without_parentheses(request.query);
    let mut tokens = Vec::with_capacity(query.len() + 2 + request.clustered_by.len());
    tokens.extend_from_slice(query);
    tokens.extend(token::order_by(first));
    tokens.extend_from_slice(request.clustered_by);
    Cow::Owned(tokens)
}

/// The order goes into a query in parentheses, where it takes the place of a LIMIT
fn without_parentheses<'t, 'a>(mut query: &'t [Token<'a>]) -> &'t [Token<'a>] {
    while let [first, inside @ .., _] = query
        && first.is_symbol(Symbol::LeftParen)
        && first.inside == inside.len()
    {
        query = inside;
    }
    query
}

/// A query on its way through both readers
struct Query<'t, 'a> {
    text: &'a str,
    tokens: Cow<'t, [Token<'a>]>,
    parameters: &'a [Parameter],
    limits: &'a SqlLimits,
}

impl Query<'_, '_> {
    fn findings(&self, reading: Reading) -> Result<Findings, SqlRefusal> {
        let rewritten = rewrite::rewrite(Cursor::new(self.text, &self.tokens), self.parameters, reading)?;
        let query =
            dialect::read(rewritten, self.limits.statement_nesting).map_err(|place| self.syntax(place))?;
        let findings = walk::walk(&query).map_err(|objection| self.objection(&objection))?;
        let difference = second_reader::count(&self.tokens).difference(&findings.counts);
        difference.map_or(Ok(findings), |what| Err(SqlRefusal::TwoReadings(what)))
    }

    fn syntax(&self, place: Option<usize>) -> SqlRefusal {
        let token = place.and_then(|place| self.tokens.get(place));
        token.map_or(SqlRefusal::EndsEarly, |token| SqlRefusal::Syntax {
            near: token.text.to_owned(),
            at: Position::of(self.text, token.start),
        })
    }

    /// Where the query begins
    fn start(&self) -> Position {
        Position::of(self.text, self.tokens.first().map_or(0, |token| token.start))
    }

    /// Where a name stands of which this is the last part, in any case
    fn place_of(&self, name: &str) -> Position {
        let last = name.rsplit('.').next().unwrap_or(name).to_lowercase();
        let token =
            self.tokens.iter().find(|token| token.name().is_some_and(|name| name.to_lowercase() == last));
        token.map_or_else(|| self.start(), |token| Position::of(self.text, token.start))
    }

    fn undecided(&self) -> SqlRefusal {
        let what = "LOOKUP without a name that can be told, or EXTERN without a type that can be told,";
        SqlRefusal::Unsupported(format!("{what} in the query"), self.start())
    }

    fn objection(&self, objection: &Objection) -> SqlRefusal {
        match objection {
            Objection::Node(what) => SqlRefusal::NotUnderstood(what, self.start()),
            Objection::UnknownTable(name) => {
                self.unknown(name, "table; the schemas are druid, view, lookup, sys and INFORMATION_SCHEMA,")
            }
            Objection::UnknownTableFunction(name) => self.unknown(name, "function to select from,"),
            Objection::Undecided(what) => SqlRefusal::Unsupported(printable(what), self.start()),
        }
    }

    fn unknown(&self, name: &str, what: &str) -> SqlRefusal {
        let what = format!("`{}`, which Druid does not know as a {what}", printable(name));
        SqlRefusal::Unsupported(what, self.place_of(name))
    }
}

fn printable(text: &str) -> String {
    crate::druid::resource::Printable(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::SqlRefusalClass;
    use super::*;
    use crate::resource_actions::query_context::ContextValue;

    fn judged(text: &str) -> Result<Judgement, SqlRefusal> {
        judge(&SqlStatement { text, parameters: &[] }, &Rules::default(), &SqlLimits::default())
    }

    #[test]
    fn a_judgement_tells_the_kind_the_target_and_the_keys() {
        let judgement =
            judged("SET a = 1; EXPLAIN PLAN FOR REPLACE INTO b OVERWRITE ALL SELECT 1 PARTITIONED BY ALL")
                .unwrap();
        assert_eq!(judgement.kind.to_string(), "EXPLAIN of REPLACE");
        assert_eq!(judgement.target.as_deref(), Some("b"));
        assert_eq!(judgement.settings, [Setting { key: "a".to_owned(), value: ContextValue::Other }]);
        assert_eq!(
            judged("INSERT INTO EXTERN(s3()) AS CSV SELECT 1").unwrap().kind.to_string(),
            "INSERT INTO EXTERN"
        );
        assert_eq!(judged("TABLE a").unwrap().kind.to_string(), "SELECT");
    }

    #[test]
    fn the_explanation_is_asked_of_the_statement_behind_its_settings() {
        for (text, explanation) in [
            ("SELECT 1", "EXPLAIN PLAN FOR SELECT 1"),
            ("SET a = 1; (SELECT 1)", "SET a = 1; EXPLAIN PLAN FOR (SELECT 1)"),
            (
                "SET a = 'x' /* y */; /* z */ WITH b AS (SELECT 1) SELECT 2",
                "SET a = 'x'  ;   EXPLAIN PLAN FOR WITH b AS (SELECT 1) SELECT 2",
            ),
            ("SET a = 1; EXPLAIN PLAN FOR SELECT 1", "SET a = 1; EXPLAIN PLAN FOR SELECT 1"),
            (
                "INSERT INTO b SELECT 1 PARTITIONED BY ALL",
                "EXPLAIN PLAN FOR INSERT INTO b SELECT 1 PARTITIONED BY ALL",
            ),
        ] {
            assert_eq!(judged(text).unwrap().explanation(), explanation);
        }
    }

    #[test]
    fn a_statement_that_reads_nothing_is_for_any_caller() {
        assert_eq!(judged("SELECT 1").unwrap().needs, Needed::Authenticated);
    }

    #[test]
    fn refusals_say_what_and_where() {
        for (text, message, class) in [
            (
                "SELECT 1 FROM a WHERE",
                "the statement ends where more is expected",
                SqlRefusalClass::Unreadable,
            ),
            (
                "SELECT 1\nFROM a b c",
                "syntax error near `c` at line 2 column 10",
                SqlRefusalClass::Unreadable,
            ),
            (
                "SELECT `a`",
                "a character that Druid SQL has no use for at line 1 column 8",
                SqlRefusalClass::Unreadable,
            ),
            (
                "SELECT 1\nFROM ext.a",
                "`ext.a`, which Druid does not know as a table; the schemas are druid, view, lookup, sys and INFORMATION_SCHEMA, at line 2 column 10",
                SqlRefusalClass::Unsupported,
            ),
            (
                "SELECT 1 FROM F('a')",
                "`f`, which Druid does not know as a function to select from, at line 1 column 15",
                SqlRefusalClass::Unsupported,
            ),
            (
                "SELECT * FROM APPEND(a)",
                "APPEND takes the names of tables as string literals, in the query at line 1 column 1",
                SqlRefusalClass::Unsupported,
            ),
            (
                "SELECT DISTINCT ON (a) b",
                "the query at line 1 column 1 has a keyword as a name that is not understood",
                SqlRefusalClass::Unreadable,
            ),
            (
                "DELETE FROM a",
                "a DELETE statement is not supported at line 1 column 1",
                SqlRefusalClass::Unsupported,
            ),
            (
                "SELECT 1; SELECT 2",
                "more than one statement is not supported at line 1 column 1",
                SqlRefusalClass::Unsupported,
            ),
            (
                "SET \"__user\" = 1; SELECT 1",
                "the context key `__user` may not be set",
                SqlRefusalClass::ReservedContextKey,
            ),
        ] {
            let refusal = judged(text).unwrap_err();
            assert_eq!((refusal.to_string().as_str(), refusal.class()), (message, class), "{text}");
        }
    }

    /// Calcite before 1.22, as in Druid 27, takes a hint for a comment
    #[test]
    fn a_hint_that_ends_earlier_for_whoever_takes_it_for_a_comment_is_refused() {
        for text in [
            "SELECT /*+ h('*/ a FROM secret --') */ a FROM b",
            "SELECT /*+ h(\"*/ a FROM secret --\") */ a FROM b",
            "SELECT /*+ h(E'*/ a FROM secret --') */ a FROM b",
            "SELECT /*+ h(X'*/ a FROM secret --') */ a FROM b",
            "SELECT a FROM b /*+ h('*/, secret --') */",
            "REPLACE INTO b OVERWRITE WHERE a > 1 /*+ h('*/ SELECT 1 FROM secret PARTITIONED BY ALL --') */ SELECT 1 PARTITIONED BY ALL",
        ] {
            assert!(judged(text).is_err(), "{text}");
        }
        for text in [
            "SELECT /*+ h('* /', a = \"b\", U&'\\002a') */ a FROM b",
            "SELECT /*+ h(U&'\\002a/ a FROM secret --') */ a FROM b",
            "SELECT a FROM b /*+ h(1) */",
            "/*+ h */ SELECT /*+ h */ a /*+ h */ FROM /*+ h */ b /*+ h */ AS c /*+ h(1, 'x') */",
            "SELECT f(a /*+ h(1, 2) */, 2) FROM (b /*+ h */ CROSS JOIN (VALUES (1 /*+ h */)) AS c)",
            "SELECT '*/', \"*/\" /* '*/ FROM b",
            "SELECT a /*+ ? */ FROM b /*+ don't select \"*/",
        ] {
            assert_eq!(
                judged(text).unwrap().needs.resource_actions(),
                [&ResourceAction::read(crate::druid::ResourceType::Datasource, "b")],
                "{text}"
            );
        }
    }

    #[test]
    fn a_function_of_tables_elsewhere_than_in_from_is_refused() {
        for text in ["SELECT EXTERN('{}')", "SELECT f(APPEND('a')) FROM b", "SELECT {fn INLINE(1)} FROM b"] {
            assert!(matches!(judged(text), Err(SqlRefusal::TwoReadings { .. })), "{text}");
        }
    }
}
