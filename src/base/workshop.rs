//! Work that takes long: off the threads that serve, a few pieces at a time, and nobody has all the places
//!
//! Whoever waits too long is refused when it is his turn: that takes no timer, and the queue is short again at once.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::budget::{Budget, Holder, Lease, Shares, Spent};

/// What is no larger than this is worked on where it stands
pub const SMALL: usize = 64 << 10;

/// Pieces of work that may wait or be worked on, in whole
const WAITING: usize = 256;
/// How long a piece may wait for its turn
const PATIENCE: Duration = Duration::from_secs(5);

/// Why work is not done
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// There is no place for it now
    Spent(Spent),
    /// It failed
    Failed,
}

impl fmt::Display for Undone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Spent(Spent::Share) => {
                "as many of your large requests are under way as may be at one time; wait for an answer to one of them"
            }
            Self::Spent(Spent::Whole) => {
                "as many large requests are under way as the gate works on at one time; try again soon"
            }
            Self::Failed => "the gate failed",
        })
    }
}

/// Where it is done
#[derive(Debug)]
pub struct Workshop {
    places: Arc<Semaphore>,
    waiting: Arc<Budget>,
}

impl Workshop {
    /// With this many places
    pub fn new(places: usize) -> Self {
        let waiting = Budget::new(Shares { whole: WAITING, caller: WAITING / 8, address: WAITING / 2 });
        Self { places: Arc::new(Semaphore::new(places)), waiting }
    }

    /// How many pieces wait or are worked on, and how many may
    pub fn use_of_whole(&self) -> (usize, usize) {
        self.waiting.use_of_whole()
    }

    /// Does this work, on something of this size
    ///
    /// # Errors
    ///
    /// Where it is large and there is no place for it.
    pub async fn work<T: Send + 'static>(
        &self,
        holder: Holder,
        size: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        if size <= SMALL {
            return Ok(work());
        }
        let mut waiting = self.waiting.lease(holder);
        waiting.hold(1).map_err(Undone::Spent)?;
        self.work_in_turn(waiting, work).await
    }

    async fn work_in_turn<T: Send + 'static>(
        &self,
        waiting: Lease,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let came = Instant::now();
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Undone::Failed)?;
        if came.elapsed() > PATIENCE {
            return Err(Undone::Spent(Spent::Whole));
        }
        let worked = tokio::task::spawn_blocking(move || {
            // Held until it is done, though whoever asked for it may have left.
            let _held = (place, waiting);
            work()
        });
        worked.await.map_err(|_| Undone::Failed)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::base::budget::Holders;

    #[tokio::test]
    async fn what_is_large_takes_its_turn_and_what_is_small_waits_for_nobody() {
        let holders = Holders::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let (alice, bob) = (holders.holder("alice", address), holders.holder("bob", address));
        let workshop = Arc::new(Workshop::new(1));
        let (release, held) = channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let mut large = tokio::task::JoinSet::new();
        for _ in 0..WAITING / 8 {
            let (workshop, held) = (Arc::clone(&workshop), Arc::clone(&held));
            large.spawn(async move {
                workshop.work(alice, SMALL + 1, move || held.lock().unwrap().recv().is_ok()).await
            });
        }
        while workshop.use_of_whole().0 < WAITING / 8 {
            tokio::task::yield_now().await;
        }
        assert_eq!(workshop.work(alice, SMALL, || 1).await, Ok(1));
        assert_eq!(workshop.work(alice, SMALL + 1, || 1).await, Err(Undone::Spent(Spent::Share)));
        let waits = Arc::clone(&workshop);
        let other = tokio::spawn(async move { waits.work(bob, SMALL + 1, || 2).await });
        for _ in 0..WAITING / 8 {
            release.send(()).unwrap();
        }
        assert!(large.join_all().await.into_iter().all(|done| done == Ok(true)));
        assert_eq!(other.await.unwrap(), Ok(2));
        assert_eq!(workshop.use_of_whole().0, 0);
    }
}
