//! One record for each request, whatever became of it: JSON lines
//!
//! A request that is forwarded has two lines, joined by `decision`: `decided`, on record before its first
//! byte goes to Druid, and `finished`. One that is not has a single `refused`. A record that is dropped
//! unfinished writes itself: a client that leaves is on record too. Tokens, passwords and rows never are.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::answer::refusal::{Reason, Refusal};
use crate::answer::respond::{durable_storage, missing};
use crate::authenticate::unverified::Mismatch;
use crate::authenticate::{AuthenticationError, Identity};
use crate::authorize::{Caller, Policy, Receipt};
use crate::base::metrics::Metrics;
use crate::config::{AuditFile, Statements};
use crate::druid::Owner;
use crate::druid::resource::Printable;
use crate::evidence::verify::VerifyError;
use crate::forward::UpstreamError;

/// Where the lines go
pub struct Audit {
    file: AuditFile,
    sink: Mutex<Box<dyn Write + Send>>,
    statements: Statements,
    fingerprint_key: hmac::Key,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Audit").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Audit {
    /// Opens the record; `key` keys the fingerprints of statements
    ///
    /// # Errors
    ///
    /// Where the file cannot be appended to.
    pub fn open(settings: &crate::config::Audit, key: &[u8], metrics: Arc<Metrics>) -> io::Result<Self> {
        Ok(Self {
            file: settings.file.clone(),
            sink: Mutex::new(open(&settings.file)?),
            statements: settings.statements,
            fingerprint_key: hmac::Key::new(hmac::HMAC_SHA256, key),
            metrics,
        })
    }

    /// Whether it is what these settings describe
    pub fn is_of(&self, settings: &crate::config::Audit) -> bool {
        self.file == settings.file && self.statements == settings.statements
    }

    /// Opens the file again, after somebody moved it away
    ///
    /// # Errors
    ///
    /// Where it cannot be opened; the old one is written to as before.
    pub fn reopen(&self) -> io::Result<()> {
        let sink = open(&self.file)?;
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = sink;
        Ok(())
    }

    fn write(&self, line: &Value) -> io::Result<()> {
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let written = sink.write_all(&bytes).and_then(|()| sink.flush());
        written.inspect_err(|_| {
            self.metrics.audit_failures.inc();
        })
    }
}

/// Whether the file could be appended to, where a start would make it if it is not there; it is not made here
///
/// # Errors
///
/// Those of a start.
pub fn try_to_open(file: &AuditFile) -> io::Result<()> {
    let AuditFile::File(path) = file else { return Ok(()) };
    refuse_pipe(path)?;
    match append().create(false).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
        }
        opened => opened.map(drop),
    }
}

/// Opening a pipe waits for somebody who reads it, and so does writing to one that nobody empties
fn refuse_pipe(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe; give a file, or `-`"));
    }
    Ok(())
}

fn append() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    options
}

fn open(file: &AuditFile) -> io::Result<Box<dyn Write + Send>> {
    Ok(match file {
        AuditFile::StandardOutput => Box::new(io::stdout()),
        AuditFile::File(path) => {
            refuse_pipe(path)?;
            Box::new(append().open(path)?)
        }
    })
}

/// How a request ended
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Druid's answer has gone out whole
    Finished,
    /// It broke off on Druid's side
    BrokeOff,
    /// The client left before its end, or the gate did
    Left,
}

/// The record of one request
#[derive(Debug)]
pub struct Record {
    audit: Arc<Audit>,
    began: Instant,
    decision: String,
    method: String,
    endpoint: &'static str,
    fields: Map<String, Value>,
    pub(super) caller: Option<Owner>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Undecided,
    Decided,
    Closed,
}

/// How much of a path that is no endpoint's stands on record, in characters
const PATH: usize = 256;

/// The endpoint of a request that goes to none
const NO_ENDPOINT: &str = "none";

impl Record {
    /// Begins the record of a request whose head is read
    pub fn begin(audit: Arc<Audit>, decision: String, client: SocketAddr, method: &str) -> Self {
        let fields = Map::from_iter([("client".to_owned(), json!(client.ip().to_string()))]);
        // A method is a token of up to any length; the record is not the place to find out.
        let method = method.chars().take(32).collect();
        Self {
            audit,
            began: Instant::now(),
            decision,
            method,
            endpoint: NO_ENDPOINT,
            fields,
            caller: None,
            state: State::Undecided,
        }
    }

