//! Good clients before a gate of the release build, beside all that could disturb them: slow, greedy and broken ones,
//! reloads, new certificates, and a Druid that restarts
//!
//! The first fifth of the time belongs to the good ones alone. What they notice of the others fails the run: a request
//! of theirs that fails but where Druid restarts, or answers that take twice as long; and so does a gate that grows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a run that cannot go on should say so loudly, and it shows what it saw"
)]

mod bad;
mod figures;
mod gate;
mod good;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use figures::{Figures, Part};
use gate::Gate;
use world::World;

/// How often the files change while the others are there, with new certificates among them; in a short run less often,
/// since a change holds when two looks a second apart agree
const CHANGES: u64 = 50;
const CERTIFICATES: u32 = 5;
const APART: u64 = 4;

/// Good clients over each protocol
const GOOD: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(program), Some(seconds)) = (arguments.next(), arguments.next()) else {
        println!("msq-gate-soak PROGRAM SECONDS [KIND]");
        return ExitCode::from(64);
    };
    let whole = Duration::from_secs(seconds.parse().unwrap());
    let gate = Gate::start(Path::new(&program)).await;
    let figures = Figures::default();
    let world = Arc::new(World::new(&gate, figures));
    let measuring = tokio::spawn(Arc::clone(&world).measure(gate.process_id()));
    for number in 0..GOOD * 2 {
        tokio::spawn(good::client(Arc::clone(&world), number % 2 == 0));
    }
    tokio::time::sleep(whole / 5).await;
    world.figures.enter(Part::Beside);
    let only = arguments.next();
    let others = bad::start(&world, only.as_deref());
    let beside = whole * 4 / 5;
    let changes = match only {
        // One kind, and nothing else that could disturb.
        Some(_) => 0,
        None => u32::try_from((beside.as_secs() / APART).clamp(CERTIFICATES.into(), CHANGES)).unwrap(),
    };
    if changes == 0 {
        tokio::time::sleep(beside).await;
    } else {
        disturb(&gate, &world, beside, changes).await;
    }
    world.figures.enter(Part::Over);
    drop(others);
    measuring.abort();
    let faults = world.figures.tell(&gate.metrics().await, changes as usize);
    let stopped = gate.stop().await;
    for fault in faults.iter().chain(stopped.as_ref().err()) {
        println!("FAILED: {fault}");
    }
    if faults.is_empty() && stopped.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// So many changes of the files, new certificates and two restarts of Druid, evenly over this time
async fn disturb(gate: &Gate, world: &World, over: Duration, changes: u32) {
    let step = over / (changes + 1);
    for change in 1..=changes {
        tokio::time::sleep(step).await;
        gate.change_policy(change);
        if change.is_multiple_of(changes / CERTIFICATES) {
            gate.change_certificate(change / (changes / CERTIFICATES));
        }
        gate.hang_up();
        gate.forget().await;
        if change == changes / 4 || change == changes * 3 / 4 {
            world.figures.druid_restarts();
            gate.restart_druid().await;
        }
    }
    tokio::time::sleep(step).await;
}
