//! The process: see [`msq_gate::commands`]

use std::process::ExitCode;

fn main() -> ExitCode {
    msq_gate::commands::run()
}
