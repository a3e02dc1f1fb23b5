//! Statements made at random that a real Druid can plan, together with what they need
//!
//! For test binaries to include with `#[path = "../support/statements.rs"]`. All tables have a string `s` and a
//! number `n`, and so has every query, so that all fits everywhere. The maker knows which tables it has put where and
//! which common table expressions are in scope, so it says what a statement needs without reading it.

use std::collections::BTreeSet;

/// Numbers that are the same in every run
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    pub(crate) fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

/// The datasources that the statements read and write: `__time`, `s VARCHAR`, `n BIGINT`
pub(crate) const DATASOURCES: [&str; 5] = ["gen_a", "Gen_A", "gen b", "gen_é", "gen_extern"];

/// A statement, and what was put into it
pub(crate) struct Made {
    pub(crate) sql: String,
    pub(crate) needs: BTreeSet<String>,
    /// How many question marks it has, each for a VARCHAR
    pub(crate) parameters: usize,
}

/// The statement of this number; no two runs make another one
pub(crate) fn statement(number: u64) -> Made {
    let mut maker = Maker {
        random: Random::new(number),
        needs: BTreeSet::new(),
        aliases: 0,
        joins: 0,
        targets: BTreeSet::new(),
    };
    let text = maker.statement();
    let needs = maker.needs.union(&maker.targets).cloned().collect();
    let sql = maker.spaced(&text);
    Made { needs, parameters: sql.matches('?').count(), sql }
}

/// A space inside a name, which is not for fillings
const INNER_SPACE: &str = "\u{1}";

/// How many joins a statement has at most
const MOST_JOINS: usize = 2;

/// Which common table expressions are in scope
type Scope = Vec<&'static str>;

struct Maker {
    random: Random,
    needs: BTreeSet<String>,
    targets: BTreeSet<String>,
    aliases: usize,
    /// How many joins it has; Druid's planner does not come to an end with many
    joins: usize,
}

impl Maker {
    fn one_in(&mut self, bound: usize) -> bool {
        self.random.below(bound) == 0
    }

    /// Whether there is to be a join here, or what Druid makes one of
    fn joins(&mut self, odds: usize) -> bool {
        let is_wanted = self.joins < MOST_JOINS && self.one_in(odds);
        self.joins += usize::from(is_wanted);
        is_wanted
    }

    /// The text with something between the tokens, and keywords in some case
    fn spaced(&mut self, text: &str) -> String {
        let is_odd = self.one_in(2);
        let mut spaced = String::new();
        for (number, word) in text.split(' ').enumerate() {
            if number > 0 {
                spaced += if is_odd && self.one_in(4) { self.random.of(FILLINGS) } else { " " };
            }
            let is_keyword = word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
            if is_odd && is_keyword && self.one_in(4) {
                spaced += &word.to_lowercase();
            } else {
                spaced += word;
            }
        }
        spaced.replace(INNER_SPACE, " ")
    }

    fn statement(&mut self) -> String {
        let depth = [1, 1, 1, 2, 2, 3][self.random.below(6)];
        match self.random.below(10) {
            0 | 1 => self.ingestion("INSERT INTO", depth),
            2 => {
                let overwrite = self.random.of(&[
                    "OVERWRITE ALL",
                    "OVERWRITE ALL",
                    "OVERWRITE WHERE __time >= TIMESTAMP '2000-01-01' AND __time < TIMESTAMP '2000-01-02'",
                ]);
                self.replacement(overwrite, depth)
            }
            3 => {
                let name = self.datasource();
                self.needs.insert(format!("READ DATASOURCE {name}"));
                format!("TABLE {}", self.spelt(name))
            }
            4 => {
                let (left, right) = (self.select(&Vec::new(), depth), self.select(&Vec::new(), depth));
                let between = self.random.of(&[
                    "UNION ALL",
                    "UNION ALL",
                    "UNION ALL",
                    "UNION ALL",
                    "UNION ALL",
                    "UNION ALL",
                    "UNION",
                    "INTERSECT",
                    "EXCEPT",
                ]);
                format!("{left} {between} {right}")
            }
            _ => {
                let query = self.query(&Vec::new(), depth);
                query
                    + self.random.of(&[
                        "",
                        "",
                        " ORDER BY 1",
                        " ORDER BY 2 DESC , 1 LIMIT 3",
                        " LIMIT 5 OFFSET 1",
                        " FETCH NEXT 2 ROWS ONLY",
                    ])
            }
        }
    }

