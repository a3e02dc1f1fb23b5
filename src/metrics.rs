//! What is counted, for the admin address (OpenMetrics)
//!
//! Every label is from a closed list: endpoints of the route table, reasons, names of limits.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
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
    keys_age: Family<IssuerLabels, Gauge>,
    keys_failed: Family<IssuerLabels, Counter>,
    reloads: Family<OutcomeLabels, Counter>,
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
struct OutcomeLabels {
    outcome: &'static str,
}

/// What came of looking at the files again
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// What they say holds from now on
    Applied,
    /// They are faulty, and nothing changed
    Refused,
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
            keys_age,
            keys_failed,
            reloads,
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

    /// Counts a judgement
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
        let seconds = age.map_or(-1, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        self.keys_age.get_or_create(&labels).set(seconds);
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

    /// The page of `/metrics`
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _written = encode(&mut page, &self.registry);
        page
    }
}
