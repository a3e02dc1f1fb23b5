//! The stages in order: who, what, what it needs, may they, can it run, send it

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use ipnet::IpNet;
use serde_json::Value;

use crate::activity::InFlight;
use crate::audit::{Audit, Record};
use crate::authenticate::unverified::Mismatch;
use crate::authenticate::{AuthenticationError, Authenticator, Identity};
use crate::authorize::{PermittedRequest, Policy, decide, decision};
use crate::body::{self, BodyLimit, Coding};
use crate::config::{Config, Door, Health, Limits};
use crate::connection::Unread;
use crate::connector::why;
use crate::decision_id::{decision_id, random};
use crate::druid::endpoint::{Content, Endpoint, Judged};
use crate::druid::{CanonicalPath, DruidRequest, Method};
use crate::forward::answer::AnswerBody;
use crate::forward::{self, Patiences, Routers, UpstreamError};
use crate::head::{self, HeadLimits};
use crate::judge::{Judge, JudgeError};
use crate::key_keeper::KeyKeeper;
use crate::key_search::Search;
use crate::listener::Serves;
use crate::metrics::{JudgedFrom, Metrics};
use crate::outgoing::OutgoingBody;
use crate::refusal::{Reason, Refusal};
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::submit::Submit;
use crate::resource_actions::{Evidence, Rules, analyze};
use crate::respond::{self, Circumstances, DECISION};
use crate::route::{self, Destination};
use crate::storage_report::StorageWatch;
use crate::tasks::{Tasks, Whose};
use crate::verify::{Verifier, VerifyError};

/// What a request gets that is not refused
enum Answered {
    /// Druid's answer at this endpoint
    Druid(Response<AnswerBody>, Endpoint),
    /// One of the gate's own
    Own(Value),
}

/// Everything that a request meets on its way; no state of one request outlives it here
#[derive(Debug)]
pub struct Gate {
    /// Knows callers by their tokens
    pub authenticator: Authenticator,
    /// Keep the issuers' keys
    pub keepers: Vec<Arc<KeyKeeper>>,
    /// Who holds what
    pub policy: Policy,
    /// Between which of Druid's modes to choose
    pub rules: Rules,
    /// What the door itself does
    pub door: Door,
    /// The limits
    pub limits: Limits,
    /// Judges statements
    pub judge: Arc<Judge>,
    /// Knows tasks
    pub tasks: Tasks,
    /// Asks Druid's planner about new statements
    pub verifier: Arc<Verifier>,
    /// Knows whether durable storage is proven, where a report says so
    pub storage: Option<StorageWatch>,
    /// The way to Druid
    pub routers: Arc<Routers>,
    /// The record
    pub audit: Arc<Audit>,
    /// The counters
    pub metrics: Arc<Metrics>,
    /// What it was put together from
    pub config: Config,
}

/// How much of a refused request's body is read so that its connection can go on
const DRAINED_BYTES: usize = 64 << 10;
const DRAINED_FOR: std::time::Duration = std::time::Duration::from_secs(1);

impl Serves for Gate {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn balancers(&self) -> &[IpNet] {
        &self.config.listen.balancers
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        in_flight: InFlight,
    ) -> Response<OutgoingBody> {
        let (head, body) = request.into_parts();
        // Without randomness the id is still unique by its time, and nothing rests on its secrecy.
        let decision = decision_id(SystemTime::now(), random().unwrap_or_default());
        let mut record =
            Record::begin(Arc::clone(&self.audit), decision.clone(), client, head.method.as_str());
        let mut body = Some(body);
        let mut subject = None;
        match self.judge_and_forward(&head, client, &mut body, &mut record, &mut subject).await {
            Ok(Answered::Own(body)) => {
                let mut answer = respond::own_answer(&body);
                if let Ok(decision) = decision.parse() {
                    answer.headers_mut().insert(DECISION, decision);
                }
                record.answered(answer.status().as_u16());
                answer.map(|body| OutgoingBody::own(body, in_flight))
            }
            Ok(Answered::Druid(answer, endpoint)) => {
                record.upstream_status(answer.status().as_u16());
                let coding = Coding::of_answer(answer.headers());
                let body = |body| OutgoingBody::druids(body, coding, record, endpoint, in_flight);
                let mut answer = answer.map(body);
                if let Ok(decision) = decision.parse() {
                    answer.headers_mut().insert(DECISION, decision);
                }
                answer
            }
            Err(refusal) => {
                record.path_of_none(head.uri.path());
                let keep_alive = !refusal.ends_connection() && drained(&head, body).await;
                self.refuse(&refusal, subject.as_ref(), keep_alive, record)
                    .map(|body| OutgoingBody::own(body, in_flight))
            }
        }
    }

