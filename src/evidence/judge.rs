//! Judging statements, large ones off the I/O threads, and remembering what was found out
//!
//! A statement's tree is as deep as its author made it, and dropping it takes as much stack as reading it;
//! so statements are judged on threads with a large one: a small one on the thread that serves it, where that has said
//! that it has one, since handing it over and back costs as much as judging it. What a statement needs does not depend on who asks:
//! it is kept by the statement's own bytes, and a change of policy leaves it standing.

use std::cell::Cell;
use std::hash::{Hash, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};
use tokio::sync::oneshot;

use crate::base::budget::{Lease, Spent};
use crate::base::metrics::{JudgedFrom, Metrics};
use crate::resource_actions::Rules;
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::query_context::Setting;
use crate::resource_actions::sql::{JUDGE_STACK_BYTES, Parameter, SqlLimits, SqlRefusal};
use crate::resource_actions::submit::Submit;

/// Why there is no judgement
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The statement is refused
    #[error(transparent)]
    Refused(#[from] SqlRefusal),
    /// More statements wait than can be judged soon
    #[error("more statements wait to be judged than the gate can take; try again soon")]
    Overloaded,
    /// More of this caller's wait than is his share
    #[error(
        "as many of your statements wait to be judged as may at one time; wait for an answer to one of them"
    )]
    Busy,
    /// Judging it failed; a fault of the gate's own
    #[error("the statement could not be judged")]
    Failed,
}

type Outcome = Result<Arc<JudgedStatement>, JudgeError>;

struct Job {
    query: String,
    parameters: Vec<Parameter>,
    reply: oneshot::Sender<Outcome>,
    came: Instant,
    _waiting: Lease,
}

/// How long a statement may wait; one that did is refused when it is its turn
const PATIENCE: Duration = Duration::from_secs(5);

/// What a job takes besides its statement, in bytes
const REST_OF_A_JOB: usize = 512;

impl From<Spent> for JudgeError {
    fn from(spent: Spent) -> Self {
        match spent {
            Spent::Share => Self::Busy,
            Spent::Whole => Self::Overloaded,
        }
    }
}

/// The largest statement that is judged on the thread that serves it, in bytes; that takes less than a millisecond
const SMALL: usize = 16 << 10;

thread_local! {
    static HAS_JUDGES_STACK: Cell<bool> = const { Cell::new(false) };
}

/// Says of this thread that its stack has [`JUDGE_STACK_BYTES`], so that small statements may be judged on it
pub fn this_thread_has_the_stack() {
    HAS_JUDGES_STACK.set(true);
}

/// Judges statements under one set of rules and limits
pub struct Judge {
    jobs: SyncSender<Job>,
    bench: Arc<Bench>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Judge").field("known", &self.bench.known.len()).finish_non_exhaustive()
    }
}

impl Judge {
    /// Starts the threads; they end when the judge is dropped
    ///
    /// # Errors
    ///
    /// Where the system gives no thread.
    pub fn start(
        rules: Rules,
        limits: SqlLimits,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(settings.waiting);
        let queue = Arc::new(Mutex::new(queue));
        let bench = Arc::new(Bench { rules, limits, known: known(settings.cache_bytes) });
        for _ in 0..settings.threads {
            let (bench, queue) = (Arc::clone(&bench), Arc::clone(&queue));
            std::thread::Builder::new()
                .name("judge".to_owned())
                .stack_size(JUDGE_STACK_BYTES)
                .spawn(move || bench.sit(&queue))?;
        }
        Ok(Self { jobs, bench, metrics })
    }

    /// What the statement in this submit needs: remembered, or judged now
    ///
    /// # Errors
    ///
    /// Where it is refused, or there is no judging it now.
    pub async fn judged(&self, submit: &Submit, waiting: Lease) -> Outcome {
        match self.recall(submit) {
            Some(judged) => Ok(judged),
            None => self.judge(submit, waiting).await,
        }
    }

    /// How many bytes are remembered, and how many may be
    pub fn bytes(&self) -> (usize, usize) {
        let whole = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let known = &self.bench.known;
        (whole(known.weight()), whole(known.capacity()))
    }

