//! `msq-gate demo`: everything in one process, and lines to copy
//!
//! Certificates, issuer and policy are made for the occasion in a folder that goes when the demonstration
//! ends. Druid is a stand-in in memory, or a real one, which lends a datasource for as long.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::demo_druid::{BorrowError, Borrowed};
use super::serve::Signals;
use super::{Exit, complain, fail, say};
use crate::base::decision_id::random;
use crate::config::Config;
use crate::development::{Certificates, ThrowAwayIssuer};
use crate::server::{self, Server};
use stand_in::{Column, Kind, StandIn, StandInSettings, Table, TaskPace};

const ISSUER: &str = "https://demo.invalid";
const AUDIENCE: &str = "druid";
/// How long the demonstration's tokens are good for
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// How long the stand-in's tasks run: long enough to cancel one by hand
const TASK_TIME: Duration = Duration::from_secs(20);

/// The datasources of the demonstration
#[derive(Debug)]
struct Names {
    /// What all three people may read
    wikipedia: String,
    /// What only the analyst may read
    sales: String,
}

impl Names {
    /// One row from outside
    fn insert(&self) -> String {
        format!(
            "INSERT INTO {} SELECT TIME_PARSE(ts) AS __time, page FROM TABLE(EXTERN('{{\"type\":\"inline\",\"data\":\"{{\\\"ts\\\":\\\"2026-01-01\\\",\\\"page\\\":\\\"Druid\\\"}}\"}}', '{{\"type\":\"json\"}}')) EXTEND (ts VARCHAR, page VARCHAR) PARTITIONED BY DAY",
            self.wikipedia
        )
    }
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("certificates: {0}")]
    Certificates(#[from] crate::development::CertificatesError),
    #[error("the system gives no randomness")]
    Randomness(#[from] aws_lc_rs::error::Unspecified),
    #[error("{0}")]
    Start(#[from] server::StartError),
    #[error("`{0}` is no router's URL; write http://host:port")]
    Druid(String),
    #[error(transparent)]
    Borrow(#[from] BorrowError),
    #[error(
        "the datasource {datasource} is left at Druid: {why}; mark its segments unused, and post a kill task for it"
    )]
    Left { datasource: String, why: String },
}

pub(super) fn run(druid: Option<&str>) -> Result<(), Exit> {
    super::run_to_its_end(demonstrate(druid))?.map_err(|error| fail(Exit::System, error))
}

async fn demonstrate(druid: Option<&str>) -> Result<(), DemoError> {
    let mut signals = Signals::new()?;
    let run = run_id()?;
    let Some(url) = druid else {
        let stand_in = StandIn::start(small_druid()).await?;
        let url = format!("http://{}", stand_in.address());
        let names = Names { wikipedia: "wikipedia".to_owned(), sales: "sales".to_owned() };
        let stage = Stage::new(&url, "a stand-in for Druid, in memory".to_owned(), names, run)?;
        return stage.show(&mut signals).await;
    };
    // Nobody else's.
    let wikipedia = format!("msq_gate_demo_{run}");
    let names = Names { sales: format!("{wikipedia}_sales"), wikipedia };
    let stage = Stage::new(url, format!("Druid at {url}"), names, run)?;
    let borrowed = stage.borrowed()?;
    borrowed.greet().await?;
    let shown = stage.show_at(&borrowed, &mut signals).await;
    complain(format_args!("removing the datasource {}", stage.names.wikipedia));
    let removed = tokio::select! {
        removed = borrowed.remove() => removed.map_err(|error| error.to_string()),
        _ = signals.next() => Err("it was told to end twice".to_owned()),
    };
    let left = |why| DemoError::Left { datasource: stage.names.wikipedia.clone(), why };
    shown.and(removed.map_err(left))
}

/// Everything that is made for the occasion
struct Stage {
    folder: TempDir,
    config: Config,
    issuer: ThrowAwayIssuer,
    names: Names,
    druid: String,
    run: String,
}

impl Stage {
    fn new(url: &str, druid: String, names: Names, run: String) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("msq-gate-demo-").tempdir()?;
        let issuer = ThrowAwayIssuer::new()?;
        let config = write_files(folder.path(), url, &names, &issuer)?;
        Ok(Self { folder, config, issuer, names, druid, run })
    }

    /// The id of a query of this run
    fn query_id(&self, id: &str) -> String {
        format!("demo-{}-{id}", self.run)
    }

    fn borrowed(&self) -> Result<Borrowed, DemoError> {
        let queries = [FIRST].iter().chain(&SUBMITTED).map(|id| self.query_id(id)).collect();
        Ok(Borrowed::new(server::routers(&self.config)?, &self.names.wikipedia, queries))
    }

    /// Makes the datasource first; a signal ends that too
    async fn show_at(&self, borrowed: &Borrowed, signals: &mut Signals) -> Result<(), DemoError> {
        complain(format_args!("making the datasource {} at Druid", self.names.wikipedia));
        let first = self.query_id(FIRST);
        let statement = self.names.insert();
        tokio::select! {
            made = borrowed.make(&statement, &first) => made?,
            _ = signals.next() => return Ok(()),
        }
        self.show(signals).await
    }

    /// Starts the gate, prints the guide, and waits for a signal
    async fn show(&self, signals: &mut Signals) -> Result<(), DemoError> {
        let server = Server::start(self.config.clone()).await?;
        let gate = server.addresses.first().map(|address| format!("https://{address}")).unwrap_or_default();
        say(self.guide(&gate, &self.tokens()?));
        signals.next().await;
        server.drain().await;
        Ok(())
    }
}

