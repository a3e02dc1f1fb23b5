//! Every way not to forward a request, and the closed list of reasons

use std::time::Duration;

use crate::authenticate::AuthenticationError;
use crate::authenticate::error::CredentialsFault;
use crate::authenticate::unverified::Mismatch;
use crate::authorize::caller::AboutWhomError;
use crate::authorize::{Denied, DeniedReason};
use crate::base::budget::Spent;
use crate::base::connector::why;
use crate::base::lines::Unwritten;
use crate::base::workshop::Undone;
use crate::druid::json::JsonError;
use crate::druid::path::TargetError;
use crate::durable_storage::Unusable;
use crate::evidence::judge::JudgeError;
use crate::evidence::overlord::TaskError;
use crate::evidence::verify::VerifyError;
use crate::forward::UpstreamError;
use crate::request::arrived::ContentError;
use crate::request::body::BodyError;
use crate::request::head::{FieldError, HeadError};
use crate::request::route::RouteError;
use crate::resource_actions::AnalysisError;
use crate::resource_actions::native::NativeQueryError;
use crate::resource_actions::sql::{SqlRefusal, SqlRefusalClass};
use crate::resource_actions::submit::SubmitError;
use crate::resource_actions::task_error::TaskSpecError;

/// When a gate that has too much to do may have less
const SOON: Duration = Duration::from_secs(2);

