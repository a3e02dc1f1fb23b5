//! What a query mentions, as it was found, before any rule says what that needs

use crate::druid::Reach;

/// What a query mentions
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    /// A table of the schema `druid`
    Datasource(String),
    /// A view
    View(String),
    /// A lookup, as a table or by the function
    Lookup(String),
    /// A table of the schema `sys`
    SystemTable(String),
    /// A table of the schema `INFORMATION_SCHEMA`
    InformationSchema(String),
    /// External input of this type, from there
    External(String, Reach),
    /// External input of a type that cannot be told
    UndecidedExternal,
    /// The `LOOKUP` function with a name that cannot be told
    UndecidedLookup,
}

impl Mention {
    /// The same; of external input it cannot be told from where
    pub(super) fn anywhere(self) -> Self {
        if let Self::External(kind, _) = self { Self::External(kind, Reach::Unknown) } else { self }
    }
}

/// What both readers must agree on: how many of each thing there are in the text
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// The names of tables as written, each where it stands, sorted at the end
    pub(super) tables: Vec<Vec<String>>,
    /// The names of functions that stand for tables
    pub(super) table_functions: Vec<Vec<String>>,
    /// Subqueries that stand for tables
    pub(super) derived: usize,
    /// All queries
    pub(super) selects: usize,
    /// Calls of `LOOKUP`
    pub(super) lookups: usize,
}

impl Counts {
    /// In an order that does not depend on the reader
    pub(super) fn sorted(mut self) -> Self {
        self.tables.sort_unstable();
        self.table_functions.sort_unstable();
        self
    }

    /// On what two of them differ
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let Self { tables, table_functions, derived, selects, lookups } = self;
        let differs = [
            (tables != &other.tables, "which tables it reads"),
            (table_functions != &other.table_functions, "which table functions it calls"),
            (derived != &other.derived, "which subqueries stand for tables"),
            (selects != &other.selects, "how many queries it has"),
            (lookups != &other.lookups, "which lookups it calls"),
        ];
        differs.into_iter().find(|(differs, _)| *differs).map(|(_, what)| what)
    }
}

/// Functions that stand for tables or lookups; elsewhere than in FROM their names must not be called
pub(super) const TABLE_FUNCTIONS: [&str; 5] = ["append", "extern", "http", "inline", "localfiles"];

/// Whether this is the function that names a lookup (`DruidOperatorTable` lower-cases names as Unicode does)
pub(super) fn is_lookup(name: &str) -> bool {
    name.eq_ignore_ascii_case("lookup") || !name.is_ascii() && name.to_lowercase() == "lookup"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_counts_differ_in_any_of_their_parts() {
        let one = Counts { tables: vec![vec!["a".to_owned()]], selects: 1, ..Counts::default() };
        assert_eq!(one.difference(&one.clone()), None);
        assert_eq!(one.difference(&Counts { selects: 2, ..one.clone() }), Some("how many queries it has"));
        assert_eq!(
            one.difference(&Counts { tables: Vec::new(), ..one.clone() }),
            Some("which tables it reads")
        );
    }
}
