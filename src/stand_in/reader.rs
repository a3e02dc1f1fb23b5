//! A tiny reader of statements, for the stand-in only
//!
//! It is not the gate's judge and shares nothing with it: a demo in which the same reader judged and ran
//! would prove nothing. What it cannot read is answered as Druid answers a statement that it cannot plan.

use serde_json::{Map, Number, Value, json};

use super::Version;
use super::fault::Fault;
use super::statement::{
    Comparison, Condition, Direction, Expression, Grouping, Item, Order, Overwrite, Purpose, Query, Script,
    Source, Statement,
};
use super::table::{Column, Kind};
use super::word::{Place, Token, Word, words};

impl Script {
    /// Reads a statement as this version does
    pub(super) fn parse(text: &str, version: Version) -> Result<Self, Fault> {
        let mut reader = Reader { tokens: words(text)?, at: 0, named: Vec::new(), depth: 0, version };
        let settings = reader.settings()?;
        let purpose = reader.purpose()?;
        let statement = reader.statement()?;
        if version == Version::Druid37 {
            reader.take_mark(";");
        }
        if reader.peek().word == Word::End {
            Ok(Self { settings, purpose, statement })
        } else {
            reader.unexpected("<EOF>")
        }
    }
}

struct Reader {
    /// Never empty: it ends with [`Word::End`]
    tokens: Vec<Token>,
    at: usize,
    /// The queries of WITH
    named: Vec<(String, Query)>,
    depth: usize,
    version: Version,
}

const END: Token = Token { word: Word::End, place: Place { line: 0, column: 0, end_column: 0 } };