/// Why a request is not forwarded: one variant for each stage's error
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Framing, host or target
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The path has no single reading
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Who asks is not known
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// The endpoint is none of the gate's
    #[error(transparent)]
    Route(#[from] RouteError),
    /// There is no content that its endpoint takes
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The query string does not say whom an explanation is about
    #[error(transparent)]
    AboutWhom(#[from] AboutWhomError),
    /// The body holds no statement that can be judged
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The statement has no judgement
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The request's needs are not known
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// The task is not known
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A known caller may not
    #[error("not permitted")]
    Denied(#[from] Box<Denied>),
    /// He may, but durable storage is not proven, and his query asks for it
    #[error(transparent)]
    Storage(#[from] Box<Unusable>),
    /// He may, but Druid does not say that this is all the statement needs
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The decision could not be put on record
    #[error("the decision cannot be put on record now, and nothing is sent without that; try again soon")]
    Audit(#[source] Unwritten),
    /// Druid gives no answer
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// There is no place for another request now
    #[error("{}", crowded(*.0))]
    Crowded(Spent),
    /// There is no place for so large a request now
    #[error("{0}")]
    Undone(Undone),
    /// A fault of the gate's own
    #[error("the gate failed")]
    Internal,
}

impl From<Undone> for Refusal {
    fn from(undone: Undone) -> Self {
        Self::Undone(undone)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident => $code:literal,)*) => {
        /// The closed list of reason codes
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its code in answers, records and metrics
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

reasons! {
    /// The target has no single reading
    BadTarget => "bad_target",
    /// The framing has no single reading
    BadFraming => "bad_framing",
    /// A header field has no single reading
    BadHeader => "bad_header",
    /// The body is no JSON of the right shape, or has a second reading
    BadJson => "bad_json",
    /// The text is no SQL
    BadSql => "bad_sql",
    /// A query parameter cannot be what it is
    BadParameter => "bad_parameter",
    /// No token
    NoToken => "no_token",
    /// The token cannot be read in one way only
    MalformedToken => "malformed_token",
    /// Its algorithm does not count
    TokenAlgorithm => "token_algorithm",
    /// No key fits it
    TokenKey => "token_key",
    /// Its signature is wrong
    TokenSignature => "token_signature",
    /// It is over
    TokenExpired => "token_expired",
    /// It has not begun
    TokenNotYetValid => "token_not_yet_valid",
    /// Its issuer does not count
    TokenIssuer => "token_issuer",
    /// It is for somebody else
    TokenAudience => "token_audience",
    /// A claim is missing or wrong
    TokenClaims => "token_claims",
    /// A needed permission is not held
    MissingPermission => "missing_permission",
    /// A needed permission is denied
    Denied => "denied",
    /// Only the submitter may
    NotOwner => "not_owner",
    /// The gate does not know this endpoint
    UnknownEndpoint => "unknown_endpoint",
    /// The gate knows this endpoint, and lets nobody through
    EndpointClosed => "endpoint_closed",
    /// The statement or query is not understood or not let through
    UnsupportedStatement => "unsupported_statement",
    /// The task is not understood or not let through
    UnsupportedTask => "unsupported_task",
    /// A context key that only the gate sets
    ReservedContextKey => "reserved_context_key",
    /// Druid's planner needs more than was judged, or does not say
    Verification => "verification",
    /// A page of another site
    CrossSite => "cross_site",
    /// Druid does not know the id
    UnknownTask => "unknown_task",
    /// Another method
    Method => "method",
    /// Too slow
    Timeout => "timeout",
    /// No length
    LengthRequired => "length_required",
    /// Too large
    TooLarge => "too_large",
    /// Target too long
    UriTooLong => "uri_too_long",
    /// Another media type or coding
    MediaType => "media_type",
    /// An expectation that cannot be met
    Expectation => "expectation",
    /// Too many or too long header fields
    HeadersTooLarge => "headers_too_large",
    /// No connection to Druid
    UpstreamUnreachable => "upstream_unreachable",
    /// Druid's answer cannot be used
    UpstreamBroken => "upstream_broken",
    /// The issuer's keys are not there
    KeysUnavailable => "keys_unavailable",
    /// The gate cannot take more
    Overloaded => "overloaded",
    /// A caller or an address has more than its share
    Busy => "busy",
    /// Nothing can be put on record
    AuditUnavailable => "audit_unavailable",
    /// A fault of the gate's own
    Internal => "internal",
    /// Durable storage cannot be used
    DurableStorage => "durable_storage",
    /// Druid did not answer in time
    UpstreamTimeout => "upstream_timeout",
}

impl Refusal {
    /// Its reason
    pub fn reason(&self) -> Reason {
        if let Some(JsonError::TooMany { .. }) = self.json() {
            return Reason::TooLarge;
        }
        match self {
            Self::Head(error) => head_reason(error),
            Self::Target(_) => Reason::BadTarget,
            Self::Authentication(error) => authentication_reason(error),
            Self::Route(error) => route_reason(error),
            Self::AboutWhom(_) => Reason::BadParameter,
            Self::Content(error) => content_reason(error),
            Self::Crowded(spent) => spent_reason(*spent),
            Self::Undone(undone) => undone_reason(*undone),
            Self::Submit(SubmitError::Json(_) | SubmitError::Shape(_)) => Reason::BadJson,
            Self::Submit(SubmitError::ReservedContextKey { .. }) => Reason::ReservedContextKey,
            Self::Analysis(error) => analysis_reason(error),
            Self::Judge(JudgeError::Refused(refusal)) => statement_reason(refusal),
            Self::Judge(JudgeError::Busy) => Reason::Busy,
            Self::Judge(JudgeError::Overloaded) | Self::Verify(VerifyError::Busy) => Reason::Overloaded,
            Self::Judge(JudgeError::Failed) | Self::Internal => Reason::Internal,
            Self::Task(TaskError::Unknown) => Reason::UnknownTask,
            Self::Task(TaskError::Upstream(error))
            | Self::Verify(VerifyError::Upstream(error))
            | Self::Upstream(error) => upstream_reason(error),
            Self::Verify(VerifyError::Differs { .. } | VerifyError::NotPlanned(_)) => Reason::Verification,
            Self::Denied(denied) => denied_reason(denied.reason),
            Self::Storage(_) => Reason::DurableStorage,
            Self::Audit(_) => Reason::AuditUnavailable,
        }
    }

    /// The limit that was met, by its key, where it was one
    ///
    /// Of Druid's answer to the request itself, only its endpoint says how long it was waited for.
    pub fn limit_met(&self) -> Option<&'static str> {
        Some(match (self, self.upstream()) {
            (
                Self::Content(
                    ContentError::Fields(FieldError::TooLarge { limit })
                    | ContentError::Body(BodyError::TooLarge { limit }),
                ),
                _,
            ) => return limit.key,
            (Self::Head(HeadError::TooManyFields { .. }), _) => "head_fields",
            (Self::Head(HeadError::TooLong { .. }), _) => "head_bytes",
            (Self::Head(HeadError::TargetTooLong { .. }), _) => "target_bytes",
            (Self::Content(ContentError::Body(BodyError::Timeout)), _) => "body_seconds",
            _ if matches!(self.json(), Some(JsonError::TooDeep { .. })) => "json_depth",
            _ if matches!(self.json(), Some(JsonError::TooMany { .. })) => "values",
            (Self::Crowded(_), _) => "requests",
            (Self::Content(ContentError::Body(BodyError::NoRoom(_))), _) => "bodies_bytes",
            (Self::Judge(JudgeError::Refused(SqlRefusal::TooManyBytes { .. })), _) => "statement_bytes",
            (Self::Judge(JudgeError::Refused(SqlRefusal::TooManyTokens { .. })), _) => "statement_tokens",
            (Self::Judge(JudgeError::Refused(SqlRefusal::TooDeep { .. })), _) => "statement_nesting",
            (Self::Authentication(AuthenticationError::Credentials(CredentialsFault::TooLong { .. })), _) => {
                "token_bytes"
            }
            (Self::Task(_) | Self::Verify(_), Some(UpstreamError::Timeout)) => "control_answer_seconds",
            (_, Some(error)) if error.is_connect_timeout() => "connect_seconds",
            _ => return None,
        })
    }

    /// Why the body is no JSON in one reading, where that is why
    fn json(&self) -> Option<&JsonError> {
        let (Self::Submit(SubmitError::Json(error))
        | Self::Analysis(
            AnalysisError::TaskSpec(TaskSpecError::Json(error))
            | AnalysisError::Native(NativeQueryError::Json(error)),
        )) = self
        else {
            return None;
        };
        Some(error)
    }

    /// What went wrong between the gate and Druid, where that is why
    pub fn upstream(&self) -> Option<&UpstreamError> {
        let (Self::Upstream(error)
        | Self::Task(TaskError::Upstream(error))
        | Self::Verify(VerifyError::Upstream(error))) = self
        else {
            return None;
        };
        Some(error)
    }

    /// Why the caller is not known, where that is why
    pub fn authentication(&self) -> Option<&AuthenticationError> {
        if let Self::Authentication(error) = self { Some(error) } else { None }
    }

    /// Logs what is not the caller's fault, with its cause, and what does not match the configuration
    pub fn log(&self, decision: &str) {
        if let Some(error) = self.upstream() {
            let cause = std::error::Error::source(error).map(why);
            tracing::warn!(decision, %error, cause, "Druid gave no answer that can be passed on");
        }
        if let Some(Mismatch { claim, wanted, found }) =
            self.authentication().and_then(AuthenticationError::mismatch)
        {
            let found = found.for_operators();
            tracing::info!(decision, claim, ?wanted, found, "a token does not match the configuration");
        }
        if let Self::Head(HeadError::Loop) = self {
            tracing::error!(decision, error = %self, "a request came back");
        }
        if let Self::Internal | Self::Judge(JudgeError::Failed) = self {
            tracing::error!(decision, error = %self, "the gate failed");
        }
    }

    /// How long to wait before another try, where that is worth one
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Authentication(AuthenticationError::KeysUnavailable { retry, .. }) = self {
            return Some(*retry);
        }
        matches!(self.reason(), Reason::Overloaded | Reason::Busy | Reason::AuditUnavailable).then_some(SOON)
    }

    /// Whether nothing that follows on the connection can be trusted to be a request (RFC 9112, section 6.3)
    pub fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Head(HeadError::Framing(_)) | Self::Content(ContentError::Body(BodyError::Framing))
        )
    }
}

fn crowded(spent: Spent) -> &'static str {
    match spent {
        Spent::Share => {
            "as many of your requests are under way as may be at one time; wait for an answer to one of them"
        }
        Spent::Whole => "as many requests are under way as may be at one time; try again soon",
    }
}