    /// The decision's id
    pub fn decision(&self) -> &str {
        &self.decision
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    /// Who asks, where that is known
    pub fn subject(&self) -> Option<&str> {
        self.fields.get("subject").and_then(Value::as_str)
    }

    /// Who asks, and which roles he has by this policy
    pub fn caller(&mut self, identity: Identity, policy: &Policy) -> Identity {
        let caller = Caller::verified(&identity);
        let holder = caller.holder(policy);
        let roles: Vec<_> = holder.roles().iter().map(|role| role.name.as_str()).collect();
        self.set("subject", json!(identity.subject()));
        self.set("issuer", json!(identity.issuer()));
        self.set("roles", json!(roles));
        self.caller = Some(identity.owner());
        identity
    }

    /// Which endpoint, by its path in the table, and the id in the path
    pub(super) fn endpoint(&mut self, endpoint: &'static str, task: Option<&str>) {
        self.endpoint = endpoint;
        if let Some(task) = task {
            self.set("taskId", json!(task));
        }
    }

    /// How many bytes of body came
    pub fn bytes_in(&mut self, bytes: usize) {
        self.set("bytesIn", json!(bytes));
    }

    /// Which statement: its kind, once known, and a keyed fingerprint of its text
    pub(super) fn statement(&mut self, kind: Option<&str>, text: &str) {
        let tag = hmac::sign(&self.audit.fingerprint_key, text.as_bytes());
        let fingerprint: String = tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let statement = match self.audit.statements {
            Statements::Fingerprint => json!({"kind": kind, "fingerprint": fingerprint}),
            Statements::Text => json!({"kind": kind, "fingerprint": fingerprint, "text": text}),
        };
        self.set("statement", statement);
    }

    /// What was needed, and what of it is missing
    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        let needed: Vec<_> = receipt.needed.iter().map(|needed| needed.permission.sentence()).collect();
        self.set("needed", json!(needed));
        self.set("missing", missing(receipt));
        if receipt.is_submitters {
            self.set("held", json!("owner"));
        }
    }

    /// The path, where it is not known for an endpoint's; cut, and without its query
    pub fn path_of_none(&mut self, path: &str) {
        if self.endpoint != NO_ENDPOINT {
            return;
        }
        let path: String = path.chars().take(PATH).collect();
        self.set("path", json!(Printable(&path).to_string()));
    }

    /// What can be put on record of this request later, beside it
    pub fn aside(&self) -> Aside {
        let fields = ["subject", "issuer", "statement", "needed"];
        let fields =
            fields.iter().filter_map(|name| Some(((*name).to_owned(), self.fields.get(*name)?.clone())));
        Aside { audit: Arc::clone(&self.audit), decision: self.decision.clone(), fields: fields.collect() }
    }

    /// Counts that the request met a limit, by its key
    pub fn limit_met(&self, limit: &'static str) {
        self.audit.metrics.limit_met(limit);
    }

    /// The task that Druid started
    pub fn task(&mut self, task: &str) {
        self.set("taskId", json!(task));
    }

    /// What Druid answered
    pub fn upstream_status(&mut self, status: u16) {
        self.set("upstreamStatus", json!(status));
        self.set("status", json!(status));
    }

    /// Why a request is not forwarded, as far as there is more to say than a reason
    pub fn refusal(&mut self, refusal: &Refusal) {
        if let Some(mismatch) = refusal.authentication().and_then(AuthenticationError::mismatch) {
            let Mismatch { claim, wanted, found } = mismatch;
            // Both of two values that do not match; the token itself never stands here.
            self.set("mismatch", json!({"claim": claim, "wanted": wanted, "found": found.for_operators()}));
        }
        if let Refusal::Denied(denied) = refusal {
            self.receipt(&denied.receipt);
        }
        if let Refusal::Verify(VerifyError::Differs { beyond }) = refusal {
            self.set("beyond", json!(beyond));
        }
        if let Refusal::Storage(unusable) = refusal {
            self.set("durableStorage", durable_storage(&unusable.status));
        }
        match refusal.upstream() {
            // `null` where the gate signs in with no account.
            Some(UpstreamError::Account { status, account }) => {
                self.upstream_status(status.as_u16());
                self.set("refusedAccount", json!(account.0));
            }
            Some(UpstreamError::Stranger { status, .. }) => self.upstream_status(status.as_u16()),
            _ => {}
        }
    }

