//! From tokens to the parts of a request: its `SET`s, and one statement with source and target
//!
//! This is the grammar of Druid's `Parser.jj` with `explain.ftl`, `insert.ftl` and `replace.ftl`, down to
//! the query. The query itself is left to the parser, and so are its errors.

use super::cursor::Cursor;
use super::keyword::Keyword;
use super::lexeme::Symbol;
use super::refusal::SqlRefusal;
use super::setting::read_setting;
use super::token::{Token, TokenKind};
use crate::druid::Reach;
use crate::resource_actions::query_context::Setting;
use crate::resource_actions::reach;

/// A request, taken apart
#[derive(Debug)]
pub(super) struct Request<'t, 'a> {
    /// Its `SET`s, in the order of the text
    pub(super) settings: Vec<Setting>,
    /// Where the statement behind them begins in the text
    pub(super) start: usize,
    /// Whether the statement is only explained
    pub(super) is_explained: bool,
    /// Where its rows go
    pub(super) target: Target,
    /// The query
    pub(super) query: &'t [Token<'a>],
    /// The items of `CLUSTERED BY`, which see the names that the query sees
    pub(super) clustered_by: &'t [Token<'a>],
}

/// Where the rows of a statement go
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To the caller
    Caller,
    /// `INSERT INTO` a datasource
    Insert(String),
    /// `REPLACE INTO` a datasource
    Replace(String),
    /// `INSERT INTO EXTERN(…)`, an export of this type, and where it goes
    Export(String, Reach),
}

/// Takes a request apart
///
/// # Errors
///
/// Whatever Druid refuses in these parts, statements of other kinds, and more than one statement.
pub(super) fn parse<'t, 'a>(text: &str, tokens: &'t [Token<'a>]) -> Result<Request<'t, 'a>, SqlRefusal> {
    let whole = Cursor::new(text, tokens);
    let mut statements: Vec<_> = tokens.split(|token| token.is_symbol(Symbol::Semicolon)).collect();
    let semicolons_at_end = statements.iter().rev().take_while(|statement| statement.is_empty()).count();
    statements.truncate(statements.len() - semicolons_at_end);
    let Some((main, settings)) = statements.split_last() else {
        return Err(SqlRefusal::EndsEarly);
    };
    let settings =
        settings.iter().map(|setting| read_setting(&whole.within(setting))).collect::<Result<_, _>>()?;
    let start = main.first().map_or(0, |token| token.start);
    let mut main = whole.within(main);
    let is_explained = main.eat(Keyword::Explain) && explain_head(&mut main)?;
    let request = match main.peek_keyword() {
        Some(Keyword::Insert) => insert(&mut main)?,
        Some(Keyword::Replace) => replace(&mut main)?,
        Some(keyword) if is_refused_statement(keyword) => {
            return Err(main.unsupported(format!("{} {} statement", article(keyword), keyword.word())));
        }
        Some(_) | None => {
            Parts { target: Target::Caller, query: main.rest(), clustered_by: &[], has_partitions: false }
        }
    };
    if request.target != Target::Caller && semicolons_at_end > 0 {
        return Err(
            main.unsupported("a semicolon after an INSERT or REPLACE, which Druid refuses".to_owned())
        );
    }
    let Parts { target, query, clustered_by, .. } = request;
    Ok(Request { settings, start, is_explained, target, query, clustered_by })
}

/// What stands before a keyword in a sentence
fn article(keyword: Keyword) -> &'static str {
    let begins_with_a_vowel =
        keyword.word().starts_with(['A', 'E', 'I', 'O', 'U']) && keyword.word() != "USE";
    if begins_with_a_vowel { "an" } else { "a" }
}

/// Kinds of statements that Druid's grammar does not know or its planner refuses
fn is_refused_statement(keyword: Keyword) -> bool {
    use Keyword::{
        Alter, Call, Create, Delete, Describe, Drop, Explain, Merge, Reset, Set, Show, Update, Upsert,
    };
    [Alter, Call, Create, Delete, Describe, Drop, Explain, Merge, Reset, Set, Show, Update, Upsert]
        .contains(&keyword)
}

