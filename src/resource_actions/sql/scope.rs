//! Which names are those of common table expressions, and where
//!
//! A name of one part is looked up in the scope where its query is registered, and from there outwards; only
//! `WithScope` and `WithRecursiveScope` of Calcite answer for names of their own, every other scope passes the
//! question on (`DelegatingScope.resolveTable`). So what matters is where each query is registered
//! (`SqlValidatorImpl.registerQuery`), after the rewrites that come before
//! (`SqlValidatorImpl.performUnconditionalRewrites`). All of them, in 1.21, 1.35, 1.37 and 1.41:
//!
//! | what Calcite does | what is done here |
//! | --- | --- |
//! | ORDER BY, LIMIT, OFFSET, FETCH go into a bare SELECT, under a WITH too; else they stand around `SELECT * FROM (…)` | `shape`; rewriting leaves an order where a limit stood in parentheses |
//! | CLUSTERED BY becomes the ORDER BY of the query, in the place of a limit (`DruidSqlParserUtils.convertClusterByToOrderBy`) | the same, in the tokens (`judge`) |
//! | `TABLE t` becomes `SELECT * FROM t` | the same |
//! | VALUES stays, and is no SELECT to an order | marked (`rewritten::Mark`) |
//! | DELETE, UPDATE, MERGE are rewritten | refused before |
//! | an order item that equals one of an aggregate's SELECT becomes its number | not done: asks for the same names or more |
//! | `SELECT *`, NATURAL, USING, aliases in ORDER BY and HAVING expand to columns that are resolved already | nothing: no name is looked up again |
//! | FROM, also of joins: the scope around the SELECT; LATERAL and UNNEST see tables to the left besides | the same for names: aliases are no tables |
//! | ON, WHERE, SELECT, GROUP BY, HAVING, QUALIFY, ORDER BY, and windows in them: the SELECT's scope | the same |
//! | PARTITION BY and ORDER BY of a WINDOW clause: not registered, refused | read as if they were |
//! | branches of UNION, EXCEPT, INTERSECT: the scope around | the same |
//! | items of WITH: those before; of WITH RECURSIVE, the right branch of a union at the top sees the item and the scope around it, and nothing that the item's own WITH defines, though the left branch does | `walk` |
//! | PIVOT, UNPIVOT, MATCH_RECOGNIZE: their table as any other, queries in them refused | cut; with a query in them refused, since the second reader counts it |
//! | ARRAY, MULTISET, EXISTS, IN, scalar queries: the scope in which they stand | the same |
//! | arguments of table functions: the scope around the SELECT | the same |
//!
//! `tests/policy/calcite.rs` compares this with those versions themselves.

use std::collections::HashMap;

/// The names of common table expressions in scope; case counts (Calcite's `WithScope`)
///
/// Which of two equal names hides the other is of no matter: the bodies of both are read anyway.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: Vec<String>,
    counts: HashMap<String, usize>,
}

impl Scope {
    /// How many names are in scope, to come back to
    pub(super) fn mark(&self) -> usize {
        self.names.len()
    }

    /// Brings a name into scope
    pub(super) fn push(&mut self, name: &str) {
        *self.counts.entry(name.to_owned()).or_default() += 1;
        self.names.push(name.to_owned());
    }

    /// Takes all names out of scope that came in since
    pub(super) fn back_to(&mut self, mark: usize) {
        for name in self.names.drain(mark.min(self.names.len())..) {
            if let Some(count) = self.counts.get_mut(&name) {
                *count -= 1;
            }
        }
    }

    /// Takes all names out of scope that came in since, to [`show`](Self::show) them again
    pub(super) fn hide_from(&mut self, mark: usize) -> Vec<String> {
        let hidden = self.names.get(mark..).unwrap_or_default().to_vec();
        self.back_to(mark);
        hidden
    }

    /// Brings back what was hidden
    pub(super) fn show(&mut self, hidden: Vec<String>) {
        hidden.iter().for_each(|name| self.push(name));
    }

    /// Whether this is the name of a common table expression here
    pub(super) fn holds(&self, name: &str) -> bool {
        self.counts.get(name).is_some_and(|count| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_scope_until_its_last_bearer_leaves() {
        let mut scope = Scope::default();
        scope.push("a");
        let mark = scope.mark();
        scope.push("a");
        scope.push("b");
        assert!(scope.holds("a") && scope.holds("b") && !scope.holds("A"));
        scope.back_to(mark);
        assert!(scope.holds("a") && !scope.holds("b"));
    }
}
