//! The statements that the stand-in knows

use serde_json::{Map, Value};

use super::table::{Column, Kind};
use super::word::Place;

/// A statement with what stands before it
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The settings of its SETs, in order
    pub(super) settings: Vec<(String, Value)>,
    /// Whether it is to be run
    pub(super) purpose: Purpose,
    /// The statement
    pub(super) statement: Statement,
}

/// What is wanted of a statement
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Run,
    Explain,
}

/// A statement
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Select(Query),
    Insert { target: String, query: Query, partitioned_by: String },
    Replace { target: String, overwrite: Overwrite, query: Query, partitioned_by: String },
    Export { storage: Map<String, Value>, format: String, query: Query },
}

/// Which rows a REPLACE takes out
#[derive(Clone, Debug)]
pub(super) enum Overwrite {
    All,
    Where(Vec<Condition>),
}

/// A SELECT
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) items: Vec<Item>,
    pub(super) from: Option<Source>,
    pub(super) conditions: Vec<Condition>,
    pub(super) grouping: Grouping,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
}

/// Whether a SELECT has a GROUP BY; it groups by every column that is no aggregate
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    None,
    ByColumns,
}

/// One of the things selected
#[derive(Clone, Debug)]
pub(super) enum Item {
    All,
    One { expression: Expression, name: Option<String> },
}

/// What can be computed
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Literal { value: Value, kind: Kind },
    Column { name: String, place: Place },
    Time(Box<Expression>),
    Now,
    CountAll,
    Sum(Box<Expression>),
}

/// What is read from
#[derive(Clone, Debug)]
pub(super) enum Source {
    Table { name: String, place: Place },
    Extern { input_source: Value, input_format: Value, columns: Vec<Column> },
    Query(Box<Query>),
}

/// A comparison
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) left: Expression,
    pub(super) comparison: Comparison,
    pub(super) right: Expression,
}

/// How two values are compared
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A column to order by: its place from 1, or its name
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) by: String,
    pub(super) direction: Direction,
}

/// Which end comes first
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

impl Statement {
    /// The SELECT in it
    pub(super) fn query(&self) -> &Query {
        match self {
            Self::Select(query)
            | Self::Insert { query, .. }
            | Self::Replace { query, .. }
            | Self::Export { query, .. } => query,
        }
    }
}
