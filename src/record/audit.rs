//! One record for each request, whatever became of it: JSON lines
//!
//! A request that is forwarded has two lines, joined by `decision`: `decided`, on record before its first
//! byte goes to Druid, and `finished`. One that is not has a single `refused`. A record that is dropped
//! unfinished writes itself: a client that leaves is on record too. Tokens, passwords and rows never are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::json;

pub use super::book::Audit;
use super::book::Fingerprint;
use super::members::{Members, MissingSentences, NeededSentences, PlaceSentences, Places, Shown};
use crate::answer::refusal::{Reason, Refusal};
use crate::answer::respond::durable_storage;
use crate::authenticate::unverified::Mismatch;
use crate::authenticate::{AuthenticationError, Identity};
use crate::authorize::{Policy, Receipt};
use crate::base::budget::Lease;
use crate::base::lines::Unwritten;
use crate::config::Statements;
use crate::druid::Owner;
use crate::druid::resource::Printable;
use crate::evidence::verify::VerifyError;
use crate::forward::UpstreamError;
use crate::resource_actions::sql::StatementKind;

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
    members: Members,
    pub(super) caller: Option<Identity>,
    /// Whose the task is, where that is somebody else
    pub(super) owner: Option<Owner>,
    status: Option<u16>,
    upstream_status: Option<u16>,
    /// What there is to say of a statement while its judgement is waited for
    unjudged: Option<Members>,
    state: State,
    /// Its place among all requests, to its end
    place: Option<Lease>,
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

/// Room for what most lines hold
const ROOM: usize = 512;

impl Record {
    /// Begins the record of a request whose head is read
    pub fn begin(audit: Arc<Audit>, decision: String, client: SocketAddr, method: &str) -> Self {
        let mut members = Members::with_room(ROOM);
        members.put("client", &Shown(client.ip()));
        // A method is a token of up to any length; the record is not the place to find out.
        let method = method.chars().take(32).collect();
        Self {
            audit,
            began: Instant::now(),
            decision,
            method,
            endpoint: NO_ENDPOINT,
            members,
            caller: None,
            owner: None,
            status: None,
            upstream_status: None,
            unjudged: None,
            state: State::Undecided,
            place: None,
        }
    }

    /// The decision's id
    pub fn decision(&self) -> &str {
        &self.decision
    }

    pub(super) fn put(&mut self, name: &str, value: &(impl serde::Serialize + ?Sized)) {
        self.members.put(name, value);
    }

    /// Keeps the request's place until this is closed
    pub fn keep_place(&mut self, place: Lease) {
        self.place = Some(place);
    }

    /// Who asks, where that is known
    pub fn subject(&self) -> Option<&str> {
        self.caller.as_ref().map(Identity::subject)
    }

    /// Who asks, and which roles he has by this policy
    pub fn caller(&mut self, identity: Identity, policy: &Policy) -> Identity {
        let holder = policy.holder(identity.issuer(), identity.subject(), identity.claimed_roles());
        let roles: Vec<_> = holder.roles().map(|role| role.name.as_str()).collect();
        self.put("subject", identity.subject());
        self.put("issuer", identity.issuer());
        self.put("roles", &roles);
        self.caller = Some(identity.clone());
        identity
    }

    /// Which endpoint, by its path in the table, and the id in the path
    pub(super) fn endpoint(&mut self, endpoint: &'static str, task: Option<&str>) {
        self.endpoint = endpoint;
        if let Some(task) = task {
            self.put("taskId", task);
        }
    }

    /// How many bytes of body came
    pub fn bytes_in(&mut self, bytes: usize) {
        self.put("bytesIn", &bytes);
    }

    /// The fingerprint of a statement
    pub(super) fn fingerprint(&self, text: &str) -> Fingerprint {
        self.audit.fingerprint(text)
    }

    /// Whether it is known which statement, and not yet of which kind
    pub(super) fn has_unjudged(&self) -> bool {
        self.unjudged.is_some()
    }