fn head_reason(error: &HeadError) -> Reason {
    match error {
        HeadError::Framing(_) => Reason::BadFraming,
        HeadError::Field(_) => Reason::BadHeader,
        HeadError::Loop => Reason::UpstreamBroken,
        HeadError::Target(_) => Reason::BadTarget,
        HeadError::TooManyFields { .. } | HeadError::TooLong { .. } => Reason::HeadersTooLarge,
        HeadError::TargetTooLong { .. } => Reason::UriTooLong,
    }
}

fn route_reason(error: &RouteError) -> Reason {
    match error {
        RouteError::UnknownEndpoint(_) => Reason::UnknownEndpoint,
        RouteError::Closed(_) => Reason::EndpointClosed,
        RouteError::Method { .. } => Reason::Method,
        RouteError::Parameter { .. } => Reason::BadParameter,
        RouteError::Target(_) => Reason::BadTarget,
    }
}

fn content_reason(error: &ContentError) -> Reason {
    match error {
        ContentError::Fields(FieldError::UnexpectedBody) => Reason::BadFraming,
        ContentError::Fields(FieldError::CrossSite) => Reason::CrossSite,
        ContentError::Fields(FieldError::Expectation) => Reason::Expectation,
        ContentError::Fields(FieldError::MediaType | FieldError::Coding) => Reason::MediaType,
        ContentError::Fields(FieldError::LengthRequired) => Reason::LengthRequired,
        ContentError::Fields(FieldError::TooLarge { .. }) => Reason::TooLarge,
        ContentError::Body(error) => body_reason(error),
        ContentError::Unexpected => Reason::BadJson,
    }
}

