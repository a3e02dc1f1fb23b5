//! A refusal, made an answer; the only file that chooses an error status
//!
//! Druid's own error object (`ErrorResponse`), so that existing clients show it, with a receipt beside it.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use super::refusal::{Reason, Refusal};
use super::shape::Shape;
use crate::authorize::receipt::{Holding, NeededPermission};
use crate::authorize::{DeniedReason, Receipt};
use crate::config::RefusalDetail;
use crate::druid::resource::Printable;
use crate::durable_storage::Status;
use crate::evidence::verify::VerifyError;
use crate::forward::UpstreamError;
use crate::request::route::{RouteError, words};

/// The header that every answer of the gate's carries
pub const DECISION: HeaderName = HeaderName::from_static("x-msq-gate-decision");

/// What an answer says besides the refusal itself
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// The decision's id, as in the audit record
    pub decision: &'a str,
    /// Who asked, where that is known
    pub subject: Option<&'a str>,
    /// How much to say
    pub detail: RefusalDetail,
    /// In which shape to say it
    pub shape: Shape,
    /// What goes with a 401
    pub challenges: Vec<String>,
    /// Whether the connection can go on, the rest of the body being read
    pub keep_alive: bool,
}

/// A body of the gate's own
pub type OwnBody = Full<Bytes>;

/// The status of a reason
pub fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::BadTarget
        | Reason::BadFraming
        | Reason::BadHeader
        | Reason::BadJson
        | Reason::BadSql
        | Reason::BadParameter => StatusCode::BAD_REQUEST,
        Reason::NoToken
        | Reason::MalformedToken
        | Reason::TokenAlgorithm
        | Reason::TokenKey
        | Reason::TokenSignature
        | Reason::TokenExpired
        | Reason::TokenNotYetValid
        | Reason::TokenIssuer
        | Reason::TokenAudience
        | Reason::TokenClaims => StatusCode::UNAUTHORIZED,
        Reason::MissingPermission
        | Reason::Denied
        | Reason::NotOwner
        | Reason::UnknownEndpoint
        | Reason::EndpointClosed
        | Reason::UnsupportedStatement
        | Reason::UnsupportedTask
        | Reason::ReservedContextKey
        | Reason::Verification
        | Reason::CrossSite => StatusCode::FORBIDDEN,
        Reason::UnknownTask => StatusCode::NOT_FOUND,
        Reason::Method => StatusCode::METHOD_NOT_ALLOWED,
        Reason::Timeout => StatusCode::REQUEST_TIMEOUT,
        Reason::LengthRequired => StatusCode::LENGTH_REQUIRED,
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::UriTooLong => StatusCode::URI_TOO_LONG,
        Reason::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::Expectation => StatusCode::EXPECTATION_FAILED,
        Reason::Busy => StatusCode::TOO_MANY_REQUESTS,
        Reason::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Reason::UpstreamUnreachable | Reason::UpstreamBroken => StatusCode::BAD_GATEWAY,
        Reason::KeysUnavailable | Reason::Overloaded | Reason::AuditUnavailable | Reason::DurableStorage => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Reason::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// Druid's words for a reason and its status: `errorCode`, `persona` and `category` of its `DruidException`
fn druid_words(reason: Reason, status: StatusCode) -> (&'static str, &'static str, &'static str) {
    match status {
        // More capacity would not help: something does not work.
        _ if matches!(reason, Reason::DurableStorage | Reason::AuditUnavailable) => {
            ("unavailable", "OPERATOR", "RUNTIME_FAILURE")
        }
        StatusCode::UNAUTHORIZED => ("unauthorized", "USER", "UNAUTHORIZED"),
        StatusCode::FORBIDDEN => ("forbidden", "USER", "FORBIDDEN"),
        StatusCode::NOT_FOUND => ("notFound", "USER", "NOT_FOUND"),
        StatusCode::METHOD_NOT_ALLOWED => ("unsupported", "USER", "UNSUPPORTED"),
        StatusCode::INTERNAL_SERVER_ERROR => ("internal", "OPERATOR", "RUNTIME_FAILURE"),
        StatusCode::BAD_GATEWAY => ("upstream", "OPERATOR", "RUNTIME_FAILURE"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "OPERATOR", "CAPACITY_EXCEEDED"),
        StatusCode::TOO_MANY_REQUESTS => ("busy", "USER", "CAPACITY_EXCEEDED"),
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => ("timeout", "OPERATOR", "TIMEOUT"),
        _ => ("invalidInput", "USER", "INVALID_INPUT"),
    }
}

