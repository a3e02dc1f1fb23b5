//! Running a SELECT over tables in memory

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::external::external_rows;
use super::fault::Fault;
use super::statement::{Condition, Expression, Item, Order, Query, Source};
use super::table::{Column, Kind, Table, plain, stored};
use super::word::Place;

/// The datasources, by name
pub(super) type Tables = BTreeMap<String, Table>;

/// Whether rows are wanted, or only what they would look like
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Plan,
    Run,
}

/// The rows of a SELECT; none, but their columns, where it is only planned
pub(super) fn run(query: &Query, tables: &Tables, mode: Mode) -> Result<Table, Fault> {
    let source = match &query.from {
        Some(source) => relation(source, tables, mode)?,
        // One row of nothing, so that literals are selected once.
        None => Table { columns: Vec::new(), rows: vec![Vec::new()] },
    };
    let outputs = outputs(query, &source)?;
    for condition in &query.conditions {
        kind(&condition.left, &source)?;
        kind(&condition.right, &source)?;
    }
    let rows: Vec<_> = source.rows.iter().filter(|row| holds(&query.conditions, &source, row)).collect();
    let aggregates = outputs.iter().any(|output| is_aggregate(&output.expression));
    let mut table = Table {
        rows: if aggregates || query.is_grouped {
            grouped(&outputs, &source, &rows, query.is_grouped)
        } else {
            rows.iter().map(|row| projected(&outputs, &source, row)).collect()
        },
        columns: outputs.into_iter().map(|output| output.column).collect(),
    };
    sort(&mut table, &query.order)?;
    if let Some(limit) = query.limit {
        table.rows.truncate(limit);
    }
    Ok(table)
}

/// Takes out the rows for which all of these hold
pub(super) fn take_out(table: &mut Table, conditions: &[Condition]) {
    let source = Table { columns: table.columns.clone(), rows: Vec::new() };
    table.rows.retain(|row| !holds(conditions, &source, row));
}

/// An output column and how it is computed
struct Output {
    expression: Expression,
    column: Column,
}

fn relation(source: &Source, tables: &Tables, mode: Mode) -> Result<Table, Fault> {
    match source {
        Source::Table { name, place } => {
            let table = tables.get(name).ok_or_else(|| missing(*place, name))?;
            let rows = if mode == Mode::Run { table.rows.clone() } else { Vec::new() };
            Ok(Table { columns: table.columns.clone(), rows })
        }
        Source::Query(query) => run(query, tables, mode),
        Source::Extern { input_source, input_format, columns } => {
            let rows = match mode {
                Mode::Plan => Vec::new(),
                Mode::Run => external_rows(input_source, input_format, columns)?,
            };
            Ok(Table { columns: columns.clone(), rows })
        }
    }
}

fn missing(place: Place, name: &str) -> Fault {
    Fault::at(place, &format!("Object '{name}' not found"))
}

fn outputs(query: &Query, source: &Table) -> Result<Vec<Output>, Fault> {
    let mut outputs = Vec::new();
    for (at, item) in query.items.iter().enumerate() {
        match item {
            Item::All => outputs.extend(source.columns.iter().map(|column| Output {
                expression: Expression::Column {
                    name: column.name.clone(),
                    place: Place { line: 1, column: 1, end_column: 1 },
                },
                column: column.clone(),
            })),
            Item::One { expression, name } => {
                let kind = kind(expression, source)?;
                let name = name.clone().unwrap_or_else(|| own_name(expression, at));
                outputs.push(Output { expression: expression.clone(), column: Column { name, kind } });
            }
        }
    }
    Ok(outputs)
}

/// The name of a column that was given none
fn own_name(expression: &Expression, at: usize) -> String {
    match expression {
        Expression::Column { name, .. } => name.clone(),
        Expression::Now => "CURRENT_TIMESTAMP".to_owned(),
        Expression::Literal { .. } | Expression::Time(_) | Expression::CountAll | Expression::Sum(_) => {
            format!("EXPR${at}")
        }
    }
}

