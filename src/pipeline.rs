//! The stages in their order: what becomes of a request
//!
//! Each line of `judge_and_forward` is a stage; what one makes, the next consumes. `record.of` puts what a stage has
//! made on record, and hands it on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response};
use hyper::body::{Body, Incoming};
use ipnet::IpNet;

use crate::answer::own_answers::OwnAnswers;
use crate::answer::refusal::{Reason, Refusal};
use crate::answer::respond::{self, Circumstances, DECISION, OwnBody};
use crate::answer::shape::Shape;
use crate::authenticate::callers::Callers;
use crate::authenticate::{AuthenticationError, Identity};
use crate::authorize::{PermittedRequest, Policy, decide, decision};
use crate::base::budget::Holder;
use crate::base::budgets::Budgets;
use crate::base::decision_id::{decision_id, random};
use crate::base::metrics::Metrics;
use crate::base::workshop::SMALL;
use crate::config::{Config, Door, Health, Limits};
use crate::door::activity::InFlight;
use crate::door::connection::Unread;
use crate::door::listener::Serves;
use crate::door::outgoing::OutgoingBody;
use crate::druid::endpoint::{Content, Endpoint, List, Rule};
use crate::druid::{CanonicalPath, DruidRequest, Method};
use crate::evidence::judge::Judge;
use crate::evidence::running::{Begun, Running};
use crate::evidence::supervisors::Supervisors;
use crate::evidence::tasks::{Tasks, Whose};
use crate::evidence::verify::{Doubt, Verifier};
use crate::forward::answer::AnswerBody;
use crate::forward::{self, Routers, UpstreamError};
use crate::preflight::storage_report::StorageWatch;
use crate::record::audit::{Audit, Ending, Record};
use crate::request::arrived::{Arrived, ContentError};
use crate::request::body::{BodyError, BodyLimit, Coding};
use crate::request::head::{self, HeadLimits};
use crate::request::route::own::OwnEndpoint;
use crate::request::route::{self, Destination};
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::scheduled;
use crate::resource_actions::submit::Submit;
use crate::resource_actions::supervisor_spec::SupervisorSpec;
use crate::resource_actions::{AnalyzedRequest, Evidence, PostedStatement, Rules, analyze};

/// Everything that a request meets on its way; no state of one request outlives it here
#[derive(Debug)]
pub struct Gate {
    /// Knows who asks
    pub callers: Callers,
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
    pub tasks: Arc<Tasks>,
    /// Knows supervisors
    pub supervisors: Supervisors,
    /// Knows which queries run
    pub running: Arc<Running>,
    /// Asks Druid's planner about new statements
    pub verifier: Arc<Verifier>,
    /// Knows whether durable storage is proven, where a report says so
    pub storage: Option<StorageWatch>,
    /// The way to Druid
    pub routers: Arc<Routers>,
    /// The record
    pub audit: Arc<Audit>,
    /// What there is for all requests together
    pub budgets: Arc<Budgets>,
    /// The counters
    pub metrics: Arc<Metrics>,
    /// What it was put together from
    pub config: Config,
}

/// Who answered a request that was not refused
enum Answered {
    /// The gate itself
    Gate(Response<OwnBody>),
    /// Druid, at this endpoint
    Druid(Response<AnswerBody>, Endpoint, Option<Begun>),
}

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
        let mut record = self.begin_record(client, request.method().as_str());
        let is_whole = request.method() != http::Method::HEAD;
        let own = |answer: Response<OwnBody>, in_flight| {
            let answer = if is_whole { answer } else { head_of(&answer) };
            answer.map(|body| OutgoingBody::own(body, in_flight))
        };
        let decision = HeaderValue::from_str(record.decision());
        let mut arrived = Arrived::new(request, client);
        let mut answer = match self.judge_and_forward(&mut arrived, &mut record).await {
            Ok(Answered::Gate(answer)) => {
                record.answered(answer.status().as_u16());
                own(answer, in_flight)
            }
            Ok(Answered::Druid(answer, endpoint, running)) => {
                record.upstream_status(answer.status().as_u16());
                if is_whole {
                    let coding = Coding::of_answer(answer.headers());
                    let druids = |body| OutgoingBody::druids(body, coding, record, endpoint, in_flight);
                    answer.map(|body| druids(body).of(running))
                } else {
                    record.finished(Ending::Finished, 0);
                    head_of(&answer).map(|body| OutgoingBody::own(body, in_flight))
                }
            }
            Err(refusal) => {
                let refusal = if in_flight.has_huge_chunk() { self.huge_chunk(refusal) } else { refusal };
                own(self.refuse(&refusal, arrived, record).await, in_flight)
            }
        };
        answer.headers_mut().extend(decision.ok().map(|decision| (DECISION, decision)));
        answer
    }

    fn unread(&self, client: SocketAddr, unread: Unread) {
        let reason = match unread {
            Unread::TooLarge => {
                // Or `head_fields`: hyper does not say which.
                self.metrics.limit_met("head_bytes");
                Reason::HeadersTooLarge
            }
            Unread::Malformed => Reason::BadFraming,
        };
        self.begin_record(client, "none").refused(reason, respond::status(reason).as_u16());
    }
}

