//! Names: all of them are quoted by rewriting

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, TableAlias};

use super::super::objection::{Objection, absent};

/// The parts of a name, all quoted by rewriting
pub(super) fn object_name(name: &ObjectName) -> Result<Vec<&str>, Objection> {
    let ObjectName(parts) = name;
    parts
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(name) => quoted(name),
            ObjectNamePart::Function(_) => Err(Objection::Node("a keyword as a name")),
        })
        .collect()
}

/// A name that rewriting wrote as one; a keyword that sqlparser took for a name is none
pub(super) fn quoted(name: &Ident) -> Result<&str, Objection> {
    if name.quote_style == Some('"') { Ok(&name.value) } else { Err(Objection::Node("a keyword as a name")) }
}

pub(super) fn alias_name(alias: &TableAlias) -> Result<&str, Objection> {
    let TableAlias { explicit: _, name, columns, at } = alias;
    absent(at.is_none() && columns.iter().all(|column| column.data_type.is_none()), "a kind of alias")?;
    quoted(name)
}
