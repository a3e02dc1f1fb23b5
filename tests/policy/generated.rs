//! Statements made at random from Druid's grammar together with what they need
//!
//! The maker knows which tables it has put where and which of them are common table expressions in scope, so it
//! says what a statement needs without reading it.

use std::collections::BTreeSet;

use msq_gate::resource_actions::Rules;

use crate::statements::{self, Random};
use crate::support::{exacting, judged, sentences, varchar, with_judges_stack};

#[test]
fn generated_statements_need_exactly_what_was_put_into_them() {
    with_judges_stack(|| {
        let parameters = vec![varchar("unused"); 1_000];
        for seed in 1..=4_000_u64 {
            let mut maker = Maker { random: Random::new(seed), needs: BTreeSet::new() };
            let sql = maker.statement();
            if sql.len() < 20_000 {
                let found = judged(&sql, &parameters, &exacting()).map(|judgement| sentences(&judgement));
                assert_eq!(found, Ok(maker.needs), "{sql}");
            }
        }
    });
}

#[test]
fn generated_statements_that_druid_can_plan_need_exactly_what_was_put_into_them() {
    with_judges_stack(|| {
        for number in 1..=4_000 {
            let made = statements::statement(number);
            let parameters = vec![varchar("x"); made.parameters];
            let found =
                judged(&made.sql, &parameters, &Rules::default()).map(|judgement| sentences(&judgement));
            assert_eq!(found, Ok(made.needs), "{}", made.sql);
        }
    });
}

/// What is refused of these by the whole is refused by the skeleton, and what is not is judged alike
#[test]
fn statements_with_a_piece_out_of_place_are_read_alike_by_their_skeletons() {
    with_judges_stack(|| {
        // `MSQ_GATE_COMPARED=100000 cargo test --release --test policy alike` takes a minute.
        let compared = std::env::var("MSQ_GATE_COMPARED").map_or(2_000, |number| number.parse().unwrap());
        let mut accepted = 0;
        for seed in 1..=compared {
            let mut maker = Maker { random: Random::new(seed), needs: BTreeSet::new() };
            let sql = maker.statement();
            let mut pieces: Vec<_> = sql.split_inclusive([' ', ',', '(', ')', '.', '+']).collect();
            let places = [0; 3].map(|_: usize| maker.random.below(pieces.len()));
            match maker.random.below(5) {
                0 => drop(pieces.remove(places[0])),
                1 => pieces.insert(places[0], pieces[places[1]]),
                2 => pieces.swap(places[0], places[1]),
                3 => pieces.insert(places[0], maker.random.of(STRAYS)),
                _ => {
                    let (from, to) = (places[0].min(places[1]), places[0].max(places[1]));
                    pieces[from..to].rotate_left((to - from).min(1));
                }
            }
            let sql = pieces.concat();
            accepted += usize::from(sql.len() < 4_000 && judged(&sql, &[], &exacting()).is_ok());
        }
        assert!(accepted > 100, "{accepted}");
    });
}

const STRAYS: &[&str] = &[
    ", ",
    "(",
    ")",
    ".",
    "+ ",
    "* ",
    "a ",
    "'a' ",
    "AS ",
    "=> ",
    "NULL ",
    "FROM ",
    "WHERE ",
    "SELECT ",
    "ON ",
    "BY ",
    "1 ",
    "ORDER BY ",
    "a.b ",
    "f(",
    "() ",
    "(a) ",
    "LOOKUP(",
    "GROUP BY ",
    "JOIN ",
    "UNION ",
    "CASE ",
    "END ",
    "ARRAY[",
    "]",
    "t.*",
];

struct Maker {
    random: Random,
    needs: BTreeSet<String>,
}

impl Maker {
    fn statement(&mut self) -> String {
        let depth = 1 + self.random.below(4);
        if self.random.below(3) > 0 {
            return self.query(&[], depth);
        }
        let target = self.random.of(&["a", "secret", "d s t"]);
        self.needs.insert(format!("WRITE DATASOURCE {target}"));
        let head = self.random.of(&["INSERT INTO", "EXPLAIN PLAN FOR INSERT INTO druid."]);
        let tail = self.random.of(&["ALL", "DAY", "'P1D'", "FLOOR(__time TO DAY) CLUSTERED BY x, y DESC"]);
        format!("{head} {} {} PARTITIONED BY {tail}", self.spelt(target), self.set_expression(&[], depth))
    }

