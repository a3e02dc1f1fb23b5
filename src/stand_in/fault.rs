//! Why Druid answers no, in the shapes in which it says so (`DruidException`, `ErrorResponse`)

use serde_json::{Map, Value, json};

use super::word::{Place, Token};

/// A failure as Druid's SQL endpoints tell it
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// HTTP's word for it
    pub(super) status: u16,
    code: &'static str,
    persona: &'static str,
    category: &'static str,
    message: String,
    context: Map<String, Value>,
}

impl Fault {
    /// A statement that cannot be run
    pub(super) fn sql(message: impl Into<String>) -> Self {
        let mut context = Map::new();
        context.insert("sourceType".to_owned(), json!("sql"));
        Self { context, ..Self::input(message) }
    }

    /// A statement that cannot be run, for what stands at a place in it
    pub(super) fn at(place: Place, message: &str) -> Self {
        let mut fault = Self::sql(format!("{message} (line [{}], column [{}])", place.line, place.column));
        for (key, number) in [
            ("line", place.line),
            ("column", place.column),
            ("endLine", place.line),
            ("endColumn", place.end_column),
        ] {
            fault.context.insert(key.to_owned(), json!(number.to_string()));
        }
        fault
    }

    /// A token where another was wanted
    pub(super) fn unexpected(token: &Token, wanted: &str) -> Self {
        let mut fault = Self::at(token.place, &format!("Received an unexpected token [{}]", token.text()));
        fault.message.push_str(&format!(", acceptable options: [{wanted}]"));
        fault.context.insert("token".to_owned(), json!(token.text()));
        fault.context.insert("expected".to_owned(), json!(format!("[{wanted}]")));
        fault
    }

    /// A request that asks for what cannot be (`InvalidInput`)
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: "invalidInput",
            persona: "USER",
            category: "INVALID_INPUT",
            message: message.into(),
            context: Map::new(),
        }
    }

    /// A request that comes at the wrong time
    pub(super) fn untimely(message: impl Into<String>) -> Self {
        Self { code: "general", ..Self::input(message) }
    }

    /// A failure behind the endpoint
    pub(super) fn inner(message: impl Into<String>) -> Self {
        Self {
            status: 500,
            code: "general",
            persona: "DEVELOPER",
            category: "UNCATEGORIZED",
            ..Self::input(message)
        }
    }

    /// A statement that nobody knows (`SqlStatementResource`)
    pub(super) fn no_statement(id: &str) -> Self {
        let message = format!(
            "Query [{id}] was not found. The query details are no longer present or might not be of the type \
             [query_controller]. Verify that the id is correct."
        );
        Self { status: 404, code: "notFound", category: "NOT_FOUND", ..Self::input(message) }
    }

    /// A statement that was cancelled (`CanceledFault`)
    pub(super) fn cancelled() -> Self {
        let mut fault = Self::inner("Query canceled due to task shutdown");
        fault.code = "Canceled";
        fault.persona = "USER";
        fault.context.insert("reason".to_owned(), json!("TASK_SHUTDOWN"));
        fault
    }

    /// Its text
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// As JSON
    pub(super) fn to_json(&self) -> Value {
        json!({
            "error": "druidException",
            "errorCode": self.code,
            "persona": self.persona,
            "category": self.category,
            "errorMessage": self.message,
            "context": self.context,
        })
    }
}
