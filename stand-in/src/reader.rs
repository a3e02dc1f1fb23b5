//! A tiny reader of statements, for the stand-in only
//!
//! It is not the gate's judge and shares nothing with it: a demo in which the same reader judged and ran
//! would prove nothing. What it cannot read is answered as Druid answers a statement that it cannot plan.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::Version;
use super::fault::Fault;
use super::splitter::words;
use super::statement::{Condition, Item, Order, Overwrite, Query, Script, Source, Statement};
use super::table::Kind;
use super::word::{Place, Token, Word};

impl Script {
    /// Reads a statement as this version does
    pub(super) fn parse(text: &str, version: Version) -> Result<Self, Fault> {
        let mut reader = Reader { tokens: words(text)?, at: 0, named: Vec::new(), depth: 0, version };
        let settings = reader.settings()?;
        let is_explained = reader.take("EXPLAIN");
        if is_explained {
            reader.want("PLAN")?;
            reader.want("FOR")?;
        }
        let statement = reader.statement()?;
        if version == Version::Druid37 {
            reader.take_mark(";");
        }
        if reader.peek().word == Word::End {
            Ok(Self { settings, is_explained, statement })
        } else {
            reader.unexpected("<EOF>")
        }
    }
}

pub(super) struct Reader {
    /// Never empty: it ends with [`Word::End`]
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    /// The queries of WITH
    named: Vec<(String, Query)>,
    pub(super) depth: usize,
    version: Version,
}

const END: Token = Token { word: Word::End, place: Place { line: 0, column: 0, end_column: 0 } };

pub(super) const DEEPEST: usize = 32;

/// Words that end an item or a source, so that they are no alias
const NO_ALIAS: [&str; 14] = [
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "LIMIT",
    "PARTITIONED",
    "CLUSTERED",
    "EXTEND",
    "JOIN",
    "INNER",
    "LEFT",
    "UNION",
    "HAVING",
    "ON",
];