    fn name(&mut self) -> &'static str {
        self.random.of(&["a", "b", "secret", "Foo", "foo", "x", "lookup", "extern", "s 1"])
    }

    /// A name in one of its spellings
    fn spelt(&mut self, name: &str) -> String {
        match self.random.below(4) {
            0 | 1 if !name.contains(' ') => name.to_owned(),
            2 => format!("U&\"\\{:04x}{}\"", u32::from(name.as_bytes()[0]), &name[1..]),
            _ => format!("\"{name}\""),
        }
    }

    /// What it is ordered by sees the items of its WITH over a bare SELECT only, as Calcite has it
    fn query(&mut self, around: &[&'static str], depth: usize) -> String {
        let mut scope = around.to_vec();
        let mut text = String::new();
        if depth > 0 && self.random.below(4) == 0 {
            let items = (0..1 + self.random.below(3)).map(|_| self.with_item(&mut scope, depth - 1));
            text = format!("WITH {} ", items.collect::<Vec<_>>().join(", "));
        }
        let (body, is_bare) = self.body(&scope, depth);
        text += &body;
        let tail = self.random.of(&[
            "",
            "",
            " ORDER BY @e",
            " ORDER BY @e DESC, @e NULLS FIRST LIMIT 3",
            " LIMIT ? OFFSET 2",
            " FETCH FIRST ROW ONLY",
        ]);
        text + &self.filled(tail, if is_bare { &scope } else { around }, depth)
    }

    fn with_item(&mut self, scope: &mut Vec<&'static str>, depth: usize) -> String {
        let name = self.name();
        let columns = self.random.of(&["", " (c, d)"]);
        let item = format!("{}{columns} AS ({})", self.spelt(name), self.query(scope, depth));
        scope.push(name);
        item
    }

    fn set_expression(&mut self, scope: &[&'static str], depth: usize) -> String {
        self.body(scope, depth).0
    }

    /// A body, and whether it is a bare SELECT
    fn body(&mut self, scope: &[&'static str], depth: usize) -> (String, bool) {
        let template = self.random.of(SELECTS);
        let select = self.filled(template, scope, depth);
        if depth == 0 || self.random.below(3) > 0 {
            return (select, !template.starts_with("VALUES"));
        }
        let other = self.random.of(&["@s", "(@q)"]);
        let other = self.filled(other, scope, depth - 1);
        let between = self.random.of(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT DISTINCT"]);
        let first = if self.random.below(2) == 0 { select } else { format!("({select})") };
        (format!("{first} {between} {other}"), false)
    }

    /// A template with its marks filled in: expressions, queries, tables, a table by name, a lookup
    fn filled(&mut self, template: &str, scope: &[&'static str], depth: usize) -> String {
        let mut pieces = template.split('@');
        let mut text = pieces.next().unwrap().to_owned();
        for piece in pieces {
            text += &match &piece[..1] {
                "e" => self.expression(scope, depth),
                "q" => self.query(scope, depth.saturating_sub(1)),
                "s" => self.set_expression(scope, depth.saturating_sub(1)),
                "t" => self.table(scope, depth),
                "l" => self.needed("READ LOOKUP"),
                "d" => self.needed("READ DATASOURCE"),
                "v" => {
                    let name = self.needed("READ VIEW");
                    self.spelt(&name)
                }
                _ => self.named_table(scope),
            };
            text += &piece[1..];
        }
        text
    }

    /// A name that is needed wherever it stands
    fn needed(&mut self, sentence: &str) -> String {
        let name = self.name();
        self.needs.insert(format!("{sentence} {name}"));
        name.to_owned()
    }

    fn named_table(&mut self, scope: &[&'static str]) -> String {
        let name = self.name();
        if !scope.contains(&name) {
            self.needs.insert(format!("READ DATASOURCE {name}"));
        }
        self.spelt(name)
    }

    fn expression(&mut self, scope: &[&'static str], depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else { return self.random.of(OPERANDS).to_owned() };
        let template = self.random.of(EXPRESSIONS);
        self.filled(template, scope, depth)
    }

    fn table(&mut self, scope: &[&'static str], depth: usize) -> String {
        let template = self.random.of(if depth == 0 { PLAIN_TABLES } else { TABLES });
        if template.contains("EXTERN(") {
            self.needs.insert("READ EXTERNAL http".to_owned());
        }
        self.filled(template, scope, depth.saturating_sub(1))
    }
}

const SELECTS: &[&str] = &[
    "SELECT @e, @e AS z",
    "SELECT DISTINCT t.*, @e first FROM @t",
    "SELECT * FROM @t, @t WHERE @e",
    "TABLE @n",
    "VALUES (@e, 1), ROW(@e)",
    "SELECT /*+ h(k='v') */ @e FROM @t JOIN @t ON @e LEFT JOIN @t USING (p, q) GROUP BY GROUPING SETS ((@e), ()) HAVING @e",
    "SELECT ALL @e FROM @t NATURAL JOIN @t WINDOW w AS (PARTITION BY p ORDER BY @e ROWS 3 PRECEDING), v AS () QUALIFY @e",
];

const PLAIN_TABLES: &[&str] = &["@n", "@n AS secret", "@n \"Foo\" (c, d)", "view.@v"];

const TABLES: &[&str] = &[
    "@n",
    "@n lookup(c)",
    "view.@v",
    "view.@v()",
    "(@q)",
    "LATERAL (@q) AS b",
    "(@t JOIN @t ON @e)",
    "UNNEST(@e) WITH ORDINALITY AS extern(c)",
    "TABLE(APPEND('@d', N'@d'))",
    "\"append\"(U&'@d')",
    "TABLE(EXTERN('{\"type\":\"http\"}', '{}')) EXTEND (c VARCHAR, d BIGINT ARRAY)",
];

const OPERANDS: &[&str] = &[
    "p",
    "t.\"q\"",
    "1.5e3",
    "'it''s FROM x'",
    "?",
    "NULL",
    "DATE '2000-01-01'",
    "INTERVAL '1-2' YEAR TO MONTH",
    "CURRENT_TIMESTAMP",
    "key",
    "desc",
];

const EXPRESSIONS: &[&str] = &[
    "@e + @e",
    "@e || @e",
    "@e IS NOT DISTINCT FROM @e",
    "NOT @e AND @e",
    "- @e",
    "(@e)",
    "(@e, @e)",
    "@e NOT BETWEEN SYMMETRIC @e AND @e",
    "@e IN (@e, 1)",
    "@e NOT IN (@q)",
    "EXISTS (@q)",
    "(@q)",
    "@e = ANY (@q)",
    "@e IS NOT TRUE",
    "@e LIKE @e ESCAPE '!'",
    "CASE WHEN @e THEN @e ELSE @e END",
    "CASE @e WHEN @e, 1 THEN @e END",
    "CAST(@e AS DECIMAL(1, 2))",
    "TRIM(BOTH @e FROM @e)",
    "SUBSTRING(@e FROM @e FOR @e)",
    "EXTRACT(DAY FROM @e)",
    "FLOOR(@e TO DAY)",
    "POSITION(@e IN @e)",
    "OVERLAY(@e PLACING @e FROM 1)",
    "f(@e, @e)",
    "f(DISTINCT @e)",
    "f(x => @e)",
    "{fn f(@e)}",
    "ARRAY[@e, @e][@e]",
    "ARRAY(@q)",
    "MULTISET(@q)",
    "COUNT(*)",
    "SUM(@e) FILTER (WHERE @e) OVER (PARTITION BY p ORDER BY @e DESC RANGE UNBOUNDED PRECEDING)",
    "LAG(@e) IGNORE NULLS OVER w",
    "LISTAGG(@e) WITHIN GROUP (ORDER BY @e)",
    "ARRAY_AGG(@e ORDER BY @e NULLS LAST)",
    "LOOKUP(@e, '@l')",
    "\"LookUp\"(@e, U&'@l')",
    "JSON_VALUE(@e, '$' RETURNING BIGINT NULL ON EMPTY)",
    "JSON_OBJECT(KEY 'k' VALUE @e, 'l' : @e ABSENT ON NULL)",
    "INTERVAL (@e) DAY",
];
