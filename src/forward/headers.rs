//! Which header fields cross, each way
//!
//! Towards Druid an allow-list, built from nothing: a client's credentials, cookies, forwarding and
//! `X-Druid-*` fields stay behind. Towards the client all but what belongs to one connection (RFC 9110,
//! section 7.6.1) and what is Druid's own business with the gate.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA, WWW_AUTHENTICATE,
};

/// The request fields that cross
const CROSSING: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, USER_AGENT, TRACEPARENT];

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

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
    fields.insert(VIA, HeaderValue::from_static("1.1 msq-gate"));
    if has_body {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    fields
}

/// The fields of the answer to the client
pub fn towards_client(answered: &HeaderMap) -> HeaderMap {
    let nominated: Vec<String> = answered
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let mut fields = HeaderMap::new();
    for (name, value) in answered {
        if !STAYING.contains(name) && !nominated.iter().any(|nominee| nominee == name.as_str()) {
            fields.append(name.clone(), value.clone());
        }
    }
    fields.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    fields
}

/// The answer fields that stay: of the connection, or between Druid and the gate
const STAYING: [HeaderName; 10] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    SET_COOKIE,
    WWW_AUTHENTICATE,
    VIA,
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
    fn druids_own_fields_reach_the_client_and_those_of_the_connection_do_not() {
        let answered = map(&[
            ("x-druid-sql-query-id", "q"),
            ("connection", "close, X-Inner"),
            ("connection", "x-other"),
            ("x-inner", "1"),
            ("x-other", "1"),
            ("keep-alive", "1"),
            ("set-cookie", "a=b"),
            ("www-authenticate", "Basic"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x-error-message"),
        ]);
        let crossed = towards_client(&answered);
        let mut names: Vec<_> = crossed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "trailer", "x-druid-sql-query-id"]);
    }
}
