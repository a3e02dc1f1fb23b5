//! The process: see [`msq_gate::commands`]

use std::process::ExitCode;

/// Gives memory back after a peak; what each thread frees, any may use again
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    msq_gate::commands::run()
}
