//! The first reader: walks a parsed query and notes what it mentions
//!
//! Names resolve as in Calcite's `SqlValidatorImpl` under Druid's catalogue: a name of one part is a common
//! table expression in scope or a datasource, a name of two parts is never the former. Every kind
//! of node is named; a kind that rewriting does not write is refused.

mod expression;
mod name;
mod query;
mod table;

use sqlparser::ast::Query;

use super::mention::{Counts, Mention};
use super::objection::Objection;
use super::scope::Scope;

/// What a query mentions, and the count of the places where it does
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mentions: Vec<Mention>,
    pub(super) counts: Counts,
}

/// Walks a query
pub(super) fn walk(query: &Query) -> Result<Findings, Objection> {
    let mut walker = Walker { scope: Scope::default(), findings: Findings::default() };
    walker.query(query)?;
    let Findings { mentions, counts } = walker.findings;
    Ok(Findings { mentions, counts: counts.sorted() })
}

struct Walker {
    scope: Scope,
    findings: Findings,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_actions::sql::cursor::Cursor;
    use crate::resource_actions::sql::limits::SqlLimits;
    use crate::resource_actions::sql::skeleton::Reading;
    use crate::resource_actions::sql::{dialect, lexer, rewrite, token};

    fn walked(text: &str) -> Result<Vec<Mention>, Objection> {
        let lexemes = lexer::read(text, &SqlLimits::default()).unwrap();
        let tokens = token::decode(text, &lexemes).unwrap();
        let [whole, skeleton] = [Reading::Whole, Reading::Skeleton].map(|reading| {
            let rewritten = rewrite::rewrite(Cursor::new(text, &tokens), &[], reading).unwrap();
            walk(&dialect::read(rewritten, 100).unwrap()).map(|findings| findings.mentions)
        });
        assert_eq!(whole, skeleton, "{text}");
        whole
    }

    /// The datasources that are read, in the order in which they are found
    fn datasources(text: &str) -> Vec<String> {
        let mentions = walked(text).unwrap().into_iter();
        mentions
            .map(|mention| if let Mention::Datasource(name) = mention { name } else { panic!("{mention:?}") })
            .collect()
    }

    #[test]
    fn common_table_expressions_hide_datasources_in_their_scope_only() {
        for (text, read) in [
            ("WITH c AS (SELECT 1 FROM c) SELECT 1 FROM c", vec!["c"]),
            ("WITH c AS (SELECT 1 FROM a), d AS (SELECT 1 FROM c) SELECT 1 FROM d, C", vec!["a", "C"]),
            ("SELECT 1 FROM (WITH c AS (SELECT 1) SELECT 1 FROM c) x, c", vec!["c"]),
            (
                "WITH c AS (SELECT 1) SELECT 1 FROM (WITH c AS (SELECT 1 FROM c) SELECT 1 FROM c) x, druid.c",
                vec!["c"],
            ),
            ("(WITH c AS (SELECT 1) SELECT 1 FROM c) UNION SELECT 1 FROM c", vec!["c"]),
        ] {
            assert_eq!(datasources(text), read, "{text}");
        }
    }

    #[test]
    fn a_recursive_item_is_seen_in_the_right_branch_of_its_union() {
        for (item, read) in [
            ("SELECT 1 FROM a UNION SELECT 1 FROM c", vec!["a"]),
            ("SELECT 1 FROM c UNION SELECT 1 FROM a", vec!["c", "a"]),
            ("SELECT 1 FROM a UNION SELECT 1 FROM c UNION SELECT 1 FROM b", vec!["a", "c", "b"]),
            ("SELECT 1 FROM a EXCEPT SELECT 1 FROM c", vec!["a", "c"]),
            ("SELECT 1 FROM a UNION SELECT 1 FROM c ORDER BY 1", vec!["a", "c"]),
            ("SELECT 1 FROM a UNION SELECT 1 FROM c FETCH FIRST ROW ONLY", vec!["a", "c"]),
            ("SELECT 1 FROM c", vec!["c"]),
        ] {
            assert_eq!(datasources(&format!("WITH RECURSIVE c AS ({item}) SELECT 1 FROM c")), read, "{item}");
        }
    }

