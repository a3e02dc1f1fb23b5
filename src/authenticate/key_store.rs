//! The keys that are loaded at this moment, issuer by issuer
//!
//! Whoever loads keys puts them here; whoever verifies takes a snapshot.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::keys::KeySet;

/// The loaded keys of every issuer
#[derive(Debug, Default)]
pub struct KeyStore {
    loaded: RwLock<Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    by_issuer: HashMap<String, Arc<KeySet>>,
    generation: Generation,
}

/// Which state of the store something was verified under; another one means that keys have changed
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation(u64);

impl KeyStore {
    /// A store without keys: every token is answered with `keys_unavailable`
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an issuer's keys in place of those it had
    ///
    /// The same document read again changes nothing, so what was verified stays so.
    pub fn put(&self, issuer: &str, keys: Arc<KeySet>) {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let same = loaded.by_issuer.get(issuer).is_some_and(|old| old.is_same_as(&keys));
        if !same {
            loaded.by_issuer.insert(issuer.to_owned(), keys);
            loaded.generation = loaded.generation.next();
        }
    }

    /// Takes an issuer's keys away, as when they are too old to trust
    pub fn remove(&self, issuer: &str) {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.by_issuer.remove(issuer).is_some() {
            loaded.generation = loaded.generation.next();
        }
    }

    /// Whether an issuer has keys
    pub fn has(&self, issuer: &str) -> bool {
        self.of(issuer).is_some()
    }

    /// An issuer's keys, where they are loaded
    pub(super) fn of(&self, issuer: &str) -> Option<Arc<KeySet>> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.by_issuer.get(issuer).cloned()
    }

    /// The state the store is in
    pub(super) fn generation(&self) -> Generation {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).generation
    }
}

impl Generation {
    pub(super) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(kid: &str) -> Arc<KeySet> {
        let document = format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{kid}",
            "x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY",
            "y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"}}]}}"#
        );
        Arc::new(KeySet::parse(document.as_bytes()).unwrap())
    }

    #[test]
    fn keys_belong_to_their_issuer_alone() {
        let store = KeyStore::new();
        store.put("a", keys("k"));
        assert!(store.has("a"));
        assert!(!store.has("b"));
        store.remove("a");
        assert!(!store.has("a"));
    }

    #[test]
    fn only_a_change_of_keys_makes_a_new_generation() {
        let store = KeyStore::new();
        let mut last = store.generation();
        let mut changed = || {
            let before = std::mem::replace(&mut last, store.generation());
            before != last
        };
        store.put("a", keys("k"));
        assert!(changed());
        store.put("a", keys("k"));
        store.remove("b");
        assert!(!changed());
        store.put("a", keys("l"));
        assert!(changed());
        store.remove("a");
        assert!(changed());
    }
}
