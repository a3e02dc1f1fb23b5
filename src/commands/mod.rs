//! The commands: what a person types, and how each ends

mod certs;
mod check;
mod demo;
mod explain;
mod load;
mod needs;
mod routes;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

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
    /// Show the permissions that a statement, a task or a native query needs; nothing runs, no network
    #[command(
        after_help = "Examples:\n  echo 'INSERT INTO a SELECT * FROM b PARTITIONED BY ALL' | msq-gate needs\n  \
                            msq-gate needs --batch < statements.jsonl"
    )]
    Needs {
        /// The configuration whose [rules] and [limits] count; the defaults where not given
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Read JSON lines, `{"id":1,"sql":"…"}`, and write JSON lines
        #[arg(long)]
        batch: bool,
        /// Write JSON
        #[arg(long)]
        json: bool,
        /// The file with the statement or the task; standard input where not given
        file: Option<PathBuf>,
    },
    /// Show what a statement or a task would need, who holds it, and how it would be decided
    #[command(
        after_help = "Examples:\n  echo 'SELECT * FROM a' | msq-gate explain --roles viewer,ingester\n  \
                            msq-gate explain --claims token-claims.json statement.sql"
    )]
    Explain {
        /// The configuration
        #[arg(long, default_value = "proxy.toml", value_name = "FILE")]
        config: PathBuf,
        /// A file with the claims of a token, as JSON
        #[arg(long, value_name = "FILE", required_unless_present = "roles", conflicts_with = "roles")]
        claims: Option<PathBuf>,
        /// Role names, in place of claims
        #[arg(long, value_name = "A,B")]
        roles: Option<String>,
        /// Write JSON
        #[arg(long)]
        json: bool,
        /// The file with the statement or the task; standard input where not given
        file: Option<PathBuf>,
    },
    /// List every endpoint of Druid that the gate lets through, and what it needs
    #[command(after_help = "Example:\n  msq-gate routes --format markdown")]
    Routes {
        /// How to write them
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show the gate at work: certificates, people, policy and Druid, all for the occasion
    #[command(after_help = "Examples:\n  msq-gate demo\n  msq-gate demo --druid http://127.0.0.1:8888")]
    Demo {
        /// A real Druid router, in place of the stand-in
        #[arg(long, value_name = "URL")]
        druid: Option<String>,
    },
    /// Make a development CA and a server certificate
    #[command(after_help = "Example:\n  msq-gate certs certs")]
    Certs {
        /// The folder to write to
        #[arg(default_value = "certs")]
        folder: PathBuf,
    },
}

/// How a table is written
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For a document
    Markdown,
    /// For a program
    Json,
}

/// How a command ends, as BSD's sysexits names it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Ok,
    /// What was given is refused
    DataError,
    /// A file cannot be read
    NoInput,
    /// The system does not give what is needed: an address, a thread
    System,
    /// A file cannot be written
    CannotCreate,
    /// Somebody may not
    NoPermission,
    /// The configuration cannot be used
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::DataError => 65,
            Exit::NoInput => 66,
            Exit::System => 71,
            Exit::CannotCreate => 73,
            Exit::NoPermission => 77,
            Exit::Configuration => 78,
        })
    }
}

/// Reads the command line and does what it says
pub fn run() -> ExitCode {
    let exit = match Command::parse().verb {
        Verb::Serve { config } => serve::run(&config),
        Verb::Check { schema: true, .. } => check::schema(),
        Verb::Check { schema: false, config } => check::run(&config),
        Verb::Needs { config, batch, json, file } => {
            needs::run(config.as_deref(), batch, json, file.as_deref())
        }
        Verb::Explain { config, claims, roles, json, file } => {
            let who = explain::Who { claims: claims.as_deref(), roles: roles.as_deref() };
            explain::run(&config, &who, json, file.as_deref())
        }
        Verb::Routes { format } => routes::run(format),
        Verb::Demo { druid } => demo::run(druid.as_deref()),
        Verb::Certs { folder } => certs::run(&folder),
    };
    exit.into()
}

/// Writes a line to standard output; a reader that has gone away ends nothing
fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _gone = writeln!(std::io::stdout(), "{line}");
}

/// Writes a line to standard error
fn complain(line: impl std::fmt::Display) {
    use std::io::Write;
    let _gone = writeln!(std::io::stderr(), "{line}");
}

/// One JSON object a line on standard error, control characters escaped
fn log_as_json() {
    use tracing_subscriber::filter::LevelFilter;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(LevelFilter::INFO)
        .with_writer(std::io::stderr)
        .finish();
    // Set once for the process; a second command in one process keeps the first.
    let _set_before = tracing::subscriber::set_global_default(subscriber);
}