    /// What is known of the statement in this submit, if it was judged before; that is counted
    pub fn recall(&self, submit: &Submit) -> Option<Arc<JudgedStatement>> {
        let judged = self.remembered(submit);
        self.metrics.judged(if judged.is_some() { JudgedFrom::Memory } else { JudgedFrom::Statement });
        judged
    }

    /// What is known of the statement in this submit, if it was judged before
    pub fn remembered(&self, submit: &Submit) -> Option<Arc<JudgedStatement>> {
        self.bench.known.get(&(&*submit.query, &*submit.parameters))
    }

    /// Judges the statement in this submit, which takes a place among those that wait
    ///
    /// # Errors
    ///
    /// Where it is refused, or there is no judging it now.
    pub async fn judge(&self, submit: &Submit, mut waiting: Lease) -> Outcome {
        let parameters: usize = submit.parameters.iter().map(Parameter::bytes).sum();
        let size = submit.query.len() + parameters;
        waiting.hold(size + REST_OF_A_JOB).map_err(JudgeError::from)?;
        let (query, parameters) = (submit.query.clone(), submit.parameters.clone());
        if size <= SMALL && HAS_JUDGES_STACK.get() {
            return self.bench.judge(query, parameters);
        }
        let (reply, outcome) = oneshot::channel();
        let job = Job { query, parameters, reply, came: Instant::now(), _waiting: waiting };
        self.jobs.try_send(job).map_err(|_| JudgeError::Overloaded)?;
        outcome.await.unwrap_or(Err(JudgeError::Failed))
    }
}

/// How much is remembered of judgements
pub const REMEMBERED_BYTES: u64 = 32 << 20;

/// How many threads judge, how many statements may wait for them, and how much is remembered
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Threads that judge
    pub threads: usize,
    /// Statements that may wait
    pub waiting: usize,
    /// Bytes of statements remembered
    pub cache_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
        Self { threads, waiting: 1_024, cache_bytes: REMEMBERED_BYTES }
    }
}

/// What a thread judges by, and what is known
struct Bench {
    rules: Rules,
    limits: SqlLimits,
    known: Known,
}

impl Bench {
    fn sit(&self, queue: &Mutex<Receiver<Job>>) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { query, parameters, reply, came, _waiting }) = job else { return };
            // Nobody waits where the client has gone.
            if reply.is_closed() {
                continue;
            }
            if came.elapsed() > PATIENCE {
                let _gone = reply.send(Err(JudgeError::Overloaded));
                continue;
            }
            let _gone = reply.send(self.judge(query, parameters));
        }
    }

    /// A panic is this statement's refusal, and no more
    fn judge(&self, query: String, parameters: Vec<Parameter>) -> Outcome {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.judge_now(query, parameters)));
        outcome.unwrap_or(Err(JudgeError::Failed))
    }

    fn judge_now(&self, query: String, parameters: Vec<Parameter>) -> Outcome {
        let key = StatementKey { query: query.clone(), parameters: parameters.clone() };
        let judged = Arc::new(JudgedStatement::judge(query, parameters, &self.rules, &self.limits)?);
        self.known.insert(key, Arc::clone(&judged));
        Ok(judged)
    }
}

type Known = Cache<StatementKey, Arc<JudgedStatement>, Bytes, RandomState>;

fn known(bytes: u64) -> Known {
    let expected = usize::try_from(bytes / 1_024).unwrap_or(usize::MAX);
    Cache::with(expected, bytes, Bytes, RandomState::new(), DefaultLifecycle::default())
}

/// A statement's own bytes: two statements are the same only where these are
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct StatementKey {
    query: String,
    parameters: Vec<Parameter>,
}

impl Equivalent<StatementKey> for (&str, &[Parameter]) {
    fn equivalent(&self, key: &StatementKey) -> bool {
        *self == (&key.query, &key.parameters)
    }
}

