//! The commands: what a person types, and how each ends

mod certs;
mod check;
mod demo;
mod demo_druid;
mod explain;
mod load;
mod needs;
mod preflight;
mod routes;
mod serve;
mod token;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::base::log;
use crate::evidence::judge::this_thread_has_the_stack;
use crate::resource_actions::sql::JUDGE_STACK_BYTES;

/// A reverse proxy that enforces Apache Druid's permissions
#[derive(Debug, Parser)]
#[command(name = "msq-gate", version, about, propagate_version = true)]
pub struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the proxy
    #[command(after_help = "Example:\n  msq-gate serve --config proxy.toml")]
    Serve {
        /// The configuration
        #[arg(long, default_value = "proxy.toml", value_name = "FILE")]
        config: PathBuf,
    },
    /// Show every fault of a configuration at once
    #[command(
        after_help = "Examples:\n  msq-gate check --config proxy.toml\n  msq-gate check --schema > proxy.schema.json"
    )]
    Check {
        /// Print the JSON Schema of the configuration, for editors
        #[arg(long)]
        schema: bool,
        /// The configuration
        #[arg(long, default_value = "proxy.toml", value_name = "FILE")]
        config: PathBuf,
    },
    /// Show the permissions that a statement or a task needs; nothing runs, no network
    #[command(
        after_help = "Examples:\n  echo 'INSERT INTO a SELECT * FROM b PARTITIONED BY ALL' | msq-gate needs\n  \
                            msq-gate needs --batch < statements.jsonl"
    )]
    Needs(needs::Asked),
    /// Show what a statement or a task would need, who holds it, and how it would be decided
    #[command(
        after_help = "Examples:\n  echo 'SELECT * FROM a' | msq-gate explain --roles viewer,ingester\n  \
                            msq-gate explain --claims token-claims.json statement.sql"
    )]
    Explain(explain::Asked),
    /// List every endpoint of Druid that the gate lets through, and what it needs
    #[command(after_help = "Example:\n  msq-gate routes --format markdown")]
    Routes {
        /// How to write them
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Prove, now and from here, what a long query will need: the S3 actions of durable storage, one by one
    #[command(
        after_help = "Examples:\n  msq-gate preflight s3 --druid-properties conf/druid/_common/common.runtime.properties\n  \
                            msq-gate preflight s3 --config proxy.toml --json\n\n\
                            Run it where Druid runs, as the user that Druid runs as. Ends with 0 where all is proven, else with 69."
    )]
    Preflight(preflight::Asked),
    /// Show the gate at work: certificates, people, policy and Druid, all for the occasion
    #[command(after_help = "Examples:\n  msq-gate demo\n  msq-gate demo --druid http://127.0.0.1:8888")]
    Demo {
        /// A real Druid router, in place of the stand-in
        #[arg(long, value_name = "URL")]
        druid: Option<String>,
    },
    /// Print a token that is signed with the development keys of `certs`
    #[command(after_help = "Example:\n  TOKEN=$(msq-gate token --sub alice --roles analyst)")]
    Token(token::Asked),
    /// Make a development CA, a server certificate and an issuer's keys
    #[command(after_help = "Examples:\n  msq-gate certs certs\n  msq-gate certs --replace")]
    Certs(certs::Asked),
}

/// How a table is written
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For a document
    Markdown,
    /// For a program
    Json,
}

/// How a command ends that does not end well, as BSD's sysexits names it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// What was given is refused
    DataError = 65,
    /// A file cannot be read
    NoInput = 66,
    /// A service is not there, or does not do what it must
    Unavailable = 69,
    /// The system does not give what is needed: an address, a thread
    System = 71,
    /// A file cannot be written
    CannotCreate = 73,
    /// Requests had to be cut; another try may do
    Cut = 75,
    /// Somebody may not
    NoPermission = 77,
    /// The configuration cannot be used
    Configuration = 78,
}

/// Reads the command line and does what it says
pub fn run() -> ExitCode {
    let done = match Command::parse().verb {
        Verb::Serve { config } => serve::run(&config),
        Verb::Check { schema: true, .. } => check::schema(),
        Verb::Check { schema: false, config } => check::run(&config),
        Verb::Needs(asked) => needs::run(asked),
        Verb::Explain(asked) => explain::run(asked),
        Verb::Routes { format } => routes::run(format),
        Verb::Preflight(asked) => preflight::s3(&asked),
        Verb::Demo { druid } => demo::run(druid.as_deref()),
        Verb::Token(asked) => token::run(&asked),
        Verb::Certs(asked) => certs::run(&asked),
    };
    done.map_or_else(|exit| ExitCode::from(exit as u8), |()| ExitCode::SUCCESS)
}

/// Writes a line to standard output; a reader that has gone away ends nothing
fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _gone = writeln!(io::stdout(), "{line}");
}

/// Writes a line to standard error
fn complain(line: impl std::fmt::Display) {
    use std::io::Write;
    let _gone = writeln!(io::stderr(), "{line}");
}

/// Says what is wrong; how the command ends for it
fn fail(exit: Exit, what: impl std::fmt::Display) -> Exit {
    complain(what);
    exit
}

/// How long threads that hang in a file system may keep the process after all else is done
const LEAVE: Duration = Duration::from_secs(1);

/// Runs this to its end, and leaves behind what hangs
fn run_to_its_end<T>(work: impl Future<Output = T>) -> Result<T, Exit> {
    // Virtual memory: what is not used of a stack is not there.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(JUDGE_STACK_BYTES)
        .on_thread_start(this_thread_has_the_stack)
        .build()
        .map_err(|error| fail(Exit::System, format_args!("there is no runtime: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEAVE);
    log::flush(LEAVE);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_that_hangs_does_not_keep_the_process() {
        let (release, hung) = channel::<()>();
        let (ended, end) = channel();
        std::thread::spawn(move || {
            let done = run_to_its_end(async {
                // It waits for somebody who does not come while the runtime lives.
                tokio::task::spawn_blocking(move || hung.recv());
                "done"
            });
            ended.send(done.unwrap()).unwrap();
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(30)), Ok("done"));
        drop(release);
    }
}