    fn target(&mut self) -> String {
        let name = self.random.of(&["gen_a", "Gen_A", "gen b", "gen_new"]);
        self.targets.insert(format!("WRITE DATASOURCE {name}"));
        let schema = self.random.of(&["", "", "druid .", "\"druid\"."]);
        format!("{schema}{}", self.spelt(name))
    }

    fn ingestion(&mut self, head: &str, depth: usize) -> String {
        let (target, query) = (self.target(), self.query(&Vec::new(), depth));
        if self.one_in(2) {
            let tail = self.random.of(&["ALL", "ALL TIME", "ALL CLUSTERED BY s", "ALL CLUSTERED BY s , n"]);
            return format!("{head} {target} {query} PARTITIONED BY {tail}");
        }
        format!("{head} {target} {}", self.timed(&query))
    }

    fn replacement(&mut self, overwrite: &str, depth: usize) -> String {
        let (target, query) = (self.target(), self.query(&Vec::new(), depth));
        format!("REPLACE INTO {target} {overwrite} {}", self.timed(&query))
    }

    /// A query with a `__time`, and how to part its rows
    fn timed(&mut self, query: &str) -> String {
        let alias = self.alias();
        let tail = self.random.of(&[
            "DAY",
            "HOUR CLUSTERED BY s",
            "FLOOR( __time TO DAY )",
            "TIME_FLOOR( __time , 'P1D' ) CLUSTERED BY n , s",
        ]);
        format!(
            "SELECT TIMESTAMP '2000-01-01' AS __time , {alias}.s , {alias}.n FROM ( {query} ) AS {alias} PARTITIONED BY {tail}"
        )
    }