    /// Puts on record that the request is let through
    ///
    /// # Errors
    ///
    /// Where it cannot be; then the request must not be sent.
    pub fn decided(&mut self) -> io::Result<()> {
        self.state = State::Decided;
        self.audit.write(&self.line("decided", "allowed", None))
    }

    /// Closes the record of a request that was not, or could not be, answered by Druid
    pub fn refused(mut self, reason: Reason, status: u16) {
        self.set("status", json!(status));
        let (event, verdict) = match (self.state, reason, status) {
            (State::Decided, _, _) => ("finished", "failed"),
            // Nothing failed: the gate does what its operator wants while a report says no.
            (_, Reason::DurableStorage, _) => ("refused", "refused"),
            (_, _, 500..) => ("refused", "failed"),
            (State::Undecided | State::Closed, _, _) => ("refused", "refused"),
        };
        self.close(event, verdict, Some(reason.code()));
    }

    /// Closes the record of a request that the gate answered itself
    pub fn answered(mut self, status: u16) {
        self.set("status", json!(status));
        self.close("finished", "allowed", None);
    }

    /// Closes the record of a request that was forwarded
    pub fn finished(mut self, ending: Ending, bytes_out: u64) {
        self.set("bytesOut", json!(bytes_out));
        match ending {
            Ending::Finished => self.close("finished", "allowed", None),
            Ending::BrokeOff => self.close("finished", "failed", Some(Reason::UpstreamBroken.code())),
            Ending::Left => self.close("finished", "failed", Some(self.who_left())),
        }
    }

    /// Who has left before the end: the client, or the gate, at the end of its time to drain
    fn who_left(&self) -> &'static str {
        if self.audit.metrics.leaving.cuts() { "gate_left" } else { "client_left" }
    }

    fn close(&mut self, event: &str, verdict: &'static str, reason: Option<&'static str>) {
        self.state = State::Closed;
        let line = self.line(event, verdict, reason);
        // It is counted; the request itself is over.
        let _failed = self.audit.write(&line);
        self.audit.metrics.request(self.endpoint, verdict, reason.unwrap_or("none"), self.began.elapsed());
    }

    fn line(&self, event: &str, verdict: &str, reason: Option<&str>) -> Value {
        let mut line = begin_line(event, &self.decision);
        line.insert("method".to_owned(), json!(self.method));
        line.insert("endpoint".to_owned(), json!(self.endpoint));
        line.extend(self.fields.clone());
        line.insert("verdict".to_owned(), json!(verdict));
        line.insert("reason".to_owned(), json!(reason));
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        line.insert("durationMicros".to_owned(), json!(micros));
        Value::Object(line)
    }
}

/// What every line begins with
fn begin_line(event: &str, decision: &str) -> Map<String, Value> {
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    [("event", event), ("time", &time), ("decision", decision)]
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .into_iter()
        .collect()
}

/// What is found out of a request beside it, perhaps after its end
#[derive(Debug)]
pub struct Aside {
    audit: Arc<Audit>,
    decision: String,
    fields: Map<String, Value>,
}

impl Aside {
    /// Puts on record that Druid's planner needs more than was judged: `"event":"verification"`
    pub fn differs(self, beyond: &BTreeSet<String>) {
        let mut line = begin_line("verification", &self.decision);
        line.extend(self.fields);
        line.insert("beyond".to_owned(), json!(beyond));
        // It is counted, and the difference is in the log too.
        let _failed = self.audit.write(&Value::Object(line));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        match self.state {
            State::Closed => {}
            State::Undecided => self.close("refused", "failed", Some(self.who_left())),
            State::Decided => self.close("finished", "failed", Some(self.who_left())),
        }
    }
}