    /// Puts it on record
    fn unread(&self, client: SocketAddr, unread: Unread) {
        let decision = decision_id(SystemTime::now(), random().unwrap_or_default());
        let record = Record::begin(Arc::clone(&self.audit), decision, client, "none");
        let reason = match unread {
            Unread::TooLarge => {
                // Or `head_fields`: hyper does not say which.
                self.metrics.limit_met("head_bytes");
                Reason::HeadersTooLarge
            }
            Unread::Malformed => Reason::BadFraming,
        };
        record.refused(reason, respond::status(reason).as_u16());
    }
}

impl Gate {
    async fn judge_and_forward(
        &self,
        head: &Parts,
        client: SocketAddr,
        body: &mut Option<Incoming>,
        record: &mut Record,
        subject: &mut Option<Identity>,
    ) -> Result<Answered, Refusal> {
        let Limits { head_bytes: bytes, target_bytes, head_fields: fields, .. } = self.limits;
        let limits = HeadLimits { bytes, target_bytes, fields };
        head::check(head, limits)?;
        let path = CanonicalPath::parse(head.uri.path())?;
        let identity = match self.authenticate(head, client).await {
            Err(AuthenticationError::NoToken) if self.door.health == Health::Public => {
                return self.forward(self.public(head, &path)?, head, record).await;
            }
            verified => subject.insert(verified?),
        };
        record.identity(identity, &self.roles_of(identity));
        let method = Method::from_word(head.method.as_str());
        if let Some(own) = route::own::classify(method, &path)? {
            record.endpoint(own.path(), None);
            return Ok(Answered::Own(self.answer_own(own, head, body, identity, record).await?));
        }
        let destination = route::classify(method, &path)?;
        record.endpoint(destination.row(), destination.id());
        let request = self.read(head, body, &destination, record).await?;
        let (request, evidence) = self.find_out(request, identity, record).await?;
        let doubt = self.verifier.doubt(request.endpoint, &evidence);
        let whose = Whose::of(request.id.as_deref(), &evidence);
        record.owner(whose.others(&identity.owner()));
        let analyzed = analyze(request, evidence, &self.rules, self.limits.json_depth)?;
        let permitted = decide(analyzed, identity, &self.policy)?;
        record.owner(self.tasks.find_out(whose).await.others(&identity.owner()));
        record.receipt(permitted.receipt());
        self.prove_storage(&permitted)?;
        let aside = record.aside();
        self.verifier.settle(doubt, |beyond| aside.differs(beyond)).await?;
        self.forward(permitted, head, record).await
    }

    /// Who asks; where his key is not known, it is looked for
    ///
    /// Twice at most: a fetch that was under way when he came may have begun before his key was there.
    async fn authenticate(&self, head: &Parts, client: SocketAddr) -> Result<Identity, AuthenticationError> {
        let known = || self.authenticator.authenticate(&head.headers, SystemTime::now());
        let mut verified = known();
        for _ in 0..2 {
            let Err(AuthenticationError::UnknownKey { issuer, found, .. }) = &verified else { break };
            let Some(keeper) = self.keeper_of(issuer) else { break };
            match keeper.search(found.whole(), client.ip()).await {
                Search::Fetched => return known(),
                Search::Joined => verified = known(),
                Search::InVain => break,
                Search::Later(retry) => return Err(AuthenticationError::unavailable(issuer, retry)),
            }
        }
        verified
    }

    /// The keeper of this issuer's keys
    pub fn keeper_of(&self, issuer: &str) -> Option<&Arc<KeyKeeper>> {
        self.keepers.iter().find(|keeper| keeper.issuer() == issuer)
    }

