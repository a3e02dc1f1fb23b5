//! One router or several: the one that answers is used, and left when it does not
//!
//! A request goes to another router only where no byte of it can have left: no connection could be made. So a
//! POST is never sent twice.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;

use super::account::Account;
use super::upstream::{Question, Upstream, UpstreamError};
use crate::base::drain;

/// Between two looks at the router in use
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long a router may take to say that it lives
const PROBE_PATIENCE: Duration = Duration::from_secs(2);
/// How often in a row it may fail to
const PROBES_MISSED: usize = 2;

/// The routers, in the order of the configuration
#[derive(Debug)]
pub struct Routers {
    account: Account,
    routers: Vec<Upstream>,
    in_use: AtomicUsize,
}

impl Routers {
    /// These routers, the first of them in use; the gate signs in to all of them with this account
    pub fn new(routers: Vec<Upstream>, account: Account) -> Self {
        Self { account, routers, in_use: AtomicUsize::new(0) }
    }

    /// Whom Druid takes the gate for
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Sends one request, to the first router that can be reached, and awaits the head of the answer
    ///
    /// # Errors
    ///
    /// As [`Upstream::send`]; unreachable where no router can be reached.
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        fields: HeaderMap,
        body: Bytes,
        patience: Duration,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let mut last = UpstreamError::Unreachable("there is no router".into());
        for (position, router) in self.starting_at_the_one_in_use() {
            let sent = router.send(method.clone(), target, fields.clone(), body.clone(), patience).await;
            match self.settled(position, sent) {
                ControlFlow::Continue(unreachable) => last = unreachable,
                ControlFlow::Break(settled) => return settled,
            }
        }
        Err(last)
    }

    /// Asks Druid something on the gate's own behalf, and reads the answer whole
    ///
    /// # Errors
    ///
    /// As [`Upstream::ask`]; unreachable where no router can be reached.
    pub async fn ask(
        &self,
        question: &Question,
        bytes: usize,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), UpstreamError> {
        let mut last = UpstreamError::Unreachable("there is no router".into());
        for (position, router) in self.starting_at_the_one_in_use() {
            match self.settled(position, router.ask(question, bytes, patience).await) {
                ControlFlow::Continue(unreachable) => last = unreachable,
                ControlFlow::Break(settled) => return settled,
            }
        }
        Err(last)
    }

    /// Only a router that could not be reached leaves the next one to be asked
    fn settled<T>(
        &self,
        position: usize,
        asked: Result<T, UpstreamError>,
    ) -> ControlFlow<Result<T, UpstreamError>, UpstreamError> {
        match asked {
            Err(unreachable @ UpstreamError::Unreachable(_)) => ControlFlow::Continue(unreachable),
            Ok(answer) => {
                self.in_use.store(position, Ordering::Relaxed);
                ControlFlow::Break(Ok(answer))
            }
            // It was reached: whether it has acted is not known, so nobody else is asked.
            Err(error) => ControlFlow::Break(Err(error)),
        }
    }

    fn starting_at_the_one_in_use(&self) -> impl Iterator<Item = (usize, &Upstream)> {
        let first = self.in_use.load(Ordering::Relaxed);
        let numbered = || self.routers.iter().enumerate();
        numbered().skip(first).chain(numbered().take(first))
    }

    /// Looks at the router in use now and then, and leaves one that is reached but does not answer
    ///
    /// Ends when the gate stops, or when nobody has the routers any more.
    pub async fn watch(routers: Weak<Self>, mut draining: watch::Receiver<bool>) {
        let mut missed = 0;
        loop {
            tokio::select! {
                () = tokio::time::sleep(PROBE_EVERY) => {}
                () = drain::told(&mut draining) => return,
            }
            let Some(routers) = routers.upgrade() else { return };
            missed = if routers.lives().await { 0 } else { missed + 1 };
            if missed >= PROBES_MISSED {
                routers.leave();
                missed = 0;
            }
        }
    }

    async fn lives(self: &Arc<Self>) -> bool {
        let answer = self.ask(&Question::get("/status/health"), 1 << 10, PROBE_PATIENCE).await;
        answer.is_ok_and(|(status, _)| status.is_success())
    }

    fn leave(&self) {
        let next = (self.in_use.load(Ordering::Relaxed) + 1) % self.routers.len().max(1);
        tracing::warn!(next, "the router in use does not answer; the next one is tried");
        self.in_use.store(next, Ordering::Relaxed);
    }

    /// How many there are
    pub fn count(&self) -> usize {
        self.routers.len()
    }
}
