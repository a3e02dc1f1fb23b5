//! The head of a request: what of it has one reading only
//!
//! In two parts, as the order of checks wants it: framing and target before anybody is asked who he is,
//! the fields that an endpoint cares about after it is known.

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::request::Parts;
use http::{Method, Uri, Version};

use super::body::{BodyLimit, Coding};
use crate::druid::endpoint::Content;
use crate::druid::path::TargetError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a gate writes on whatever it forwards
pub const PASSED_A_GATE: HeaderValue = HeaderValue::from_static("1.1 msq-gate");

/// Why a head cannot be read in one way only
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Who frames the body is not clear
    #[error("{0}")]
    Framing(&'static str),
    /// A field that must stand once, or must not stand
    #[error("{0}")]
    Field(&'static str),
    /// A gate has forwarded it
    #[error(
        "the request comes from a gate, which should forward it to Druid: `upstream.url` leads to a gate"
    )]
    Loop,
    /// The target is none for a server of its own
    #[error(transparent)]
    Target(#[from] TargetError),
    /// There are too many fields
    #[error("the head has more than {limit} fields")]
    TooManyFields {
        /// The number of fields allowed
        limit: usize,
    },
    /// All of it is too long
    #[error("the head is longer than {limit} bytes; a token with fewer claims would be shorter")]
    TooLong {
        /// The number of bytes allowed
        limit: usize,
    },
    /// The target is too long
    #[error("path and query are longer than {limit} bytes")]
    TargetTooLong {
        /// The number of bytes allowed
        limit: usize,
    },
}

/// The mark on a head that had two framings when it came, of which a library has dropped one
#[derive(Clone, Copy, Debug)]
pub struct TwoFramings;

/// How much of a head is taken
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The bytes of all of it, as HTTP/1.1 writes it
    pub bytes: usize,
    /// The bytes of path and query
    pub target_bytes: usize,
    /// The number of fields; hyper keeps to it on HTTP/1.1 alone
    pub fields: usize,
}

/// Checks framing, host and target; these are refused before the token is looked at
///
/// # Errors
///
/// Where two readers could read the head in two ways, or a gate has read it before.
pub fn check(head: &Parts, limits: HeadLimits) -> Result<(), HeadError> {
    if head.headers.len() > limits.fields {
        return Err(HeadError::TooManyFields { limit: limits.fields });
    }
    if bytes(head) > limits.bytes {
        return Err(HeadError::TooLong { limit: limits.bytes });
    }
    check_framing(head)?;
    check_host(head)?;
    if head.headers.contains_key(UPGRADE) {
        return Err(HeadError::Field("the gate switches to no other protocol; leave out `Upgrade`"));
    }
    if head.method == Method::CONNECT {
        return Err(HeadError::Target(TargetError::NotAbsolute));
    }
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let limit = limits.target_bytes;
    if target > limit {
        return Err(HeadError::TargetTooLong { limit });
    }
    if head.headers.get_all(VIA).iter().any(has_passed_a_gate) { Err(HeadError::Loop) } else { Ok(()) }
}

/// Whether a gate is among those who forwarded a request (RFC 9110, section 7.6.3)
fn has_passed_a_gate(via: &HeaderValue) -> bool {
    via.as_bytes().split(|byte| *byte == b',').any(|passed| passed.trim_ascii() == PASSED_A_GATE.as_bytes())
}

/// How long a head is as HTTP/1.1 writes it (RFC 9112, sections 3 and 5), but for the target's host
fn bytes(head: &Parts) -> usize {
    let target = head.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let line = head.method.as_str().len() + target + "  HTTP/1.1\r\n\r\n".len();
    let field =
        |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    line + head.headers.iter().map(field).sum::<usize>()
}

