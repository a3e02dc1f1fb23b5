//! What serves now: replaced whole, or not at all
//!
//! Whoever takes it keeps it to his end, whatever serves by then.

use std::sync::{Arc, PoisonError, RwLock};

/// What serves now
#[derive(Debug)]
pub struct Live<T> {
    now: RwLock<Arc<T>>,
}

impl<T> Live<T> {
    /// This serves first
    pub fn new(first: T) -> Self {
        Self { now: RwLock::new(Arc::new(first)) }
    }

    /// What serves now
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this serves
    pub fn replace(&self, next: T) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}