impl Gate {
    async fn judge_and_forward(
        &self,
        arrived: &mut Arrived,
        record: &mut Record,
    ) -> Result<Answered, Refusal> {
        head::check(&arrived.head, self.head_limits())?;
        let path = CanonicalPath::parse(arrived.head.uri.path())?;
        let method = Method::from_word(arrived.head.method.as_str());
        let identity = match self.callers.identify(&arrived.head.headers, arrived.client.ip()).await {
            Err(AuthenticationError::NoToken) if self.door.health == Health::Public => {
                let destination = record.of(public(method, &path)?);
                return self.forward_public(&destination, arrived, record).await;
            }
            known => record.caller(known?, &self.policy),
        };
        let holder = self.budgets.holders.holder(caller(&identity), arrived.client.ip());
        let mut place = self.budgets.requests.lease(holder);
        place.hold(1).map_err(Refusal::Crowded)?;
        record.keep_place(place);
        if let Some(own) = route::own::classify(method, &path)? {
            return self.answer_own(record.of(own), arrived, &identity, holder, record).await;
        }
        let destination = record.of(route::classify(method, &path)?);
        let mut request = self.read(&destination, arrived, holder, record).await?;
        let evidence = self.find_out(&mut request, &identity, holder, record).await?;
        let whose = record.of(Whose::of(request.id.as_deref(), &evidence));
        let doubt = self.verifier.doubt(request.endpoint, &evidence);
        let analyzed = self.analyze(request, evidence, holder).await?;
        let permitted = record.of(decide(analyzed, &identity, &self.policy)?);
        record.of(self.tasks.find_out(whose).await);
        self.prove(&permitted, doubt, record).await?;
        self.forward(permitted, arrived, record).await
    }

    /// Answers at one of the gate's own endpoints
    async fn answer_own(
        &self,
        own: OwnEndpoint,
        arrived: &mut Arrived,
        identity: &Identity,
        holder: Holder,
        record: &mut Record,
    ) -> Result<Answered, Refusal> {
        let bytes = self.content(own.content(), arrived, holder, record).await?;
        let answers = OwnAnswers {
            policy: &self.policy,
            rules: &self.rules,
            judge: &self.judge,
            json: self.limits.json(),
            budgets: &self.budgets,
            holder,
            detail: self.door.refusal_detail,
        };
        let query = arrived.head.uri.query().unwrap_or("");
        let answer = answers.answer(own, query, bytes, identity).await?;
        Ok(Answered::Gate(respond::own_answer(&answer)))
    }

    /// The one request that may come without a token, where the configuration says so
    async fn forward_public(
        &self,
        destination: &Destination,
        arrived: &Arrived,
        record: &mut Record,
    ) -> Result<Answered, Refusal> {
        let request = destination.request(arrived.head.uri.query(), Vec::new())?;
        let analyzed = analyze(request, Evidence::None, &self.rules, self.limits.json())?;
        let permitted = decision::permit_public_health(analyzed).ok_or(Refusal::Internal)?;
        self.forward(record.of(permitted), arrived, record).await
    }

    /// Reads what is asked: the target, the fields that matter, and the body
    async fn read(
        &self,
        destination: &Destination,
        arrived: &mut Arrived,
        holder: Holder,
        record: &mut Record,
    ) -> Result<DruidRequest, Refusal> {
        let mut request = destination.request(arrived.head.uri.query(), Vec::new())?;
        request.body = self.content(destination.endpoint().content, arrived, holder, record).await?;
        Ok(request)
    }

