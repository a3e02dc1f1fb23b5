//! What was opened in a query, and is to be closed

use crate::resource_actions::sql::form::Form;
use crate::resource_actions::sql::lexeme::Symbol;

/// Something that was opened and is to be closed
#[derive(Clone, Copy, Default)]
pub(super) struct Open {
    pub(super) group: Group,
    /// What closes it; `None` for the query as a whole
    pub(super) closer: Option<Closer>,
    /// Whether a `(` was written for it that needs its `)`
    pub(super) is_written: bool,
    /// Whether a second one was, before a query that is an argument
    pub(super) is_wrapped: bool,
    /// Whether a unit of time follows it (`INTERVAL (x) DAY`)
    pub(super) has_unit: bool,
    /// Whether the `WINDOW` clause of the query inside it has been reached
    pub(super) in_windows: bool,
    /// Whether it has an `ORDER BY`
    pub(super) is_ordered: bool,
    /// Whether a `MATCH_CONDITION` waits for its `ON`
    pub(super) is_matching: bool,
}

impl Open {
    pub(super) fn new(group: Group, closer: Option<Closer>) -> Self {
        let is_written = !matches!(group, Group::TableFunction | Group::Braces);
        Self { group, closer, is_written, ..Self::default() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closer {
    Symbol(Symbol),
    End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Group {
    /// An expression, a query, a join or a list of names
    #[default]
    Plain,
    /// The arguments of a function
    Call(Form),
    /// What stands in `OVER (…)` or `WITHIN GROUP (…)`
    Over,
    /// What stands in `WINDOW w AS (…)`
    Window,
    /// `CASE … END`
    Case,
    /// What stands in `TABLE(…)`
    TableFunction,
    /// `{fn …}` or `{d …}`
    Braces,
}
