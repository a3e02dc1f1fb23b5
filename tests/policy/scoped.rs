//! Statements made at random in which names of common table expressions stand wherever a query can stand
//!
//! Each name of a WITH is a datasource too, and all of them have the columns `dim1` and `cnt`, so that a statement
//! is valid whichever of the two a name is. What it reads is for Calcite to say.

use crate::statements::Random;

/// The datasources that there are; most of them are also names of common table expressions
pub(crate) const DATASOURCES: [&str; 6] = ["a", "b", "s", "t", "S", "y"];

/// A statement as Druid gets it, and in the parts that Calcite's parser knows
pub(crate) struct Scoped {
    pub(crate) sql: String,
    pub(crate) query: String,
    pub(crate) clustered_by: Option<String>,
}

/// The statement of this number; no two runs make another one
pub(crate) fn statement(number: u64) -> Scoped {
    let mut random = Random::new(number);
    let is_recursive = random.below(4) == 0;
    let mut maker = Maker { random, is_recursive, aliases: 0 };
    let depth = 1 + maker.random.below(3);
    match maker.random.below(4) {
        0 => maker.ingestion(depth),
        1 => {
            let query = maker.query(depth);
            Scoped { sql: format!("EXPLAIN PLAN FOR {query}"), query, clustered_by: None }
        }
        _ => {
            let query = maker.query(depth);
            Scoped { sql: query.clone(), query, clustered_by: None }
        }
    }
}

struct Maker {
    random: Random,
    /// Whether WITH RECURSIVE may stand in the statement; old versions refuse it
    is_recursive: bool,
    aliases: usize,
}

/// Whole queries, of two columns or of one
impl Maker {
    fn ingestion(&mut self, depth: usize) -> Scoped {
        let tail = self.random.of(&["", "", " LIMIT 3", " LIMIT ALL", " LIMIT ALL OFFSET 1", " OFFSET 1"]);
        let with = self.with(depth);
        let body = if self.random.below(3) == 0 { self.union(depth) } else { self.select(depth) };
        let inside = format!("{with}{body}{tail}");
        let query = match self.random.below(3) {
            0 => format!("({inside})"),
            1 => format!("(({inside}))"),
            _ => inside,
        };
        let clustered_by = (self.random.below(4) > 0).then(|| self.order_items(depth));
        let clustering =
            clustered_by.as_ref().map(|items| format!(" CLUSTERED BY {items}")).unwrap_or_default();
        let head = self.random.of(&[
            "INSERT INTO d",
            "REPLACE INTO d OVERWRITE ALL",
            "EXPLAIN PLAN FOR INSERT INTO d",
        ]);
        Scoped { sql: format!("{head} {query} PARTITIONED BY ALL{clustering}"), query, clustered_by }
    }

    fn query(&mut self, depth: usize) -> String {
        let with = self.with(depth);
        let body = self.body(depth);
        let tail = self.tail(depth);
        self.in_parentheses(format!("{with}{body}{tail}"), depth)
    }

    /// A query of one number a row
    fn numbers(&mut self, depth: usize) -> String {
        let with = self.with(depth);
        let (from, alias) = self.from(depth);
        let number = self.number(depth, &alias);
        let select = match self.random.below(6) {
            0 => format!("SELECT MAX({number}) AS cnt FROM {from}"),
            1 => format!("SELECT {number} AS cnt FROM {from} UNION ALL SELECT cnt FROM {}", self.name()),
            2 => format!("(SELECT {number} AS cnt FROM {from})"),
            _ => format!("SELECT {number} AS cnt FROM {from}"),
        };
        let tail =
            self.random.of(&["", "", "", " ORDER BY @", " LIMIT 1", " LIMIT ALL", " ORDER BY 1, @ LIMIT 1"]);
        let tail =
            if tail.contains('@') { tail.replace('@', &self.number(depth, "")) } else { tail.to_owned() };
        self.in_parentheses(format!("{with}{select}{tail}"), depth)
    }

    /// Parentheses around a query that are one too many, now and then
    fn in_parentheses(&mut self, query: String, depth: usize) -> String {
        match self.random.below(16) {
            0 if depth > 0 => {
                let tail = self.tail(depth - 1);
                format!("({query}){tail}")
            }
            1 | 2 => format!("({query})"),
            _ => query,
        }
    }