struct Parts<'t, 'a> {
    target: Target,
    query: &'t [Token<'a>],
    clustered_by: &'t [Token<'a>],
    has_partitions: bool,
}

/// `PLAN [detail] [depth] [AS XML|AS JSON] FOR` (`explain.ftl`)
fn explain_head(main: &mut Cursor<'_, '_, '_>) -> Result<bool, SqlRefusal> {
    main.expect(Keyword::Plan)?;
    if main.eat_word("INCLUDING") {
        main.eat(Keyword::All);
        main.expect_word("ATTRIBUTES")?;
    } else if main.eat_word("EXCLUDING") {
        main.expect_word("ATTRIBUTES")?;
    }
    if main.eat(Keyword::With) && !main.eat_word("TYPE") || main.eat(Keyword::Without) {
        main.expect_word("IMPLEMENTATION")?;
    }
    if main.eat(Keyword::As) && !main.eat(Keyword::Json) && !main.eat_word("DOT") {
        main.expect_word("XML")?;
    }
    main.expect(Keyword::For)?;
    Ok(true)
}

/// `INSERT INTO target [columns] [AS format] query [PARTITIONED BY g] [CLUSTERED BY items]`
fn insert<'t, 'a>(main: &mut Cursor<'t, 'a, '_>) -> Result<Parts<'t, 'a>, SqlRefusal> {
    main.expect(Keyword::Insert)?;
    main.expect(Keyword::Into)?;
    let is_export = main.next_is(Keyword::Extern) && main.nth_is_symbol(1, Symbol::LeftParen);
    let target = if is_export { export(main)? } else { Target::Insert(datasource(main)?) };
    if is_export {
        main.expect(Keyword::As)?;
        main.expect_name()?;
    }
    let parts = source(main, target)?;
    if is_export && parts.has_partitions {
        return Err(main.unsupported("PARTITIONED BY or CLUSTERED BY in an export".to_owned()));
    }
    Ok(parts)
}

/// `REPLACE INTO target [columns] OVERWRITE (ALL | WHERE condition) query …`
fn replace<'t, 'a>(main: &mut Cursor<'t, 'a, '_>) -> Result<Parts<'t, 'a>, SqlRefusal> {
    main.expect(Keyword::Replace)?;
    main.expect(Keyword::Into)?;
    if main.next_is(Keyword::Extern) && main.nth_is_symbol(1, Symbol::LeftParen) {
        return Err(main.unsupported("REPLACE INTO EXTERN; write INSERT INTO EXTERN".to_owned()));
    }
    let target = Target::Replace(datasource(main)?);
    main.expect(Keyword::Overwrite)?;
    if !main.eat(Keyword::All) {
        main.expect(Keyword::Where)?;
        overwrite_condition(main)?;
    }
    source(main, target)
}

/// The condition of `OVERWRITE WHERE`, up to the query; Druid lets no subquery stand in it
fn overwrite_condition(main: &mut Cursor<'_, '_, '_>) -> Result<(), SqlRefusal> {
    let mut before = None;
    while let Some(token) = main.peek() {
        let after_operand = before.is_some_and(ends_operand);
        if main.begins_query() && (after_operand || !token.is_symbol(Symbol::LeftParen)) {
            return Ok(());
        }
        if main.holds_query() {
            return Err(main.unsupported("a subquery in OVERWRITE WHERE".to_owned()));
        }
        main.skip_group();
        before = main.last();
    }
    Err(SqlRefusal::EndsEarly)
}

/// Whether an operand may end with this token
fn ends_operand(token: &Token<'_>) -> bool {
    use TokenKind::{Name, Number, Parameter, Text, Word};
    let by_symbol = [Symbol::RightParen, Symbol::RightBracket, Symbol::RightBrace]
        .into_iter()
        .any(|symbol| token.is_symbol(symbol));
    let by_value = matches!(token.kind, Word(_) | Name(_) | Text(_) | Number(_) | Parameter(_));
    let by_word = [Keyword::Null, Keyword::True, Keyword::False, Keyword::Unknown, Keyword::End]
        .into_iter()
        .any(|keyword| token.is(keyword));
    by_symbol || by_value || by_word
}