    async fn content(
        &self,
        content: Content,
        arrived: &mut Arrived,
        holder: Holder,
        record: &mut Record,
    ) -> Result<Vec<u8>, Refusal> {
        let (limit, patience) = (self.body_limit(content), self.limits.body);
        let bytes = arrived.content(content, limit, patience, &self.budgets, holder).await?;
        record.bytes_in(bytes.len());
        Ok(bytes)
    }

    /// Finds out what is not in the request itself: what its statement needs, or of what its task is
    async fn find_out(
        &self,
        request: &mut DruidRequest,
        identity: &Identity,
        holder: Holder,
        record: &mut Record,
    ) -> Result<Evidence, Refusal> {
        let rule = request.endpoint.rule;
        match (rule, &request.id) {
            (Rule::Statement(_), _) => {
                let body = std::mem::take(&mut request.body);
                let (submit, judged) = self.judged(body, holder, record).await?;
                Ok(Evidence::Statement { submit, judged, submitter: identity.owner() })
            }
            (Rule::SupervisorSpec, _) => self.posted_supervisor(&request.body, holder, record).await,
            (Rule::Task(_) | Rule::StatementOf(_), Some(id)) => {
                Ok(self.tasks.evidence(rule, id, &self.rules).await?)
            }
            (Rule::Supervisor(_), Some(id)) => {
                Ok(Evidence::Supervisor(self.supervisors.datasources(id).await?))
            }
            (Rule::Rows(List::Supervisors), _) => Ok(Evidence::Supervisors(self.supervisors.all().await?)),
            (Rule::RowsUnless(_, _, List::Queries), _) => {
                Ok(Evidence::OwnQueries(self.running.own(&identity.owner())))
            }
            (Rule::RunningQuery(_), Some(id)) => Ok(Evidence::Running(self.running.of(id))),
            _ => Ok(Evidence::None),
        }
    }

    /// A statement with its judgement: remembered, or judged now
    async fn judged(
        &self,
        body: Vec<u8>,
        holder: Holder,
        record: &mut Record,
    ) -> Result<(Box<Submit>, Arc<JudgedStatement>), Refusal> {
        let (size, json) = (body.len(), self.limits.json());
        let reading = move || Submit::read(&body, json);
        let submit = Box::new(self.budgets.workshop.work(holder, size, reading).await??);
        let judged = match self.judge.recall(&submit) {
            Some(judged) => judged,
            None => {
                // Whatever comes of it, and though its sender leaves.
                record.of(&*submit);
                self.judge.judge(&submit, self.budgets.judging.lease(holder)).await?
            }
        };
        Ok((submit, record.of(judged)))
    }

    /// The statement of a posted supervisor, and the supervisor that it would replace
    async fn posted_supervisor(
        &self,
        body: &[u8],
        holder: Holder,
        record: &mut Record,
    ) -> Result<Evidence, Refusal> {
        let statement = match scheduled::statement(body) {
            None => None,
            Some(statement) => {
                let (submit, judged) = self.judged(statement.to_vec(), holder, record).await?;
                Some(PostedStatement { submit, judged })
            }
        };
        // What is no such specification is refused by who reads it whole.
        let id = serde_json::from_slice::<SupervisorSpec>(body).ok().and_then(|spec| spec.id());
        let replaced = match id {
            Some(id) => self.supervisors.replacing(&id).await?,
            None => BTreeSet::new(),
        };
        Ok(Evidence::PostedSupervisor { statement, replaced })
    }

    /// Says what the request needs; a large task is read elsewhere
    async fn analyze(
        &self,
        request: DruidRequest,
        evidence: Evidence,
        holder: Holder,
    ) -> Result<AnalyzedRequest, Refusal> {
        let json = self.limits.json();
        let size = request.body.len();
        if size <= SMALL {
            return Ok(analyze(request, evidence, &self.rules, json)?);
        }
        let rules = self.rules.clone();
        let analyzing = move || analyze(request, evidence, &rules, json);
        Ok(self.budgets.workshop.work(holder, size, analyzing).await??)
    }

    /// What the operator wants proven first: that durable storage works, and that Druid's planner agrees
    async fn prove(
        &self,
        permitted: &PermittedRequest,
        doubt: Option<Doubt>,
        record: &Record,
    ) -> Result<(), Refusal> {
        if let Some(storage) = &self.storage {
            storage.check(permitted.storage(), SystemTime::now())?;
        }
        let Some(doubt) = doubt else { return Ok(()) };
        let aside = record.aside();
        Ok(self.verifier.settle(doubt, |beyond| aside.differs(beyond)).await?)
    }

