//! Why Druid answers no, in the shapes in which it says so (`DruidException`, `ErrorResponse`)

use serde_json::{Map, Value, json};

use super::word::{Place, Token};

/// A failure as Druid's SQL endpoints tell it
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault(Box<Details>);

#[derive(Clone, Debug, PartialEq)]
struct Details {
    status: u16,
    code: &'static str,
    persona: &'static str,
    category: &'static str,
    message: String,
    context: Map<String, Value>,
}

impl Fault {
    /// A statement that cannot be run
    pub(super) fn sql(message: impl Into<String>) -> Self {
        Self::input(message).noting("sourceType", "sql")
    }

    /// A statement that cannot be run, for what stands at a place in it
    pub(super) fn at(place: Place, message: &str) -> Self {
        Self::sql(format!("{message} (line [{}], column [{}])", place.line, place.column))
            .noting("line", &place.line.to_string())
            .noting("column", &place.column.to_string())
            .noting("endLine", &place.line.to_string())
            .noting("endColumn", &place.end_column.to_string())
    }

    /// A token where another was wanted
    pub(super) fn unexpected(token: &Token, wanted: &str) -> Self {
        let text = token.text();
        let mut fault = Self::at(token.place, &format!("Received an unexpected token [{text}]"));
        fault.0.message.push_str(&format!(", acceptable options: [{wanted}]"));
        fault.noting("token", text).noting("expected", &format!("[{wanted}]"))
    }

    /// A request that asks for what cannot be (`InvalidInput`)
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            status: 400,
            code: "invalidInput",
            persona: "USER",
            category: "INVALID_INPUT",
            message: message.into(),
            context: Map::new(),
        }))
    }

    /// A request that comes at the wrong time
    pub(super) fn untimely(message: impl Into<String>) -> Self {
        let mut fault = Self::input(message);
        fault.0.code = "general";
        fault
    }

    /// A statement that the planner gave up on (`QueryHandler`)
    pub(super) fn unplanned(guess: &str) -> Self {
        let mut fault = Self::untimely(format!(
            "Query planning failed for unknown reason, our best guess is this [{guess}]"
        ));
        fault.0.persona = "ADMIN";
        fault
    }

    /// A failure behind the endpoint
    pub(super) fn inner(message: impl Into<String>) -> Self {
        let mut fault = Self::untimely(message);
        fault.0.status = 500;
        fault.0.persona = "DEVELOPER";
        fault.0.category = "UNCATEGORIZED";
        fault
    }

    /// A statement that nobody knows (`SqlStatementResource`)
    pub(super) fn no_statement(id: &str) -> Self {
        let mut fault = Self::input(format!(
            "Query [{id}] was not found. The query details are no longer present or might not be of the type \
             [query_controller]. Verify that the id is correct."
        ));
        fault.0.status = 404;
        fault.0.code = "notFound";
        fault.0.category = "NOT_FOUND";
        fault
    }

    /// A statement that was cancelled (`CanceledFault`)
    pub(super) fn cancelled() -> Self {
        let mut fault = Self::inner("Query canceled due to task shutdown");
        fault.0.code = "Canceled";
        fault.0.persona = "USER";
        fault.noting("reason", "TASK_SHUTDOWN")
    }

    fn noting(mut self, key: &str, value: &str) -> Self {
        self.0.context.insert(key.to_owned(), json!(value));
        self
    }

    /// HTTP's word for it
    pub(super) fn status(&self) -> u16 {
        self.0.status
    }

    /// Its text
    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    /// As JSON
    pub(super) fn to_json(&self) -> Value {
        json!({
            "error": "druidException",
            "errorCode": self.0.code,
            "persona": self.0.persona,
            "category": self.0.category,
            "errorMessage": self.0.message,
            "context": self.0.context,
        })
    }
}