/// One framing, and one that is understood (RFC 9112, section 6)
fn check_framing(head: &Parts) -> Result<(), HeadError> {
    if head.extensions.get::<TwoFramings>().is_some() {
        return Err(HeadError::Framing(
            "`Content-Length` stands more than once, or beside `Transfer-Encoding`; send one of them",
        ));
    }
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let lengths = head.headers.get_all(CONTENT_LENGTH).iter().count();
    match (codings.next(), codings.next()) {
        (None, _) if lengths > 1 => Err(HeadError::Framing("`Content-Length` stands more than once")),
        (None, _) => Ok(()),
        (Some(_), _) if head.version != Version::HTTP_11 => {
            Err(HeadError::Framing("`Transfer-Encoding` belongs to HTTP/1.1 alone"))
        }
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            if lengths > 0 {
                Err(HeadError::Framing("both `Content-Length` and `Transfer-Encoding` are given"))
            } else {
                Ok(())
            }
        }
        (Some(_), _) => Err(HeadError::Framing("`Transfer-Encoding` can be `chunked` and nothing else")),
    }
}

fn check_host(head: &Parts) -> Result<(), HeadError> {
    let host = single(&head.headers, HOST).map_err(|_| HeadError::Field("`Host` stands more than once"))?;
    let host = host.map(HeaderValue::to_str).transpose();
    let host = host.map_err(|_| HeadError::Field("`Host` is no host"))?;
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(HeadError::Field("the target's host and `Host` differ"))
        }
        (Some(name), _) | (None, Some(name)) if !is_host(name) => Err(HeadError::Field("`Host` is no host")),
        (Some(_), _) if !has_web_scheme(&head.uri) && head.method != Method::CONNECT => {
            Err(HeadError::Field("the target's scheme is neither `http` nor `https`"))
        }
        (Some(_), _) | (None, Some(_)) => Ok(()),
        (None, None) if head.version == Version::HTTP_10 => Ok(()),
        (None, None) => Err(HeadError::Field("`Host` is missing")),
    }
}

fn has_web_scheme(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("http" | "https"))
}

/// A host and a port, or a host: no user, no path, no space
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_')
        })
}

/// The value of a field that stands once, `None` where it does not stand, an error where it stands twice
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() { Err(()) } else { Ok(value) }
}

/// Why an endpoint does not take a request's fields
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A page of another site sent it
    #[error("a request that changes something may not come from a page of another site")]
    CrossSite,
    /// An expectation other than `100-continue`
    #[error("`Expect` can be `100-continue` and nothing else")]
    Expectation,
    /// Another media type
    #[error("send the body as `Content-Type: application/json`, in UTF-8")]
    MediaType,
    /// Another coding
    #[error("send the body as it is, or with `Content-Encoding: gzip` once")]
    Coding,
    /// No length
    #[error("send `Content-Length`, or `Transfer-Encoding: chunked`")]
    LengthRequired,
    /// A body where none belongs
    #[error("this endpoint takes no body")]
    UnexpectedBody,
    /// The body is said to be larger than allowed
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The number of bytes allowed
        limit: BodyLimit,
    },
}

/// Checks the fields that an endpoint cares about, and says how its body is coded
///
/// `has_body` is whether the request's framing announces one; `limit` is the number of bytes it may have.
///
/// # Errors
///
/// Where the endpoint does not take such a request.
pub fn check_fields(
    head: &Parts,
    content: Content,
    has_body: bool,
    limit: BodyLimit,
) -> Result<Coding, FieldError> {
    if matches!(head.method, Method::POST | Method::DELETE) && is_cross_site(head) {
        return Err(FieldError::CrossSite);
    }
    check_expectation(&head.headers)?;
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match content {
        Content::Nothing if has_body => return Err(FieldError::UnexpectedBody),
        Content::Nothing => return Ok(Coding::Identity),
        Content::EmptyOrObject if !has_body => return Ok(Coding::Identity),
        Content::Query | Content::TaskSpec | Content::Json | Content::OfDatasource | Content::Compaction
            if !has_body && length.is_none() =>
        {
            return Err(FieldError::LengthRequired);
        }
        Content::EmptyOrObject
        | Content::Query
        | Content::TaskSpec
        | Content::Json
        | Content::OfDatasource
        | Content::Compaction => {}
    }
    check_media_type(&head.headers)?;
    let coding = coding(&head.headers)?;
    if length.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit.bytes)) {
        return Err(FieldError::TooLarge { limit });
    }
    Ok(coding)
}

