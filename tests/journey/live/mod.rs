//! The gate before a real Druid: what the manual of the multi-stage query engine promises, cell by cell
//!
//! Needs a router's URL in `MSQ_GATE_DRUID_OPEN` (no security) or `MSQ_GATE_DRUID_SECURED`
//! (druid-basic-security, admin / admin-pw); `tests/run` starts one and sets them. Without, the tests say
//! so and pass.

use tokio::sync::{Mutex, MutexGuard};

mod changes;
mod druid;
mod explain;
mod held;
mod holes;
mod open;
mod parity;
mod people;
mod posted;
mod secured;
mod secured_explain;
mod stores;
mod table;
mod verified;

/// A real router, for one test at a time: two of them could fill every slot of its workers and wait for ever
struct Router {
    url: String,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::const_new(());

/// The router that the variable names, or a notice that there is none
async fn router(variable: &str) -> Option<Router> {
    let Ok(url) = std::env::var(variable) else {
        println!("notice: {variable} names no router; `tests/run` starts a real Druid and sets it");
        return None;
    };
    Some(Router { url, _alone: ALONE.lock().await })
}
