//! A statement as clients submit it: the JSON object around the SQL text
//!
//! Druid's `SqlQuery`. What is sent to Druid is written anew from what was read here; members that Druid
//! does not know are left behind, since it would ignore them.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::sql::{Parameter, ParameterValue};
use crate::druid::Owner;
use crate::druid::json::{self, JsonLimits};
use crate::druid::owner::{OWNER_CONTEXT_KEY, is_reserved_context_key};

/// A member of Druid's `SqlQuery` that crosses as it is, if it has this type
type PlainMember = (&'static str, fn(&Value) -> bool, &'static str);

const PLAIN_MEMBERS: [PlainMember; 4] = [
    ("resultFormat", Value::is_string, "a string"),
    ("header", Value::is_boolean, "true or false"),
    ("typesHeader", Value::is_boolean, "true or false"),
    ("sqlTypesHeader", Value::is_boolean, "true or false"),
];

/// Keys of the query context that name a query
const IDS: [&str; 3] = ["sqlQueryId", "queryId", "dartQueryId"];

/// A submitted statement, read
#[derive(Clone, Debug)]
pub struct Submit {
    /// The SQL text
    pub query: String,
    /// The values of its `?`, in order
    pub parameters: Vec<Parameter>,
    /// The keys of its query context
    pub context_keys: Vec<String>,
    /// The text as it came in JSON, which is what goes out where it is the text that is sent
    raw_query: Option<Box<RawValue>>,
    context: Vec<(String, Box<RawValue>)>,
    raw_parameters: Option<Box<RawValue>>,
    plain: Vec<(&'static str, Box<RawValue>)>,
}

/// Why a body is no statement that can be judged
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// It is no JSON, or has a second reading
    #[error(transparent)]
    Json(#[from] json::JsonError),
    /// It is JSON of another shape
    #[error("{0}")]
    Shape(String),
    /// It brings a query-context key that only the gate or Druid may set
    #[error("the query-context key `{key}` is set by the gate alone; leave it out")]
    ReservedContextKey {
        /// The key
        key: String,
    },
}

impl Submit {
    /// Reads the body of a statement endpoint
    ///
    /// # Errors
    ///
    /// Where it cannot be read in one way only, or brings a reserved context key.
    pub fn read(body: &[u8], limits: impl Into<JsonLimits>) -> Result<Self, SubmitError> {
        let Value::Object(members) = json::parse(body, limits)? else {
            return Err(shape("the body must be a JSON object with a member `query`"));
        };
        let raw: RawMembers<'_> = raw_members(body)?;
        let query = read_query(&members)?;
        let parameters = read_parameters(&members)?;
        let raw_parameters =
            raw.get("parameters").filter(|_| !parameters.is_empty()).map(|raw| (*raw).to_owned());
        let (context_keys, context) = read_context(&members, &raw)?;
        let plain = read_plain(&members, &raw)?;
        let raw_query = raw.get("query").map(|raw| (*raw).to_owned());
        Ok(Self { query, parameters, context_keys, raw_query, context, raw_parameters, plain })
    }

    /// The body as Druid will get it: this statement text, the client's context, and the owner in it
    ///
    /// Values cross in the client's own digits: a number that fits no 64 bits stays what it was.
    pub fn body(&self, statement: &str, owner: &Owner) -> Vec<u8> {
        let mut context: Vec<_> =
            self.context.iter().map(|(key, value)| (key.as_str(), Member::Raw(value))).collect();
        context.push((OWNER_CONTEXT_KEY, Member::Text(owner.as_str())));
        let as_it_came = self.raw_query.as_deref().filter(|_| statement == self.query);
        let mut members = vec![("query", as_it_came.map_or(Member::Text(statement), Member::Raw))];
        members.extend(self.plain.iter().map(|(name, value)| (*name, Member::Raw(value))));
        members.extend(self.raw_parameters.as_ref().map(|value| ("parameters", Member::Raw(value))));
        members.push(("context", Member::Object(Members(context))));
        // Strings and texts that were JSON before: there is nothing here that cannot be written.
        serde_json::to_vec(&Members(members)).unwrap_or_default()
    }

