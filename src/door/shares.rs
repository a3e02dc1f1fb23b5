//! How many of the connections are whose: an address has a share, so that no single one takes them all
//!
//! An IPv6 address counts by its network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::base::network::network;

/// Between two lines of the log about addresses that are over their share
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The connections that are open, by address
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    of: HashMap<IpAddr, usize>,
    told: Option<Instant>,
}

/// A connection in its address's share, while it is open
#[derive(Debug)]
pub(super) struct Place {
    shares: Arc<Shares>,
    network: IpAddr,
}

/// An address has all that it may have; whether that is worth a line in the log by now
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OverShare {
    pub(super) is_to_be_told: bool,
}

impl Shares {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for this address, of which it may have so many
    pub(super) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        most: usize,
        now: Instant,
    ) -> Result<Place, OverShare> {
        let network = network(address);
        let mut taken = self.taken();
        let count = taken.of.entry(network).or_default();
        if *count < most {
            *count += 1;
            return Ok(Place { shares: Arc::clone(self), network });
        }
        let is_to_be_told = taken.told.is_none_or(|told| now.duration_since(told) >= TELL_EVERY);
        if is_to_be_told {
            taken.told = Some(now);
        }
        Err(OverShare { is_to_be_told })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        if let Some(count) = taken.of.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.of.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(shares: &Arc<Shares>, address: &str, most: usize) -> Result<Place, OverShare> {
        shares.take(address.parse().unwrap(), most, Instant::now())
    }

    #[test]
    fn an_address_has_its_share_and_leaves_the_others_theirs() {
        let shares = Arc::new(Shares::default());
        let held: Vec<_> = (0..3).map(|_| take(&shares, "192.0.2.1", 3).unwrap()).collect();
        assert!(take(&shares, "192.0.2.1", 3).is_err());
        assert!(take(&shares, "::ffff:192.0.2.1", 3).is_err(), "it is the same one");
        assert!(take(&shares, "192.0.2.2", 3).is_ok());
        drop(held);
        assert!(take(&shares, "192.0.2.1", 3).is_ok(), "what is given back can be taken again");
        assert!(shares.taken().of.is_empty(), "nothing is kept of those who have left");
    }

    #[test]
    fn ipv6_counts_by_what_one_customer_has() {
        let shares = Arc::new(Shares::default());
        let _held = take(&shares, "2001:db8::1", 1).unwrap();
        assert!(take(&shares, "2001:db8:0:0:ffff::2", 1).is_err());
        assert!(take(&shares, "2001:db8:0:1::1", 1).is_ok());
    }

    #[test]
    fn it_is_told_once_in_a_while() {
        let shares = Arc::new(Shares::default());
        let (address, began) = ("192.0.2.1".parse().unwrap(), Instant::now());
        let told: Vec<_> = [0, 1, 59, 60, 61, 200]
            .map(|second| {
                shares.take(address, 0, began + Duration::from_secs(second)).unwrap_err().is_to_be_told
            })
            .into();
        assert_eq!(told, [true, false, false, true, false, true]);
    }
}
