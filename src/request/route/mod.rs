//! What is being asked: from method and path to an endpoint of Druid
//!
//! An allow-list: a path that is not in the table is refused, whatever it may be to Druid.

pub mod closed;
pub mod own;
pub mod table;

use std::fmt::Write;

use crate::druid::path::{Escaped, Segment, TargetError, query_parameters};
use crate::druid::{CanonicalPath, DruidRequest, Endpoint, Method};
use closed::Closed;
use table::{Parameter, ROUTES, Route, Values};

/// Where a request goes: an endpoint, and the id in its path
#[derive(Clone, Debug)]
pub struct Destination {
    route: &'static Route,
    id: Option<String>,
}

/// Why a request goes nowhere
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No row has this path
    #[error("{0}")]
    UnknownEndpoint(Closed),
    /// A row has this path, with other methods
    #[error("this endpoint takes {}", words(.allowed))]
    Method {
        /// The methods it takes
        allowed: Vec<Method>,
    },
    /// A query parameter stands twice, or has a value that it cannot have
    #[error("the query parameter `{name}` {fault}")]
    Parameter {
        /// Its name
        name: &'static str,
        /// What is wrong with it
        fault: &'static str,
    },
    /// The query string has no single reading
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// The methods as HTTP writes them in `Allow`
pub fn words(methods: &[Method]) -> String {
    methods.iter().map(|method| method.word()).collect::<Vec<_>>().join(", ")
}

/// Finds the row of this method and path
///
/// # Errors
///
/// Where there is none.
pub fn classify(method: Option<Method>, path: &CanonicalPath) -> Result<Destination, RouteError> {
    let mut allowed = Vec::new();
    for route in ROUTES {
        if let Some(id) = match_path(route, path.segments()) {
            if method == Some(route.method) {
                return Ok(Destination { route, id });
            }
            allowed.push(route.method);
        }
    }
    let unknown = || RouteError::UnknownEndpoint(Closed::of(path));
    Err(if allowed.is_empty() { unknown() } else { RouteError::Method { allowed } })
}

/// The id of a path that is this row's, or `None` where it is not; literal rows come before `{id}`
fn match_path(route: &Route, segments: &[Segment]) -> Option<Option<String>> {
    let words: Vec<_> = route.path.split('/').skip(1).collect();
    if words.len() != segments.len() {
        return None;
    }
    let mut id = None;
    for (word, segment) in words.into_iter().zip(segments) {
        match word {
            "{id}" if is_task_id(segment.text()) && !is_reserved(route.endpoint, segment) => {
                id = Some(segment.text().to_owned());
            }
            literal if segment.is_literally(literal) => {}
            _ => return None,
        }
    }
    Some(id)
}

/// `enabled` is no statement's id: Jersey's literal path wins over the template
fn is_reserved(endpoint: Endpoint, segment: &Segment) -> bool {
    let of_statement = matches!(endpoint, Endpoint::StatementStatus | Endpoint::StatementCancel);
    of_statement && segment.text() == "enabled"
}

/// Druid's `IdUtils.validateId`: no leading dot, no slash, no white space but the plain space
fn is_task_id(text: &str) -> bool {
    !text.starts_with('.') && !text.chars().any(|character| character.is_whitespace() && character != ' ')
}

impl Destination {
    /// The endpoint
    pub fn endpoint(&self) -> Endpoint {
        self.route.endpoint
    }

    /// The path of its row in the table
    pub fn row(&self) -> &'static str {
        self.route.path
    }

    /// The method that it takes
    pub fn method(&self) -> Method {
        self.route.method
    }

    /// The task or statement id, decoded
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The request that Druid will get, as far as its target says: with this query string and body
    ///
    /// # Errors
    ///
    /// Where the query string has no single reading, or a value that it cannot have.
    pub fn request(&self, query: Option<&str>, body: Vec<u8>) -> Result<DruidRequest, RouteError> {
        Ok(DruidRequest {
            endpoint: self.endpoint(),
            method: self.method(),
            id: self.id.clone(),
            target: self.target(query)?,
            body,
        })
    }

    /// The path as Druid will get it: written from the table and the id, not from what arrived
    pub fn path(&self) -> String {
        match &self.id {
            Some(id) => self.route.path.replace("{id}", &Escaped(id).to_string()),
            None => self.route.path.to_owned(),
        }
    }

    /// Path and query as Druid will get them; parameters that the table does not name stay behind
    ///
    /// # Errors
    ///
    /// Where a parameter that crosses stands twice (Jersey would take the first) or has a value that it
    /// cannot have.
    pub fn target(&self, query: Option<&str>) -> Result<String, RouteError> {
        let arrived = query_parameters(query.unwrap_or(""))?;
        let mut target = self.path();
        for parameter in self.route.parameters {
            let mut values =
                arrived.iter().filter(|(name, _)| name == parameter.name).map(|(_, value)| value);
            let Some(value) = values.next() else { continue };
            if values.next().is_some() {
                return Err(RouteError::Parameter { name: parameter.name, fault: "stands twice" });
            }
            append(&mut target, *parameter, value)?;
        }
        Ok(target)
    }
}

