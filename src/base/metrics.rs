//! What is counted, for the admin address (OpenMetrics)
//!
//! Every label is from a closed list: endpoints of the route table, reasons, names of limits.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

use super::drain::Leaving;

/// The counters
#[derive(Debug)]
pub struct Metrics {
    requests: Family<[Label; 3], Counter>,
    seconds: Family<[Label; 1], Histogram>,
    limits: Family<[Label; 1], Counter>,
    judged: Family<[Label; 1], Counter>,
    verified: Family<[Label; 1], Counter>,
    keys_age: Family<[Label<String>; 1], Gauge>,
    keys_failed: Family<[Label<String>; 1], Counter>,
    reloads: Family<[Label; 1], Counter>,
    faulty_since: Family<[Label; 1], Gauge>,
    certificate_ends: PassingGauge,
    storage_states: Family<[Label; 1], Gauge>,
    storage_actions: Family<[Label; 1], Gauge>,
    storage_age: PassingGauge,
    /// Connections that are open
    pub connections: Gauge,
    /// Audit records that could not be written
    pub audit_failures: Counter,
    /// Whether the gate leaves what is in flight
    pub leaving: Leaving,
    log_left_out: Counter,
    budgets: Family<[Label; 1], Gauge>,
    budgets_used: Family<[Label; 1], Gauge>,
    registry: Registry,
}

/// A label's name and value
type Label<Value = &'static str> = (&'static str, Value);

/// A gauge that is on the page only while it has a value
#[derive(Clone, Debug, Default)]
struct PassingGauge(Arc<Mutex<Option<i64>>>);

impl PassingGauge {
    fn set(&self, value: Option<i64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    fn get(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EncodeMetric for PassingGauge {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        self.get().map_or(Ok(()), |value| encoder.encode_gauge(&value))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.get().is_none()
    }
}

/// What came of looking at the files again
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// What they say holds from now on
    Applied,
    /// They are faulty, and nothing changed
    Refused,
}

/// What Druid's planner said of a statement beside the judge
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It needs no more than was judged
    Agreed,
    /// It needs more
    Differed,
    /// It plans no such statement
    NotPlanned,
    /// It was not asked, since enough was asked at that time
    Skipped,
    /// It could not be asked
    Failed,
}

impl Verified {
    fn word(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Differed => "differed",
            Self::NotPlanned => "not_planned",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// How durable storage stands
#[derive(Clone, Debug)]
pub struct StorageStands {
    /// The states that there are, and which it is in
    pub states: Vec<(&'static str, bool)>,
    /// The actions that it takes, and which are proven
    pub actions: Vec<(&'static str, bool)>,
    /// How old the report is
    pub age: Option<Duration>,
}

/// Where a judgement came from
#[derive(Clone, Copy, Debug)]
pub enum JudgedFrom {
    /// It was remembered
    Memory,
    /// The statement was judged
    Statement,
}

/// A metric that is on the page under this name
fn new<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 10));
        let seconds = Family::new_with_constructor(histogram);
        let page = &mut Registry::with_prefix("msq_gate");
        let requests = new(page, "requests", "Requests, by endpoint, verdict and reason");
        page.register(
            "request_seconds",
            "From a request's head to its answer's end",
            Family::clone(&seconds),
        );
        let storage = "How durable storage stands by the report of a preflight: 1 at the state that it is in";
        let age = "Age of the last good report; -1 where there is none or its time is yet to come";
        let verified = "New statements, by what Druid's planner said of them beside the judge";
        let faulty = "Since when a changed file cannot be used, by what it is about; what held of it, holds";
        let keys_age = "Age of an issuer's keys at the last fetch; -1 where there are none";
        Self {
            requests,
            seconds,
            limits: new(page, "limit_met", "How often a limit was met"),
            judged: new(page, "statements", "Statements, by where their judgement came from"),
            verified: new(page, "verifications", verified),
            keys_age: new(page, "keys_age_seconds", keys_age),
            keys_failed: new(page, "keys_fetch_failures", "Fetches of an issuer's keys that failed"),
            reloads: new(page, "reloads", "Changed files, by whether they were applied"),
            faulty_since: new(page, "faulty_since_timestamp_seconds", faulty),
            certificate_ends: new(
                page,
                "certificate_ends_timestamp_seconds",
                "When the server's certificate ends",
            ),
            storage_states: new(page, "durable_storage", storage),
            storage_actions: new(
                page,
                "durable_storage_action_proven",
                "Whether the report proves an action on S3",
            ),
            storage_age: new(page, "durable_storage_report_age_seconds", age),
            connections: new(page, "connections", "Connections that are open"),
            audit_failures: new(page, "audit_failures", "Audit records that could not be written"),
            leaving: Leaving::default(),
            log_left_out: new(page, "log_lines_left_out", "Lines of the log that nobody took in time"),
            budgets: new(page, "budget", "How much there may be at one time, by its name"),
            budgets_used: new(page, "budget_used", "How much of a budget is in use"),
            registry: std::mem::take(page),
        }
    }
}

