//! Send it: spends a permitted request, and streams the answer back

pub mod account;
pub mod answer;
pub mod answer_error;
pub mod asked;
mod elements;
mod filtered;
pub mod headers;
mod members;
pub mod passable;
pub mod routers;
mod rows;
mod seeing;
pub mod upstream;

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, Method, Response};

use crate::authorize::PermittedRequest;
use crate::config::Limits;
use crate::druid;
use crate::druid::endpoint::Patience;
use answer::AnswerBody;
use asked::KnowsTasks;
use passable::passable;
pub use routers::Routers;
use upstream::Question;
pub use upstream::UpstreamError;

/// Sends what was permitted, as it was judged, and nothing else of the client's but the fields that
/// [`headers`] lets through
///
/// What was not decided upon cannot be handed to it:
///
/// ```compile_fail
/// # use std::sync::Arc;
/// # use msq_gate::{config::Limits, forward::{Routers, asked::KnowsTasks, forward}};
/// # async fn skip(request: msq_gate::druid::DruidRequest, fields: &http::HeaderMap, routers: &Routers, limits: &Limits, tasks: Arc<dyn KnowsTasks>) {
/// let answer = forward(request, fields, routers, limits, tasks).await;
/// # }
/// ```
///
/// # Errors
///
/// Where Druid gives no answer that can be passed on. Only a GET is ever sent twice.
pub async fn forward(
    permitted: PermittedRequest,
    arrived: &HeaderMap,
    routers: &Routers,
    limits: &Limits,
    tasks: Arc<dyn KnowsTasks>,
) -> Result<Response<AnswerBody>, UpstreamError> {
    let (request, shown) = permitted.into_parts();
    let endpoint = request.endpoint;
    let patience = match endpoint.patience {
        Patience::Query => limits.answer,
        Patience::Control => limits.control_answer,
    };
    let method = match endpoint.method {
        druid::Method::Get => Method::GET,
        druid::Method::Post => Method::POST,
        druid::Method::Delete => Method::DELETE,
    };
    let mut fields = headers::towards_druid(arrived, !request.body.is_empty());
    if endpoint.starts_task() || endpoint.rule.list().is_some() {
        // The id in a small answer is to be read for the record, and the rows of a list for who may see them.
        fields.remove(ACCEPT_ENCODING);
    }
    let question = Question { method, target: request.target, body: Bytes::from(request.body) };
    let answer = routers.send(&question, &fields, patience).await?;
    let (head, body) =
        passable(answer, endpoint, (shown, tasks), routers.account(), patience).await?.into_parts();
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = headers::towards_client(&head.headers);
    Ok(response)
}
