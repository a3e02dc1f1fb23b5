//! Looking for keys that are not known: how often, and what comes of it
//!
//! Whoever causes a fetch, it brings every key that is there by then; so junk key ids keep a new key out for an
//! interval at most, and cost an issuer no more than a fetch in one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::base::network::network;
use crate::base::pace::{Pace, Paced};

/// What came of looking for a key that is not known
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Keys were fetched for this: it is worth trying again
    Fetched,
    /// So many were fetched for this address just now that no more are
    Enough,
    /// Nobody can say whether the key is one of the issuer's: it gives none, or is asked again only after this time
    Later(Duration),
}

/// How often keys are fetched because somebody came with one that is not known
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paces {
    /// In all
    in_all: Pace,
    /// Because of clients of one address, whatever key ids they invent
    for_an_address: Pace,
}

impl Paces {
    /// Of an issuer on the network
    pub(crate) const OF_AN_ISSUER: Self = Self {
        in_all: Pace { at_once: 10, interval: Duration::from_secs(1) },
        for_an_address: Pace { at_once: 3, interval: Duration::from_secs(5) },
    };
    /// Of a file, which is at hand
    pub(crate) const OF_A_FILE: Self = Self {
        in_all: Pace { at_once: 100, interval: Duration::from_millis(10) },
        for_an_address: Pace { at_once: 100, interval: Duration::from_millis(10) },
    };
}

/// The fetches for unknown keys of late
#[derive(Debug, Default)]
pub(crate) struct Searches {
    in_all: Option<Paced>,
    /// By the address that caused them
    for_address: HashMap<IpAddr, Paced>,
}

impl Searches {
    /// Begins a search, unless it is too soon for another: too soon for this address, or for anybody
    pub(crate) fn begin(&mut self, client: IpAddr, paces: Paces, now: Instant) -> Search {
        self.for_address.retain(|_, searches| !searches.is_forgotten(now));
        let in_all = self.in_all.get_or_insert(Paced::new(now));
        let address = network(client);
        let mut for_address = self.for_address.get(&address).copied().unwrap_or(Paced::new(now));
        if for_address.next(paces.for_an_address) > now {
            return Search::Enough;
        }
        let next = in_all.next(paces.in_all);
        if next > now {
            return Search::Later(next - now);
        }
        in_all.done(paces.in_all, now);
        for_address.done(paces.for_an_address, now);
        self.for_address.insert(address, for_address);
        Search::Fetched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches of an issuer from this beginning
    struct Asks(Searches, Instant);

    impl Asks {
        fn new() -> Self {
            Self(Searches::default(), Instant::now())
        }

        /// What comes of an unknown key from this address, so many milliseconds after the beginning
        fn at(&mut self, milliseconds: u64, address: &str) -> Search {
            let now = self.1 + Duration::from_millis(milliseconds);
            self.0.begin(address.parse().unwrap(), Paces::OF_AN_ISSUER, now)
        }
    }

    #[test]
    fn junk_of_one_address_keeps_a_new_key_out_for_five_seconds_at_most_and_from_nowhere_else() {
        let mut asks = Asks::new();
        let junk: Vec<_> = (0..4).map(|junk| asks.at(junk, "10.0.0.1")).collect();
        assert_eq!(junk, [Search::Fetched, Search::Fetched, Search::Fetched, Search::Enough]);
        assert_eq!(asks.at(100, "::ffff:10.0.0.1"), Search::Enough);
        assert_eq!(asks.at(100, "10.0.0.2"), Search::Fetched);
        assert_eq!(asks.at(5_001, "10.0.0.1"), Search::Fetched);
        let network = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8:0:1::1"];
        let network = network.map(|address| asks.at(20_000, address) == Search::Fetched);
        assert_eq!(network, [true, true, true, false, true], "a network of IPv6 is one address");
    }

    #[test]
    fn junk_of_all_addresses_causes_one_fetch_in_a_second_and_the_others_are_told_when_to_come_again() {
        let mut asks = Asks::new();
        let all: Vec<_> =
            (0..30_000_u64).map(|at| asks.at(at, &format!("10.1.{}.{}", at / 250, at % 250))).collect();
        assert_eq!(all.iter().filter(|search| **search == Search::Fetched).count(), 39);
        let is_soon = |search: &Search| match search {
            Search::Later(wait) => wait.as_millis() <= 1_000,
            Search::Fetched | Search::Enough => *search == Search::Fetched,
        };
        assert!(all.iter().all(is_soon));
    }
}