fn append(target: &mut String, parameter: Parameter, value: &str) -> Result<(), RouteError> {
    let name = parameter.name;
    if !may_be(parameter.values, value) {
        return Err(RouteError::Parameter { name, fault: "has a value that it cannot have" });
    }
    let separator = if target.contains('?') { '&' } else { '?' };
    // Writing to a String cannot fail.
    let _written = match parameter.values {
        Values::Flag => write!(target, "{separator}{name}"),
        Values::Boolean | Values::Natural | Values::Integer | Values::Word | Values::FileName => {
            write!(target, "{separator}{name}={}", Escaped(value))
        }
    };
    Ok(())
}

fn may_be(values: Values, value: &str) -> bool {
    match values {
        Values::Boolean => matches!(value, "true" | "false"),
        Values::Natural => is_number(value),
        Values::Integer => is_number(value.strip_prefix('-').unwrap_or(value)),
        Values::Word => {
            !value.is_empty() && value.len() <= 64 && value.chars().all(|c| c.is_ascii_alphanumeric())
        }
        Values::FileName => {
            !value.is_empty()
                && value.chars().count() <= 255
                && !value.chars().any(|c| c.is_control() || matches!(c, '"' | '/' | '\\' | ';'))
        }
        Values::Flag => true,
    }
}

fn is_number(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<i64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(method: Method, path: &str) -> Result<(Endpoint, Option<String>), RouteError> {
        let destination = classify(Some(method), &CanonicalPath::parse(path).unwrap())?;
        Ok((destination.endpoint(), destination.id().map(str::to_owned)))
    }

    #[test]
    fn every_row_is_reached_by_its_own_path_with_and_without_a_trailing_slash() {
        for route in ROUTES {
            for path in [route.path.to_owned(), format!("{}/", route.path)] {
                let path = path.replace("{id}", "query-1");
                let (endpoint, id) = go(route.method, &path).unwrap();
                assert_eq!(endpoint, route.endpoint, "{path}");
                assert_eq!(id.is_some(), route.path.contains("{id}"));
            }
        }
    }

    #[test]
    fn another_method_is_told_which_are_allowed_and_another_path_is_unknown() {
        assert_eq!(
            go(Method::Post, "/druid/v2/sql/statements/x"),
            Err(RouteError::Method { allowed: vec![Method::Get, Method::Delete] })
        );
        for path in [
            "/druid/v2",
            "/druid/v2/SQL",
            "/druid/v2/%73ql",
            "/druid/v2/sql/avatica",
            "/druid/v2/sql/x",
            "/proxy/overlord/druid/indexer/v1/task",
            "/druid/indexer/v1/tasks",
            "/druid/indexer/v1/task/.x/status",
        ] {
            assert!(matches!(go(Method::Post, path), Err(RouteError::UnknownEndpoint(_))), "{path}");
        }
    }

    #[test]
    fn enabled_is_not_a_statement() {
        assert_eq!(
            go(Method::Get, "/druid/v2/sql/statements/enabled"),
            Ok((Endpoint::SqlStatementsEnabled, None))
        );
        assert!(matches!(
            go(Method::Delete, "/druid/v2/sql/statements/enabled"),
            Err(RouteError::Method { .. })
        ));
    }

    #[test]
    fn known_parameters_cross_once_and_unknown_ones_stay_behind() {
        let path = CanonicalPath::parse("/druid/v2/sql/statements/a%20b/results").unwrap();
        let results = classify(Some(Method::Get), &path).unwrap();
        let base = "/druid/v2/sql/statements/a%20b/results";
        assert_eq!(results.target(None).unwrap(), base);
        assert_eq!(
            results.target(Some("resultFormat=csv&page=0&_method=DELETE")).unwrap(),
            format!("{base}?page=0&resultFormat=csv")
        );
        for query in ["page=0&page=1", "page=-1", "page=", "filename=a%22b", "resultFormat=a/b"] {
            assert!(results.target(Some(query)).is_err(), "{query}");
        }
    }
}
