//! What is counted, for the admin address (OpenMetrics)
//!
//! Every label is from a closed list: endpoints of the route table, reasons, names of limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The counters
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<EndpointLabels, Histogram>,
    limits: Family<LimitLabels, Counter>,
    judged: Family<JudgedLabels, Counter>,
    verified: Family<OutcomeLabels, Counter>,
    keys_age: Family<IssuerLabels, Gauge>,
    keys_failed: Family<IssuerLabels, Counter>,
    reloads: Family<OutcomeLabels, Counter>,
    faulty_since: Family<PartLabels, Gauge>,
    certificate_ends: PassingGauge,
    storage_states: Family<StateLabels, Gauge>,
    storage_actions: Family<ActionLabels, Gauge>,
    storage_age: PassingGauge,
    /// Connections that are open
    pub connections: Gauge,
    /// Audit records that could not be written
    pub audit_failures: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    verdict: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JudgedLabels {
    from: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    issuer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabels {
    part: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

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

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("msq_gate");
        let requests = Family::default();
        registry.register("requests", "Requests, by endpoint, verdict and reason", requests.clone());
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 10));
        let seconds = Family::new_with_constructor(histogram);
        registry.register(
            "request_seconds",
            "From a request's head to its answer's end",
            Family::clone(&seconds),
        );
        let limits = Family::default();
        registry.register("limit_met", "How often a limit was met", limits.clone());
        let judged = Family::default();
        registry.register("statements", "Statements, by where their judgement came from", judged.clone());
        let verified = Family::default();
        registry.register(
            "verifications",
            "New statements, by what Druid's planner said of them beside the judge",
            Family::clone(&verified),
        );
        let keys_age = Family::default();
        registry.register(
            "keys_age_seconds",
            "Age of an issuer's keys at the last fetch; -1 where there are none",
            Family::clone(&keys_age),
        );
        let keys_failed = Family::default();
        registry.register(
            "keys_fetch_failures",
            "Fetches of an issuer's keys that failed",
            Family::clone(&keys_failed),
        );
        let reloads = Family::default();
        registry.register("reloads", "Changed files, by whether they were applied", Family::clone(&reloads));
        let faulty_since = Family::default();
        registry.register(
            "faulty_since_timestamp_seconds",
            "Since when a changed file cannot be used, by what it is about; what held of it, holds",
            Family::clone(&faulty_since),
        );
        let certificate_ends = PassingGauge::default();
        registry.register(
            "certificate_ends_timestamp_seconds",
            "When the server's certificate ends",
            certificate_ends.clone(),
        );
        let storage_states = Family::default();
        registry.register(
            "durable_storage",
            "How durable storage stands by the report of a preflight: 1 at the state that it is in",
            Family::clone(&storage_states),
        );
        let storage_actions = Family::default();
        registry.register(
            "durable_storage_action_proven",
            "Whether the report proves an action on S3",
            Family::clone(&storage_actions),
        );
        let storage_age = PassingGauge::default();
        registry.register(
            "durable_storage_report_age_seconds",
            "Age of the last good report; -1 where there is none or its time is yet to come",
            storage_age.clone(),
        );
        let connections = Gauge::default();
        registry.register("connections", "Connections that are open", connections.clone());
        let audit_failures = Counter::default();
        registry.register(
            "audit_failures",
            "Audit records that could not be written",
            audit_failures.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            limits,
            judged,
            verified,
            keys_age,
            keys_failed,
            reloads,
            faulty_since,
            certificate_ends,
            storage_states,
            storage_actions,
            storage_age,
            connections,
            audit_failures,
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
        self.requests.get_or_create(&RequestLabels { endpoint, verdict, reason }).inc();
        self.seconds.get_or_create(&EndpointLabels { endpoint }).observe(took.as_secs_f64());
    }

    /// Counts that a limit was met, by its key
    pub fn limit_met(&self, limit: &'static str) {
        self.limits.get_or_create(&LimitLabels { limit }).inc();
    }

    /// Counts a statement, by what Druid's planner said of it
    pub fn verified(&self, verified: Verified) {
        self.verified.get_or_create(&OutcomeLabels { outcome: verified.word() }).inc();
    }

    /// Counts a statement, by where its judgement came from
    pub fn judged(&self, from: JudgedFrom) {
        let from = match from {
            JudgedFrom::Memory => "memory",
            JudgedFrom::Statement => "statement",
        };
        self.judged.get_or_create(&JudgedLabels { from }).inc();
    }

    /// Notes how old an issuer's keys are
    pub fn keys_age(&self, issuer: &str, age: Option<Duration>) {
        let labels = IssuerLabels { issuer: issuer.to_owned() };
        self.keys_age.get_or_create(&labels).set(seconds(age));
    }

    /// Notes how durable storage stands; nothing where no report is configured
    pub fn durable_storage(&self, storage: Option<StorageStands>) {
        self.storage_states.clear();
        self.storage_actions.clear();
        self.storage_age.set(storage.as_ref().map(|storage| seconds(storage.age)));
        for (state, is_in_it) in storage.iter().flat_map(|storage| &storage.states) {
            self.storage_states.get_or_create(&StateLabels { state }).set(i64::from(*is_in_it));
        }
        for (action, is_proven) in storage.iter().flat_map(|storage| &storage.actions) {
            self.storage_actions.get_or_create(&ActionLabels { action }).set(i64::from(*is_proven));
        }
    }

    /// Counts a fetch of keys that failed
    pub fn keys_failed(&self, issuer: &str) {
        self.keys_failed.get_or_create(&IssuerLabels { issuer: issuer.to_owned() }).inc();
    }

    /// Counts a change of the files
    pub fn reload(&self, reload: Reload) {
        let outcome = match reload {
            Reload::Applied => "applied",
            Reload::Refused => "refused",
        };
        self.reloads.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Notes since when parts are faulty; all others are fine
    pub fn faulty_since(&self, parts: impl IntoIterator<Item = (&'static str, SystemTime)>) {
        self.faulty_since.clear();
        for (part, since) in parts {
            self.faulty_since.get_or_create(&PartLabels { part }).set(timestamp(since));
        }
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
