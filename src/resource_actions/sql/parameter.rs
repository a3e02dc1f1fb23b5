//! The values that a request binds to the question marks of its statement

/// One of Druid's `SqlParameter`s: `{"type":"VARCHAR","value":"a"}`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its SQL type, as written
    pub kind: String,
    /// Its value
    pub value: ParameterValue,
}

/// The value of a parameter
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterValue {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number, as written
    Number(String),
    /// A string
    Text(String),
    /// An array or an object
    Other,
}

impl Parameter {
    /// The string that it puts into the statement, where it surely is one
    ///
    /// Druid's `SqlParameterizerShuttle` makes a literal of the given type; only for the types of
    /// characters is that the string itself.
    pub(super) fn text(&self) -> Option<&str> {
        let is_characters = ["VARCHAR", "CHAR"].iter().any(|kind| self.kind.eq_ignore_ascii_case(kind));
        match &self.value {
            ParameterValue::Text(text) if is_characters => Some(text),
            ParameterValue::Text(_)
            | ParameterValue::Null
            | ParameterValue::Boolean(_)
            | ParameterValue::Number(_)
            | ParameterValue::Other => None,
        }
    }
}