    /// Sends what is permitted, once that is on record
    async fn forward(
        &self,
        permitted: PermittedRequest,
        arrived: &Arrived,
        record: &mut Record,
    ) -> Result<Answered, Refusal> {
        record.decided().await.map_err(Refusal::Audit)?;
        let endpoint = permitted.endpoint();
        let running = self.begin_query(&permitted);
        let (fields, tasks) = (&arrived.head.headers, Arc::clone(&self.tasks));
        let answer = forward::forward(permitted, fields, &self.routers, &self.limits, tasks).await;
        if let Err(UpstreamError::Timeout) = answer {
            self.metrics.limit_met(endpoint.patience.limit());
        }
        Ok(Answered::Druid(answer?, endpoint, running))
    }

    /// Notes that a query runs from now on, by whom it can be cancelled and by what
    fn begin_query(&self, permitted: &PermittedRequest) -> Option<Begun> {
        let (id, query) = permitted.running()?;
        Some(self.running.begin(id?.to_owned(), query.clone()))
    }

    /// Says no: in the answer, on record, in the log and in the counters
    async fn refuse(&self, refusal: &Refusal, arrived: Arrived, mut record: Record) -> Response<OwnBody> {
        record.path_of_none(arrived.head.uri.path());
        record.refusal(refusal);
        refusal.log(record.decision());
        if let Some(limit) = refusal.limit_met() {
            self.metrics.limit_met(limit);
        }
        let challenges = refusal.authentication().map(|error| self.callers.authenticator.challenges(error));
        let answer = respond::refusal(
            refusal,
            &Circumstances {
                decision: record.decision(),
                subject: record.subject(),
                detail: self.door.refusal_detail,
                shape: Shape::at(arrived.head.uri.path()),
                challenges: challenges.unwrap_or_default(),
                keep_alive: !refusal.ends_connection() && arrived.drained().await,
            },
        );
        record.refused(refusal.reason(), answer.status().as_u16());
        answer
    }

    /// The record of a request that has just come
    fn begin_record(&self, client: SocketAddr, method: &str) -> Record {
        // Without randomness the id is still unique by its time, and nothing rests on its secrecy.
        let decision = decision_id(SystemTime::now(), random().unwrap_or_default());
        Record::begin(Arc::clone(&self.audit), decision, client, method)
    }

    fn head_limits(&self) -> HeadLimits {
        let Limits { head_bytes: bytes, target_bytes, head_fields: fields, .. } = self.limits;
        HeadLimits { bytes, target_bytes, fields }
    }

    /// A body that breaks off since one of its chunks is larger than any body may be is too large, whole or not
    fn huge_chunk(&self, refusal: Refusal) -> Refusal {
        if !matches!(refusal, Refusal::Content(ContentError::Body(BodyError::Framing))) {
            return refusal;
        }
        let [one, other] = [Content::Query, Content::TaskSpec].map(|content| self.body_limit(content));
        let limit = if one.bytes > other.bytes { one } else { other };
        Refusal::Content(BodyError::TooLarge { limit }.into())
    }

    fn body_limit(&self, content: Content) -> BodyLimit {
        let (bytes, key) = match content {
            Content::Query => (self.limits.body_bytes, Some("body_bytes")),
            Content::TaskSpec | Content::Json | Content::OfDatasource | Content::Compaction => {
                (self.limits.task_body_bytes, Some("task_body_bytes"))
            }
            Content::EmptyOrObject | Content::Nothing => (64, None),
        };
        BodyLimit { bytes, key }
    }
}

/// The head of an answer alone, which says how long its body is: whoever asks for no more takes a body for a breach of
/// the protocol (RFC 9110, section 9.3.2)
fn head_of<B: Body>(answer: &Response<B>) -> Response<OwnBody> {
    let mut head = Response::new(OwnBody::default());
    *head.status_mut() = answer.status();
    *head.headers_mut() = answer.headers().clone();
    if let Some(length) = answer.body().size_hint().exact() {
        head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    head
}

/// Whose share counts
fn caller(identity: &Identity) -> (&str, &str) {
    (identity.issuer(), identity.subject())
}

/// The one endpoint that may be open to everybody
fn public(method: Option<Method>, path: &CanonicalPath) -> Result<Destination, AuthenticationError> {
    let destination = route::classify(method, path).ok();
    let health = destination.filter(|destination| destination.endpoint().rule == Rule::Health);
    health.ok_or(AuthenticationError::NoToken)
}