impl Metrics {
    /// Counts a request that is over
    pub fn request(
        &self,
        endpoint: &'static str,
        verdict: &'static str,
        reason: &'static str,
        took: Duration,
    ) {
        let endpoint = ("endpoint", endpoint);
        self.requests.get_or_create(&[endpoint, ("verdict", verdict), ("reason", reason)]).inc();
        self.seconds.get_or_create(&[endpoint]).observe(took.as_secs_f64());
    }

    /// Counts that a limit was met, by its key
    pub fn limit_met(&self, limit: &'static str) {
        self.limits.get_or_create(&[("limit", limit)]).inc();
    }

    /// Counts a statement, by what Druid's planner said of it
    pub fn verified(&self, verified: Verified) {
        self.verified.get_or_create(&[("outcome", verified.word())]).inc();
    }

    /// Counts a statement, by where its judgement came from
    pub fn judged(&self, from: JudgedFrom) {
        let from = match from {
            JudgedFrom::Memory => "memory",
            JudgedFrom::Statement => "statement",
        };
        self.judged.get_or_create(&[("from", from)]).inc();
    }

    /// Notes how old an issuer's keys are
    pub fn keys_age(&self, issuer: &str, age: Option<Duration>) {
        self.keys_age.get_or_create(&[("issuer", issuer.to_owned())]).set(seconds(age));
    }

    /// Notes how durable storage stands; nothing where no report is configured
    pub fn durable_storage(&self, storage: Option<StorageStands>) {
        self.storage_states.clear();
        self.storage_actions.clear();
        self.storage_age.set(storage.as_ref().map(|storage| seconds(storage.age)));
        for (state, is_in_it) in storage.iter().flat_map(|storage| &storage.states) {
            self.storage_states.get_or_create(&[("state", *state)]).set(i64::from(*is_in_it));
        }
        for (action, is_proven) in storage.iter().flat_map(|storage| &storage.actions) {
            self.storage_actions.get_or_create(&[("action", *action)]).set(i64::from(*is_proven));
        }
    }

    /// Counts a fetch of keys that failed
    pub fn keys_failed(&self, issuer: &str) {
        self.keys_failed.get_or_create(&[("issuer", issuer.to_owned())]).inc();
    }

    /// Counts a change of the files
    pub fn reload(&self, reload: Reload) {
        let outcome = match reload {
            Reload::Applied => "applied",
            Reload::Refused => "refused",
        };
        self.reloads.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Notes since when parts are faulty; all others are fine
    pub fn faulty_since(&self, parts: impl IntoIterator<Item = (&'static str, SystemTime)>) {
        self.faulty_since.clear();
        for (part, since) in parts {
            self.faulty_since.get_or_create(&[("part", part)]).set(timestamp(since));
        }
    }

    /// Notes how many lines of the log were left out
    pub fn log_left_out(&self, lines: u64) {
        self.log_left_out.inner().store(lines, Ordering::Relaxed);
    }

    /// Notes how much of a budget is in use, and how much there is
    pub fn budget(&self, name: &'static str, used: usize, most: usize) {
        let whole = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.budgets.get_or_create(&[("budget", name)]).set(whole(most));
        self.budgets_used.get_or_create(&[("budget", name)]).set(whole(used));
    }

    /// Notes when the server's certificate ends
    pub fn certificate_ends(&self, end: Option<SystemTime>) {
        self.certificate_ends.set(end.map(timestamp));
    }

    /// The page of `/metrics`
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _written = encode(&mut page, &self.registry);
        page
    }
}

/// Whole seconds since 1970
fn timestamp(time: SystemTime) -> i64 {
    seconds(Some(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
}

/// Whole seconds; -1 where there are none
fn seconds(age: Option<Duration>) -> i64 {
    age.map_or(-1, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}
