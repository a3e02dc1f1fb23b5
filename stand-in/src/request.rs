//! The body of a SQL request, read as Druid reads it: leniently (`SqlQuery`, Jackson)

use serde_json::{Map, Value};

use super::SeenRequest;
use super::Version;
use super::answer::{Answer, ResultFormat};

/// A SQL request
#[derive(Clone, Debug)]
pub(super) struct SqlRequest {
    pub(super) query: String,
    pub(super) context: Map<String, Value>,
    pub(super) format: ResultFormat,
    /// Whether a line of names comes first
    pub(super) has_header: bool,
}

impl SqlRequest {
    /// Reads a request, by its content type
    pub(super) fn read(seen: &SeenRequest, body: &[u8], version: Version) -> Result<Self, Answer> {
        let content_type = content_type(seen);
        match (content_type.as_deref(), version) {
            (Some("application/json" | "*/*"), _) => Self::from_json(body),
            (_, Version::Druid27) => {
                Self::from_json(body)?;
                Err(Answer::empty(415))
            }
            (None, Version::Druid37) => Err(Answer::unreadable(400, "Missing Content-Type header")),
            (Some("text/plain"), Version::Druid37) => {
                Ok(Self::plain(String::from_utf8_lossy(body).into_owned()))
            }
            (Some("application/x-www-form-urlencoded"), Version::Druid37) => {
                let text = String::from_utf8_lossy(body).replace('+', " ");
                Ok(Self::plain(super::path::decoded(&text)))
            }
            (Some(other), Version::Druid37) => {
                let message = format!(
                    "Unsupported Content-Type: {other}. Only application/json, text/plain or \
                     application/x-www-form-urlencoded is supported."
                );
                Err(Answer::unreadable(415, &message))
            }
        }
    }

    fn plain(query: String) -> Self {
        Self { query, context: Map::new(), format: ResultFormat::Object, has_header: false }
    }

    fn from_json(body: &[u8]) -> Result<Self, Answer> {
        let unreadable = |message: &str| Answer::unreadable(400, message);
        // What stands behind the first document is not looked at; of two equal keys the last counts.
        let document = serde_json::Deserializer::from_slice(body).into_iter::<Value>().next();
        let document = document
            .transpose()
            .map_err(|error| unreadable(&format!("Unable to read query from request: {error}")))?;
        let Some(document) = document.filter(|document| !document.is_null()) else {
            return Err(unreadable("Empty query"));
        };
        let malformed = || unreadable("Malformed SQL query wrapped in JSON: Cannot deserialize value");
        let fields = document.as_object().ok_or_else(malformed)?;
        let query = match fields.get("query") {
            Some(Value::String(query)) => query.clone(),
            Some(number @ (Value::Number(_) | Value::Bool(_))) => number.to_string(),
            Some(Value::Array(_) | Value::Object(_)) => return Err(malformed()),
            Some(Value::Null) | None => {
                return Err(unreadable(
                    "Unable to read query from request: Cannot construct instance of \
                     `org.apache.druid.sql.http.SqlQuery`, problem: query",
                ));
            }
        };
        let context = match fields.get("context") {
            Some(Value::Object(context)) => context.clone(),
            Some(Value::Null) | None => Map::new(),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                return Err(malformed());
            }
        };
        let format = match fields.get("resultFormat").and_then(Value::as_str) {
            Some(name) => ResultFormat::named(name).ok_or_else(malformed)?,
            None => ResultFormat::Object,
        };
        let has_header = fields.get("header").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { query, context, format, has_header })
    }
}

/// The media type of a request, without its parameters, in lower case
pub(super) fn content_type(seen: &SeenRequest) -> Option<String> {
    let value = seen.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