/// The query that makes the datasource at a real Druid
const FIRST: &str = "first";
/// The queries of the lines to copy
const SUBMITTED: [&str; 3] = ["vera", "ingo", "ingo-2"];

/// A Druid in memory, with a few rows in two datasources
fn small_druid() -> StandInSettings {
    let table = |rows: &[&str]| Table {
        columns: vec![Column::new("__time", Kind::Timestamp), Column::new("page", Kind::Varchar)],
        rows: rows.iter().map(|page| vec![json!(1_767_225_600_000_i64), json!(page)]).collect(),
    };
    StandInSettings {
        tasks: TaskPace::After(TASK_TIME),
        tables: vec![
            ("wikipedia".to_owned(), table(&["Apache Druid", "Rust"])),
            ("sales".to_owned(), table(&["January"])),
        ],
        ..StandInSettings::default()
    }
}

/// Writes what a configuration names, and reads the configuration as `serve` would
fn write_files(
    folder: &Path,
    druid: &str,
    names: &Names,
    issuer: &ThrowAwayIssuer,
) -> Result<Config, DemoError> {
    let certificates = Certificates::make(SystemTime::now())?;
    std::fs::write(folder.join("ca.pem"), certificates.ca)?;
    std::fs::write(folder.join("server.pem"), certificates.certificate)?;
    std::fs::write(folder.join("server.key"), certificates.key)?;
    std::fs::write(folder.join("jwks.json"), issuer.jwks().to_string())?;
    let text = proxy_toml(druid, names);
    std::fs::write(folder.join("proxy.toml"), &text)?;
    Config::read(&text, folder).config.ok_or_else(|| DemoError::Druid(druid.to_owned()))
}

fn proxy_toml(druid: &str, Names { wikipedia, sales }: &Names) -> String {
    format!(
        r#"[listen]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server.key"

[admin]
address = "127.0.0.1:0"

[upstream]
url = "{druid}"

[[issuers]]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "jwks.json"
algorithms = ["ES256"]

[roles.viewer]
grants = ["READ DATASOURCE {wikipedia}"]

[roles.analyst]
grants = ["READ DATASOURCE {wikipedia}", "READ DATASOURCE {sales}", "READ DATASOURCE __query_select"]

[roles.ingester]
grants = ["READ WRITE DATASOURCE {wikipedia}", "READ EXTERNAL EXTERNAL"]

[rules]
refusal_detail = "full"

[audit]
file = "audit.jsonl"
"#
    )
}

