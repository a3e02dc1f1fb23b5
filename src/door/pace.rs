//! How fast a client takes what he is owed: not at all for a while, or too slowly for ever, ends his connection
//!
//! He begins with `idle_seconds`. Time uses them up, and bytes that he takes give them back at the rate that is asked of
//! him; they are never more than at the beginning. So whoever is as fast as that lives, however long his answer is, and
//! a pause is forgiven.

use std::time::Duration;

use tokio::time::Instant;

/// How fast somebody has to take, and how long he may take nothing
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// 0: whatever he takes will do
    pub(super) bytes_per_second: u32,
    pub(super) most: Duration,
}

/// Until when somebody has to take more
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    until: Instant,
    took: Instant,
}

impl Rate {
    /// What is asked of one of so many
    pub(super) fn shared(self, among: u32) -> Self {
        let bytes_per_second = self.bytes_per_second.div_ceil(among.max(1));
        Self { bytes_per_second, ..self }
    }

    /// Somebody is owed something from now on
    pub(super) fn begin(self, now: Instant) -> Pace {
        Pace { until: now + self.most, took: now }
    }

    /// The time that so many bytes are worth
    fn worth(self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let micros = bytes.saturating_mul(1_000_000).checked_div(u64::from(self.bytes_per_second));
        micros.map_or(self.most, Duration::from_micros).min(self.most)
    }
}

impl Pace {
    /// So many bytes are taken
    pub(super) fn took(&mut self, bytes: usize, rate: Rate, now: Instant) {
        self.until = (self.until + rate.worth(bytes)).min(now + rate.most);
        self.took = now;
    }

    /// Until when more has to be taken, and the key of the limit that is met else
    pub(super) fn deadline(self, rate: Rate) -> (Instant, &'static str) {
        let took_nothing = self.until >= self.took + rate.most;
        (self.until, if took_nothing { "idle_seconds" } else { "answer_bytes_per_second" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { bytes_per_second: 1_024, most: Duration::from_secs(60) };

    /// For how many seconds, of a day, somebody lives who takes so many bytes every so many seconds
    fn lives(rate: Rate, bytes: usize, every: u64) -> u64 {
        let began = Instant::now();
        let mut pace = rate.begin(began);
        for second in (0..86_400).step_by(usize::try_from(every).unwrap()) {
            let now = began + Duration::from_secs(second);
            if pace.deadline(rate).0 <= now {
                return (pace.deadline(rate).0 - began).as_secs();
            }
            pace.took(bytes, rate, now);
        }
        86_400
    }

    #[test]
    fn who_is_as_fast_as_the_rate_lives_and_who_is_slower_does_not() {
        for (bytes, every) in [(1_024, 1), (16 << 10, 1), (32 << 10, 30), (1 << 20, 59)] {
            assert_eq!(lives(RATE, bytes, every), 86_400, "{bytes} bytes every {every} seconds");
        }
        for (bytes, every, at_most) in
            [(512, 1, 121), (1_000, 1, 2_700), (0, 1, 60), (1 << 20, 61, 60), (1, 59, 61)]
        {
            assert!(lives(RATE, bytes, every) <= at_most, "{bytes} bytes every {every} seconds");
        }
    }

    #[test]
    fn without_a_rate_whatever_is_taken_will_do_and_nothing_will_not() {
        let any = Rate { bytes_per_second: 0, ..RATE };
        assert_eq!(lives(any, 1, 59), 86_400);
        assert_eq!(lives(any, 1, 61), 60);
    }

    #[test]
    fn each_of_many_streams_has_its_share_to_take() {
        assert_eq!(RATE.shared(100).bytes_per_second, 11);
        assert_eq!(lives(RATE.shared(100), 11, 1), 86_400);
    }

    #[test]
    fn the_limit_that_is_met_is_told() {
        let mut pace = RATE.begin(Instant::now());
        assert_eq!(pace.deadline(RATE).1, "idle_seconds");
        pace.took(512, RATE, pace.took + Duration::from_secs(1));
        assert_eq!(pace.deadline(RATE).1, "answer_bytes_per_second");
    }
}
