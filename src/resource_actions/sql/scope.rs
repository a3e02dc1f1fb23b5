//! Which names are those of common table expressions, and where

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
