//! What there is of something at one time, and who has how much of it: a share for each caller and each address
//!
//! Nobody waits here: what is over a share, or over the whole, is refused, and what is held is kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::network::network;

/// Why there is no more
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The caller, or his address, has his share
    Share,
    /// All of it is in use
    Whole,
}

/// How much there is, in whole and for one
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// In whole
    pub whole: usize,
    /// For one caller
    pub caller: usize,
    /// For one address: a network where it is IPv6
    pub address: usize,
}

impl Shares {
    /// A quarter for one caller and half for one address, but enough for each to have this much
    pub fn of(whole: usize, at_least: usize) -> Self {
        let share = |part: usize| part.max(at_least).min(whole);
        Self { whole, caller: share(whole / 4), address: share(whole / 2) }
    }
}

/// Who holds something: a caller at an address
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    caller: u64,
    address: u64,
}

/// Knows callers and addresses apart; two that are taken for one share a share, and nothing else
#[derive(Clone, Debug, Default)]
pub struct Holders(RandomState);

impl Holders {
    /// This caller, at this address
    pub fn holder(&self, caller: impl Hash, address: IpAddr) -> Holder {
        let address = self.0.hash_one(("address", network(address)));
        Holder { caller: self.0.hash_one(("caller", caller)), address }
    }
}

/// How much of something is in use, and by whom
#[derive(Debug)]
pub struct Budget {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shares: Shares,
    used: usize,
    by: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
}

/// A key that is a hash is its own hash
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = self.0.rotate_left(8) ^ key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Budget {
    /// With nothing in use
    pub fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { shares, used: 0, by: HashMap::default() }) })
    }

    /// From now on there is so much; what is held is kept
    pub fn set(&self, shares: Shares) {
        self.state().shares = shares;
    }

    /// How much is in use, and how much there is
    pub fn use_of_whole(&self) -> (usize, usize) {
        let state = self.state();
        (state.used, state.shares.whole)
    }

    /// A lease for somebody, of nothing yet
    pub fn lease(self: &Arc<Self>, holder: Holder) -> Lease {
        Lease { budget: Arc::clone(self), holder, held: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, Holder { caller, address }: Holder, more: usize) -> Result<(), Spent> {
        let by = |key| self.by.get(&key).copied().unwrap_or(0_usize).saturating_add(more);
        let (callers, addresses) = (by(caller), by(address));
        if callers > self.shares.caller || addresses > self.shares.address {
            return Err(Spent::Share);
        }
        let used = self.used.saturating_add(more);
        if used > self.shares.whole {
            return Err(Spent::Whole);
        }
        self.used = used;
        self.by.insert(caller, callers);
        self.by.insert(address, addresses);
        Ok(())
    }

    fn give_back(&mut self, Holder { caller, address }: Holder, less: usize) {
        self.used = self.used.saturating_sub(less);
        for key in [caller, address] {
            if let Some(held) = self.by.get_mut(&key) {
                *held = held.saturating_sub(less);
                if *held == 0 {
                    self.by.remove(&key);
                }
            }
        }
    }
}

/// What somebody holds of a budget; dropped, it is given back
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    holder: Holder,
    held: usize,
}

impl Lease {
    /// Holds this much, if that is more than now
    ///
    /// # Errors
    ///
    /// Where there is not so much; then what is held is kept.
    pub fn hold(&mut self, much: usize) -> Result<(), Spent> {
        if let Some(more) = much.checked_sub(self.held).filter(|more| *more > 0) {
            self.budget.state().take(self.holder, more)?;
            self.held = much;
        }
        Ok(())
    }

    /// Holds no more than this
    pub fn keep(&mut self, much: usize) {
        if let Some(less) = self.held.checked_sub(much).filter(|less| *less > 0) {
            self.budget.state().give_back(self.holder, less);
            self.held = much;
        }
    }

    /// Who holds it
    pub fn holder(&self) -> Holder {
        self.holder
    }

    /// How much is held
    pub fn held(&self) -> usize {
        self.held
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.keep(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_his_share_and_all_together_the_whole_and_all_is_given_back() {
        let budget = Budget::new(Shares { whole: 100, caller: 25, address: 50 });
        let holders = Holders::default();
        let at = |caller: &str, last: u8| holders.holder(caller, IpAddr::from([192, 0, 2, last]));
        let mut alice = budget.lease(at("alice", 1));
        assert_eq!((alice.hold(25), alice.hold(26), alice.held()), (Ok(()), Err(Spent::Share), 25));
        assert_eq!(budget.lease(at("alice", 2)).hold(1), Err(Spent::Share), "elsewhere she is the same");
        let mut bob = budget.lease(at("bob", 1));
        assert_eq!(bob.hold(25), Ok(()));
        assert_eq!(budget.lease(at("carol", 1)).hold(1), Err(Spent::Share), "their address has its share");
        let mut others: Vec<_> = ["carol", "dave"].map(|name| budget.lease(at(name, 2))).into();
        assert!(others.iter_mut().all(|other| other.hold(25) == Ok(())));
        let mut erin = budget.lease(at("erin", 3));
        assert_eq!((erin.hold(1), budget.use_of_whole()), (Err(Spent::Whole), (100, 100)));
        bob.keep(20);
        assert_eq!((erin.hold(5), erin.hold(6)), (Ok(()), Err(Spent::Whole)));
        drop((alice, bob, others, erin));
        let state = budget.state();
        assert_eq!((state.used, state.by.len()), (0, 0));
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let holders = Holders::default();
        let at = |address: &str| holders.holder("x", address.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_ne!(at("::ffff:192.0.2.1"), at("::ffff:192.0.2.2"), "as a socket of both kinds tells them");
    }

    #[test]
    fn a_share_is_never_too_small_for_one() {
        assert_eq!(Shares::of(100, 10), Shares { whole: 100, caller: 25, address: 50 });
        assert_eq!(Shares::of(100, 60), Shares { whole: 100, caller: 60, address: 60 });
        assert_eq!(Shares::of(100, 600), Shares { whole: 100, caller: 100, address: 100 });
    }
}