/// `EXTERN ( type [ ( [key => 'value' {, …}] ) ] )`; only strings as values
fn export(main: &mut Cursor<'_, '_, '_>) -> Result<Target, SqlRefusal> {
    main.expect(Keyword::Extern)?;
    main.expect_symbol(Symbol::LeftParen)?;
    let is_local = main.next_is(Keyword::Local);
    let kind = main.expect_name()?;
    let mut properties = Vec::new();
    if main.eat_symbol(Symbol::LeftParen) && !main.eat_symbol(Symbol::RightParen) {
        properties.push(export_property(main)?);
        while main.eat_symbol(Symbol::Comma) {
            properties.push(export_property(main)?);
        }
        main.expect_symbol(Symbol::RightParen)?;
    }
    main.expect_symbol(Symbol::RightParen)?;
    let kind = if is_local { "local".to_owned() } else { kind };
    let told: Option<Vec<_>> =
        properties.iter().map(|(name, value)| Some((name.as_str(), value.as_deref()?))).collect();
    let reach = told.map_or(Reach::Unknown, |properties| reach::of_export(&kind, &properties));
    Ok(Target::Export(kind, reach))
}

/// The name of a property, and its value where that surely is what it says
fn export_property(main: &mut Cursor<'_, '_, '_>) -> Result<(String, Option<String>), SqlRefusal> {
    let name = main.expect_name()?;
    main.expect_symbol(Symbol::NamedArgument)?;
    let value = main.next().ok_or(SqlRefusal::EndsEarly)?;
    let TokenKind::Text(text) = &value.kind else { return Err(main.unexpected(value)) };
    Ok((name, text.may_name.then(|| text.value.to_string())))
}

/// `[druid .] name [EXTEND (…)] [(typed columns)]` (`IngestHandler.validateAndGetDataSourceForIngest`)
fn datasource(main: &mut Cursor<'_, '_, '_>) -> Result<String, SqlRefusal> {
    let mut name = main.expect_name()?;
    if main.eat_symbol(Symbol::Dot) {
        if name != "druid" {
            return Err(main.unsupported("a target outside the schema `druid`".to_owned()));
        }
        name = main.expect_name()?;
    }
    if main.next_is_symbol(Symbol::Dot) {
        return Err(main.unsupported("a target whose name has three parts".to_owned()));
    }
    if main.eat(Keyword::Extend) && !main.next_is_symbol(Symbol::LeftParen) {
        return Err(main.unexpected_here());
    }
    while main.next_is_symbol(Symbol::LeftParen) && !main.begins_query() {
        typed_columns(main)?;
    }
    Ok(name)
}

/// A list of columns with their types, which Druid ignores; it refuses one without types
fn typed_columns(main: &mut Cursor<'_, '_, '_>) -> Result<(), SqlRefusal> {
    let inside = main.group();
    if inside.split(|token| token.is_symbol(Symbol::Comma)).any(|column| column.len() < 2) {
        return Err(main.unsupported("a column list after the target".to_owned()));
    }
    main.without_query(inside)?;
    main.skip_group();
    Ok(())
}

/// `query [PARTITIONED BY g] [CLUSTERED BY items]`, to the end
fn source<'t, 'a>(main: &mut Cursor<'t, 'a, '_>, target: Target) -> Result<Parts<'t, 'a>, SqlRefusal> {
    let query = main.take_until(&[Keyword::Partitioned, Keyword::Clustered]);
    let mut has_partitions = false;
    if main.eat(Keyword::Partitioned) {
        main.expect(Keyword::By)?;
        granularity(main)?;
        has_partitions = true;
    }
    let mut clustered_by: &[_] = &[];
    if main.eat(Keyword::Clustered) {
        main.expect(Keyword::By)?;
        clustered_by = main.take_until(&[Keyword::Partitioned, Keyword::Clustered]);
        has_partitions = true;
    }
    main.expect_end()?;
    Ok(Parts { target, query, clustered_by, has_partitions })
}