const DEEPEST: usize = 32;

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
    fn peek(&self) -> &Token {
        static AFTER: Token = END;
        self.tokens.get(self.at).unwrap_or(&AFTER)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, Fault> {
        Err(Fault::unexpected(self.peek(), wanted))
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        self.at += usize::from(found);
        found
    }

    fn take_mark(&mut self, mark: &str) -> bool {
        let found = self.peek().is_mark(mark);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, keyword: &str) -> Result<(), Fault> {
        if self.take(keyword) { Ok(()) } else { self.unexpected(&format!("\"{keyword}\"")) }
    }

    fn want_mark(&mut self, mark: &str) -> Result<(), Fault> {
        if self.take_mark(mark) { Ok(()) } else { self.unexpected(&format!("\"{mark}\"")) }
    }

    fn name(&mut self) -> Result<String, Fault> {
        match self.peek().word.clone() {
            Word::Bare(name) | Word::Quoted(name) => {
                self.at += 1;
                Ok(name)
            }
            Word::Text(_) | Word::Number(_) | Word::Mark(_) | Word::End => self.unexpected("<IDENTIFIER>"),
        }
    }

    fn text(&mut self) -> Result<String, Fault> {
        match self.peek().word.clone() {
            Word::Text(text) => {
                self.at += 1;
                Ok(text)
            }
            Word::Bare(_) | Word::Quoted(_) | Word::Number(_) | Word::Mark(_) | Word::End => {
                self.unexpected("<QUOTED_STRING>")
            }
        }
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

    fn purpose(&mut self) -> Result<Purpose, Fault> {
        if self.take("EXPLAIN") {
            self.want("PLAN")?;
            self.want("FOR")?;
            Ok(Purpose::Explain)
        } else {
            Ok(Purpose::Run)
        }
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
            self.expression()?;
            while self.take_mark(",") {
                self.expression()?;
            }
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
            self.names()?;
        }
        let query = if self.take_mark("(") {
            let query = self.query()?;
            self.want_mark(")")?;
            query
        } else {
            self.want("SELECT")?;
            self.select()?
        };
        self.depth -= 1;
        Ok(query)
    }

    fn names(&mut self) -> Result<(), Fault> {
        loop {
            let name = self.name()?;
            self.want("AS")?;
            self.want_mark("(")?;
            let query = self.query()?;
            self.want_mark(")")?;
            self.named.push((name, query));
            if !self.take_mark(",") {
                return Ok(());
            }
        }
    }

    fn select(&mut self) -> Result<Query, Fault> {
        let mut items = vec![self.item()?];
        while self.take_mark(",") {
            items.push(self.item()?);
        }
        let from = if self.take("FROM") { Some(self.source()?) } else { None };
        let conditions = if self.take("WHERE") { self.conditions()? } else { Vec::new() };
        let grouping = self.grouping()?;
        let order = self.order()?;
        let limit = if self.take("LIMIT") { Some(self.count()?) } else { None };
        Ok(Query { items, from, conditions, grouping, order, limit })
    }

    fn item(&mut self) -> Result<Item, Fault> {
        if self.take_mark("*") {
            return Ok(Item::All);
        }
        let expression = self.expression()?;
        Ok(Item::One { expression, name: self.alias()? })
    }

    fn alias(&mut self) -> Result<Option<String>, Fault> {
        if self.take("AS") {
            return self.name().map(Some);
        }
        match &self.peek().word {
            Word::Quoted(_) => self.name().map(Some),
            Word::Bare(word) if !NO_ALIAS.iter().any(|taken| word.eq_ignore_ascii_case(taken)) => {
                self.name().map(Some)
            }
            Word::Bare(_) | Word::Text(_) | Word::Number(_) | Word::Mark(_) | Word::End => Ok(None),
        }
    }

    fn grouping(&mut self) -> Result<Grouping, Fault> {
        if !self.take("GROUP") {
            return Ok(Grouping::None);
        }
        self.want("BY")?;
        self.expression()?;
        while self.take_mark(",") {
            self.expression()?;
        }
        Ok(Grouping::ByColumns)
    }

    fn order(&mut self) -> Result<Vec<Order>, Fault> {
        let mut order = Vec::new();
        if !self.take("ORDER") {
            return Ok(order);
        }
        self.want("BY")?;
        loop {
            let by = self.next().text().to_owned();
            let direction = if self.take("DESC") {
                Direction::Descending
            } else {
                self.take("ASC");
                Direction::Ascending
            };
            order.push(Order { by, direction });
            if !self.take_mark(",") {
                return Ok(order);
            }
        }
    }

    fn count(&mut self) -> Result<usize, Fault> {
        match self.peek().text().parse() {
            Ok(count) => {
                self.at += 1;
                Ok(count)
            }
            Err(_) => self.unexpected("<UNSIGNED_INTEGER_LITERAL>"),
        }
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
        let comparison = match self.peek().text() {
            "=" => Comparison::Equal,
            "<>" | "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return self.unexpected("\"=\", \"<>\", \"<\", \"<=\", \">\", \">=\""),
        };
        self.at += 1;
        Ok(Condition { left, comparison, right: self.expression()? })
    }

    fn source(&mut self) -> Result<Source, Fault> {
        let source = if self.take_mark("(") {
            let query = self.query()?;
            self.want_mark(")")?;
            Source::Query(Box::new(query))
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

    /// `TABLE(EXTERN('…', '…', '…')) EXTEND (name TYPE, …)`
    fn external(&mut self) -> Result<Source, Fault> {
        self.want_mark("(")?;
        self.want("EXTERN")?;
        self.want_mark("(")?;
        let mut arguments = vec![self.document()?];
        while self.take_mark(",") {
            arguments.push(self.document()?);
        }
        self.want_mark(")")?;
        self.want_mark(")")?;
        let mut arguments = arguments.into_iter();
        let (input_source, input_format) = (arguments.next(), arguments.next());
        let signature = arguments.next();
        let columns = match signature {
            Some(signature) => signature_columns(&signature)?,
            None => {
                self.want("EXTEND")?;
                self.extension()?
            }
        };
        Ok(Source::Extern {
            input_source: input_source.unwrap_or(Value::Null),
            input_format: input_format.unwrap_or(Value::Null),
            columns,
        })
    }

    fn document(&mut self) -> Result<Value, Fault> {
        // `inputSource => '…'` is as good as its place.
        if self.tokens.get(self.at + 1).is_some_and(|next| next.is_mark("=>")) {
            self.at += 2;
        }
        let text = self.text()?;
        serde_json::from_str(&text)
            .map_err(|error| Fault::sql(format!("Invalid value for the field [{text}]. Reason: [{error}]")))
    }

    fn extension(&mut self) -> Result<Vec<Column>, Fault> {
        self.want_mark("(")?;
        let mut columns = Vec::new();
        loop {
            let name = self.name()?;
            let kind = self.kind()?;
            columns.push(Column::new(name, kind));
            if !self.take_mark(",") {
                break;
            }
        }
        self.want_mark(")")?;
        Ok(columns)
    }

    fn kind(&mut self) -> Result<Kind, Fault> {
        let Some(kind) = Kind::named(self.peek().text()) else {
            return self.unexpected("\"VARCHAR\", \"BIGINT\", \"DOUBLE\"");
        };
        self.at += 1;
        if self.peek().is_mark("(") {
            self.skip_parentheses()?;
        }
        Ok(kind)
    }

    fn expression(&mut self) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_deep());
        }
        let expression = self.nested_expression()?;
        self.depth -= 1;
        Ok(expression)
    }

    fn nested_expression(&mut self) -> Result<Expression, Fault> {
        let called = self.tokens.get(self.at + 1).is_some_and(|next| next.is_mark("("));
        let token = self.peek().clone();
        match &token.word {
            Word::Bare(word) if called => self.call(&word.to_ascii_uppercase(), &token),
            Word::Bare(word) => self.keyword_or_column(&word.to_ascii_uppercase(), token.place),
            Word::Quoted(_) => self.column(token.place),
            Word::Text(_) | Word::Number(_) | Word::Mark(_) => {
                let (value, kind) = self.literal()?;
                Ok(Expression::Literal { value, kind })
            }
            Word::End => self.unexpected("<IDENTIFIER>"),
        }
    }

    fn call(&mut self, function: &str, token: &Token) -> Result<Expression, Fault> {
        self.at += 2;
        let expression = match function {
            "COUNT" => {
                self.want_mark("*")?;
                Expression::CountAll
            }
            "SUM" => Expression::Sum(Box::new(self.expression()?)),
            "TIME_PARSE" | "MILLIS_TO_TIMESTAMP" => Expression::Time(Box::new(self.expression()?)),
            "CAST" => self.cast()?,
            _ => {
                let message = format!("No match found for function signature {function}(…)");
                return Err(Fault::at(token.place, &message));
            }
        };
        self.want_mark(")")?;
        Ok(expression)
    }

    fn cast(&mut self) -> Result<Expression, Fault> {
        let inner = self.expression()?;
        self.want("AS")?;
        let kind = self.kind()?;
        Ok(if kind == Kind::Timestamp { Expression::Time(Box::new(inner)) } else { inner })
    }

    fn keyword_or_column(&mut self, word: &str, place: Place) -> Result<Expression, Fault> {
        match word {
            "CURRENT_TIMESTAMP" => {
                self.at += 1;
                Ok(Expression::Now)
            }
            "TIMESTAMP" | "DATE" => {
                self.at += 1;
                let value = Value::String(self.text()?);
                Ok(Expression::Time(Box::new(Expression::Literal { value, kind: Kind::Char })))
            }
            "TRUE" | "FALSE" | "NULL" => {
                let (value, kind) = self.literal()?;
                Ok(Expression::Literal { value, kind })
            }
            _ => self.column(place),
        }
    }

    fn column(&mut self, place: Place) -> Result<Expression, Fault> {
        let mut name = self.name()?;
        while self.take_mark(".") {
            name = self.name()?;
        }
        Ok(Expression::Column { name, place })
    }

    fn literal(&mut self) -> Result<(Value, Kind), Fault> {
        let minus = self.take_mark("-");
        let token = self.peek().clone();
        let literal = match &token.word {
            Word::Number(digits) => number(digits, minus),
            Word::Text(text) => Some((json!(text), Kind::Char)),
            Word::Bare(word) => match word.to_ascii_uppercase().as_str() {
                "TRUE" => Some((json!(true), Kind::Boolean)),
                "FALSE" => Some((json!(false), Kind::Boolean)),
                "NULL" => Some((Value::Null, Kind::Null)),
                _ => None,
            },
            Word::Quoted(_) | Word::Mark(_) | Word::End => None,
        };
        match literal {
            Some(literal) => {
                self.at += 1;
                Ok(literal)
            }
            None => {
                self.unexpected("<UNSIGNED_INTEGER_LITERAL>, <QUOTED_STRING>, \"TRUE\", \"FALSE\", \"NULL\"")
            }
        }
    }
}