    /// Which statement, with its fingerprint
    pub(super) fn statement(&mut self, text: &str, fingerprint: Fingerprint) {
        let mut statement = Members::default();
        statement.put("fingerprint", std::str::from_utf8(&fingerprint).unwrap_or_default());
        if self.audit.statements == Statements::Text {
            statement.put("text", text);
        }
        self.unjudged = Some(statement);
    }

    /// Of which kind the statement is
    pub(super) fn kind(&mut self, kind: Option<&StatementKind>) {
        if let Some(statement) = self.unjudged.take() {
            self.members.put_object("statement", |members| {
                members.put("kind", &kind.map(Shown));
                members.extend(&statement);
            });
        }
    }

    /// What was needed, and what of it is missing
    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        self.put("needed", &NeededSentences(receipt));
        self.put("missing", &MissingSentences(receipt));
        for (name, places) in [("places", Places::Needed), ("missingPlaces", Places::Missing)] {
            let places = PlaceSentences(receipt, places);
            if !places.is_empty() {
                self.put(name, &places);
            }
        }
        if receipt.is_submitters {
            self.put("held", "owner");
        }
    }

    /// What the names in the path are, where none of them is a task
    pub(super) fn names(&mut self, names: &BTreeMap<&'static str, &str>) {
        self.put("names", names);
    }

    /// The path, where it is not known for an endpoint's; cut, and without its query
    pub fn path_of_none(&mut self, path: &str) {
        if self.endpoint != NO_ENDPOINT {
            return;
        }
        let path: String = path.chars().take(PATH).collect();
        self.put("path", &Shown(Printable(&path)));
    }

    /// What can be put on record of this request later, beside it
    pub fn aside(&self) -> Aside {
        let mut members = Members::with_room(ROOM);
        members.extend(&self.members);
        Aside { audit: Arc::clone(&self.audit), decision: self.decision.clone(), members }
    }

    /// Counts that the request met a limit, by its key
    pub fn limit_met(&self, limit: &'static str) {
        self.audit.metrics.limit_met(limit);
    }

    /// The task that Druid started
    pub fn task(&mut self, task: &str) {
        self.put("taskId", task);
    }

    /// What Druid answered
    pub fn upstream_status(&mut self, status: u16) {
        self.upstream_status = Some(status);
        self.status = Some(status);
    }

    /// Why a request is not forwarded, as far as there is more to say than a reason
    pub fn refusal(&mut self, refusal: &Refusal) {
        if let Some(mismatch) = refusal.authentication().and_then(AuthenticationError::mismatch) {
            let Mismatch { claim, wanted, found } = mismatch;
            // Both of two values that do not match; the token itself never stands here.
            self.put("mismatch", &json!({"claim": claim, "wanted": wanted, "found": found.for_operators()}));
        }
        if let Refusal::Denied(denied) = refusal {
            self.receipt(&denied.receipt);
        }
        if let Refusal::Verify(VerifyError::Differs { beyond }) = refusal {
            self.put("beyond", beyond);
        }
        if let Refusal::Storage(unusable) = refusal {
            self.put("durableStorage", &durable_storage(&unusable.status));
        }
        match refusal.upstream() {
            // `null` where the gate signs in with no account.
            Some(UpstreamError::Account { status, account }) => {
                self.upstream_status(status.as_u16());
                self.put("refusedAccount", &account.0);
            }
            Some(UpstreamError::Stranger { status, .. }) => self.upstream_status(status.as_u16()),
            _ => {}
        }
    }

    /// Puts on record that the request is let through, and waits until it is there
    ///
    /// # Errors
    ///
    /// Where it cannot be, or not soon; then the request must not be sent.
    pub async fn decided(&mut self) -> Result<(), Unwritten> {
        self.kind(None);
        let [head, tail] = self.ends("decided", "allowed", None, None);
        let written = self.audit.add_awaited(&[head.bytes(), self.members.bytes(), tail.bytes()])?;
        self.state = State::Decided;
        written.wait().await.inspect_err(|_| self.audit.failed())
    }

    /// Closes the record of a request that was not, or could not be, answered by Druid
    pub fn refused(mut self, reason: Reason, status: u16) {
        self.status = Some(status);
        let (event, verdict) = match (self.state, reason, status) {
            (State::Decided, _, _) => ("finished", "failed"),
            // Nothing failed: the gate does what its operator wants while a report says no.
            (_, Reason::DurableStorage, _) => ("refused", "refused"),
            (_, _, 500..) => ("refused", "failed"),
            (State::Undecided | State::Closed, _, _) => ("refused", "refused"),
        };
        self.close(event, verdict, Some(reason.code()), None);
    }

    /// Closes the record of a request that the gate answered itself
    pub fn answered(mut self, status: u16) {
        self.status = Some(status);
        self.close("finished", "allowed", None, None);
    }

    /// Closes the record of a request that was forwarded
    pub fn finished(mut self, ending: Ending, bytes_out: u64) {
        let (verdict, reason) = match ending {
            Ending::Finished => ("allowed", None),
            Ending::BrokeOff => ("failed", Some(Reason::UpstreamBroken.code())),
            Ending::Left => ("failed", Some(self.who_left())),
        };
        self.close("finished", verdict, reason, Some(bytes_out));
    }

    /// Who has left before the end: the client, or the gate, at the end of its time to drain
    fn who_left(&self) -> &'static str {
        if self.audit.metrics.leaving.cuts() { "gate_left" } else { "client_left" }
    }

    fn close(
        &mut self,
        event: &str,
        verdict: &'static str,
        reason: Option<&'static str>,
        bytes_out: Option<u64>,
    ) {
        self.kind(None);
        let [head, tail] = self.ends(event, verdict, reason, bytes_out);
        let parts = [head.bytes(), self.members.bytes(), tail.bytes()];
        // Where it cannot be written, that is counted; the request itself is over.
        match self.state {
            State::Decided => self.audit.add_end(&parts),
            State::Undecided | State::Closed => self.audit.add(&parts),
        }
        self.state = State::Closed;
        self.audit.metrics.request(self.endpoint, verdict, reason.unwrap_or("none"), self.began.elapsed());
    }

    /// What stands before and behind the members that the stages put there
    fn ends(&self, event: &str, verdict: &str, reason: Option<&str>, bytes_out: Option<u64>) -> [Members; 2] {
        let mut head = begin_line(event, &self.decision);
        head.put("method", &self.method);
        head.put("endpoint", self.endpoint);
        let mut tail = Members::with_room(ROOM / 2);
        let numbers = [
            ("upstreamStatus", self.upstream_status.map(u64::from)),
            ("status", self.status.map(u64::from)),
            ("bytesOut", bytes_out),
        ];
        if let Some(owner) = &self.owner {
            tail.put("owner", owner.as_str());
        }
        for (name, number) in numbers {
            if let Some(number) = number {
                tail.put(name, &number);
            }
        }
        tail.put("verdict", verdict);
        tail.put("reason", &reason);
        tail.put("durationMicros", &u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX));
        tail.end();
        [head, tail]
    }
}

/// What every line begins with
fn begin_line(event: &str, decision: &str) -> Members {
    let mut line = Members::with_room(ROOM / 2);
    line.put("event", event);
    line.put("time", &Shown(humantime::format_rfc3339_millis(SystemTime::now())));
    line.put("decision", decision);
    line.begin();
    line
}

/// What is found out of a request beside it, perhaps after its end
#[derive(Debug)]
pub struct Aside {
    audit: Arc<Audit>,
    decision: String,
    members: Members,
}

impl Aside {
    /// Puts on record that Druid's planner needs more than was judged: `"event":"verification"`
    pub fn differs(mut self, beyond: &BTreeSet<String>) {
        let head = begin_line("verification", &self.decision);
        self.members.put("beyond", beyond);
        self.members.end();
        // Where it cannot be written, that is counted, and the difference is in the log too.
        self.audit.add(&[head.bytes(), self.members.bytes()]);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        match self.state {
            State::Closed => {}
            State::Undecided => self.close("refused", "failed", Some(self.who_left()), None),
            State::Decided => self.close("finished", "failed", Some(self.who_left()), None),
        }
    }
}