    #[test]
    fn a_recursive_branch_sees_the_item_and_nothing_that_the_item_defines() {
        for (item, read) in [
            ("WITH s AS (SELECT 1 FROM a) SELECT 1 FROM s UNION ALL SELECT 1 FROM c", vec!["a"]),
            ("WITH s AS (SELECT 1 FROM a) SELECT 1 FROM c UNION ALL SELECT 1 FROM s", vec!["a", "c", "s"]),
            (
                "WITH s AS (SELECT 1) (WITH t AS (SELECT 1) SELECT 1 FROM s, t UNION SELECT 1 FROM s, t, c)",
                vec!["s", "t"],
            ),
            ("WITH s AS (SELECT 1) (((SELECT 1 FROM s) UNION (SELECT 1 FROM s, c)))", vec!["s"]),
            ("WITH s AS (SELECT 1) SELECT 1 FROM s UNION SELECT 1 FROM s, c ORDER BY 1", vec!["c"]),
            ("WITH s AS (SELECT 1) SELECT 1 FROM s EXCEPT SELECT 1 FROM s, c", vec!["c"]),
            ("WITH s AS (SELECT 1) SELECT 1 FROM s UNION SELECT 1 FROM s, c LIMIT ALL", vec!["s"]),
            ("WITH s AS (SELECT 1) SELECT 1 FROM s UNION SELECT 1 FROM s, c LIMIT ALL OFFSET 1", vec!["c"]),
            ("WITH s AS (SELECT 1) SELECT 1 UNION SELECT 1 FROM o, (SELECT 1 FROM s, o) x", vec!["s"]),
            ("((SELECT 1) INTERSECT (SELECT 1 FROM c))", vec!["c"]),
            ("(((SELECT 1 FROM a)) UNION SELECT 1 FROM c)", vec!["a"]),
        ] {
            let text = format!("WITH RECURSIVE o AS (SELECT 1), c AS ({item}) SELECT 1 FROM c, o");
            assert_eq!(datasources(&text), read, "{text}");
        }
    }

    #[test]
    fn what_a_query_is_ordered_by_sees_the_items_of_with_over_a_bare_select_only() {
        for (query, is_seen) in [
            ("WITH s AS (SELECT 1) SELECT 1", true),
            ("WITH s AS (SELECT 1) (SELECT 1)", true),
            ("WITH s AS (SELECT 1) ((TABLE a))", true),
            ("(WITH s AS (SELECT 1) SELECT 1)", true),
            ("((WITH s AS (SELECT 1) ((SELECT 1))))", true),
            ("WITH s AS (SELECT 1) SELECT 1 UNION SELECT 1", false),
            ("WITH s AS (SELECT 1) ((SELECT 1) UNION SELECT 1)", false),
            ("(WITH s AS (SELECT 1) SELECT 1 INTERSECT SELECT 1)", false),
            ("WITH s AS (SELECT 1) VALUES (1)", false),
            ("WITH s AS (SELECT 1) (SELECT 1 ORDER BY 1)", false),
            ("WITH s AS (SELECT 1) (SELECT 1 LIMIT 1)", false),
            ("WITH s AS (SELECT 1) (SELECT 1 OFFSET 1)", false),
            ("(WITH s AS (SELECT 1) SELECT 1 LIMIT ALL)", true),
            ("WITH s AS (SELECT 1) (SELECT 1 LIMIT ALL)", true),
            ("WITH s AS (SELECT 1) (SELECT 1 LIMIT ALL OFFSET 1)", false),
            ("(WITH s AS (SELECT 1) SELECT 1 ORDER BY 1)", false),
            ("(WITH s AS (SELECT 1) SELECT 1 FETCH FIRST ROW ONLY)", false),
            ("WITH s AS (SELECT 1) (WITH t AS (SELECT 1) SELECT 1)", false),
            ("((WITH s AS (SELECT 1) SELECT 1) UNION SELECT 1)", false),
        ] {
            for (text, is_seen) in [
                (format!("{query} ORDER BY (SELECT 1 FROM s)"), is_seen),
                (format!("SELECT 1 FROM ({query} ORDER BY (SELECT 1 FROM s)) x"), is_seen),
                (format!("SELECT f({query} ORDER BY 1, (SELECT 1 FROM s))"), is_seen),
                (format!("WITH s AS (SELECT 1) SELECT 1 FROM ({query} ORDER BY (SELECT 1 FROM s)) x"), true),
            ] {
                let reads = datasources(&text).contains(&"s".to_owned());
                assert_eq!(reads, !is_seen, "{text}");
            }
        }
    }

    #[test]
    fn names_of_tables_resolve_as_in_druids_root_schema() {
        let mention =
            |text: &str| walked(&format!("SELECT 1 FROM {text}")).map(|mentions| mentions.into_iter().next());
        assert_eq!(mention("view.v"), Ok(Some(Mention::View("v".to_owned()))));
        assert_eq!(mention("lookup.l"), Ok(Some(Mention::Lookup("l".to_owned()))));
        assert_eq!(mention("sys.s"), Ok(Some(Mention::SystemTable("s".to_owned()))));
        assert_eq!(mention("INFORMATION_SCHEMA.i"), Ok(Some(Mention::InformationSchema("i".to_owned()))));
        for unknown in ["SYS.s", "ext.e", "druid.a.b"] {
            assert_eq!(mention(unknown), Err(Objection::UnknownTable(unknown.to_owned())));
        }
    }
}