/// The reason that the caller is told; with `refusal_detail = "code"` an unknown task looks like a forbidden one
pub fn told_reason(refusal: &Refusal, detail: RefusalDetail) -> Reason {
    match (refusal.reason(), detail) {
        (Reason::UnknownTask | Reason::NotOwner | Reason::Denied, RefusalDetail::Code) => {
            Reason::MissingPermission
        }
        (reason, RefusalDetail::Code | RefusalDetail::Missing | RefusalDetail::Full) => reason,
    }
}

/// The answer to a request that is not forwarded
pub fn refusal(refusal: &Refusal, circumstances: &Circumstances<'_>) -> Response<OwnBody> {
    let reason = told_reason(refusal, circumstances.detail);
    let status = status(reason);
    let mut response = json_response(status, &body(refusal, reason, status, circumstances));
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        for challenge in circumstances.challenges.iter().filter_map(|text| HeaderValue::from_str(text).ok()) {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
    }
    if let Refusal::Route(RouteError::Method { allowed }) = refusal
        && let Ok(allowed) = HeaderValue::from_str(&words(allowed))
    {
        headers.insert(ALLOW, allowed);
    }
    if let Some(pause) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs()));
    }
    if !circumstances.keep_alive {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An answer of the gate's own that is no refusal
pub fn own_answer(body: &Value) -> Response<OwnBody> {
    json_response(StatusCode::OK, body)
}

/// An answer with this JSON in it, not to be stored
pub fn json_response(status: StatusCode, body: &Value) -> Response<OwnBody> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn body(refusal: &Refusal, reason: Reason, status: StatusCode, circumstances: &Circumstances<'_>) -> Value {
    let (error_code, persona, category) = druid_words(reason, status);
    let receipt = [
        ("decision", json!(circumstances.decision)),
        ("subject", json!(circumstances.subject)),
        ("reason", json!(reason.code())),
    ];
    let receipt: Value = receipt.into_iter().chain(details(refusal, circumstances.detail)).collect();
    let error = [
        ("error", json!("druidException")),
        ("errorCode", json!(error_code)),
        ("persona", json!(persona)),
        ("category", json!(category)),
        ("errorMessage", json!(message(refusal, circumstances))),
        ("context", json!({"reason": reason.code(), "decision": circumstances.decision})),
    ];
    let error = error.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    circumstances.shape.of(error, receipt)
}

/// What a receipt says besides, where more than the code is told
fn details(refusal: &Refusal, detail: RefusalDetail) -> Vec<(&'static str, Value)> {
    match (refusal, detail) {
        (_, RefusalDetail::Code) => Vec::new(),
        (Refusal::Denied(denied), _) => {
            vec![("needed", needed(&denied.receipt, detail)), ("missing", missing(&denied.receipt))]
        }
        (Refusal::Storage(unusable), _) => vec![("durableStorage", durable_storage(&unusable.status))],
        _ => Vec::new(),
    }
}

/// How durable storage stands, in a receipt and on record
pub fn durable_storage(status: &Status) -> Value {
    json!({"state": status.state(), "missing": status.missing()})
}

/// What was needed, each with whether it is held, and with `full` also by which role
pub fn needed(receipt: &Receipt, detail: RefusalDetail) -> Value {
    receipt.needed.iter().map(|needed| needed_permission(needed, detail)).collect()
}

fn needed_permission(needed: &NeededPermission, detail: RefusalDetail) -> Value {
    let places: Vec<_> =
        needed.places.iter().map(|place| standing(&place.sentence, &place.holding, detail)).collect();
    let places = (!places.is_empty()).then(|| ("places", json!(places)));
    let mut told = standing(&needed.permission.sentence(), &needed.holding, detail);
    told.extend(places.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(told)
}

fn standing(sentence: &str, holding: &Holding, detail: RefusalDetail) -> Map<String, Value> {
    let by = match holding {
        Holding::Held { by } => ("by", json!(by)),
        Holding::Missing { held_by } => ("heldBy", json!(held_by)),
        Holding::Denied { by } => ("deniedBy", json!(by)),
    };
    let by = Some(by).filter(|_| detail == RefusalDetail::Full);
    let told = [("permission", json!(sentence)), ("held", json!(matches!(holding, Holding::Held { .. })))];
    told.into_iter().chain(by).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The sentences of what is missing
pub fn missing(receipt: &Receipt) -> Value {
    receipt.missing().map(|needed| Value::from(needed.permission.sentence())).collect()
}

/// What people read
fn message(refusal: &Refusal, circumstances: &Circumstances<'_>) -> String {
    let subject = Printable(circumstances.subject.unwrap_or("the caller"));
    match (refusal, circumstances.detail) {
        (
            Refusal::Denied(_) | Refusal::Task(crate::evidence::overlord::TaskError::Unknown),
            RefusalDetail::Code,
        ) => {
            format!("{subject} may not do this")
        }
        (Refusal::Denied(denied), detail) => {
            let not_owner = denied.reason == DeniedReason::NotOwner;
            let instead = if not_owner { "only its submitter may, or who holds" } else { "missing" };
            let missing = denied.receipt.missing();
            let missing: Vec<_> = missing
                .map(|needed| format!("{}{}{}", needed.permission, hint(needed, detail), by_place(needed)))
                .collect();
            let why = denied.why_state.map(|why| format!("; {why}")).unwrap_or_default();
            format!("{subject} may not {}: {instead} {}{why}", denied.deed, missing.join(", "))
        }
        // Where only the code is told, nobody learns what Druid lacks.
        (Refusal::Storage(unusable), RefusalDetail::Code) => {
            format!("durable storage cannot be used now; {}", unusable.remedy())
        }
        (Refusal::Verify(VerifyError::Differs { .. } | VerifyError::NotPlanned(_)), RefusalDetail::Code) => {
            "Druid does not say of this statement what the gate says".to_owned()
        }
        (other, _) => {
            other.upstream().map_or_else(|| other.to_string(), |error| druids_side(error).to_owned())
        }
    }
}

/// What went wrong between the gate and Druid, without what is for the log and not for callers
fn druids_side(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Unreachable(_) => "Druid cannot be reached",
        UpstreamError::Timeout => "Druid did not answer in time",
        UpstreamError::Broken(_) => "Druid's answer cannot be used",
        UpstreamError::Stranger { .. } => "something else than Druid answered; tell whoever runs the gate",
        UpstreamError::Account { status: StatusCode::UNAUTHORIZED, .. } => {
            "Druid does not take the sign-in of the gate's own account, whoever asks; tell whoever runs the gate"
        }
        UpstreamError::Account { .. } => {
            "Druid does not permit this to the gate's own account: a right of the gate's is missing in Druid, none of \
             the caller's; tell whoever runs the gate"
        }
    }
}

/// So many places a message names; the receipt has them all
const PLACES_TOLD: usize = 3;

/// The places that would have to be held in place of the type, or that are denied
fn by_place(needed: &NeededPermission) -> String {
    let is_denied = matches!(needed.holding, Holding::Denied { .. });
    let missing =
        needed.missing_places().filter(|place| matches!(place.holding, Holding::Denied { .. }) == is_denied);
    let mut sentences: Vec<_> = missing.map(|place| place.sentence.as_str()).collect();
    if sentences.is_empty() || !is_denied && !needed.goes_by_place {
        return String::new();
    }
    let more = sentences.len().saturating_sub(PLACES_TOLD);
    sentences.truncate(PLACES_TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = format!("{}{more}", sentences.join(" and "));
    if is_denied { format!(", of which {named}") } else { format!(", or by place {named}") }
}

fn hint(needed: &NeededPermission, detail: RefusalDetail) -> String {
    match (&needed.holding, detail) {
        (Holding::Missing { held_by }, RefusalDetail::Full) if held_by.is_empty() => {
            " (no role holds it)".to_owned()
        }
        (Holding::Missing { held_by }, RefusalDetail::Full) => format!(" (held by {})", held_by.join(", ")),
        (Holding::Denied { by }, RefusalDetail::Full) => format!(" (denied by {by})"),
        (Holding::Denied { .. }, RefusalDetail::Missing) => " (denied)".to_owned(),
        (Holding::Held { .. }, _) | (_, RefusalDetail::Missing | RefusalDetail::Code) => String::new(),
    }
}

/// A refusal as a part of an answer: reason and message
pub fn json_refusal(refusal: &Refusal) -> Value {
    json!({"verdict": "refused", "reason": refusal.reason().code(), "message": refusal.to_string()})
}
