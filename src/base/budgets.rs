//! The budgets that the gate's memory comes out of; they live as long as the process

use std::sync::Arc;

use super::budget::{Budget, Holders, Shares};
use super::workshop::Workshop;

/// Large bodies that are read at one time: each makes a tree of values meanwhile
pub const READ_AT_ONCE: usize = 2;

/// Bytes of statements that may wait to be judged
pub const WAITING_TO_BE_JUDGED: usize = 8 << 20;

/// What there is for all requests together
#[derive(Debug)]
pub struct Budgets {
    /// Knows who asks
    pub holders: Holders,
    /// Requests
    pub requests: Arc<Budget>,
    /// Bytes of bodies
    pub bodies: Arc<Budget>,
    /// Bytes of statements that wait to be judged
    pub judging: Arc<Budget>,
    /// Where large bodies are inflated and read
    pub workshop: Workshop,
}

impl Budgets {
    /// With so many requests and so much for bodies
    pub fn new(requests: Shares, bodies: Shares) -> Self {
        Self {
            holders: Holders::default(),
            requests: Budget::new(requests),
            bodies: Budget::new(bodies),
            judging: Budget::new(Shares::of(WAITING_TO_BE_JUDGED, 0)),
            workshop: Workshop::new(READ_AT_ONCE),
        }
    }

    /// How much of each is in use, and how much there is, by its name
    pub fn in_use(&self) -> [(&'static str, (usize, usize)); 4] {
        [
            ("requests", self.requests.use_of_whole()),
            ("bodies_bytes", self.bodies.use_of_whole()),
            ("judging_bytes", self.judging.use_of_whole()),
            ("large_bodies", self.workshop.use_of_whole()),
        ]
    }
}