    fn with(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.below(2) == 0 {
            return String::new();
        }
        let recursive = if self.is_recursive && self.random.below(2) == 0 { "RECURSIVE " } else { "" };
        let items: Vec<_> = (0..1 + self.random.below(2)).map(|_| self.with_item(depth - 1)).collect();
        format!("WITH {recursive}{} ", items.join(", "))
    }

    fn with_item(&mut self, depth: usize) -> String {
        let name = self.random.of(&["s", "s", "t", "y", "a"]);
        format!("{name} (dim1, cnt) AS ({})", self.query(depth))
    }

    fn body(&mut self, depth: usize) -> String {
        match self.random.below(16) {
            0..=3 => self.union(depth),
            4 => format!("TABLE {}", self.name()),
            5 => "VALUES ('x', 3), ('y', (SELECT MAX(cnt) FROM s))".to_owned(),
            6 | 7 if depth > 0 => format!("({})", self.query(depth - 1)),
            _ => self.select(depth),
        }
    }

    fn union(&mut self, depth: usize) -> String {
        let operator = self.random.of(&["UNION ALL", "UNION", "EXCEPT", "INTERSECT", "UNION ALL"]);
        let (left, right) = (self.branch(depth), self.branch(depth));
        let third =
            if self.random.below(4) == 0 { format!(" INTERSECT {}", self.branch(0)) } else { String::new() };
        format!("{left} {operator} {right}{third}")
    }

    fn branch(&mut self, depth: usize) -> String {
        match depth.checked_sub(1) {
            Some(depth) if self.random.below(5) == 0 => format!("({})", self.query(depth)),
            Some(depth) if self.random.below(3) == 0 => {
                format!("({}{})", self.select(depth), self.tail(depth))
            }
            Some(depth) if self.random.below(3) > 0 => self.select(depth),
            _ => format!("SELECT dim1, cnt FROM {}", self.name()),
        }
    }

    fn tail(&mut self, depth: usize) -> String {
        match self.random.below(12) {
            0..=2 => format!(" ORDER BY {}", self.order_items(depth)),
            3 => format!(" ORDER BY {} LIMIT 5", self.order_items(depth)),
            4 => self
                .random
                .of(&[
                    " LIMIT 3",
                    " LIMIT ALL",
                    " LIMIT ALL OFFSET 1",
                    " OFFSET 2 ROWS",
                    " FETCH FIRST 2 ROWS ONLY",
                    " LIMIT 2 OFFSET 1",
                ])
                .to_owned(),
            _ => String::new(),
        }
    }

    fn order_items(&mut self, depth: usize) -> String {
        let number = self.number(depth.max(1), "");
        match self.random.below(5) {
            0 => format!("1, {number}"),
            1 => format!("CASE WHEN {} THEN 1 ELSE 2 END", self.condition(depth, "")),
            2 => format!("({}), cnt", self.numbers(depth.saturating_sub(1))),
            _ => number,
        }
    }

    fn name(&mut self) -> &'static str {
        let name = self.random.below(DATASOURCES.len());
        if self.random.below(2) == 0 { "s" } else { DATASOURCES[name] }
    }
}

/// SELECTs and what they select from
impl Maker {
    fn select(&mut self, depth: usize) -> String {
        let (from, alias) = self.from(depth);
        let inner = depth.saturating_sub(1);
        match self.random.below(30) {
            0 => format!("SELECT * FROM {}", self.named_table()),
            1..=3 => self.grouped(inner, &from, &alias),
            4 | 5 => format!(
                "SELECT {alias}.dim1, SUM({}) OVER (PARTITION BY {alias}.dim1 ORDER BY {}) AS cnt FROM {from}",
                self.number(inner, &alias),
                self.number(inner, &alias)
            ),
            6 => format!(
                "SELECT {alias}.dim1, SUM({}) OVER w AS cnt FROM {from} WINDOW w AS (ORDER BY {alias}.cnt)",
                self.number(inner, &alias)
            ),
            7 => format!(
                "SELECT {alias}.dim1, {alias}.cnt FROM {from} QUALIFY ROW_NUMBER() OVER (ORDER BY {}) > {}",
                self.number(inner, &alias),
                self.number(inner, &alias)
            ),
            8 => format!("SELECT DISTINCT {} AS dim1, {alias}.cnt FROM {from}", self.string(inner, &alias)),
            9 => self.reshaped(),
            _ => format!(
                "SELECT {} AS dim1, {} AS cnt FROM {from}{}",
                self.string(inner, &alias),
                self.number(inner, &alias),
                self.filter(inner, &alias)
            ),
        }
    }

