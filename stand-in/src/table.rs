//! Datasources in memory: columns with Druid's types, rows of JSON values

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// The column that Druid keeps the time in, as milliseconds
const TIME: &str = "__time";

/// The last millisecond that RFC 3339 has a text for, in the year 9999
const LAST_MILLI: u64 = 253_402_300_799_999;

/// A datasource, or the rows of a statement
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Its columns, in order
    pub columns: Vec<Column>,
    /// Its rows: a value for each column
    pub rows: Vec<Vec<Value>>,
}

/// A column: a name and a type
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name
    pub name: String,
    /// Its type
    pub kind: Kind,
}

/// The types a column can have here
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A time, kept as milliseconds since 1970
    Timestamp,
    /// A string
    Varchar,
    /// A string literal
    Char,
    /// A whole number
    Bigint,
    /// A whole number literal
    Integer,
    /// A number with a fraction
    Double,
    /// A literal with a fraction
    Decimal,
    /// True or false
    Boolean,
    /// `NULL`, which nothing more is known of
    Null,
}

impl Kind {
    /// Its name in SQL
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Timestamp => "TIMESTAMP",
            Self::Varchar => "VARCHAR",
            Self::Char => "CHAR",
            Self::Bigint => "BIGINT",
            Self::Integer => "INTEGER",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::Boolean => "BOOLEAN",
            Self::Null => "NULL",
        }
    }

    /// Its name in native queries
    pub(super) fn native(self) -> &'static str {
        match self {
            Self::Timestamp | Self::Bigint | Self::Integer | Self::Boolean => "LONG",
            Self::Varchar | Self::Char | Self::Null => "STRING",
            Self::Double | Self::Decimal => "DOUBLE",
        }
    }

    /// The type it is stored as
    fn stored(self) -> Self {
        match self {
            Self::Timestamp => Self::Timestamp,
            Self::Varchar | Self::Char | Self::Null => Self::Varchar,
            Self::Bigint | Self::Integer | Self::Boolean => Self::Bigint,
            Self::Double | Self::Decimal => Self::Double,
        }
    }

    /// The type of this name, in SQL or in native queries
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "TIMESTAMP" => Self::Timestamp,
            "VARCHAR" | "CHAR" | "STRING" => Self::Varchar,
            "BIGINT" | "LONG" | "INTEGER" => Self::Bigint,
            "DOUBLE" | "FLOAT" => Self::Double,
            _ => return None,
        })
    }
}

impl Column {
    /// A column of this name and type
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

impl Table {
    /// A datasource of these rows, each an object; types are taken from the first value of each column
    ///
    /// `__time` comes first, and may be milliseconds or a text such as `2026-01-01T00:00:00Z`.
    pub fn from_objects(objects: &[Map<String, Value>]) -> Self {
        let mut table = Self::default();
        for (name, value) in objects.iter().flatten() {
            if !value.is_null() && table.position(name).is_none() {
                let at = if name == TIME { 0 } else { table.columns.len() };
                table.columns.insert(at, Column::new(name, kind_of(name, value)));
            }
        }
        for object in objects {
            let row = table
                .columns
                .iter()
                .map(|column| stored(column.kind, object.get(&column.name).cloned().unwrap_or(Value::Null)));
            table.rows.push(row.collect());
        }
        table
    }

    /// Where the column of this name stands
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Adds rows, and the columns that are new
    pub(super) fn append(&mut self, new: &Self) {
        for column in &new.columns {
            if self.position(&column.name).is_none() {
                self.columns.push(Column::new(&column.name, column.kind.stored()));
                self.rows.iter_mut().for_each(|row| row.push(Value::Null));
            }
        }
        let sources: Vec<_> = self.columns.iter().map(|column| new.position(&column.name)).collect();
        for row in &new.rows {
            let value = |source: &Option<usize>| source.and_then(|at| row.get(at)).cloned();
            self.rows.push(sources.iter().map(|source| value(source).unwrap_or(Value::Null)).collect());
        }
    }
}

/// A value as a column of this type keeps it
pub(super) fn stored(kind: Kind, value: Value) -> Value {
    match kind {
        Kind::Timestamp => match value.as_str() {
            Some(text) => millis_of(text).map_or(Value::Null, Value::from),
            None => value,
        },
        Kind::Varchar | Kind::Char => match value {
            Value::Null | Value::String(_) => value,
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                value.to_string().into()
            }
        },
        Kind::Bigint | Kind::Integer => match value.as_str() {
            Some(text) => text.parse::<i64>().map_or(Value::Null, Value::from),
            None => value,
        },
        Kind::Double | Kind::Decimal => match value.as_str() {
            Some(text) => text.parse::<f64>().map_or(Value::Null, Value::from),
            None => value,
        },
        Kind::Boolean | Kind::Null => value,
    }
}

/// A value as a text without quotes
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The milliseconds of a time such as `2026-01-01`, `2026-01-01 10:00:00` or `2026-01-01T10:00:00.5Z`
pub(super) fn millis_of(text: &str) -> Option<i64> {
    let text = text.trim();
    let whole = if text.len() == "2026-01-01".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = humantime::parse_rfc3339_weak(&whole).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Milliseconds, as a text; times before 1970 and after 9999 are told as the nearest within
pub(super) fn time_text(millis: i64) -> String {
    let millis = u64::try_from(millis).unwrap_or_default().min(LAST_MILLI);
    let since = Duration::from_millis(millis);
    instant_text(UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH))
}

/// A time, as a text
pub(super) fn instant_text(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

fn kind_of(name: &str, value: &Value) -> Kind {
    if name == TIME {
        Kind::Timestamp
    } else if value.is_i64() || value.is_u64() || value.is_boolean() {
        Kind::Bigint
    } else if value.is_f64() {
        Kind::Double
    } else {
        Kind::Varchar
    }
}
