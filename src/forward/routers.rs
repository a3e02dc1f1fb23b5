//! One router or several: the one that answers is used, and left when it does not
//!
//! A request goes to another router only where no byte of it can have left: no connection could be made. So a
//! POST is never sent twice; a GET may be, to the same router.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, InvalidHeaderValue, LOCATION};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use rustls::ClientConfig;
use tokio::sync::watch;

use super::account::{Account, is_about_the_query};
use super::headers::towards_druid;
use super::upstream::{Question, Upstream, UpstreamError};
use crate::base::drain;
use crate::base::password::Password;
use crate::base::redact::address;

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
    /// Those at these addresses, `host:port`, the first of them in use; plain HTTP where no TLS is given
    ///
    /// # Errors
    ///
    /// Where the sign-in, a user name and a password, cannot stand in a header.
    pub fn new(
        authorities: &[String],
        tls: Option<&ClientConfig>,
        sign_in: Option<&(String, Password)>,
        connect: Duration,
    ) -> Result<Self, InvalidHeaderValue> {
        let account = Account(sign_in.map(|(name, _)| name.clone()));
        let router = |authority: &String| Upstream::new(authority.clone(), tls.cloned(), sign_in, connect);
        let routers = authorities.iter().map(router).collect::<Result<_, _>>()?;
        Ok(Self { account, routers, in_use: AtomicUsize::new(0) })
    }

    /// Whom Druid takes the gate for
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Sends one request, to the first router that can be reached, and awaits the head of the answer
    ///
    /// # Errors
    ///
    /// Where no router can be reached or answers, or the answer is one that only the gate could understand: a redirect
    /// to an inner host, a switch of protocols, or a refusal of the gate's own sign-in.
    pub async fn send(
        &self,
        question: &Question,
        fields: &HeaderMap,
        patience: Duration,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let mut last = UpstreamError::Unreachable("there is no router".into());
        for (position, router) in self.starting_at_the_one_in_use() {
            match router.send(question, fields, patience).await {
                Err(unreachable @ UpstreamError::Unreachable(_)) => last = unreachable,
                // It was reached: whether it has acted is not known, so nobody else is asked.
                Err(error) => return Err(error),
                Ok(answer) => {
                    self.refuse_unusable(&answer)?;
                    self.in_use.store(position, Ordering::Relaxed);
                    return Ok(answer);
                }
            }
        }
        Err(last)
    }

    /// Asks Druid something on the gate's own behalf, and reads the answer whole
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), where the answer is longer than `bytes` or breaks off, and where it is a 403 of the
    /// gate's account.
    pub async fn ask(
        &self,
        question: &Question,
        bytes: usize,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), UpstreamError> {
        let fields = towards_druid(&HeaderMap::new(), !question.body.is_empty());
        let answer = self.send(question, &fields, patience).await?;
        let status = answer.status();
        let body = whole(answer.into_body(), bytes, patience).await?;
        if status == StatusCode::FORBIDDEN && !is_about_the_query(&body) {
            return Err(self.refused(status));
        }
        Ok((status, body))
    }

    fn refused(&self, status: StatusCode) -> UpstreamError {
        UpstreamError::Account { status, account: self.account.clone() }
    }

    fn refuse_unusable(&self, answer: &Response<Incoming>) -> Result<(), UpstreamError> {
        let status = answer.status();
        let broken = |why: &str| Err(UpstreamError::Broken(why.to_owned()));
        if status == StatusCode::UNAUTHORIZED {
            Err(self.refused(status))
        } else if status.is_informational() {
            broken("it wants to switch protocols")
        } else if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            let to = answer.headers().get(LOCATION);
            let to = to.map(|to| address(&String::from_utf8_lossy(to.as_bytes())));
            let to: String = to.as_deref().unwrap_or("nowhere").chars().take(200).collect();
            broken(&format!("it redirects to {to}, which a client must not follow around the gate"))
        } else if status.as_u16() >= 600 {
            broken("its status is none")
        } else {
            Ok(())
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
                () = drain::begins(&mut draining) => return,
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

/// Reads an answer whole
pub(super) async fn whole(body: Incoming, bytes: usize, patience: Duration) -> Result<Bytes, UpstreamError> {
    let body = tokio::time::timeout(patience, Limited::new(body, bytes).collect()).await;
    let body = body.map_err(|_| UpstreamError::Timeout)?;
    Ok(body.map_err(|error| UpstreamError::Broken(error.to_string()))?.to_bytes())
}
