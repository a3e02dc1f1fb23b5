//! What everything stands on and what has no word of Druid in it: files, secrets, the network, counters, time

pub mod budget;
pub mod budgets;
pub mod certificate_advice;
pub mod connector;
pub mod decision_id;
pub mod drain;
pub mod fetch;
pub mod lines;
pub mod live;
pub mod log;
pub mod metrics;
pub mod pace;
pub mod network;
pub mod password;
pub mod pem;
pub mod redact;
pub mod small_file;
pub mod system_roots;
pub mod tls;
pub mod watcher;
pub mod workshop;