    fn filter(&mut self, depth: usize, alias: &str) -> String {
        if self.random.below(2) == 0 {
            String::new()
        } else {
            format!(" WHERE {}", self.condition(depth, alias))
        }
    }

    fn grouped(&mut self, depth: usize, from: &str, alias: &str) -> String {
        let counted = self.random.of(&[
            "COUNT(*)",
            "MAX(@)",
            "SUM(@) FILTER (WHERE ?)",
            "COUNT(DISTINCT @)",
            "CASE WHEN MAX(@) > 1 THEN 1 ELSE 2 END",
            "CHAR_LENGTH(LISTAGG(#) WITHIN GROUP (ORDER BY @))",
            "GROUPING(#)",
        ]);
        let counted = self.filled(&counted.replace('#', &format!("{alias}.dim1")), depth, alias);
        let grouping = self.random.of(&[
            "#",
            "#",
            "GROUPING SETS ((#), ())",
            "ROLLUP (#)",
            "CUBE (#)",
            "#, CASE WHEN ? THEN 1 ELSE 2 END",
        ]);
        let grouping = self.filled(&grouping.replace('#', &format!("{alias}.dim1")), depth, alias);
        let having = self.random.of(&[
            "",
            "",
            " HAVING MAX(@) > 1",
            " HAVING COUNT(*) > (~)",
            " HAVING EXISTS (~)",
            " HAVING cnt > (~)",
        ]);
        let having = self.filled(having, depth, alias);
        let condition = self.filter(depth, alias);
        format!("SELECT {alias}.dim1, {counted} AS cnt FROM {from}{condition} GROUP BY {grouping}{having}")
    }

    /// Tables that Calcite makes others of
    fn reshaped(&mut self) -> String {
        let table = self.name();
        let shape = self.random.of(&[
            "PIVOT (SUM(cnt) AS n FOR dim1 IN ('x' AS x)) AS p",
            "UNPIVOT (v FOR k IN (cnt AS 'c')) AS p",
            "MATCH_RECOGNIZE (PARTITION BY dim1 ORDER BY cnt MEASURES A.cnt AS c PATTERN (A B) DEFINE B AS B.cnt > A.cnt) AS p",
        ]);
        format!("SELECT 'x' AS dim1, 1 AS cnt FROM {table} {shape}")
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    fn named_table(&mut self) -> String {
        let name = self.name();
        match self.random.below(6) {
            0 => format!("druid.{name}"),
            1 => format!("\"{name}\""),
            _ => name.to_owned(),
        }
    }

    /// What to select from, and an alias whose columns may be named
    fn from(&mut self, depth: usize) -> (String, String) {
        let alias = self.alias();
        let Some(inner) = depth.checked_sub(1).filter(|_| self.random.below(2) == 0) else {
            return (format!("{} AS {alias}", self.named_table()), alias);
        };
        let text = match self.random.below(12) {
            0..=2 => format!("({}) AS {alias} (dim1, cnt)", self.query(inner)),
            3 => format!("(VALUES ('x', (SELECT MAX(cnt) FROM t))) AS {alias} (dim1, cnt)"),
            4 => return self.joined(inner, "JOIN"),
            5 => return self.joined(inner, "LEFT JOIN"),
            6 => {
                let other = self.from(inner);
                let column = format!("{}.cnt", other.1);
                return (
                    format!(
                        "{}, LATERAL (SELECT {column} AS v FROM ({}) AS q (dim1, cnt)) AS {alias} (v)",
                        other.0,
                        self.query(inner)
                    ),
                    other.1,
                );
            }
            7 => {
                let other = self.from(inner);
                let number = self.number(inner, &other.1);
                return (format!("{}, UNNEST(ARRAY[ABS({number}), 2]) AS {alias} (v)", other.0), other.1);
            }
            8 => format!("{} AS {alias} TABLESAMPLE BERNOULLI(10)", self.named_table()),
            9 => {
                let other = self.from(inner);
                return (format!("{} CROSS JOIN {} AS {alias}", other.0, self.named_table()), other.1);
            }
            10 => {
                let other = self.from(inner);
                return (
                    format!(
                        "({} JOIN {} AS {alias} ON {})",
                        other.0,
                        self.named_table(),
                        self.condition(inner, &alias)
                    ),
                    other.1,
                );
            }
            _ => format!("(TABLE {}) AS {alias} (dim1, cnt)", self.name()),
        };
        (text, alias)
    }

    fn joined(&mut self, depth: usize, join: &str) -> (String, String) {
        let ((left, alias), other) = (self.from(depth), self.alias());
        let right =
            if self.random.below(2) == 0 { self.named_table() } else { format!("({})", self.query(depth)) };
        let right = format!("{right} AS {other} (dim1, cnt)");
        let text = match self.random.below(6) {
            0 => format!("{left} NATURAL {join} {right}"),
            1 => format!("{left} {join} {right} USING (dim1)"),
            2 => format!("{left} {join} {right} ON {}", self.condition(depth, &other)),
            _ => format!("{left} {join} {right} ON {alias}.dim1 = {other}.dim1"),
        };
        (text, alias)
    }
}

/// Expressions over the columns of an alias; of none, over the columns of the query itself
impl Maker {
    /// A template with its marks filled in: `@` a number, `#` a string, `?` a condition, `~` a query of numbers, `^` any query, `%` a bare SELECT
    fn filled(&mut self, template: &str, depth: usize, alias: &str) -> String {
        let inner = depth.saturating_sub(1);
        let mut text = String::new();
        for letter in template.chars() {
            match letter {
                '@' => text += &self.number(inner, alias),
                '#' => text += &self.string(inner, alias),
                '?' => text += &self.condition(inner, alias),
                '~' => text += &self.numbers(inner),
                '^' => text += &self.query(inner),
                '%' => text += &self.select(inner),
                letter => text.push(letter),
            }
        }
        text
    }