#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<StatementKey, Arc<JudgedStatement>> for Bytes {
    fn weight(&self, key: &StatementKey, judged: &Arc<JudgedStatement>) -> u64 {
        // Text and parameters stand in the key and in the judgement; the text once more as it is forwarded, and
        // parts of it as what it sets.
        let parameters: usize = key.parameters.iter().map(Parameter::bytes).sum();
        let judgement = judged.judgement();
        let settings: usize = judgement.settings.iter().map(Setting::bytes).sum();
        let text = 2 * (key.query.len() + parameters) + judgement.forwarded.len() + settings;
        u64::try_from(text + 512).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::budget::{Budget, Holders, Shares};
    use crate::resource_actions::sql::ParameterValue;

    fn submit(value: &str) -> Submit {
        let parameter = serde_json::json!({"type": "VARCHAR", "value": value});
        let body = serde_json::json!({"query": "SELECT ?", "parameters": [parameter]});
        Submit::read(body.to_string().as_bytes(), 64).unwrap()
    }

    fn judge(cache_bytes: u64) -> Judge {
        let settings = Settings { threads: 1, waiting: 8, cache_bytes };
        Judge::start(Rules::default(), SqlLimits::default(), settings, Arc::default()).unwrap()
    }

    fn lease() -> Lease {
        let budget = Budget::new(Shares::of(1 << 20, 0));
        budget.lease(Holders::default().holder("alice", [192, 0, 2, 1].into()))
    }

    #[tokio::test]
    async fn who_has_his_share_of_what_waits_is_told_so() {
        let (judge, text) = (judge(1 << 20), submit(&"x".repeat(1_000_000)));
        assert!(matches!(judge.judge(&text, lease()).await, Err(JudgeError::Busy)));
        assert!(judge.judge(&submit("x"), lease()).await.is_ok());
    }

    /// Also where a thread that serves has it, with all that tokio and the gate have on it by then
    #[test]
    fn the_deepest_small_statement_fits_the_stack_of_a_thread_that_serves() {
        let served = || {
            this_thread_has_the_stack();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let judge = judge(1 << 20);
            for (head, open, close) in [
                ("SELECT ", "(SELECT ", ")"),
                ("SELECT ", "f(SELECT ", ")"),
                ("SELECT ", "CASE WHEN (SELECT ", ") THEN 1 END"),
                ("SELECT * FROM ", "(SELECT 1 FROM (b JOIN ", ") JOIN c ON 1)"),
                ("", "(SELECT 1 UNION ", ")"),
                ("", "WITH a AS (", ") SELECT 1"),
            ] {
                let levels = 98 / open.matches(['(', 'C']).count();
                let text = format!("{head}{}SELECT 1{}", open.repeat(levels), close.repeat(levels));
                let union = " UNION SELECT 1".repeat((SMALL - text.len()) / 15);
                for text in [text.clone(), format!("{text}{union}")] {
                    let body = serde_json::json!({"query": text}).to_string();
                    let submit = Submit::read(body.as_bytes(), 64).unwrap();
                    let judged = runtime.block_on(judge.judge(&submit, lease()));
                    assert!(!matches!(judged, Err(JudgeError::Failed)), "{text}");
                }
            }
        };
        // An eighth of it is left for them.
        let thread = std::thread::Builder::new().stack_size(JUDGE_STACK_BYTES / 8 * 7);
        thread.spawn(served).unwrap().join().unwrap();
    }

    #[tokio::test]
    async fn the_values_of_parameters_count_among_the_bytes_that_are_remembered() {
        let judge = judge(1 << 20);
        for number in 0..64 {
            judge.judge(&submit(&format!("{number}{}", "x".repeat(100_000))), lease()).await.unwrap();
        }
        let bytes: usize = judge
            .bench
            .known
            .iter()
            .flat_map(|(key, _)| key.parameters)
            .map(|parameter| if let ParameterValue::Text(text) = parameter.value { text.len() } else { 0 })
            .sum();
        assert!(bytes <= 1 << 20, "{bytes} bytes are remembered, where 1 MiB may be");
        let small = submit("x");
        judge.judge(&small, lease()).await.unwrap();
        assert!(judge.remembered(&small).is_some(), "what is small is remembered");
    }
}
