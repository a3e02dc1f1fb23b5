//! What happens on a connection, and since when: who is waited for, and how long yet

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Limits;

/// How long who sends no more is waited with, where nothing is written: he cannot be told from one who has
/// left, and whose query is to be ended
const AFTER_END: Duration = Duration::from_secs(5);

/// Which protocol ALPN agreed on; it is never guessed from the bytes
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}

/// What happens on a connection, and since when
#[derive(Debug)]
pub(crate) struct Activity {
    protocol: Protocol,
    head: Duration,
    idle: Duration,
    state: Mutex<State>,
    pub(crate) changed: Notify,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// Between requests: whether a head has begun, and since when
    between: Between,
    since: Instant,
    write_blocked: Option<Instant>,
    /// The heads that have come and are not answered: whether each has two framings
    heads: VecDeque<bool>,
    /// Whether it is not known where a next head would begin
    is_last: bool,
    /// The client has said that it sends no more; when it last took something after that
    ended: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// Nothing has come yet
    Waiting,
    /// A head has begun, or is due
    Reading,
}

/// When what is waited for has to have come
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// Its key in the configuration; a client that has left met none
    pub(crate) limit: Option<&'static str>,
}

impl Activity {
    pub(crate) fn new(protocol: Protocol, limits: &Limits) -> Self {
        let state = State {
            in_flight: 0,
            between: Between::Reading,
            since: Instant::now(),
            write_blocked: None,
            heads: VecDeque::new(),
            is_last: false,
            ended: None,
        };
        Self {
            protocol,
            head: limits.head,
            idle: limits.idle,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn deadline(&self) -> Deadline {
        let state = self.state();
        let idle = |since: Instant| Deadline { at: since + self.idle, limit: Some("idle_seconds") };
        match (state.write_blocked, state.in_flight, state.between) {
            // Somebody who does not take his answer.
            (Some(since), _, _) => idle(since),
            // The request's own deadlines count; but who sends no more may as well have left.
            (None, 1.., _) => match state.ended {
                Some(since) => Deadline { at: since + AFTER_END.min(self.idle), limit: None },
                None => idle(Instant::now()),
            },
            (None, 0, Between::Waiting) => idle(state.since),
            (None, 0, Between::Reading) => {
                Deadline { at: state.since + self.head, limit: Some("head_seconds") }
            }
        }
    }

    /// A head has come whole
    pub(crate) fn head_came(&self, has_two_framings: bool) {
        self.state().heads.push_back(has_two_framings);
    }

    /// From now on nobody knows where a head begins
    pub(crate) fn is_followed_no_more(&self) {
        self.state().is_last = true;
    }

    /// Whether the head that is to be answered next has two framings, as one may that nobody has followed
    pub(crate) fn next_has_two_framings(&self) -> bool {
        self.state().heads.pop_front().unwrap_or(self.protocol == Protocol::Http1)
    }

    /// Whether no request can follow those that have come
    pub(crate) fn is_last(&self) -> bool {
        let state = self.state();
        state.is_last && state.heads.is_empty()
    }

    pub(crate) fn bytes_came(&self) {
        // On HTTP/2 bytes between requests are as likely to be housekeeping as a head.
        if self.protocol == Protocol::Http1 {
            let mut state = self.state();
            if state.in_flight == 0 && state.between == Between::Waiting {
                state.between = Between::Reading;
                state.since = Instant::now();
                drop(state);
                self.changed.notify_one();
            }
        }
    }

    /// Whether hyper hears of the end of what the client sends only later, when all is answered
    ///
    /// It is asked again then: whatever ends a request wakes the connection's task.
    pub(crate) fn keeps_end(&self) -> bool {
        let mut state = self.state();
        let is_owed = state.in_flight > 0 || state.write_blocked.is_some();
        // On HTTP/2 the end of the bytes is the end of the connection.
        let keeps = is_owed && self.protocol == Protocol::Http1;
        if keeps && state.ended.is_none() {
            state.ended = Some(Instant::now());
            drop(state);
            self.changed.notify_one();
        }
        keeps
    }

    /// Somebody takes what is written: he has not left
    pub(crate) fn taken(&self) {
        let mut state = self.state();
        if state.ended.is_some() {
            state.ended = Some(Instant::now());
        }
    }

    pub(crate) fn wrote(&self, is_blocked: bool) {
        let mut state = self.state();
        match (is_blocked, state.write_blocked) {
            (true, None) => state.write_blocked = Some(Instant::now()),
            (false, Some(_)) => state.write_blocked = None,
            (true, Some(_)) | (false, None) => return,
        }
        drop(state);
        self.changed.notify_one();
    }
}

/// A request that is being answered; while there is one, its connection is not idle
#[derive(Debug)]
pub struct InFlight(Arc<Activity>);

impl InFlight {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        activity.state().in_flight += 1;
        Self(Arc::clone(activity))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        if state.in_flight == 0 {
            state.between = Between::Waiting;
            state.since = Instant::now();
        }
        drop(state);
        self.0.changed.notify_one();
    }
}
