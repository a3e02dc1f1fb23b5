//! Whether an answer may be passed on to the caller: what only the gate, or nobody, should read may not

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;

use super::account::{Account, is_about_the_query};
use super::answer::AnswerBody;
use super::asked::KnowsTasks;
use super::filtered::Filtered;
use super::routers::whole;
use super::rows::Rows;
use super::upstream::UpstreamError;
use crate::authorize::decision::Shown;
use crate::base::redact::presentable;
use crate::druid::Endpoint;
use crate::request::body::{Coding, inflate_beginning};

/// A 403 of Druid's is shorter
const REFUSAL_BYTES: usize = 64 << 10;
/// How much of a media type is worth showing
const SHOWN: usize = 100;
/// Errors come as JSON, or as a line of text (`Cannot find any task with id: …`)
const OF_ERRORS: [&str; 2] = ["application/json", "text/plain"];

/// The answer, to be streamed on
///
/// # Errors
///
/// Where it is in no form that Druid has for this endpoint, as a login page is not, breaks off before any of its body is
/// there, or refuses `account`.
pub async fn passable(
    answer: Response<Incoming>,
    endpoint: Endpoint,
    (shown, tasks): (Shown, Arc<dyn KnowsTasks>),
    account: &Account,
    patience: Duration,
) -> Result<Response<AnswerBody>, UpstreamError> {
    check_media_type(answer.status(), answer.headers(), endpoint)?;
    match shown {
        Shown::Rows(listed, sight) if answer.status().is_success() => {
            return rows(answer, Rows::new(listed, sight), tasks, patience).await;
        }
        Shown::Rows(..) | Shown::Whole if answer.status() != StatusCode::FORBIDDEN => {
            let (head, body) = answer.into_parts();
            return Ok(Response::from_parts(head, AnswerBody::begun(body, patience).await?));
        }
        Shown::Rows(..) | Shown::Whole => {}
    }
    let (head, body) = answer.into_parts();
    let body = whole(body, REFUSAL_BYTES, patience).await?;
    if is_about_the_query(&plain(&head, &body)) {
        Ok(Response::from_parts(head, AnswerBody::whole(body.into())))
    } else {
        Err(UpstreamError::Account { status: head.status, account: account.clone() })
    }
}

/// A list without the rows that its caller may not see, which cannot be told in what is coded
async fn rows(
    answer: Response<Incoming>,
    rows: Rows,
    tasks: Arc<dyn KnowsTasks>,
    patience: Duration,
) -> Result<Response<AnswerBody>, UpstreamError> {
    if answer.headers().contains_key(CONTENT_ENCODING) {
        return Err(UpstreamError::Broken("its list is coded, which nobody asked for".to_owned()));
    }
    let (head, body) = answer.into_parts();
    let list = Filtered::begin(body, rows, tasks, patience).await?;
    Ok(Response::from_parts(head, AnswerBody::listed(list, patience)))
}

/// What a body says, whether it came as gzip or not
fn plain(head: &Parts, body: &Bytes) -> Vec<u8> {
    match Coding::of_answer(&head.headers) {
        Coding::Gzip => inflate_beginning(body, REFUSAL_BYTES),
        Coding::Identity => body.to_vec(),
    }
}

/// An answer that says of itself that it is something else than the endpoint's is somebody else's
///
/// One that says nothing passes: some of Druid's have no body, and no type.
fn check_media_type(status: StatusCode, fields: &HeaderMap, endpoint: Endpoint) -> Result<(), UpstreamError> {
    let expected = if status.is_success() { endpoint.media_types } else { &OF_ERRORS };
    let mut said = fields.get_all(CONTENT_TYPE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let is_expected = |said: &str| {
        let essence = said.split(';').next().unwrap_or_default().trim();
        expected.iter().any(|expected| essence.eq_ignore_ascii_case(expected))
    };
    match said.find(|said| !is_expected(said)) {
        None => Ok(()),
        Some(other) => {
            Err(UpstreamError::Stranger { status, said: presentable(&other).chars().take(SHOWN).collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::druid::Method;

    fn passes(status: u16, types: &[&str], endpoint: Endpoint) -> bool {
        let mut fields = HeaderMap::new();
        for said in types {
            fields.append(CONTENT_TYPE, said.parse().unwrap());
        }
        check_media_type(StatusCode::from_u16(status).unwrap(), &fields, endpoint).is_ok()
    }

    #[test]
    fn at_every_endpoint_only_what_druid_answers_there_passes() {
        for endpoint in Endpoint::all() {
            for media_type in endpoint.media_types {
                assert!(passes(200, &[&format!("{media_type}; charset=UTF-8")], endpoint), "{endpoint:?}");
            }
            for status in [200, 202, 400, 403, 404, 500, 503] {
                assert!(passes(status, &[], endpoint), "an answer without a body has no type");
                for other in ["text/html", "TEXT/HTML;charset=utf-8", "application/xhtml+xml", "x", ""] {
                    assert!(!passes(status, &[other], endpoint), "{endpoint:?} {status} {other}");
                    let own = endpoint.media_types[0];
                    assert!(!passes(status, &[own, other], endpoint), "{endpoint:?} {status} {other}");
                }
            }
            assert!(passes(404, &["text/plain;charset=utf-8"], endpoint));
            assert!(passes(500, &["application/json"], endpoint));
        }
        let at = |path| Endpoint::at(Method::Get, path).unwrap();
        assert!(!passes(200, &["text/plain"], at("/druid/indexer/v1/task/{task}/status")));
        assert!(!passes(200, &["application/json"], at("/druid/indexer/v1/task/{task}/log")));
    }
}