    /// The body that asks Druid for a plan of this text, with the client's context and parameters
    ///
    /// Ids stay behind: they are those of the query itself.
    pub fn explanation(&self, statement: &str) -> Vec<u8> {
        let context = self.context.iter().filter(|(key, _)| !IDS.contains(&key.as_str()));
        let context = context.map(|(key, value)| (key.as_str(), Member::Raw(value))).collect();
        let mut members = vec![("query", Member::Text(statement)), ("resultFormat", Member::Text("object"))];
        members.extend(self.raw_parameters.as_ref().map(|value| ("parameters", Member::Raw(value))));
        members.push(("context", Member::Object(Members(context))));
        serde_json::to_vec(&Members(members)).unwrap_or_default()
    }

    /// The value of a context key, as JSON text
    pub fn context_value(&self, key: &str) -> Option<&str> {
        self.context.iter().find(|(name, _)| name == key).map(|(_, value)| value.get())
    }
}

type RawMembers<'a> = std::collections::HashMap<String, &'a RawValue>;

fn raw_members(body: &[u8]) -> Result<RawMembers<'_>, SubmitError> {
    serde_json::from_slice(body)
        .map_err(|error| SubmitError::Json(json::JsonError::Syntax(error.to_string())))
}

fn shape(message: impl Into<String>) -> SubmitError {
    SubmitError::Shape(message.into())
}

fn present<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn read_query(members: &Map<String, Value>) -> Result<String, SubmitError> {
    match present(members, "query") {
        Some(Value::String(query)) if !query.is_empty() => Ok(query.clone()),
        Some(_) => Err(shape("the member `query` must be a string that holds a statement")),
        None => Err(shape("the member `query` is missing; it holds the statement")),
    }
}

fn read_parameters(members: &Map<String, Value>) -> Result<Vec<Parameter>, SubmitError> {
    match present(members, "parameters") {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(read_parameter).collect(),
        Some(_) => Err(shape("the member `parameters` must be a list")),
    }
}

/// One `{"type":"VARCHAR","value":"a"}` (Druid's `SqlParameter`)
fn read_parameter(item: &Value) -> Result<Parameter, SubmitError> {
    let wrong = || shape("each of `parameters` must be an object with a string `type` and a `value`");
    let object = item.as_object().ok_or_else(wrong)?;
    if object.keys().any(|key| !matches!(key.as_str(), "type" | "value")) {
        return Err(wrong());
    }
    let kind = object.get("type").and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
    let value = match object.get("value") {
        None | Some(Value::Null) => ParameterValue::Null,
        Some(Value::Bool(value)) => ParameterValue::Boolean(*value),
        Some(Value::Number(number)) => ParameterValue::Number(number.to_string()),
        Some(Value::String(text)) => ParameterValue::Text(text.clone()),
        Some(Value::Array(_) | Value::Object(_)) => ParameterValue::Other,
    };
    Ok(Parameter { kind, value })
}

type Context = (Vec<String>, Vec<(String, Box<RawValue>)>);

fn read_context(members: &Map<String, Value>, raw: &RawMembers<'_>) -> Result<Context, SubmitError> {
    let context = match present(members, "context") {
        None => return Ok((Vec::new(), Vec::new())),
        Some(Value::Object(context)) => context,
        Some(_) => return Err(shape("the member `context` must be an object")),
    };
    if let Some(key) = context.keys().find(|key| is_reserved_context_key(key)) {
        return Err(SubmitError::ReservedContextKey { key: key.clone() });
    }
    let keys: Vec<_> = context.keys().cloned().collect();
    let text = raw.get("context").map_or("{}", |raw| raw.get());
    let mut values = raw_members(text.as_bytes())?;
    // In the order in which they came, so that people recognise their query.
    let raw = keys.iter().filter_map(|key| Some((key.clone(), values.remove(key)?.to_owned()))).collect();
    Ok((keys, raw))
}