fn body_reason(error: &BodyError) -> Reason {
    match error {
        BodyError::Framing | BodyError::Trailers => Reason::BadFraming,
        BodyError::Unasked => Reason::Expectation,
        BodyError::TooLarge { .. } | BodyError::Inflates => Reason::TooLarge,
        BodyError::NoRoom(spent) => spent_reason(*spent),
        BodyError::Undone(undone) => undone_reason(*undone),
        BodyError::Timeout => Reason::Timeout,
        BodyError::Gzip => Reason::BadJson,
    }
}

fn spent_reason(spent: Spent) -> Reason {
    match spent {
        Spent::Share => Reason::Busy,
        Spent::Whole => Reason::Overloaded,
    }
}

fn undone_reason(undone: Undone) -> Reason {
    match undone {
        Undone::Spent(spent) => spent_reason(spent),
        Undone::Failed => Reason::Internal,
    }
}

fn analysis_reason(error: &AnalysisError) -> Reason {
    match error {
        AnalysisError::TaskSpec(TaskSpecError::Json(_))
        | AnalysisError::Native(NativeQueryError::Json(_) | NativeQueryError::Shape(_))
        | AnalysisError::OtherDatasource => Reason::BadJson,
        AnalysisError::TaskSpec(TaskSpecError::ReservedContextKey(_))
        | AnalysisError::Native(NativeQueryError::ReservedContextKey(_)) => Reason::ReservedContextKey,
        AnalysisError::TaskSpec(_) => Reason::UnsupportedTask,
        AnalysisError::Native(_) => Reason::UnsupportedStatement,
        AnalysisError::Mismatch => Reason::Internal,
    }
}

fn statement_reason(refusal: &SqlRefusal) -> Reason {
    match refusal.class() {
        SqlRefusalClass::Unreadable => Reason::BadSql,
        SqlRefusalClass::TooLarge => Reason::TooLarge,
        SqlRefusalClass::Unsupported => Reason::UnsupportedStatement,
        SqlRefusalClass::ReservedContextKey => Reason::ReservedContextKey,
    }
}

fn upstream_reason(error: &UpstreamError) -> Reason {
    match error {
        UpstreamError::Unreachable(_) => Reason::UpstreamUnreachable,
        UpstreamError::Timeout => Reason::UpstreamTimeout,
        UpstreamError::Broken(_) | UpstreamError::Stranger { .. } | UpstreamError::Account { .. } => {
            Reason::UpstreamBroken
        }
    }
}

/// The reason code of a denial
pub fn denied_reason(reason: DeniedReason) -> Reason {
    match reason {
        DeniedReason::MissingPermission => Reason::MissingPermission,
        DeniedReason::Denied => Reason::Denied,
        DeniedReason::NotOwner => Reason::NotOwner,
    }
}

/// The authentication stage keeps its own codes; they are entries of this list
fn authentication_reason(error: &AuthenticationError) -> Reason {
    let code = error.reason();
    Reason::ALL.iter().copied().find(|reason| reason.code() == code).unwrap_or(Reason::MalformedToken)
}