/// By what browsers add themselves and pages cannot forge
fn is_cross_site(head: &Parts) -> bool {
    let sites = head.headers.get_all(SEC_FETCH_SITE);
    if sites.iter().any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site")) {
        return true;
    }
    let own = head.uri.authority().map(http::uri::Authority::as_str);
    let own = own.or_else(|| head.headers.get(HOST)?.to_str().ok());
    head.headers.get_all(ORIGIN).iter().any(|origin| {
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        !matches!((host, own), (Some(host), Some(own)) if host.eq_ignore_ascii_case(own))
    })
}

fn check_expectation(headers: &HeaderMap) -> Result<(), FieldError> {
    let fine =
        headers.get_all(EXPECT).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if fine { Ok(()) } else { Err(FieldError::Expectation) }
}

/// `application/json`, charset absent or UTF-8, and no other parameter
fn check_media_type(headers: &HeaderMap) -> Result<(), FieldError> {
    let value = single(headers, CONTENT_TYPE).map_err(|()| FieldError::MediaType)?;
    let value = value.and_then(|value| value.to_str().ok()).ok_or(FieldError::MediaType)?;
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let is_utf8 = match parameters.trim().split_once('=') {
        None => parameters.trim().is_empty(),
        Some((name, charset)) => {
            let charset =
                charset.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(charset);
            name.eq_ignore_ascii_case("charset") && charset.eq_ignore_ascii_case("utf-8")
        }
    };
    if essence.trim().eq_ignore_ascii_case("application/json") && is_utf8 {
        Ok(())
    } else {
        Err(FieldError::MediaType)
    }
}