type Plain = Vec<(&'static str, Box<RawValue>)>;

fn read_plain(members: &Map<String, Value>, raw: &RawMembers<'_>) -> Result<Plain, SubmitError> {
    let mut plain = Vec::new();
    for (name, is_right, expected) in PLAIN_MEMBERS {
        let Some(value) = present(members, name) else { continue };
        if !is_right(value) {
            return Err(shape(format!("the member `{name}` must be {expected}")));
        }
        plain.extend(raw.get(name).map(|raw| (name, (*raw).to_owned())));
    }
    Ok(plain)
}

/// An object written in this order
struct Members<'a>(Vec<(&'a str, Member<'a>)>);

#[derive(Serialize)]
#[serde(untagged)]
enum Member<'a> {
    Text(&'a str),
    Raw(&'a RawValue),
    Object(Members<'a>),
}

impl Serialize for Members<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, member)| (name, member)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Submit, SubmitError> {
        Submit::read(body.as_bytes(), 64)
    }

    fn sent(body: &str) -> String {
        let submit = read(body).unwrap();
        String::from_utf8(submit.body(&submit.query, &Owner::new("i", "alice"))).unwrap()
    }

    #[test]
    fn the_owner_is_added_to_the_context_and_unknown_members_stay_behind() {
        assert_eq!(
            sent(r#"{"query":"SELECT 1","queryX":"SELECT 2","__proto__":{}}"#),
            r#"{"query":"SELECT 1","context":{"msqGateOwner":"i|alice"}}"#
        );
    }

    #[test]
    fn values_cross_in_the_clients_own_digits() {
        let body = r#"{"context":{"b":9007199254740993,"a":18446744073709551616,"z":-0,"e":1e-999},"query":"SELECT ?","header":true,
            "resultFormat":"array","parameters":[ {"type":"DOUBLE","value":1.10} ],"typesHeader":null}"#;
        assert_eq!(
            sent(body),
            r#"{"query":"SELECT ?","resultFormat":"array","header":true,"parameters":[ {"type":"DOUBLE","value":1.10} ],"context":{"b":9007199254740993,"a":18446744073709551616,"z":-0,"e":1e-999,"msqGateOwner":"i|alice"}}"#
        );
    }

    #[test]
    fn a_statement_that_goes_out_as_it_came_goes_out_in_the_clients_own_escapes() {
        let submit = read(r#"{"query":"SELECT\u0020'\u00e9\/'\n"}"#).unwrap();
        let sent = |text: &str| String::from_utf8(submit.body(text, &Owner::new("i", "a"))).unwrap();
        let own = r#"{"query":"SELECT\u0020'\u00e9\/'\n","context":{"msqGateOwner":"i|a"}}"#;
        assert_eq!((submit.query.as_str(), sent(&submit.query).as_str()), ("SELECT 'é/'\n", own));
        assert!(sent("SELECT 'é/'").starts_with(r#"{"query":"SELECT 'é/'","#));
    }

    #[test]
    fn a_reserved_context_key_is_refused_however_it_is_spelt() {
        assert!(read(r#"{"query":"SELECT 1","context":{"msqGateOwnerX":"x"}}"#).is_ok());
        for key in ["msqGateOwner", "__user", r"msqGate\u004fwner", r"\u005f_user"] {
            let body = format!(r#"{{"query":"SELECT 1","context":{{"{key}":"x"}}}}"#);
            assert!(matches!(read(&body), Err(SubmitError::ReservedContextKey { .. })), "{key}");
        }
    }

    #[test]
    fn a_body_of_another_shape_is_refused() {
        for body in [
            "null",
            "[]",
            r#""SELECT 1""#,
            "{}",
            r#"{"query":null}"#,
            r#"{"query":""}"#,
            r#"{"query":1}"#,
            r#"{"query":["SELECT 1"]}"#,
            r#"{"QUERY":"SELECT 1"}"#,
            r#"{"query":"SELECT 1","context":"{}"}"#,
            r#"{"query":"SELECT 1","context":[]}"#,
            r#"{"query":"SELECT 1","header":"true"}"#,
            r#"{"query":"SELECT 1","parameters":{}}"#,
            r#"{"query":"SELECT 1","parameters":[1]}"#,
            r#"{"query":"SELECT 1","parameters":[{"value":1}]}"#,
            r#"{"query":"SELECT 1","query":"SELECT 2"}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