    fn datasource(&mut self) -> &'static str {
        self.random.of(&DATASOURCES)
    }

    /// A name in one of its spellings
    fn spelt(&mut self, name: &str) -> String {
        let name = name.replace(' ', INNER_SPACE);
        match self.random.below(5) {
            0..=2 if name.chars().all(|one| one == '_' || one.is_alphanumeric()) => name,
            3 => self.escaped(&name, "U&\"\\", "\""),
            4 => self.escaped(&name, "u&\"!", "\" UESCAPE '!'"),
            _ => format!("\"{name}\""),
        }
    }

    /// A text with its first character as an escape
    fn escaped(&mut self, text: &str, open: &str, close: &str) -> String {
        let mut characters = text.chars();
        let first = u32::from(characters.next().unwrap_or('x'));
        format!("{open}{first:04x}{}{close}", characters.as_str())
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        // Some are named like a datasource, no two alike.
        match self.random.below(6) {
            0 if self.aliases <= DATASOURCES.len() => {
                format!("\"{}\"", DATASOURCES[self.aliases - 1].replace(' ', INNER_SPACE))
            }
            _ => format!("t{}", self.aliases),
        }
    }

    /// A query of two columns, `s` and `n`
    fn query(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 || !self.one_in(3) {
            return self.body(scope, depth);
        }
        let mut inner = scope.clone();
        let mut items = Vec::new();
        for _ in 0..=self.random.below(2) {
            let name = self.random.of(&["gen_a", "Gen_A", "gen b", "x", "gen_extern"]);
            let columns = self.random.of(&["", "", " ( s , n )"]);
            let query = self.query(&inner, depth - 1);
            items.push(format!("{}{columns} AS ( {query} )", self.spelt(name)));
            inner.push(name);
        }
        format!("WITH {} {}", items.join(" , "), self.body(&inner, depth))
    }

    fn body(&mut self, scope: &Scope, depth: usize) -> String {
        if depth > 0 && self.one_in(12) {
            let (left, right) = (self.named(scope), self.named(scope));
            return format!("SELECT s , n FROM {left} UNION ALL SELECT s , n FROM {right}");
        }
        self.select(scope, depth)
    }

    fn select(&mut self, scope: &Scope, depth: usize) -> String {
        let (from, aliases) = self.from(scope, depth);
        let mut make = Expressions { maker: self, aliases: &aliases, scope, depth };
        let condition =
            if make.maker.one_in(2) { format!(" WHERE {}", make.condition()) } else { String::new() };
        match make.maker.random.below(6) {
            0 => {
                let (text, number) = (make.text(0), format!("{}.n", make.alias()));
                let aggregate = make.maker.random.of(&["SUM", "MAX", "COUNT", "COUNT( DISTINCT"]);
                let aggregate = if aggregate.contains('(') {
                    format!("{aggregate} {number} )")
                } else {
                    format!("{aggregate}( {number} )")
                };
                let filter = if make.maker.one_in(4) {
                    format!(" FILTER ( WHERE {number} > 1 )")
                } else {
                    String::new()
                };
                let having = make.maker.random.of(&["", "", " HAVING COUNT( * ) > 1"]);
                format!(
                    "SELECT {text} AS s , {aggregate}{filter} AS n FROM {from}{condition} GROUP BY 1{having}"
                )
            }
            1 => format!(
                "SELECT DISTINCT {} AS s , {} AS n FROM {from}{condition}",
                make.text(1),
                make.number(0)
            ),
            2 => format!(
                "SELECT /*+{INNER_SPACE}h(k='v')*/ {} s , {} n FROM {from}{condition}",
                make.text(1),
                make.number(1)
            ),
            _ => format!("SELECT {} AS s , {} AS n FROM {from}{condition}", make.text(1), make.number(1)),
        }
    }

    /// Tables, and their aliases
    fn from(&mut self, scope: &Scope, depth: usize) -> (String, Vec<String>) {
        let (left, first) = self.table(scope, depth);
        if depth == 0 || !self.joins(3) {
            return (left, vec![first]);
        }
        if self.one_in(7) {
            let item = self.alias();
            return (
                format!("{left} CROSS JOIN UNNEST( ARRAY[ {first}.s , 'y' ] ) AS {item} ( s )"),
                vec![first, item],
            );
        }
        let (right, second) = self.table(scope, depth - 1);
        let on = format!("ON {first}.s = {second}.s");
        if self.one_in(20) {
            return (format!("( {left} JOIN {right} {on} )"), vec![first, second]);
        }
        let text = match self.random.below(5) {
            0 => format!("{left} LEFT JOIN {right} {on}"),
            1 => format!("{left} INNER JOIN {right} {on} AND {first}.n = {second}.n"),
            2 => format!("{left} CROSS JOIN {right}"),
            3 => format!("{left} , {right}"),
            _ => format!("{left} JOIN {right} {on}"),
        };
        (text, vec![first, second])
    }

    /// Something in FROM, and its alias
    fn table(&mut self, scope: &Scope, depth: usize) -> (String, String) {
        let alias = self.alias();
        let text = match self.random.below(if depth == 0 { 7 } else { 10 }) {
            0 if self.one_in(6) => format!("( VALUES ( 'x' , 1 ) , ( 'y' , 2 ) ) AS {alias} ( s , n )"),
            1 => self.external(&alias),
            7 => format!("( {} ) AS {alias} ( s , n )", self.query(scope, depth - 1)),
            8 | 9 => format!("( {} ) {alias}", self.query(scope, depth - 1)),
            2 => format!("{} {alias}", self.named(scope)),
            _ => format!("{} AS {alias}", self.named(scope)),
        };
        (text, alias)
    }

    /// External input in one of its spellings
    fn external(&mut self, alias: &str) -> String {
        self.needs.insert("READ EXTERNAL EXTERNAL".to_owned());
        let source = r#"'{"type":"inline","data":"{}"}'"#;
        let source = match self.random.below(3) {
            0 => self.escaped(r#"{"type":"inline","data":"{}"}"#, "U&'\\", "'"),
            1 => format!("N{source}"),
            _ => source.to_owned(),
        };
        let signature = r#"'[{"name":"s","type":"string"},{"name":"n","type":"long"}]'"#;
        let name = self.random.of(&["EXTERN", "extern", "\"EXTERN\"", "U&\"\\0045xtern\""]);
        let format = r#"'{"type":"json"}'"#;
        let columns = "( s VARCHAR , n BIGINT )";
        // Druid 27 has these by name, and takes some of them nowhere; later ones do.
        if self.one_in(16) {
            let (inline, http) = ("data => ARRAY[ 'x,1' ]", "uris => ARRAY[ 'http://localhost/x' ]");
            return match self.random.below(3) {
                0 => format!("{name}( {source} , {format} , {signature} ) AS {alias}"),
                1 => format!("TABLE( INLINE( {inline} , format => 'csv' ) ) {columns} AS {alias}"),
                _ => format!("TABLE( http( {http} , format => 'csv' ) ) {columns} AS {alias}"),
            };
        }
        match self.random.below(5) {
            0 => format!("TABLE( {name}( {source} , {format} , {signature} ) ) AS {alias}"),
            1 => format!("TABLE( {name}( {source} , {format} ) ) {columns} AS {alias}"),
            2 => format!(
                "TABLE( {name}( inputSource => {source} , inputFormat => {format} ) ) EXTEND {columns} AS {alias}"
            ),
            3 => format!(
                "TABLE( {name}( signature => {signature} , inputFormat => {format} , inputSource => {source} ) ) {alias}"
            ),
            _ => format!("TABLE( {name}( {source} , {format} ) ) EXTEND {columns} AS {alias}"),
        }
    }

    fn named(&mut self, scope: &Scope) -> String {
        let is_common = !scope.is_empty() && self.one_in(2);
        let name = if is_common { scope[self.random.below(scope.len())] } else { self.datasource() };
        if scope.contains(&name) {
            return self.spelt(name);
        }
        self.needs.insert(format!("READ DATASOURCE {name}"));
        let schema = self.random.of(&["", "", "", "druid."]);
        format!("{schema}{}", self.spelt(name))
    }
}

