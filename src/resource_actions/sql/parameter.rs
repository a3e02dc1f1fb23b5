//! The values that a request binds to the question marks of its statement

/// One of Druid's `SqlParameter`s: `{"type":"VARCHAR","value":"a"}`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Its SQL type, as written
    pub kind: String,
    /// Its value
    pub value: ParameterValue,
}

/// The value of a parameter
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// About how much memory it takes
    pub fn bytes(&self) -> usize {
        let value = match &self.value {
            ParameterValue::Number(text) | ParameterValue::Text(text) => text.len(),
            ParameterValue::Null | ParameterValue::Boolean(_) | ParameterValue::Other => 0,
        };
        size_of::<Self>() + self.kind.len() + value
    }

    /// The string that it puts into the statement, where it surely is one
    ///
    /// Druid's `SqlParameterizerShuttle` makes a literal of the given type; only for the types of
    /// characters is that the string itself.
    pub(super) fn text(&self) -> Option<&str> {
        use ParameterValue::{Boolean, Null, Number, Other};
        let is_characters = ["VARCHAR", "CHAR"].iter().any(|kind| self.kind.eq_ignore_ascii_case(kind));
        match &self.value {
            ParameterValue::Text(text) => is_characters.then_some(text),
            Null | Boolean(_) | Number(_) | Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_a_character_type_names_something() {
        let text = |kind: &str, value: ParameterValue| {
            Parameter { kind: kind.to_owned(), value }.text().map(str::to_owned)
        };
        assert_eq!(text("varchar", ParameterValue::Text("a".to_owned())).as_deref(), Some("a"));
        assert_eq!(text("CHAR", ParameterValue::Text("a".to_owned())).as_deref(), Some("a"));
        assert_eq!(text("DATE", ParameterValue::Text("2000-01-01".to_owned())), None);
        assert_eq!(text("VARCHAR", ParameterValue::Number("1".to_owned())), None);
        assert_eq!(text("VARCHAR", ParameterValue::Other), None);
    }
}
