//! The sign that the gate is to stop, and what it leaves behind

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

/// Waits until the gate is to stop, or nobody is left who could say so
pub async fn begins(draining: &mut watch::Receiver<bool>) {
    // The guard must not live on; an error says that the sender is gone, which ends everything too.
    drop(draining.wait_for(|draining| *draining).await);
}

/// The two signs that a connection is to end: it takes no further request, and it is cut
#[derive(Clone, Debug)]
pub struct Stop {
    /// What is at hand is finished
    pub draining: watch::Receiver<bool>,
    /// Nothing is waited for any more
    pub is_cut: watch::Receiver<bool>,
}

/// Whether the gate leaves whatever is in flight, and how many requests that were
#[derive(Debug, Default)]
pub struct Leaving {
    has_begun: AtomicBool,
    cut: AtomicUsize,
}

impl Leaving {
    /// From now on it is the gate that leaves
    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
    }

    /// Whether a request that ends now is left by the gate; it is counted
    pub fn cuts(&self) -> bool {
        let cuts = self.has_begun.load(Ordering::Acquire);
        if cuts {
            self.cut.fetch_add(1, Ordering::AcqRel);
        }
        cuts
    }

    /// How many requests were left
    pub fn cut(&self) -> usize {
        self.cut.load(Ordering::Acquire)
    }
}
