//! Which header fields cross, each way
//!
//! Towards Druid an allow-list, built from nothing: a client's credentials, cookies, forwarding and
//! `X-Druid-*` fields stay behind. Towards the client another: what belongs to one connection (RFC 9110, section
//! 7.6.1), what would bind a browser to the gate's host (`Set-Cookie`, `Alt-Svc`, `Access-Control-*`), and whatever a
//! server between might add, is not on it.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, DATE,
    HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TRAILER, USER_AGENT, VIA,
};

use crate::request::head::PASSED_A_GATE;

/// The request fields that cross
const CROSSING: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, USER_AGENT, TRACEPARENT];

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The fields of the request to Druid, but for framing and sign-in
pub fn towards_druid(arrived: &HeaderMap, has_body: bool) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for name in CROSSING {
        let mut values = arrived.get_all(&name).iter();
        // A field that stands twice has two readings; none of these is worth a guess.
        if let (Some(value), None) = (values.next(), values.next())
            && is_plain(value)
        {
            fields.insert(name, value.clone());
        }
    }
    fields.insert(VIA, PASSED_A_GATE);
    if has_body {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    fields
}

/// The fields of the answer to the client; its framing is written anew from the body
pub fn towards_client(answered: &HeaderMap) -> HeaderMap {
    let mut fields = only(&ANSWERING, answered);
    fields.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    fields
}

/// The trailer fields of the answer to the client: how it ended
pub fn trailers_towards_client(answered: &HeaderMap) -> HeaderMap {
    only(&[X_ERROR_MESSAGE, X_DRUID_RESPONSE_COMPLETE], answered)
}

fn only(names: &[HeaderName], fields: &HeaderMap) -> HeaderMap {
    let crossing = fields.iter().filter(|(name, _)| names.contains(name));
    crossing.map(|(name, value)| (name.clone(), value.clone())).collect()
}

const X_ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");
const X_DRUID_RESPONSE_COMPLETE: HeaderName = HeaderName::from_static("x-druid-response-complete");

/// The answer fields that cross: what the body is, and what Druid says of it (`QueryResource`, `SqlResource`)
const ANSWERING: [HeaderName; 14] = [
    ALLOW,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    DATE,
    RETRY_AFTER,
    TRAILER,
    HeaderName::from_static("x-druid-query-id"),
    HeaderName::from_static("x-druid-response-context"),
    HeaderName::from_static("x-druid-sql-header-included"),
    HeaderName::from_static("x-druid-sql-query-id"),
    X_DRUID_RESPONSE_COMPLETE,
    X_ERROR_MESSAGE,
];

/// Visible ASCII and spaces only
fn is_plain(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_listed_fields_cross_to_druid() {
        let arrived = map(&[
            ("accept", "application/json"),
            ("user-agent", "curl/8"),
            ("authorization", "Bearer x"),
            ("cookie", "hadoop.auth=x"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-druid-author", "root"),
            ("x-http-method-override", "DELETE"),
            ("connection", "user-agent"),
            ("content-encoding", "gzip"),
        ]);
        let crossed = towards_druid(&arrived, true);
        let mut names: Vec<_> = crossed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "content-type", "user-agent", "via"]);
    }

    #[test]
    fn a_field_that_stands_twice_or_is_not_plain_stays_behind() {
        let twice = map(&[("accept", "a/b"), ("accept", "c/d")]);
        assert!(!towards_druid(&twice, false).contains_key(ACCEPT));
        let mut bent = HeaderMap::new();
        bent.insert(USER_AGENT, HeaderValue::from_bytes(b"a\xFFb").unwrap());
        assert!(!towards_druid(&bent, false).contains_key(USER_AGENT));
    }

    #[test]
    fn what_druid_says_of_an_answer_reaches_the_client_and_nothing_else_does() {
        let told = [
            ("content-disposition", "attachment; filename=\"a.csv\""),
            ("content-encoding", "gzip"),
            ("content-type", "text/csv"),
            ("trailer", "x-error-message"),
            ("x-druid-sql-query-id", "q"),
        ];
        let kept = [
            ("access-control-allow-origin", "*"),
            ("alt-svc", "h3=\":1\""),
            ("connection", "close, X-Inner"),
            ("content-length", "7"),
            ("keep-alive", "1"),
            ("refresh", "0"),
            ("server", "Jetty"),
            ("set-cookie", "a=b"),
            ("strict-transport-security", "max-age=1"),
            ("transfer-encoding", "chunked"),
            ("www-authenticate", "Basic"),
            ("x-inner", "1"),
        ];
        let crossed = towards_client(&map(&[&told[..], &kept].concat()));
        let expected = [&[("cache-control", "no-store")][..], &told].concat();
        assert_eq!(crossed, map(&expected));
        let trailed = [("x-error-message", "broken"), ("x-druid-response-complete", "false")];
        let others = [("set-cookie", "a=b"), ("content-length", "1"), ("authorization", "x")];
        assert_eq!(trailers_towards_client(&map(&[&trailed[..], &others].concat())), map(&trailed));
    }
}