impl Reader {
    pub(super) fn peek(&self) -> &Token {
        static AFTER: Token = END;
        self.tokens.get(self.at).unwrap_or(&AFTER)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn unexpected<T>(&self, wanted: &str) -> Result<T, Fault> {
        Err(Fault::unexpected(self.peek(), wanted))
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_mark(&mut self, mark: &str) -> bool {
        let found = self.peek().is_mark(mark);
        self.at += usize::from(found);
        found
    }

    pub(super) fn want(&mut self, keyword: &str) -> Result<(), Fault> {
        if self.take(keyword) { Ok(()) } else { self.unexpected(&format!("\"{keyword}\"")) }
    }

    pub(super) fn want_mark(&mut self, mark: &str) -> Result<(), Fault> {
        if self.take_mark(mark) { Ok(()) } else { self.unexpected(&format!("\"{mark}\"")) }
    }

    pub(super) fn name(&mut self) -> Result<String, Fault> {
        let (Word::Bare(name) | Word::Quoted(name)) = self.peek().word.clone() else {
            return self.unexpected("<IDENTIFIER>");
        };
        self.at += 1;
        Ok(name)
    }

    pub(super) fn text(&mut self) -> Result<String, Fault> {
        let Word::Text(text) = self.peek().word.clone() else {
            return self.unexpected("<QUOTED_STRING>");
        };
        self.at += 1;
        Ok(text)
    }

    /// One or more, with commas between them
    pub(super) fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let mut list = vec![one(self)?];
        while self.take_mark(",") {
            list.push(one(self)?);
        }
        Ok(list)
    }

    /// Something in parentheses
    pub(super) fn enclosed<T>(&mut self, inside: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.want_mark("(")?;
        let found = inside(self)?;
        self.want_mark(")")?;
        Ok(found)
    }

    fn settings(&mut self) -> Result<Vec<(String, Value)>, Fault> {
        let mut settings = Vec::new();
        while self.take("SET") {
            let name = self.name()?;
            self.want_mark("=")?;
            settings.push((name, self.literal()?.0));
            if self.version == Version::Druid27 {
                // Calcite knows SET, but nothing behind it.
                return self.unexpected("<EOF>");
            }
            self.want_mark(";")?;
        }
        Ok(settings)
    }

    fn statement(&mut self) -> Result<Statement, Fault> {
        if self.take("INSERT") {
            self.want("INTO")?;
            self.insert()
        } else if self.take("REPLACE") {
            self.want("INTO")?;
            self.replace()
        } else {
            Ok(Statement::Select(self.query()?))
        }
    }

    fn insert(&mut self) -> Result<Statement, Fault> {
        if self.version == Version::Druid37 && self.peek().is("EXTERN") {
            return self.export();
        }
        let target = self.target()?;
        if self.peek().is_mark("(") {
            return Err(Fault::sql("Operation [INSERT] cannot be run with a target column list"));
        }
        let query = self.query()?;
        Ok(Statement::Insert { target, query, partitioned_by: self.partitioned_by("INSERT")? })
    }

    fn replace(&mut self) -> Result<Statement, Fault> {
        let target = self.target()?;
        if !self.take("OVERWRITE") {
            return Err(Fault::sql(
                "Missing time chunk information in OVERWRITE clause for REPLACE. Use OVERWRITE WHERE <__time based \
                 condition> or OVERWRITE ALL to overwrite the entire table.",
            ));
        }
        let overwrite = if self.take("ALL") {
            Overwrite::All
        } else {
            self.want("WHERE")?;
            Overwrite::Where(self.conditions()?)
        };
        let query = self.query()?;
        let partitioned_by = self.partitioned_by("REPLACE")?;
        Ok(Statement::Replace { target, overwrite, query, partitioned_by })
    }

    fn target(&mut self) -> Result<String, Fault> {
        let name = self.name()?;
        if !self.take_mark(".") {
            return Ok(name);
        }
        if name == "druid" {
            self.name()
        } else {
            let table = self.name()?;
            Err(Fault::sql(format!(
                "Table [{name}.{table}] does not support operation [INSERT] because it is not a Druid datasource"
            )))
        }
    }

    /// `EXTERN(local(exportPath => '…')) AS CSV SELECT …`
    fn export(&mut self) -> Result<Statement, Fault> {
        self.want("EXTERN")?;
        self.want_mark("(")?;
        let mut storage = Map::new();
        storage.insert("type".to_owned(), json!(self.name()?));
        self.want_mark("(")?;
        while !self.take_mark(")") {
            let key = self.name()?;
            self.want_mark("=>")?;
            storage.insert(key, json!(self.text()?));
            self.take_mark(",");
        }
        self.want_mark(")")?;
        self.want("AS")?;
        let format = self.name()?.to_ascii_lowercase();
        Ok(Statement::Export { storage, format, query: self.query()? })
    }

    /// `PARTITIONED BY … CLUSTERED BY …`, at the end of a statement
    fn partitioned_by(&mut self, operation: &str) -> Result<String, Fault> {
        if !self.take("PARTITIONED") {
            return Err(Fault::sql(format!(
                "Operation [{operation}] requires a PARTITIONED BY to be explicitly defined, but none was found."
            )));
        }
        self.want("BY")?;
        let granularity = if self.peek().is("FLOOR") || self.peek().is("TIME_FLOOR") {
            self.at += 1;
            self.skip_parentheses()?;
            "DAY".to_owned()
        } else {
            self.next().text().to_ascii_uppercase()
        };
        self.take("TIME");
        if self.take("CLUSTERED") {
            self.want("BY")?;
            self.list(Self::expression)?;
        }
        Ok(granularity)
    }

    fn skip_parentheses(&mut self) -> Result<(), Fault> {
        self.want_mark("(")?;
        let mut open = 1_usize;
        while open > 0 {
            let token = self.next();
            if token.word == Word::End {
                return self.unexpected("\")\"");
            }
            open = open + usize::from(token.is_mark("(")) - usize::from(token.is_mark(")"));
        }
        Ok(())
    }

    fn query(&mut self) -> Result<Query, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_deep());
        }
        if self.take("WITH") {
            self.list(Self::named_query)?;
        }
        let query = if self.peek().is_mark("(") {
            self.enclosed(Self::query)?
        } else {
            self.want("SELECT")?;
            self.select()?
        };
        self.depth -= 1;
        Ok(query)
    }

    fn named_query(&mut self) -> Result<(), Fault> {
        let name = self.name()?;
        self.want("AS")?;
        let query = self.enclosed(Self::query)?;
        self.named.push((name, query));
        Ok(())
    }

    fn select(&mut self) -> Result<Query, Fault> {
        let items = self.list(Self::item)?;
        let from = if self.take("FROM") { Some(self.source()?) } else { None };
        let conditions = if self.take("WHERE") { self.conditions()? } else { Vec::new() };
        let is_grouped = self.take("GROUP");
        if is_grouped {
            self.want("BY")?;
            self.list(Self::expression)?;
        }
        let order = self.order()?;
        let limit = if self.take("LIMIT") { Some(self.count()?) } else { None };
        Ok(Query { items, from, conditions, is_grouped, order, limit })
    }

    fn item(&mut self) -> Result<Item, Fault> {
        if self.take_mark("*") {
            return Ok(Item::All);
        }
        let expression = self.expression()?;
        Ok(Item::One { expression, name: self.alias()? })
    }

    fn alias(&mut self) -> Result<Option<String>, Fault> {
        let is_free = |word: &str| !NO_ALIAS.iter().any(|taken| word.eq_ignore_ascii_case(taken));
        let is_given = self.take("AS")
            || matches!(&self.peek().word, Word::Quoted(_))
            || matches!(&self.peek().word, Word::Bare(word) if is_free(word));
        if is_given { self.name().map(Some) } else { Ok(None) }
    }

    fn order(&mut self) -> Result<Vec<Order>, Fault> {
        if !self.take("ORDER") {
            return Ok(Vec::new());
        }
        self.want("BY")?;
        self.list(|reader| {
            let by = reader.next().text().to_owned();
            let is_descending = reader.take("DESC");
            if !is_descending {
                reader.take("ASC");
            }
            Ok(Order { by, is_descending })
        })
    }

    fn count(&mut self) -> Result<usize, Fault> {
        let Ok(count) = self.peek().text().parse() else {
            return self.unexpected("<UNSIGNED_INTEGER_LITERAL>");
        };
        self.at += 1;
        Ok(count)
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, Fault> {
        let mut conditions = vec![self.condition()?];
        while self.take("AND") {
            conditions.push(self.condition()?);
        }
        Ok(conditions)
    }

    fn condition(&mut self) -> Result<Condition, Fault> {
        let left = self.expression()?;
        let holds = match self.peek().text() {
            "=" => Ordering::is_eq,
            "<>" | "!=" => Ordering::is_ne,
            "<" => Ordering::is_lt,
            "<=" => Ordering::is_le,
            ">" => Ordering::is_gt,
            ">=" => Ordering::is_ge,
            _ => return self.unexpected("\"=\", \"<>\", \"<\", \"<=\", \">\", \">=\""),
        };
        self.at += 1;
        Ok(Condition { left, holds, right: self.expression()? })
    }

    fn source(&mut self) -> Result<Source, Fault> {
        let source = if self.peek().is_mark("(") {
            Source::Query(Box::new(self.enclosed(Self::query)?))
        } else if self.take("TABLE") {
            self.external()?
        } else {
            self.table()?
        };
        self.alias()?;
        Ok(source)
    }

    fn table(&mut self) -> Result<Source, Fault> {
        let place = self.peek().place;
        let name = self.name()?;
        if let Some((_, query)) = self.named.iter().rev().find(|(named, _)| *named == name) {
            if self.depth + nesting(query) > DEEPEST {
                return Err(too_deep());
            }
            return Ok(Source::Query(Box::new(query.clone())));
        }
        if !self.take_mark(".") {
            return Ok(Source::Table { name, place });
        }
        let table = self.name()?;
        match name.as_str() {
            "druid" => Ok(Source::Table { name: table, place }),
            "sys" | "INFORMATION_SCHEMA" => {
                Err(Fault::sql(format!("Cannot query table(s) [{name}.{table}] with SQL engine [msq-task]")))
            }
            _ => Err(Fault::at(place, &format!("Object '{name}' not found"))),
        }
    }

    pub(super) fn kind(&mut self) -> Result<Kind, Fault> {
        let Some(kind) = Kind::named(self.peek().text()) else {
            return self.unexpected("\"VARCHAR\", \"BIGINT\", \"DOUBLE\"");
        };
        self.at += 1;
        if self.peek().is_mark("(") {
            self.skip_parentheses()?;
        }
        Ok(kind)
    }
}

/// How many queries are read one from the other
fn nesting(query: &Query) -> usize {
    match &query.from {
        Some(Source::Query(inner)) => 1 + nesting(inner),
        Some(Source::Table { .. } | Source::Extern { .. }) | None => 1,
    }
}

pub(super) fn too_deep() -> Fault {
    Fault::sql("The statement nests too deep")
}