    /// The one request that may come without a token, where the configuration says so
    fn public(&self, head: &Parts, path: &CanonicalPath) -> Result<PermittedRequest, Refusal> {
        let destination = route::classify(Method::from_word(head.method.as_str()), path).ok();
        let destination = destination.filter(|destination| destination.endpoint() == Endpoint::Health);
        let destination = destination.ok_or(AuthenticationError::NoToken)?;
        let request = druid_request(&destination, destination.target(head.uri.query())?, Vec::new());
        let analyzed = analyze(request, Evidence::None, &self.rules, self.limits.json_depth)?;
        decision::permit_public_health(analyzed).ok_or(Refusal::Internal)
    }

    /// Reads what is asked: the target, the fields that matter, and the body
    async fn read(
        &self,
        head: &Parts,
        body: &mut Option<Incoming>,
        destination: &Destination,
        record: &mut Record,
    ) -> Result<DruidRequest, Refusal> {
        let target = destination.target(head.uri.query())?;
        let bytes = self.read_body(head, body, destination.endpoint().content(), record).await?;
        Ok(druid_request(destination, target, bytes))
    }

    pub(crate) async fn read_body(
        &self,
        head: &Parts,
        body: &mut Option<Incoming>,
        content: Content,
        record: &mut Record,
    ) -> Result<Vec<u8>, Refusal> {
        let limit = match content {
            Content::Statement => BodyLimit { bytes: self.limits.body_bytes, key: Some("body_bytes") },
            Content::TaskSpec => {
                BodyLimit { bytes: self.limits.task_body_bytes, key: Some("task_body_bytes") }
            }
            Content::EmptyOrObject | Content::Nothing => BodyLimit { bytes: 64, key: None },
        };
        let has_body = body.as_ref().is_some_and(|body| !body.is_end_stream());
        let coding = head::check_fields(head, content, has_body, limit)?;
        let bytes = match body.take() {
            Some(body) if has_body => body::read(body, coding, limit, self.limits.body).await?,
            Some(_) | None => Vec::new(),
        };
        record.bytes_in(bytes.len());
        // druidapi sends an empty JSON string.
        let says_nothing = || [&b""[..], b"{}", b"\"\""].contains(&bytes.trim_ascii());
        if content == Content::EmptyOrObject && !bytes.is_empty() && !says_nothing() {
            return Err(Refusal::UnexpectedBody);
        }
        Ok(bytes)
    }

    /// Finds out what is not in the request itself: what its statement needs, or of what its task is
    async fn find_out(
        &self,
        request: DruidRequest,
        identity: &Identity,
        record: &mut Record,
    ) -> Result<(DruidRequest, Evidence), Refusal> {
        let judged = request.endpoint.judged();
        let evidence = match (judged, &request.id) {
            (Judged::ByStatement, _) => {
                let submit = Box::new(Submit::read(&request.body, self.limits.json_depth)?);
                record.statement(None, &submit.query);
                let judged = self.judged(&submit).await?;
                record.statement(Some(&judged.judgement().kind.to_string()), &submit.query);
                Evidence::Statement { submit, judged, submitter: identity.owner() }
            }
            (Judged::ByTask(_) | Judged::ByOwner(_), Some(id)) => {
                self.tasks.evidence(judged, id, &self.rules).await?
            }
            (Judged::ByEndpoint | Judged::ByTaskSpec | Judged::ByTask(_) | Judged::ByOwner(_), _) => {
                Evidence::None
            }
        };
        Ok((request, evidence))
    }

    pub(crate) async fn judged(&self, submit: &Submit) -> Result<Arc<JudgedStatement>, Refusal> {
        if let Some(judged) = self.judge.remembered(submit) {
            self.metrics.judged(JudgedFrom::Memory);
            return Ok(judged);
        }
        self.metrics.judged(JudgedFrom::Statement);
        Ok(self.judge.judge(submit).await?)
    }

    /// Where the operator wants it so, what asks for durable storage passes only while that is proven
    fn prove_storage(&self, permitted: &PermittedRequest) -> Result<(), Refusal> {
        let Some(storage) = &self.storage else { return Ok(()) };
        Ok(storage.check(permitted.storage(), SystemTime::now())?)
    }