/// How many queries are read one from the other
fn nesting(query: &Query) -> usize {
    match &query.from {
        Some(Source::Query(inner)) => 1 + nesting(inner),
        Some(Source::Table { .. } | Source::Extern { .. }) | None => 1,
    }
}

fn too_deep() -> Fault {
    Fault::sql("The statement nests too deep")
}

fn number(digits: &str, minus: bool) -> Option<(Value, Kind)> {
    let text = if minus { format!("-{digits}") } else { digits.to_owned() };
    match text.parse::<i64>() {
        Ok(whole) => Some((json!(whole), Kind::Integer)),
        Err(_) => Number::from_f64(text.parse().ok()?).map(|number| (Value::Number(number), Kind::Decimal)),
    }
}

fn signature_columns(signature: &Value) -> Result<Vec<Column>, Fault> {
    let columns = signature.as_array().map_or(&[][..], Vec::as_slice);
    columns
        .iter()
        .map(|column| {
            let (name, kind) = (column.get("name"), column.get("type"));
            let name = name.and_then(Value::as_str);
            let kind = kind.and_then(Value::as_str).and_then(Kind::named);
            name.zip(kind)
                .map(|(name, kind)| Column::new(name, kind))
                .ok_or_else(|| Fault::sql(format!("Invalid value for the field [{column}]")))
        })
        .collect()
}
