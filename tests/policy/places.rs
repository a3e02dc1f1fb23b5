//! Every place where Druid's grammar lets an expression or a query stand, with a name there that may be a WITH's item
//!
//! `cases/places.txt` lists the places by hand; each stands alone, under a WITH that defines the name, in an item
//! before the one that defines it, and beside a query in parentheses that does.

use crate::scoped::Scoped;

/// The statements
pub(crate) fn statements() -> Vec<Scoped> {
    let (expressions, queries) = include_str!("cases/places.txt").split_once("\n\n").unwrap();
    let expressions = expressions.lines().filter(|line| !line.starts_with('#')).flat_map(|expression| {
        [
            format!("SELECT {expression} FROM a"),
            format!("SELECT dim1 FROM a WHERE {expression} IS NOT NULL"),
            format!("SELECT dim1, cnt FROM a ORDER BY {expression}"),
        ]
    });
    let queries = expressions.chain(queries.lines().map(str::to_owned));
    queries.flat_map(|query| around(&query).map(whole)).collect()
}

fn around(query: &str) -> [String; 4] {
    const ITEM: &str = "s AS (SELECT dim1, cnt FROM b)";
    [
        query.to_owned(),
        format!("WITH {ITEM} {query}"),
        format!("WITH t AS ({query}), {ITEM} SELECT 1 FROM t"),
        format!("SELECT 1 FROM (WITH {ITEM} {query}) x, s"),
    ]
}

fn whole(query: String) -> Scoped {
    Scoped { sql: query.clone(), query, clustered_by: None }
}