fn coding(headers: &HeaderMap) -> Result<Coding, FieldError> {
    match single(headers, CONTENT_ENCODING).map_err(|()| FieldError::Coding)?.map(HeaderValue::as_bytes) {
        None => Ok(Coding::Identity),
        Some(coding) if coding.eq_ignore_ascii_case(b"gzip") => Ok(Coding::Gzip),
        Some(_) => Err(FieldError::Coding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: Version, target: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::new(());
        *request.version_mut() = version;
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.parse().unwrap();
        for (name, value) in fields {
            request
                .headers_mut()
                .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        request.into_parts().0
    }

    const LIMITS: HeadLimits = HeadLimits { bytes: 250, target_bytes: 100, fields: 3 };

    fn framing(fields: &[(&str, &str)]) -> Result<(), HeadError> {
        let mut all = vec![("host", "gate:1")];
        all.extend_from_slice(fields);
        check(&head(Version::HTTP_11, "/a", &all), LIMITS)
    }

    #[test]
    fn one_framing_is_taken_and_two_are_refused() {
        assert_eq!(framing(&[("content-length", "2")]), Ok(()));
        assert_eq!(framing(&[("transfer-encoding", "Chunked")]), Ok(()));
        for fields in [
            &[("content-length", "2"), ("content-length", "2")][..],
            &[("content-length", "2"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "identity")],
            &[("upgrade", "websocket")],
        ] {
            assert!(framing(fields).is_err(), "{fields:?}");
        }
        assert!(check(&head(Version::HTTP_10, "/", &[("transfer-encoding", "chunked")]), LIMITS).is_err());
    }

    #[test]
    fn a_head_is_as_long_as_http_1_writes_it() {
        let long = "x".repeat(250 - "POST / HTTP/1.1\r\nhost: gate\r\nx: \r\n\r\n".len());
        let with =
            |value: &str| check(&head(Version::HTTP_11, "/", &[("host", "gate"), ("x", value)]), LIMITS);
        assert_eq!(with(&long), Ok(()));
        assert_eq!(with(&format!("{long}x")), Err(HeadError::TooLong { limit: 250 }));
    }

    #[test]
    fn the_host_stands_once_and_is_a_host() {
        let with = |target, fields: &[(&str, &str)]| check(&head(Version::HTTP_11, target, fields), LIMITS);
        assert_eq!(with("/a", &[("host", "[::1]:8443")]), Ok(()));
        assert_eq!(with("https://gate:1/a", &[("host", "Gate:1")]), Ok(()));
        assert!(with("/a", &[]).is_err());
        assert!(with("/a", &[("host", "")]).is_err());
        assert!(with("/a", &[("host", "a"), ("host", "a")]).is_err());
        assert!(with("/a", &[("host", "user@a")]).is_err());
        assert!(with("https://gate:1/a", &[("host", "other")]).is_err());
        assert!(with("ftp://gate:1/a", &[("host", "gate:1")]).is_err());
    }

    #[test]
    fn what_a_gate_has_forwarded_is_known_among_other_proxies() {
        let via = |value: &str| framing(&[("via", value)]);
        assert_eq!(via("1.1 msq-gateway, 2.0 edge (msq-gate)"), Ok(()));
        for value in ["1.1 msq-gate", "2.0 edge,1.1 msq-gate , 1.1 balancer"] {
            assert_eq!(via(value), Err(HeadError::Loop), "{value}");
        }
    }

    #[test]
    fn a_target_is_taken_up_to_its_limit() {
        let long =
            |bytes: usize| head(Version::HTTP_11, &format!("/{}", "a".repeat(bytes - 1)), &[("host", "a")]);
        assert_eq!(check(&long(100), LIMITS), Ok(()));
        assert_eq!(check(&long(101), LIMITS), Err(HeadError::TargetTooLong { limit: 100 }));
    }

    #[test]
    fn fields_are_taken_up_to_their_number() {
        let with = |more: usize| {
            let fields = [vec![("host", "a")], vec![("x", "y"); more]].concat();
            check(&head(Version::HTTP_2, "/a", &fields), LIMITS)
        };
        assert_eq!(with(2), Ok(()));
        assert_eq!(with(3), Err(HeadError::TooManyFields { limit: 3 }));
    }

    fn fields(fields: &[(&str, &str)]) -> Result<Coding, FieldError> {
        let mut all = vec![("host", "gate:1")];
        all.extend_from_slice(fields);
        let limit = BodyLimit { bytes: 100, key: Some("body_bytes") };
        check_fields(&head(Version::HTTP_11, "/a", &all), Content::Query, true, limit)
    }

    #[test]
    fn json_in_utf_8_is_the_only_media_type() {
        for right in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert_eq!(fields(&[("content-type", right)]), Ok(Coding::Identity), "{right}");
        }
        for wrong in [
            "text/plain",
            "*/*",
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json, text/plain",
            "application/x-jackson-smile",
            "",
        ] {
            assert_eq!(fields(&[("content-type", wrong)]), Err(FieldError::MediaType), "{wrong}");
        }
        assert_eq!(fields(&[]), Err(FieldError::MediaType));
    }

    #[test]
    fn gzip_once_is_the_only_coding() {
        let coded = |values: &[&str]| {
            let mut all = vec![("content-type", "application/json")];
            all.extend(values.iter().map(|value| ("content-encoding", *value)));
            fields(&all)
        };
        assert_eq!(coded(&["gzip"]), Ok(Coding::Gzip));
        assert_eq!(coded(&[]), Ok(Coding::Identity));
        for values in [
            &["br"][..],
            &["identity"],
            &[""],
            &["gzip, gzip"],
            &["gzip", "identity"],
            &["x-gzip"],
            &["deflate"],
        ] {
            assert_eq!(coded(values), Err(FieldError::Coding), "{values:?}");
        }
    }

    #[test]
    fn another_sites_page_is_refused_and_ones_own_is_not() {
        let from = |name, value| fields(&[("content-type", "application/json"), (name, value)]);
        assert!(from("origin", "https://gate:1").is_ok());
        assert!(from("sec-fetch-site", "same-origin").is_ok());
        for (name, value) in
            [("origin", "https://evil"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
        {
            assert_eq!(from(name, value), Err(FieldError::CrossSite), "{name}: {value}");
        }
    }
}
