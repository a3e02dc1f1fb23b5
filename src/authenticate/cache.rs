//! Tokens that were verified a moment ago
//!
//! The key is the whole token: a token with one byte changed is another token. What is kept is who the token
//! speaks of, never what it was allowed; its time is checked anew on every hit.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::bearer::BearerToken;
use super::key_store::Generation;
use super::token::Verified;

/// Verified tokens, up to a number of bytes
pub(super) struct TokenCache {
    entries: Cache<Box<str>, Entry, Bytes>,
    generation: Mutex<Generation>,
}

#[derive(Clone)]
struct Entry {
    verified: Verified,
    generation: Generation,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Box<str>, Entry> for Bytes {
    fn weight(&self, token: &Box<str>, entry: &Entry) -> u64 {
        (token.len() + entry.verified.bytes()) as u64
    }
}

impl TokenCache {
    /// A cache that takes about this much memory at most
    pub(super) fn new(bytes: usize) -> Self {
        let entries = Cache::with_weighter(bytes / USUAL_ENTRY_BYTES, bytes as u64, Bytes);
        Self { entries, generation: Mutex::default() }
    }

    /// What was verified with the keys of this generation
    pub(super) fn get(&self, token: &BearerToken, generation: Generation) -> Option<Verified> {
        self.follow(generation);
        let entry = self.entries.get(token.as_str())?;
        (entry.generation == generation).then_some(entry.verified)
    }

    /// Keeps what was verified with the keys of this generation
    pub(super) fn put(&self, token: &BearerToken, verified: Verified, generation: Generation) {
        self.entries.insert(token.as_str().into(), Entry { verified, generation });
    }

    /// Forgets a token
    pub(super) fn remove(&self, token: &BearerToken) {
        self.entries.remove(token.as_str());
    }

    /// Forgets everything once the keys have changed
    fn follow(&self, generation: Generation) {
        let mut last = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != generation {
            *last = generation;
            self.entries.clear();
        }
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenCache").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

const USUAL_ENTRY_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticate::key_store::KeyStore;

    const MEGABYTE: usize = 1 << 20;

    #[test]
    fn a_token_is_found_whole_and_no_other_is() {
        let (cache, generation) = (TokenCache::new(MEGABYTE), KeyStore::new().generation());
        cache.put(&BearerToken::of("a.b.c"), Verified::of_no_token(), generation);
        assert!(cache.get(&BearerToken::of("a.b.c"), generation).is_some());
        for other in ["a.b.d", "a.b", "A.b.c", "a.b.c="] {
            assert!(cache.get(&BearerToken::of(other), generation).is_none(), "{other}");
        }
        cache.remove(&BearerToken::of("a.b.c"));
        assert!(cache.get(&BearerToken::of("a.b.c"), generation).is_none());
    }

    #[test]
    fn another_generation_of_keys_empties_the_cache() {
        let (cache, generation) = (TokenCache::new(MEGABYTE), KeyStore::new().generation());
        let token = BearerToken::of("a.b.c");
        cache.put(&token, Verified::of_no_token(), generation);
        assert!(cache.get(&token, generation.next()).is_none());
        assert_eq!(cache.entries.len(), 0);
        // Verified with the old keys, and kept only after they were gone.
        cache.put(&token, Verified::of_no_token(), generation);
        assert!(cache.get(&token, generation.next()).is_none());
    }

    #[test]
    fn the_cache_stays_within_its_bytes() {
        let (cache, generation) = (TokenCache::new(MEGABYTE), KeyStore::new().generation());
        for number in 0..2000 {
            let token = BearerToken::of(&format!("{number}.{}.c", "b".repeat(5000)));
            cache.put(&token, Verified::of_no_token(), generation);
        }
        assert!(cache.entries.weight() <= MEGABYTE as u64);
        assert!(cache.entries.len() > 100, "{}", cache.entries.len());
    }
}