fn kind(expression: &Expression, source: &Table) -> Result<Kind, Fault> {
    Ok(match expression {
        Expression::Literal { kind, .. } => *kind,
        Expression::Column { name, place } => {
            let column = source.columns.iter().find(|column| column.name == *name);
            let fault = || Fault::at(*place, &format!("Column '{name}' not found in any table"));
            column.ok_or_else(fault)?.kind
        }
        Expression::Time(inner) => {
            kind(inner, source)?;
            Kind::Timestamp
        }
        Expression::Now => Kind::Timestamp,
        Expression::CountAll => Kind::Bigint,
        Expression::Sum(inner) => kind(inner, source)?,
    })
}

fn is_aggregate(expression: &Expression) -> bool {
    matches!(expression, Expression::CountAll | Expression::Sum(_))
}

fn projected(outputs: &[Output], source: &Table, row: &[Value]) -> Vec<Value> {
    outputs.iter().map(|output| value(&output.expression, source, row)).collect()
}

fn grouped(outputs: &[Output], source: &Table, rows: &[&Vec<Value>], by_columns: bool) -> Vec<Vec<Value>> {
    let mut groups: Vec<(Vec<Value>, Vec<&Vec<Value>>)> = Vec::new();
    if !by_columns {
        groups.push((Vec::new(), rows.to_vec()));
    } else {
        for row in rows {
            let plain = outputs.iter().filter(|output| !is_aggregate(&output.expression));
            let key: Vec<_> = plain.map(|output| value(&output.expression, source, row)).collect();
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, members)) => members.push(row),
                None => groups.push((key, vec![row])),
            }
        }
    }
    let of_group = |members: &[&Vec<Value>]| {
        outputs.iter().map(|output| aggregate(&output.expression, source, members)).collect()
    };
    groups.iter().map(|(_, members)| of_group(members)).collect()
}

fn aggregate(expression: &Expression, source: &Table, rows: &[&Vec<Value>]) -> Value {
    match expression {
        Expression::CountAll => json!(rows.len()),
        Expression::Sum(inner) => {
            let values: Vec<_> = rows.iter().map(|row| value(inner, source, row)).collect();
            let mut known = values.iter().filter(|value| !value.is_null());
            let whole = known.try_fold(0_i64, |sum, value| sum.checked_add(value.as_i64()?));
            whole.map_or_else(|| json!(values.iter().filter_map(Value::as_f64).sum::<f64>()), Value::from)
        }
        Expression::Literal { .. } | Expression::Column { .. } | Expression::Time(_) | Expression::Now => {
            rows.first().map_or(Value::Null, |row| value(expression, source, row))
        }
    }
}

fn value(expression: &Expression, source: &Table, row: &[Value]) -> Value {
    match expression {
        Expression::Literal { value, .. } => value.clone(),
        Expression::Column { name, .. } => {
            source.position(name).and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null)
        }
        Expression::Time(inner) => stored(Kind::Timestamp, value(inner, source, row)),
        Expression::Now => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            json!(i64::try_from(since.as_millis()).unwrap_or_default())
        }
        // Only asked for within a group.
        Expression::CountAll | Expression::Sum(_) => Value::Null,
    }
}

fn holds(conditions: &[Condition], source: &Table, row: &[Value]) -> bool {
    conditions.iter().all(|condition| {
        let (left, right) = (value(&condition.left, source, row), value(&condition.right, source, row));
        !left.is_null() && !right.is_null() && (condition.holds)(compare(&left, &right))
    })
}

fn compare(left: &Value, right: &Value) -> Ordering {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => plain(left).cmp(&plain(right)),
    }
}

fn sort(table: &mut Table, order: &[Order]) -> Result<(), Fault> {
    for key in order.iter().rev() {
        let ordinal = key.by.parse::<usize>().ok().and_then(|at| at.checked_sub(1));
        let at = ordinal.filter(|at| *at < table.columns.len()).or_else(|| table.position(&key.by));
        let at = at.ok_or_else(|| Fault::sql(format!("Column '{}' not found in any table", key.by)))?;
        table.rows.sort_by(|left, right| {
            let ordering = left.get(at).zip(right.get(at)).map_or(Ordering::Equal, |(l, r)| compare(l, r));
            if key.is_descending { ordering.reverse() } else { ordering }
        });
    }
    Ok(())
}
