//! What is being asked: from method and path to an endpoint of Druid
//!
//! An allow-list: a path that is not in the table is refused, whatever it may be to Druid.

pub mod closed;
pub mod own;

use std::fmt::Write;

use crate::druid::endpoint::{Parameter, Rule, Values};
use crate::druid::path::{Escaped, Segment, TargetError, query_parameters};
use crate::druid::resource::is_id;
use crate::druid::{CanonicalPath, DruidRequest, Endpoint, Method};
use closed::Closed;

/// Where a request goes: an endpoint, and the names in its path
#[derive(Clone, Debug)]
pub struct Destination {
    endpoint: Endpoint,
    names: Vec<String>,
}

/// Why a request goes nowhere
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No row has this path
    #[error("{0}")]
    UnknownEndpoint(Closed),
    /// Its row lets nobody through
    #[error("{0}")]
    Closed(&'static str),
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
    let word = |method: &Method| if *method == Method::Get { "GET, HEAD" } else { method.word() };
    methods.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// Finds the row of this method and path
///
/// # Errors
///
/// Where there is none.
pub fn classify(method: Option<Method>, path: &CanonicalPath) -> Result<Destination, RouteError> {
    let segments = without_prefix(path.segments());
    let mut matching = best_matching(segments);
    matching.retain(|endpoint| is_literally(*endpoint, segments));
    if matching.is_empty() {
        return Err(RouteError::UnknownEndpoint(Closed::of(path)));
    }
    let Some(found) = matching.iter().copied().find(|endpoint| method == Some(endpoint.method)) else {
        let allowed = matching.iter().map(|endpoint| endpoint.method).collect();
        return Err(RouteError::Method { allowed });
    };
    if let Rule::Closed(why) = found.rule {
        return Err(RouteError::Closed(why));
    }
    Ok(Destination { endpoint: found, names: names(found, segments) })
}

/// The router's management proxy asks the same services by their own paths (`AsyncManagementForwardingServlet`)
fn without_prefix(segments: &[Segment]) -> &[Segment] {
    let begins = |words: [&str; 4]| {
        segments.len() > words.len()
            && segments.iter().zip(words).all(|(segment, word)| segment.is_literally(word))
    };
    let is_alias = begins(["proxy", "coordinator", "druid", "coordinator"])
        || begins(["proxy", "overlord", "druid", "indexer"]);
    if is_alias { segments.get(2..).unwrap_or_default() } else { segments }
}

/// The rows of this path as decoded; a literal word wins over a name, as in Jersey
///
/// So no name is ever another row's word, which it would be when it is written anew.
fn best_matching(segments: &[Segment]) -> Vec<Endpoint> {
    let mut matching: Vec<_> = Endpoint::all().filter(|endpoint| matches(*endpoint, segments)).collect();
    let most = matching.iter().map(|endpoint| literals(*endpoint)).max();
    matching.retain(|endpoint| Some(literals(*endpoint)) == most);
    matching
}

/// The words of a row's path, each with the segment in its place
fn in_place(endpoint: Endpoint, segments: &[Segment]) -> impl Iterator<Item = (&'static str, &Segment)> {
    endpoint.words().iter().copied().zip(segments)
}

fn matches(endpoint: Endpoint, segments: &[Segment]) -> bool {
    let fits = |(word, segment): (&str, &Segment)| match name_of(word) {
        Some(name) => may_be(name, segment.text()),
        None => segment.text() == word,
    };
    endpoint.words().len() == segments.len() && in_place(endpoint, segments).all(fits)
}

/// Whether the words of its path stand there without escapes
fn is_literally(endpoint: Endpoint, segments: &[Segment]) -> bool {
    in_place(endpoint, segments).all(|(word, segment)| name_of(word).is_some() || segment.is_literally(word))
}

fn literals(endpoint: Endpoint) -> usize {
    endpoint.words().iter().filter(|word| name_of(word).is_none()).count()
}

fn names(endpoint: Endpoint, segments: &[Segment]) -> Vec<String> {
    let named = in_place(endpoint, segments).filter(|(word, _)| name_of(word).is_some());
    named.map(|(_, segment)| segment.text().to_owned()).collect()
}

/// `task`, of `{task}`
fn name_of(word: &str) -> Option<&str> {
    word.strip_prefix('{')?.strip_suffix('}')
}

/// What may stand for a name; whatever begins with `avatica` is JDBC to the router (`AsyncQueryForwardingServlet`)
fn may_be(name: &str, text: &str) -> bool {
    is_id(text) && !(name == "query" && text.starts_with("avatica"))
}

impl Destination {
    /// The endpoint
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The names in its path, decoded, with what each is
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.endpoint.names().zip(self.names.iter().map(String::as_str))
    }

    fn name(&self, wanted: &str) -> Option<&str> {
        self.names().find(|(name, _)| *name == wanted).map(|(_, text)| text)
    }

    /// The name that the endpoint is about, decoded
    pub fn id(&self) -> Option<&str> {
        self.name(self.endpoint.subject()?)
    }

    /// The id of the task or statement in its path
    pub fn task(&self) -> Option<&str> {
        self.name("task").or_else(|| self.name("statement"))
    }

    /// The request that Druid will get, as far as its target says: with this query string and body
    ///
    /// # Errors
    ///
    /// Where the query string has no single reading, or a value that it cannot have.
    pub fn request(&self, query: Option<&str>, body: Vec<u8>) -> Result<DruidRequest, RouteError> {
        let crossing = self.crossing(query)?;
        self.check_segment()?;
        let of_datasource = crossing.iter().find(|(parameter, _)| parameter.values == Values::Datasource);
        Ok(DruidRequest {
            endpoint: self.endpoint,
            id: self.id().map(str::to_owned),
            datasource: of_datasource.map(|(_, name)| name.clone()),
            target: self.target(&crossing),
            body,
        })
    }

    /// A segment is of the datasource in its path: Druid marks those of any as used (`DataSourcesResource`)
    fn check_segment(&self) -> Result<(), RouteError> {
        let (Some(segment), Some(datasource)) = (self.name("segment"), self.name("datasource")) else {
            return Ok(());
        };
        let is_its_own = segment.strip_prefix(datasource).is_some_and(|rest| rest.starts_with('_'));
        let fault = "is of another datasource than the path";
        if is_its_own { Ok(()) } else { Err(RouteError::Parameter { name: "segment", fault }) }
    }

    /// The path as Druid will get it: written from the table and the names, not from what arrived
    fn path(&self) -> String {
        let mut names = self.names.iter();
        let path = self.endpoint.asked_by.unwrap_or(self.endpoint.path);
        let words = path.split('/').skip(1).map(|word| match name_of(word) {
            Some(_) => Escaped(names.next().map_or("", String::as_str)).to_string(),
            None => word.to_owned(),
        });
        words.fold(String::new(), |path, word| path + "/" + &word)
    }

    /// The parameters that cross; those that the table does not name stay behind
    ///
    /// # Errors
    ///
    /// Where one stands twice (Jersey would take the first) or has a value that it cannot have.
    fn crossing(&self, query: Option<&str>) -> Result<Vec<(Parameter, String)>, RouteError> {
        let arrived = query_parameters(query.unwrap_or(""))?;
        let mut crossing = Vec::new();
        for parameter in self.endpoint.parameters {
            let name = parameter.name;
            let fault = |fault| RouteError::Parameter { name, fault };
            for (count, (_, value)) in arrived.iter().filter(|(other, _)| other == name).enumerate() {
                if count > 0 && !parameter.repeats {
                    return Err(fault("stands twice"));
                }
                if let Values::Refused(instead) = parameter.values {
                    return Err(fault(instead));
                }
                if !parameter.values.include(value) {
                    return Err(fault("has a value that it cannot have"));
                }
                crossing.push((*parameter, value.clone()));
            }
        }
        Ok(crossing)
    }

    /// Path and query as Druid will get them
    fn target(&self, crossing: &[(Parameter, String)]) -> String {
        let mut target = self.path();
        for (parameter, value) in crossing {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(parameter.name);
            if parameter.values != Values::Flag {
                // Writing to a String cannot fail.
                let _written = write!(target, "={}", Escaped(value));
            }
        }
        target
    }
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
        for row in Endpoint::all().filter(|row| !matches!(row.rule, Rule::Closed(_))) {
            for path in [row.path.to_owned(), format!("{}/", row.path)] {
                let path = path.replace(['{', '}'], "");
                let (endpoint, id) = go(row.method, &path).unwrap();
                assert_eq!(endpoint, row, "{path}");
                assert_eq!(id.as_deref(), row.subject());
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
            "/druid",
            "/druid/v2/%73ql",
            "/druid/v2/sql/avatica",
            "/druid/v2/sql/avatica-protobuf",
            "/druid/v2/sql/x/y",
            "/proxy/overlord/druid/coordinator/v1/leader",
            "/proxy/Overlord/druid/indexer/v1/task",
            "/proxy/coordinator/druid/indexer/v1/task",
            "/proxy/coordinator/proxy/coordinator/druid/coordinator/v1/leader",
            "/druid/indexer/v1/action",
            "/druid/indexer/v1/task/.x/status",
        ] {
            for method in [Method::Get, Method::Post, Method::Delete] {
                assert!(matches!(go(method, path), Err(RouteError::UnknownEndpoint(_))), "{path}");
            }
        }
    }

    #[test]
    fn a_word_of_another_row_is_never_a_name() {
        assert_eq!(go(Method::Get, "/druid/v2/sql/statements/enabled").unwrap().1, None);
        for (method, path) in [
            (Method::Delete, "/druid/v2/sql/statements/enabled"),
            (Method::Delete, "/druid/v2/sql"),
            (Method::Delete, "/druid/v2/sql/task"),
            (Method::Get, "/druid/indexer/v1/supervisor/suspendAll"),
        ] {
            assert!(matches!(go(method, path), Err(RouteError::Method { .. })), "{path}");
            let (rest, last) = path.split_at(path.len() - 1);
            let escaped = format!("{rest}%{:02X}", last.as_bytes()[0]);
            assert!(matches!(go(method, &escaped), Err(RouteError::UnknownEndpoint(_))), "{escaped}");
        }
    }

    #[test]
    fn the_management_proxys_paths_are_those_behind_it() {
        for (alias, path) in [
            ("/proxy/overlord/druid/indexer/v1/task/a/status", "/druid/indexer/v1/task/a/status"),
            ("/proxy/coordinator/druid/coordinator/v1/datasources", "/druid/coordinator/v1/datasources"),
        ] {
            assert_eq!(go(Method::Get, alias).unwrap(), go(Method::Get, path).unwrap());
            let destination = classify(Some(Method::Get), &CanonicalPath::parse(alias).unwrap()).unwrap();
            assert_eq!(destination.request(None, Vec::new()).unwrap().target, path);
        }
        let security = "/proxy/coordinator/druid-ext/basic-security/authorization/db/b/roles/a%20b";
        let destination = classify(Some(Method::Get), &CanonicalPath::parse(security).unwrap()).unwrap();
        assert_eq!(destination.request(None, Vec::new()).unwrap().target, security);
    }

    #[test]
    fn known_parameters_cross_as_often_as_they_may_and_unknown_ones_stay_behind() {
        let target = |path: &str, query| {
            let path = CanonicalPath::parse(path).unwrap();
            let destination = classify(Some(Method::Get), &path).unwrap();
            destination.request(query, Vec::new()).map(|request| request.target)
        };
        let base = "/druid/v2/sql/statements/a%20b/results";
        assert_eq!(target(base, None).unwrap(), base);
        assert_eq!(
            target(base, Some("resultFormat=csv&page=0&_method=DELETE")).unwrap(),
            format!("{base}?page=0&resultFormat=csv")
        );
        for query in ["page=0&page=1", "page=-1", "page=", "filename=a%22b", "resultFormat=a/b"] {
            assert!(target(base, Some(query)).is_err(), "{query}");
        }
        let segments = "/druid/coordinator/v1/metadata/segments";
        let query = "datasources=a&datasources=b%26c";
        assert_eq!(target(segments, Some(query)).unwrap(), format!("{segments}?{query}"));
    }

    #[test]
    fn a_segment_is_of_the_datasource_in_its_path() {
        let request = |path: &str| {
            let path = CanonicalPath::parse(path).unwrap();
            classify(Some(Method::Post), &path).unwrap().request(None, Vec::new())
        };
        for base in
            ["/druid/coordinator/v1/datasources/a/segments", "/druid/indexer/v1/datasources/a/segments"]
        {
            assert!(request(&format!("{base}/a_1_2_v")).is_ok());
            for others in ["b_1_2_v", "a", "ab_1_2_v", "%61b_1"] {
                assert!(request(&format!("{base}/{others}")).is_err(), "{others}");
            }
        }
    }

    #[test]
    fn a_datasource_that_a_parameter_names_is_known() {
        let path = CanonicalPath::parse("/druid/indexer/v1/tasks").unwrap();
        let tasks = classify(Some(Method::Get), &path).unwrap();
        let named = |query| tasks.request(Some(query), Vec::new()).map(|request| request.datasource);
        assert_eq!(named("datasource=a%20b"), Ok(Some("a b".to_owned())));
        assert_eq!(named("state=running"), Ok(None));
        assert!(named("datasource=a&datasource=b").is_err());
        assert!(named("datasource=").is_err());
    }
}
