//! What the stand-in answers, and the forms in which rows are written (`ResultFormat`)

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, VARY};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::table::{Kind, Table, plain, time_text};

pub(super) const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const TEXT_UTF8: &str = "text/plain;charset=utf-8";
const HTML: &str = "text/html;charset=iso-8859-1";

/// An answer
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// Nothing but a status
    pub(super) fn empty(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Vec::new() }
    }

    /// A body of this type
    pub(super) fn typed(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::empty(status).with(CONTENT_TYPE.as_str(), content_type).body(body)
    }

    /// JSON
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, JSON, value.to_string())
    }

    /// A failure of a statement
    pub(super) fn fault(fault: &Fault) -> Self {
        Self::json(fault.status(), &fault.to_json())
    }

    /// A failure that comes from reading the request (`HttpException`)
    pub(super) fn unreadable(status: u16, message: &str) -> Self {
        let class = "org.apache.druid.server.initialization.jetty.HttpException";
        let body = serde_json::json!({
            "error": "Unknown exception", "errorMessage": message, "errorClass": class, "host": null
        });
        Self::json(status, &body)
    }

    /// A task that the Overlord does not know
    pub(super) fn no_task(id: &str) -> Self {
        Self::typed(404, TEXT, format!("Cannot find any task with id: [{id}]"))
    }

    /// A text in UTF-8
    pub(super) fn text(status: u16, text: &str) -> Self {
        Self::typed(status, TEXT_UTF8, text)
    }

    /// A page of Jetty's
    pub(super) fn page(status: u16, message: &str, path: &str) -> Self {
        let path = path.replace('&', "&amp;").replace('<', "&lt;");
        let body = format!(
            "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n\
             <title>Error {status} {message}</title>\n</head>\n<body><h2>HTTP ERROR {status} {message}</h2>\n\
             <table>\n<tr><th>URI:</th><td>{path}</td></tr>\n<tr><th>STATUS:</th><td>{status}</td></tr>\n\
             <tr><th>MESSAGE:</th><td>{message}</td></tr>\n</table>\n\n</body>\n</html>\n"
        );
        Self::typed(status, HTML, body)
    }

    /// With one more header
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// For the wire, as answer to this method
    pub(super) fn into_response(self, method: &Method) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if method != Method::POST {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, max-age=0"));
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
        }
        if self.status == 200 {
            headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, User-Agent"));
        }
        for (name, value) in self.fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// The forms of rows
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResultFormat {
    Object,
    ObjectLines,
    Array,
    ArrayLines,
    Csv,
}

impl ResultFormat {
    /// The form of this name
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "object" => Self::Object,
            "objectlines" => Self::ObjectLines,
            "array" => Self::Array,
            "arraylines" => Self::ArrayLines,
            "csv" => Self::Csv,
            _ => return None,
        })
    }

    /// Rows in this form, a line of names before them or not
    pub(super) fn write(self, table: &Table, has_header: bool) -> String {
        let names = table.columns.iter().map(|column| Value::from(column.name.as_str())).collect();
        let mut lines = Vec::new();
        if has_header {
            lines.push(match self {
                Self::Object | Self::ObjectLines => object(table, &[]).to_string(),
                Self::Array | Self::ArrayLines => Value::Array(names).to_string(),
                Self::Csv => csv(&names),
            });
        }
        lines.extend(table.rows.iter().map(|row| match self {
            Self::Object | Self::ObjectLines => object(table, row).to_string(),
            Self::Array | Self::ArrayLines => Value::from(row.as_slice()).to_string(),
            Self::Csv => csv(row),
        }));
        match self {
            Self::Object | Self::Array => format!("[{}]\n", lines.join(",")),
            Self::ObjectLines | Self::ArrayLines | Self::Csv => {
                lines.iter().map(|line| format!("{line}\n")).collect::<String>() + "\n"
            }
        }
    }
}

/// Times as texts, as the native engine answers them; tasks answer milliseconds
pub(super) fn with_time_texts(mut table: Table) -> Table {
    for (at, column) in table.columns.iter().enumerate() {
        if column.kind == Kind::Timestamp {
            for value in table.rows.iter_mut().filter_map(|row| row.get_mut(at)) {
                if let Some(millis) = value.as_i64() {
                    *value = time_text(millis).into();
                }
            }
        }
    }
    table
}

fn object(table: &Table, row: &[Value]) -> Value {
    let mut object = Map::new();
    for (at, column) in table.columns.iter().enumerate() {
        object.insert(column.name.clone(), row.get(at).cloned().unwrap_or(Value::Null));
    }
    Value::Object(object)
}

fn csv(row: &[Value]) -> String {
    let cells: Vec<_> = row.iter().map(|value| cell(&plain(value))).collect();
    cells.join(",")
}

fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
