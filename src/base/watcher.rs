//! Decides when what is seen of a file is to be applied
//!
//! Half a file is no file: what two looks find equal, and other than what holds, is applied.

/// Decides when what is seen is to be applied
#[derive(Debug)]
pub struct Watcher<Seen> {
    applied: Seen,
    previous: Seen,
    is_asked: bool,
}

impl<Seen: Clone + PartialEq> Watcher<Seen> {
    /// This holds
    pub fn new(applied: Seen) -> Self {
        Self { previous: applied.clone(), applied, is_asked: false }
    }

    /// Somebody asks for a new look (SIGHUP); a thousand of them ask for one
    pub fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Whether what is seen now is whole, and new or asked for; then it counts as applied, whatever comes of it
    pub fn is_due(&mut self, look: Seen) -> bool {
        let whole = look == self.previous;
        let due = whole && (self.is_asked || look != self.applied);
        if due {
            self.applied = look.clone();
            self.is_asked = false;
        }
        self.previous = look;
        due
    }

    /// The applied configuration names other files from now on
    pub fn follow(&mut self, applied: Seen) {
        *self = Self { is_asked: self.is_asked, ..Self::new(applied) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_looks_find_equal_and_new_is_applied_once() {
        let mut watcher = Watcher::new("a");
        assert!(!watcher.is_due("a"));
        assert!(!watcher.is_due("b"), "seen once");
        assert!(watcher.is_due("b"), "seen twice");
        assert!(!watcher.is_due("b"), "applied");
    }

    #[test]
    fn half_a_file_is_never_applied() {
        let mut watcher = Watcher::new("abc");
        for torn in ["", "d", "de", "def"] {
            assert!(!watcher.is_due(torn), "{torn}");
        }
        assert!(watcher.is_due("def"));
    }

    #[test]
    fn what_is_asked_for_is_applied_though_it_is_not_new() {
        let mut watcher = Watcher::new("a");
        watcher.ask();
        watcher.ask();
        assert!(watcher.is_due("a"));
        assert!(!watcher.is_due("a"));
    }
}
