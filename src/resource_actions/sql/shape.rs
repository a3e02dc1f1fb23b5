//! The shape of a query after what Calcite's validator rewrites before it resolves names
//!
//! Parentheses around a query are gone when Calcite's parser is done, and `SqlValidatorImpl` moves an ORDER BY
//! (or LIMIT) into the SELECT under it where it can; everywhere else it makes `SELECT * FROM (query) ORDER BY …`
//! of it, in which the names of the query's WITH are not seen.

use sqlparser::ast::{Expr, OrderBy, Query, SelectItem, SetExpr, Value, With};

use super::objection::{Objection, absent};
use super::rewritten::Mark;

/// A query in its layers, from the inside: a body, under the names of a WITH, in an order
#[derive(Clone, Copy)]
pub(super) struct Layers<'q> {
    pub(super) with: Option<&'q With>,
    pub(super) body: &'q SetExpr,
    pub(super) order_by: Option<&'q OrderBy>,
}

impl<'q> Layers<'q> {
    /// The layers of a query, those of a query in parentheses that is its whole body among them
    pub(super) fn of(query: &'q Query) -> Result<Self, Objection> {
        let outer = Self::written(query)?;
        let (None, SetExpr::Query(inside)) = (outer.with, outer.body) else {
            return Ok(outer);
        };
        let inner = Self::of(inside)?;
        Ok(match (inner.order_by, outer.order_by) {
            (_, None) => inner,
            (None, order_by) => Self { order_by, ..inner },
            (Some(_), Some(_)) => outer,
        })
    }

    /// The layers as they stand there
    fn written(query: &'q Query) -> Result<Self, Objection> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        absent(
            limit_clause.is_none() && fetch.is_none() && locks.is_empty() && for_clause.is_none(),
            "a limit",
        )?;
        absent(settings.is_none() && format_clause.is_none() && pipe_operators.is_empty(), "settings")?;
        Ok(Self { with: with.as_ref(), body: without_mark(body), order_by: order_by.as_ref() })
    }

    /// Whether the names of the WITH are seen by what the query is ordered by
    /// (`SqlValidatorImpl.performUnconditionalRewrites`, ORDER_BY)
    pub(super) fn order_sees_with(&self) -> Result<bool, Objection> {
        match self.body {
            SetExpr::Select(_) => Ok(!is_marked(self.body, Mark::Values)),
            SetExpr::Query(query) => {
                let body = Layers::of(query)?;
                Ok(body.with.is_none() && body.order_by.is_none() && body.order_sees_with()?)
            }
            SetExpr::SetOperation { .. }
            | SetExpr::Values(_)
            | SetExpr::Insert(_)
            | SetExpr::Update(_)
            | SetExpr::Delete(_)
            | SetExpr::Merge(_)
            | SetExpr::Table(_) => Ok(false),
        }
    }
}

/// What is left of a body without the query that rewriting puts in front of some
fn without_mark(body: &SetExpr) -> &SetExpr {
    let SetExpr::SetOperation { left, op: _, set_quantifier: _, right } = body else { return body };
    if is_marked(left, Mark::Nothing) { right } else { body }
}

/// Whether this is a SELECT with such a mark (`rewritten`)
pub(super) fn is_marked(body: &SetExpr, mark: Mark) -> bool {
    let SetExpr::Select(select) = body else { return false };
    let Some(SelectItem::UnnamedExpr(Expr::Value(value))) = select.projection.first() else { return false };
    matches!(&value.value, Value::Placeholder(spelling) if spelling == mark.spelling())
}