    fn number(&mut self, depth: usize, alias: &str) -> String {
        if depth == 0 || self.random.below(3) == 0 {
            return if alias.is_empty() { "cnt".to_owned() } else { format!("{alias}.cnt") };
        }
        let template = self.random.of(NUMBERS);
        self.filled(template, depth, alias)
    }

    fn string(&mut self, depth: usize, alias: &str) -> String {
        if depth == 0 || self.random.below(3) > 0 {
            return if alias.is_empty() { "dim1".to_owned() } else { format!("{alias}.dim1") };
        }
        let template = self.random.of(STRINGS);
        self.filled(template, depth, alias)
    }

    fn condition(&mut self, depth: usize, alias: &str) -> String {
        let template = self.random.of(if depth == 0 { &["@ > 1", "# = 'x'"] } else { CONDITIONS });
        self.filled(template, depth, alias)
    }
}

const NUMBERS: &[&str] = &[
    "(~)",
    "(~)",
    "(~)",
    "(SELECT MAX(cnt) FROM s)",
    "(@ + @)",
    "ABS(@)",
    "- @",
    "CASE WHEN ? THEN @ ELSE @ END",
    "CASE @ WHEN 1 THEN @ ELSE 2 END",
    "COALESCE(@, @)",
    "NULLIF(@, 1)",
    "CAST(@ AS BIGINT)",
    "CHAR_LENGTH(#)",
    "POSITION('x' IN #)",
    "CARDINALITY(MULTISET(%))",
    "CARDINALITY(ARRAY(%))",
    "CARDINALITY(MULTISET[1, 2]) + @",
    "ARRAY[ABS(@), 1][1]",
    "FLOOR(@)",
    "{fn ABS(@)}",
    "MOD(@, 2)",
    "ROUND(@)",
];

const STRINGS: &[&str] = &[
    "'x'",
    "UPPER(#)",
    "(SELECT MAX(dim1) FROM s)",
    "TRIM(BOTH 'x' FROM #)",
    "SUBSTRING(# FROM 1 FOR 2)",
    "OVERLAY(# PLACING 'y' FROM 1 FOR 1)",
    "(# || #)",
    "CASE WHEN ? THEN # ELSE 'y' END",
];

const CONDITIONS: &[&str] = &[
    "@ > @",
    "EXISTS (^)",
    "NOT EXISTS (~)",
    "@ IN (~)",
    "@ NOT IN (~)",
    "@ IN (@, 2)",
    "@ = ANY (~)",
    "@ > ALL (~)",
    "(#, @) IN (^)",
    "@ BETWEEN @ AND @",
    "@ BETWEEN SYMMETRIC 1 AND @",
    "NOT (?)",
    "(? OR ?)",
    "(? AND ?)",
    "# LIKE #",
    "@ IS NOT NULL",
    "@ IS DISTINCT FROM @",
    "(?) IS TRUE",
    "EXISTS (TABLE s)",
];