    async fn forward(
        &self,
        permitted: PermittedRequest,
        head: &Parts,
        record: &mut Record,
    ) -> Result<Answered, Refusal> {
        record.receipt(permitted.receipt());
        record.decided().map_err(|error| {
            tracing::error!(%error, "the audit record cannot be written");
            Refusal::Audit
        })?;
        let patiences = Patiences { query: self.limits.answer, control: self.limits.control_answer };
        let endpoint = permitted.endpoint();
        let answer = forward::forward(permitted, &head.headers, &self.routers, patiences).await;
        let answer = answer.inspect_err(|error| {
            if matches!(error, UpstreamError::Timeout) {
                self.metrics.limit_met(endpoint.patience().limit());
            }
        });
        Ok(Answered::Druid(answer?, endpoint))
    }

    fn roles_of(&self, identity: &Identity) -> Vec<&str> {
        let holder = self.policy.holder(identity.issuer(), identity.subject(), identity.claimed_roles());
        holder.roles().iter().map(|role| role.name.as_str()).collect()
    }

    fn refuse(
        &self,
        refusal: &Refusal,
        subject: Option<&Identity>,
        keep_alive: bool,
        mut record: Record,
    ) -> Response<http_body_util::Full<bytes::Bytes>> {
        let challenges = if let Refusal::Authentication(error) = refusal {
            if let Some(mismatch) = error.mismatch() {
                record.mismatch(&mismatch);
            }
            self.authenticator.challenges(error)
        } else {
            Vec::new()
        };
        if let Refusal::Denied(denied) = refusal {
            record.receipt(&denied.receipt);
        }
        if let Refusal::Verify(VerifyError::Differs { beyond }) = refusal {
            record.differs(beyond);
        }
        if let Refusal::Storage(unusable) = refusal {
            record.durable_storage(&unusable.status);
        }
        if let Some(UpstreamError::Account { status, account }) = refusal.upstream() {
            record.refused_account(*status, account);
        }
        if let Some(UpstreamError::Stranger { status, .. }) = refusal.upstream() {
            record.upstream_status(status.as_u16());
        }
        log(refusal, record.decision());
        if let Some(limit) = refusal.limit_met() {
            self.metrics.limit_met(limit);
        }
        let circumstances = Circumstances {
            decision: record.decision(),
            subject: subject.map(Identity::subject),
            detail: self.door.refusal_detail,
            challenges,
            keep_alive,
        };
        let answer = respond::refusal(refusal, &circumstances);
        record.refused(refusal.reason(), answer.status().as_u16());
        answer
    }
}

fn druid_request(destination: &Destination, target: String, body: Vec<u8>) -> DruidRequest {
    DruidRequest {
        endpoint: destination.endpoint(),
        method: destination.method(),
        id: destination.id().map(str::to_owned),
        target,
        body,
    }
}

/// Faults that are not the caller's belong in the log, with their cause
fn log(refusal: &Refusal, decision: &str) {
    if let Some(error) = refusal.upstream() {
        let cause = std::error::Error::source(error).map(why);
        tracing::warn!(decision, %error, cause, "Druid gave no answer that can be passed on");
    }
    if let Refusal::Authentication(error) = refusal
        && let Some(Mismatch { claim, wanted, found }) = error.mismatch()
    {
        let found = found.for_operators();
        tracing::info!(decision, claim, ?wanted, found, "a token does not match the configuration");
    }
    if let Refusal::Internal | Refusal::Judge(JudgeError::Failed) = refusal {
        tracing::error!(decision, error = %refusal, "the gate failed");
    }
}

/// Reads what is left of a refused request's body, if that is little, so that its connection can go on
async fn drained(head: &Parts, body: Option<Incoming>) -> bool {
    let Some(body) = body else { return false };
    if body.is_end_stream() {
        return true;
    }
    // Whoever waits for "100 Continue" has sent nothing, and reading would ask him to.
    if head.headers.contains_key(http::header::EXPECT) {
        return false;
    }
    let rest = tokio::time::timeout(DRAINED_FOR, Limited::new(body, DRAINED_BYTES).collect()).await;
    matches!(rest, Ok(Ok(_)))
}
