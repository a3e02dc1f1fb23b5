//! What the walk does not let through

/// What the walk does not let through
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// A kind of node that has no place in a query of Druid SQL; the name of the kind
    Node(&'static str),
    /// A table name that Druid does not resolve
    UnknownTable(String),
    /// A function in the place of a table that Druid does not know
    UnknownTableFunction(String),
    /// Arguments of a table function from which it cannot be told what it reads
    Undecided(String),
}

/// Whether a part of a query may stand where it stands
pub(super) type Walked = Result<(), Objection>;

/// Refuses what is there and should not be
pub(super) fn absent(is_absent: bool, what: &'static str) -> Walked {
    if is_absent { Ok(()) } else { Err(Objection::Node(what)) }
}