/// A few letters that keep the task ids of two demonstrations apart
fn run_id() -> Result<String, DemoError> {
    let bytes: [u8; 3] = random()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One line to copy, and what it gives
struct Step {
    /// What happens
    story: &'static str,
    /// The status that the answer has
    status: u16,
    /// The line
    line: String,
}

/// What the demonstration prints
impl Stage {
    /// Tokens of three people
    fn tokens(&self) -> Result<[String; 3], DemoError> {
        let expires = SystemTime::now() + TOKEN_LIFE;
        let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let token = |name: &str, role: &str| {
            let claims =
                json!({"iss": ISSUER, "aud": AUDIENCE, "sub": name, "roles": [role], "exp": expires});
            self.issuer.token(&claims)
        };
        Ok([token("vera", "viewer")?, token("anna", "analyst")?, token("ingo", "ingester")?])
    }

    fn guide(&self, gate: &str, [vera, anna, ingo]: &[String; 3]) -> String {
        let Self { druid, names: Names { wikipedia, sales }, .. } = self;
        let (policy, ca) = (self.folder.path().join("proxy.toml"), self.folder.path().join("ca.pem"));
        let mut text = format!(
            "msq-gate {} stands at {gate}, before {druid}.\n\
             Its policy, for as long as this runs: {}\n\n\
             Three people:\n  \
             vera is a viewer:    READ DATASOURCE {wikipedia}\n  \
             anna is an analyst:  READ DATASOURCE {wikipedia}, {sales} and __query_select (everybody's SELECT tasks)\n  \
             ingo is an ingester: READ WRITE DATASOURCE {wikipedia}, READ EXTERNAL EXTERNAL\n\n\
             Copy these into another terminal first:\n\n\
             VERA={vera}\nANNA={anna}\nINGO={ingo}\nGATE={gate}\nCA={}\n",
            env!("CARGO_PKG_VERSION"),
            policy.display(),
            ca.display(),
        );
        for (position, Step { story, status, line }) in self.steps().iter().enumerate() {
            text.push_str(&format!("\n# {}. {story}: {status}\n{line}\n", position + 1));
        }
        text.push_str("\nEnd with Ctrl-C; nothing is left behind.");
        text
    }

    fn steps(&self) -> Vec<Step> {
        let Names { wikipedia, sales } = &self.names;
        let (insert, select) = (&self.names.insert(), &format!("SELECT COUNT(*) AS pages FROM {wikipedia}"));
        let unnamed = &format!("SELECT * FROM {sales}");
        let own_task = "vera asks how her own task stands, and needs READ DATASOURCE __query_select for that";
        let extern_ = "SELECT * FROM TABLE(EXTERN('{\"type\":\"http\",\"uris\":[\"http://example.org/a.json\"]}', '{\"type\":\"json\"}')) EXTEND (a VARCHAR)";
        let cancel =
            format!("-X POST $GATE/druid/indexer/v1/task/query-{}/shutdown", self.query_id("ingo-2"));
        vec![
            self.submit("vera runs a SELECT as a task, which she may", 202, "VERA", select, Some("vera")),
            self.submit("vera tries to INSERT, and is told what is missing", 403, "VERA", insert, None),
            self.submit("vera tries to read from outside with EXTERN", 403, "VERA", extern_, None),
            self.look(own_task, 403, "VERA", "vera"),
            self.look("anna holds that", 200, "ANNA", "vera"),
            self.submit("ingo INSERTs from EXTERN, which he may", 202, "INGO", insert, Some("ingo")),
            self.look("ingo looks at his task", 200, "INGO", "ingo"),
            self.submit("ingo starts another", 202, "INGO", insert, Some("ingo-2")),
            Step { story: "ingo cancels it", status: 200, line: curl("INGO", &cancel) },
            self.submit("nobody reads what the policy does not name", 403, "INGO", unnamed, None),
            Step {
                story: "without a token nothing passes",
                status: 401,
                line: "curl -s --cacert $CA $GATE/druid/v2/sql/task/enabled".to_owned(),
            },
        ]
    }

    fn submit(&self, story: &'static str, status: u16, who: &str, statement: &str, id: Option<&str>) -> Step {
        let mut body = json!({"query": statement});
        if let (Some(id), Value::Object(body)) = (id, &mut body) {
            body.insert("context".to_owned(), json!({"sqlQueryId": self.query_id(id)}));
        }
        // In single quotes for the shell; a quote of SQL's own ends and begins them anew.
        let body = body.to_string().replace('\'', r"'\''");
        let rest = format!("-H 'Content-Type: application/json' $GATE/druid/v2/sql/task -d '{body}'");
        Step { story, status, line: curl(who, &rest) }
    }

    fn look(&self, story: &'static str, status: u16, who: &str, id: &str) -> Step {
        let rest = format!("$GATE/druid/indexer/v1/task/query-{}/status", self.query_id(id));
        Step { story, status, line: curl(who, &rest) }
    }
}

fn curl(who: &str, rest: &str) -> String {
    format!("curl -s --cacert $CA -H \"Authorization: Bearer ${who}\" {rest}")
}