/// Expressions over the columns of these tables
struct Expressions<'a> {
    maker: &'a mut Maker,
    aliases: &'a [String],
    scope: &'a Scope,
    depth: usize,
}

impl Expressions<'_> {
    fn alias(&mut self) -> String {
        // The last one may be an UNNEST, which has no `n`.
        self.aliases[0].clone()
    }

    /// A string in one of its spellings
    fn literal(&mut self) -> String {
        let literals = ["'x'", "'it''s--FROM/*'", "N'x'", "n'it''s'", "U&'\\0078'", "u&'!0078'", "_UTF8'x'"];
        let literal = self.maker.random.of(&literals);
        if literal.contains('!') { format!("{literal} UESCAPE '!'") } else { literal.to_owned() }
    }

    /// A VARCHAR
    fn text(&mut self, depth: usize) -> String {
        if depth == 0 {
            let any = self.maker.random.below(self.aliases.len());
            return if self.maker.one_in(30) { self.literal() } else { format!("{}.s", self.aliases[any]) };
        }
        let (one, other) = (self.text(depth - 1), self.text(depth - 1));
        match self.maker.random.below(12) {
            0 => format!("UPPER( {one} )"),
            1 => format!("{one} || {other}"),
            2 => format!("SUBSTRING( {one} FROM 1 FOR 2 )"),
            3 => format!("TRIM( BOTH 'x' FROM {one} )"),
            4 => format!("CASE WHEN {} THEN {one} ELSE {other} END", self.simple_condition()),
            5 => format!("CAST( {} AS VARCHAR )", self.number(0)),
            6 => format!("COALESCE( {one} , 'x' )"),
            7 if self.depth > 0 && self.maker.joins(1) => {
                let (table, alias) = self.maker.table(self.scope, self.depth - 1);
                format!("( SELECT CAST( MAX( {alias}.n ) AS VARCHAR ) FROM {table} )")
            }
            _ => one,
        }
    }

    /// A BIGINT
    fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return if self.maker.one_in(30) { "1".to_owned() } else { format!("{}.n", self.alias()) };
        }
        let one = self.number(depth - 1);
        match self.maker.random.below(8) {
            0 => format!("{one} + 1"),
            1 => format!("- {one}"),
            2 => format!("POSITION( 'x' IN {} )", self.text(0)),
            3 if self.maker.one_in(8) => "EXTRACT( YEAR FROM TIMESTAMP '2000-01-01' )".to_owned(),
            6 => format!("CHAR_LENGTH( {} )", self.text(0)),
            4 => format!("CASE {} WHEN 'x' THEN {one} ELSE 0 END", self.text(0)),
            5 => format!("ABS( {one} )"),
            _ => one,
        }
    }

    /// A condition on columns; none that always or never holds, on which Druid 27's planner can go on for ever
    fn simple_condition(&mut self) -> String {
        let (text, number) = (format!("{}.s", self.alias()), format!("{}.n", self.alias()));
        match self.maker.random.below(11) {
            0 => format!("{text} <> ?"),
            9 => format!("{text} <> {}", self.literal()),
            1 => format!("{number} < 3"),
            2 => format!("{text} IN ( 'x' , 'y' )"),
            3 => format!("{text} LIKE 'x%'"),
            4 => format!("{text} IS NOT NULL"),
            5 => format!("{number} NOT BETWEEN 1 AND 2"),
            6 if self.maker.one_in(10) => format!("{text} IS DISTINCT FROM 'x'"),
            7 => format!("( {text} < 'x' OR {number} > 1 )"),
            8 => format!("NOT ( {text} > 'FROM/*secret' )"),
            _ => format!("{text} <> 'x' AND {number} >= 0"),
        }
    }

    /// A condition, some with a query inside
    fn condition(&mut self) -> String {
        let simple = self.simple_condition();
        let Some(depth) = self.depth.checked_sub(1).filter(|_| self.maker.joins(1)) else { return simple };
        match self.maker.random.below(9) {
            0 => {
                let query = self.maker.query(self.scope, depth);
                let alias = self.maker.alias();
                format!("{}.s IN ( SELECT {alias}.s FROM ( {query} ) AS {alias} )", self.alias())
            }
            1 => {
                let name = self.maker.named(self.scope);
                format!("{simple} AND {}.s IN ( SELECT s FROM {name} )", self.alias())
            }
            2 => {
                let name = self.maker.named(self.scope);
                format!("{}.n > ( SELECT MAX( n ) FROM {name} )", self.alias())
            }
            3 if self.maker.one_in(8) => {
                let name = self.maker.named(self.scope);
                let alias = self.maker.alias();
                format!("EXISTS ( SELECT 1 FROM {name} AS {alias} WHERE {alias}.s = {}.s )", self.alias())
            }
            4 if self.maker.one_in(8) => {
                let query = self.maker.query(self.scope, depth);
                format!("EXISTS ( {query} )")
            }
            _ => simple,
        }
    }
}

/// What may stand between two tokens
const FILLINGS: &[&str] = &[
    "  ",
    "\n",
    "\r\n\t",
    "\u{C}",
    " /* FROM secret */ ",
    " /* /* */ ",
    " /**/",
    " /***/ FROM secret */ ",
    " -- FROM secret\n",
    " --\r",
    " // , secret\n",
];