/// What stands after `PARTITIONED BY`: never a query
fn granularity(main: &mut Cursor<'_, '_, '_>) -> Result<(), SqlRefusal> {
    let before = main.clone();
    let tokens = main.take_until(&[Keyword::Partitioned, Keyword::Clustered]);
    if tokens.is_empty() {
        return Err(main.unexpected_here());
    }
    let is_call = ["FLOOR", "TIME_FLOOR"].into_iter().any(|word| before.next_is_word(word))
        && before.nth_is_symbol(1, Symbol::LeftParen);
    let is_all_time = before.next_is(Keyword::All) && tokens.len() <= 2;
    if is_call || is_all_time || tokens.len() == 1 {
        return before.without_query(tokens);
    }
    Err(before.unsupported("a granularity that PARTITIONED BY does not take".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::limits::SqlLimits;
    use super::super::{lexer, token};
    use super::*;
    use crate::resource_actions::query_context::ContextValue;

    /// Target, query and clustering of a request, or its refusal
    fn parts(text: &str) -> Result<(Target, String, String), SqlRefusal> {
        let lexemes = lexer::read(text, &SqlLimits::default())?;
        let tokens = token::decode(text, &lexemes)?;
        let request = parse(text, &tokens)?;
        let join = |tokens: &[Token<'_>]| tokens.iter().map(|token| token.text).collect::<Vec<_>>().join(" ");
        Ok((request.target, join(request.query), join(request.clustered_by)))
    }

    #[test]
    fn heads_and_tails_are_cut_off() {
        let insert = |name: &str| Target::Insert(name.to_owned());
        let replace = |name: &str| Target::Replace(name.to_owned());
        let export = |kind: &str| Target::Export(kind.to_owned(), Reach::Unknown);
        for (text, target, query, clustered) in [
            ("SELECT 1;;", Target::Caller, "SELECT 1", ""),
            (
                "EXPLAIN PLAN INCLUDING ALL ATTRIBUTES WITH TYPE AS XML FOR SELECT 1",
                Target::Caller,
                "SELECT 1",
                "",
            ),
            (
                "insert into druid.dst (SELECT 1) PARTITIONED BY 'P1D' CLUSTERED BY a, (SELECT 2)",
                insert("dst"),
                "( SELECT 1 )",
                "a , ( SELECT 2 )",
            ),
            (
                "INSERT INTO \"dst\" /*+ x */ EXTEND (a VARCHAR) SELECT 1 PARTITIONED BY ALL TIME",
                insert("dst"),
                "SELECT 1",
                "",
            ),
            (
                "INSERT INTO EXTERN SELECT 1 PARTITIONED BY FLOOR(__time TO DAY)",
                insert("EXTERN"),
                "SELECT 1",
                "",
            ),
            (
                "REPLACE INTO dst OVERWRITE ALL WITH a AS (SELECT 1) SELECT 2 PARTITIONED BY DAY",
                replace("dst"),
                "WITH a AS ( SELECT 1 ) SELECT 2",
                "",
            ),
            (
                "REPLACE INTO dst OVERWRITE WHERE (a < 1 AND (b)) (SELECT 1) PARTITIONED BY DAY",
                replace("dst"),
                "( SELECT 1 )",
                "",
            ),
            ("INSERT INTO EXTERN(LOCAL) AS CSV SELECT 1", export("local"), "SELECT 1", ""),
            (
                "INSERT INTO EXTERN(\"LOCAL\"(a => 'b', \"c\" => 'd')) AS CSV SELECT 1",
                export("LOCAL"),
                "SELECT 1",
                "",
            ),
        ] {
            assert_eq!(parts(text), Ok((target, query.to_owned(), clustered.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_druid_refuses_is_refused() {
        for text in [
            "",
            ";",
            "; SELECT 1",
            "SET a = 1",
            "SELECT 1; SELECT 2",
            "SET a = 1;; SELECT 1",
            "SELECT 1; SET a = 1",
            "INSERT INTO dst SELECT 1 PARTITIONED BY ALL;",
            "INSERT dst SELECT 1",
            "INSERT INTO dst (a) SELECT 1 PARTITIONED BY ALL",
            "INSERT INTO a.b.c SELECT 1",
            "INSERT INTO druid.a.b SELECT 1",
            "INSERT INTO sys.a SELECT 1",
            "INSERT INTO view.a SELECT 1",
            "REPLACE INTO dst SELECT 1",
            "REPLACE INTO dst OVERWRITE SELECT 1",
            "REPLACE INTO dst OVERWRITE WHERE a IN (SELECT 1) SELECT 2",
            "REPLACE INTO EXTERN(s3()) AS CSV OVERWRITE ALL SELECT 1",
            "INSERT INTO EXTERN(s3()) SELECT 1",
            "INSERT INTO EXTERN(s3(a => ?)) AS CSV SELECT 1",
            "INSERT INTO EXTERN(s3()) AS CSV SELECT 1 PARTITIONED BY ALL",
            "INSERT INTO dst SELECT 1 PARTITIONED BY (SELECT 1)",
            "INSERT INTO dst SELECT 1 PARTITIONED BY FLOOR((SELECT 1) TO DAY)",
            "DELETE FROM a",
            "CALL a()",
            "EXPLAIN SELECT 1",
            "EXPLAIN PLAN FOR EXPLAIN PLAN FOR SELECT 1",
            "EXPLAIN PLAN FOR SET a = 1",
            "ALTER SESSION RESET a; SELECT 1",
        ] {
            assert!(parts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_statement_of_another_kind_is_named_with_its_article() {
        for word in [
            "ALTER", "CALL", "CREATE", "DELETE", "DESCRIBE", "DROP", "MERGE", "RESET", "SHOW", "UPDATE",
            "UPSERT",
        ] {
            let lexemes = lexer::read(word, &SqlLimits::default()).unwrap();
            let tokens = token::decode(word, &lexemes).unwrap();
            let refusal = parse(word, &tokens).map(|_| ()).unwrap_err().to_string();
            let article = if word.starts_with(['A', 'U']) { "an" } else { "a" };
            assert!(refusal.starts_with(&format!("{article} {word} statement")), "{refusal}");
        }
    }

    #[test]
    fn keys_and_values_of_set_are_decoded_and_values_are_literals() {
        let settings = |text: &str| {
            let lexemes = lexer::read(text, &SqlLimits::default())?;
            let tokens = token::decode(text, &lexemes)?;
            parse(text, &tokens).map(|request| request.settings)
        };
        let text = "SET a = 'x''y'; set \"b c\" = -1; ALTER SYSTEM SET U&\"\\0064\" = DATE '2000-01-01'; ALTER SESSION SET e = NULL; SET f = TRUE; SET g = false; SET h = U&'\\0074rue'; SET i = X'00'; SET j = UNKNOWN; SELECT 1";
        let text_value = |text: &str| ContextValue::Text(text.to_owned());
        let wanted = [
            ("a", text_value("x'y")),
            ("b c", ContextValue::Other),
            ("d", ContextValue::Other),
            ("e", ContextValue::Other),
            ("f", ContextValue::Boolean(true)),
            ("g", ContextValue::Boolean(false)),
            ("h", text_value("true")),
            ("i", ContextValue::Other),
            ("j", ContextValue::Other),
        ];
        let wanted = wanted.map(|(key, value)| Setting { key: key.to_owned(), value });
        assert_eq!(settings(text).unwrap(), wanted);
        for text in [
            "SET a.b = 1; SELECT 1",
            "SET a = (SELECT 1); SELECT 1",
            "SET a = ON; SELECT 1",
            "SET a = ?; SELECT 1",
            "SET a = 1 + 1; SELECT 1",
            "SET a = -'1'; SELECT 1",
            "SET a = -DATE '2000-01-01'; SELECT 1",
            "SET a = -TRUE; SELECT 1",
            "SET a = DATE TRUE; SELECT 1",
            "SET a = DATE 1; SELECT 1",
            "RESET a; SELECT 1",
        ] {
            assert!(settings(text).is_err(), "{text}");
        }
    }
}
