//! The statements that the stand-in knows

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::table::{Column, Kind};
use super::word::Place;

/// A statement with what stands before it
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The settings of its SETs, in order
    pub(super) settings: Vec<(String, Value)>,
    /// Whether it is only explained
    pub(super) is_explained: bool,
    /// The statement
    pub(super) statement: Statement,
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
    /// Whether it has a GROUP BY; it groups by every column that is no aggregate
    pub(super) is_grouped: bool,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
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
    /// Whether it holds where they stand so to each other
    pub(super) holds: fn(Ordering) -> bool,
    pub(super) right: Expression,
}

/// A column to order by: its place from 1, or its name
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) by: String,
    pub(super) is_descending: bool,
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
