//! What happens on a connection, and since when: who is waited for, and how long yet
//!
//! On HTTP/2 a client can take nothing of an answer while its socket takes everything. So what an answer owes him is
//! counted where its bytes leave, by stream; Druid is waited for only where he has taken all that there is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::pace::{Pace, Rate};
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
    /// Of all that is taken on the connection
    rate: Rate,
    /// Of what is taken on one of its streams
    share: Rate,
    state: Mutex<State>,
    pub(crate) changed: Notify,
}

#[derive(Debug)]
struct State {
    /// The requests that are not answered to their last byte, each in its place
    answers: Vec<Option<Answer>>,
    in_flight: usize,
    /// How much is owed to the client and not taken by him, in pieces, and how fast he takes it
    owed: usize,
    pace: Option<Pace>,
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
    /// A chunk was announced that is larger than any body
    has_huge_chunk: bool,
}

/// A request, and what of its answer is on its way
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// Whether there is more to come than the pieces that are owed
    is_open: bool,
    owed: usize,
    pace: Option<Pace>,
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
            answers: Vec::new(),
            in_flight: 0,
            owed: 0,
            pace: None,
            between: Between::Reading,
            since: Instant::now(),
            write_blocked: None,
            heads: VecDeque::new(),
            is_last: false,
            ended: None,
            has_huge_chunk: false,
        };
        let rate = Rate { bytes_per_second: limits.answer_rate, most: limits.idle };
        Self {
            protocol,
            head: limits.head,
            idle: limits.idle,
            rate,
            share: rate.shared(limits.h2_streams),
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When somebody has to have done something; it is to be asked for again after `idle_seconds` at the latest
    pub(crate) fn deadline(&self) -> Deadline {
        let state = self.state();
        let idle = |since: Instant| Deadline { at: since + self.idle, limit: Some("idle_seconds") };
        let waited = match (state.in_flight, state.between, state.ended) {
            (0, Between::Waiting, _) => idle(state.since),
            (0, Between::Reading, _) => Deadline { at: state.since + self.head, limit: Some("head_seconds") },
            // The request's own deadlines count; but who sends no more may as well have left.
            (_, _, Some(since)) if state.write_blocked.is_none() => {
                Deadline { at: since + AFTER_END.min(self.idle), limit: None }
            }
            _ => idle(Instant::now()),
        };
        // Somebody who does not take his answer.
        let blocked = state.write_blocked.map(idle);
        let answers = state.answers.iter().flatten().filter_map(|answer| answer.pace);
        let untaken = answers
            .map(|pace| pace.deadline(self.share))
            .chain(state.pace.map(|pace| pace.deadline(self.rate)));
        let untaken = untaken.map(|(at, limit)| Deadline { at, limit: Some(limit) });
        let earlier = |first: Deadline, next: Deadline| if next.at < first.at { next } else { first };
        untaken.chain(blocked).chain([waited]).fold(idle(Instant::now()), earlier)
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

    /// Notes whether the socket took something just now, or takes nothing
    pub(crate) fn wrote(&self, takes: Takes) {
        let mut state = self.state();
        match (takes, state.write_blocked) {
            (Takes::Nothing, None) => state.write_blocked = Some(Instant::now()),
            (Takes::Nothing, Some(_)) => {}
            (Takes::Something | Takes::All, _) => state.write_blocked = None,
        }
        // Who takes has not left.
        if takes == Takes::Something && state.ended.is_some() {
            state.ended = Some(Instant::now());
        }
    }

    /// A chunk is announced that is larger than any body may be
    pub(crate) fn huge_chunk_came(&self) {
        self.state().has_huge_chunk = true;
    }
}

/// What a socket does with what is written
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// It took some bytes
    Something,
    /// It has taken whatever there was
    All,
    /// It takes nothing now
    Nothing,
}

/// A request that is being answered; while there is one, its connection is not idle
#[derive(Debug)]
pub struct InFlight {
    activity: Arc<Activity>,
    place: usize,
}

impl InFlight {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        let mut state = activity.state();
        state.in_flight += 1;
        let answer = Some(Answer { is_open: true, owed: 0, pace: None });
        let free = state.answers.iter().position(Option::is_none);
        let place = free.unwrap_or(state.answers.len());
        match state.answers.get_mut(place) {
            Some(free) => *free = answer,
            None => state.answers.push(answer),
        }
        drop(state);
        Self { activity: Arc::clone(activity), place }
    }

    /// Whether its body breaks off since a chunk of it was announced that is larger than any body may be
    pub fn has_huge_chunk(&self) -> bool {
        self.activity.state().has_huge_chunk
    }

    /// A piece of its answer is on its way to the client
    pub(crate) fn owe(&self) -> Owed {
        let activity = &self.activity;
        let mut state = activity.state();
        state.owed += 1;
        let now = Instant::now();
        state.pace.get_or_insert_with(|| activity.rate.begin(now));
        if let Some(answer) = state.answer(self.place) {
            answer.owed += 1;
            answer.pace.get_or_insert_with(|| activity.share.begin(now));
        }
        drop(state);
        Owed { activity: Arc::clone(activity), place: self.place }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        if let Some(answer) = state.answer(self.place) {
            answer.is_open = false;
        }
        self.activity.settle(state, self.place);
    }
}

/// A piece of an answer that the client has not taken whole
#[derive(Debug)]
pub(crate) struct Owed {
    activity: Arc<Activity>,
    place: usize,
}

impl Owed {
    /// So many bytes of it have left
    pub(crate) fn taken(&self, bytes: usize) {
        let activity = &self.activity;
        let mut state = activity.state();
        let now = Instant::now();
        if let Some(pace) = &mut state.pace {
            pace.took(bytes, activity.rate, now);
        }
        if let Some(pace) = state.answer(self.place).and_then(|answer| answer.pace.as_mut()) {
            pace.took(bytes, activity.share, now);
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.owed -= 1;
        if state.owed == 0 {
            state.pace = None;
        }
        if let Some(answer) = state.answer(self.place) {
            answer.owed -= 1;
            if answer.owed == 0 {
                answer.pace = None;
            }
        }
        self.activity.settle(state, self.place);
    }
}

impl State {
    fn answer(&mut self, place: usize) -> Option<&mut Answer> {
        self.answers.get_mut(place)?.as_mut()
    }
}

impl Activity {
    /// Gives a place back once nothing of its answer is to come, nor owed
    fn settle(&self, mut state: MutexGuard<'_, State>, place: usize) {
        if state.answer(place).is_none_or(|answer| answer.is_open || answer.owed > 0) {
            return;
        }
        if let Some(place) = state.answers.get_mut(place) {
            *place = None;
        }
        state.in_flight -= 1;
        if state.in_flight == 0 {
            state.between = Between::Waiting;
            state.since = Instant::now();
        }
        let has_ended = state.ended.is_some();
        drop(state);
        // Whoever was not told of the end yet asks again.
        if has_ended {
            self.changed.notify_one();
        }
    }
}
