//! How often something may be done: some times at once, and then once in an interval

use std::time::{Duration, Instant};

/// So many times at once, and then once in this interval
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many times at once, at least one
    pub at_once: u32,
    /// How long it takes until one more time is allowed
    pub interval: Duration,
}

/// What has been done of late at a pace
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    /// When all of it is forgotten
    forgotten: Instant,
}

impl Paced {
    /// Nothing yet
    pub fn new(now: Instant) -> Self {
        Self { forgotten: now }
    }

    /// When it may be done again, in the past where that is now
    pub fn next(&self, pace: Pace) -> Instant {
        let room = pace.interval * pace.at_once.saturating_sub(1);
        self.forgotten.checked_sub(room).unwrap_or(self.forgotten)
    }

    /// It is done now
    pub fn done(&mut self, pace: Pace, now: Instant) {
        self.forgotten = self.forgotten.max(now) + pace.interval;
    }

    /// Whether nothing is known of it any more
    pub fn is_forgotten(&self, now: Instant) -> bool {
        self.forgotten <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_some_times_at_once_and_then_once_in_the_interval() {
        let pace = Pace { at_once: 3, interval: Duration::from_secs(5) };
        let (start, second) = (Instant::now() + Duration::from_secs(60), Duration::from_secs(1));
        let mut paced = Paced::new(start);
        let mut done = Vec::new();
        for after in 0..20 {
            let now = start + second * after;
            while paced.next(pace) <= now {
                paced.done(pace, now);
                done.push(after);
            }
        }
        assert_eq!(done, [0, 0, 0, 5, 10, 15]);
        assert!(!paced.is_forgotten(start + second * 29) && paced.is_forgotten(start + second * 30));
    }
}
