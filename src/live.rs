//! The gate that serves now: replaced whole, or not at all
//!
//! A request takes the gate that is there when it begins and keeps it to its end, policy and all.

use std::sync::{Arc, PoisonError, RwLock};

use crate::pipeline::Gate;

/// The gate that serves new requests
#[derive(Debug)]
pub struct Live {
    gate: RwLock<Arc<Gate>>,
}

impl Live {
    /// This gate serves first
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate: RwLock::new(gate) }
    }

    /// The gate that serves now
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this one serves
    pub fn replace(&self, gate: Arc<Gate>) {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = gate;
    }
}
