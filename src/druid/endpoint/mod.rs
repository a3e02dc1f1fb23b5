//! Druid's endpoints, as far as the gate knows them; there is no "other"
//!
//! The [`table`] has one row each: method, path, by what it is judged, which query parameters cross, what its
//! requests carry and what it answers.

pub mod list;
pub mod parameter;
pub mod rule;
pub mod table;

use std::ops::Deref;

pub use list::List;
pub use parameter::{Parameter, Values};
pub use rule::{Asks, Rule, Runs, TaskUse};

use super::Method;

/// A row of the table: which requests it takes, and what they need
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its only method
    pub method: Method,
    /// Its path; `{task}`, `{datasource}` and the like stand for names
    pub path: &'static str,
    words: Words,
    /// The path by which Druid is asked, where that is another
    pub asked_by: Option<&'static str>,
    /// By what its requests are judged
    pub rule: Rule,
    /// The query parameters that cross; any other is left behind, as Druid ignores it
    pub parameters: &'static [Parameter],
    /// What its requests carry
    pub content: Content,
    /// How long its answer may take
    pub patience: Patience,
    /// The media types of its answers where it succeeds
    pub media_types: &'static [&'static str],
}

/// One of Druid's endpoints: a row of the table
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint(&'static Row);

impl Endpoint {
    /// The endpoint of this row
    pub const fn of(row: &'static Row) -> Self {
        Self(row)
    }

    /// Every one of them, in the order of the table
    pub fn all() -> impl Iterator<Item = Self> {
        table::TABLE.iter().flat_map(|rows| rows.iter()).map(Self)
    }

    /// The endpoint of this method and path in the table
    pub fn at(method: Method, path: &str) -> Option<Self> {
        Self::all().find(|endpoint| endpoint.method == method && endpoint.path == path)
    }

    /// The segments of its path
    pub fn words(self) -> &'static [&'static str] {
        let Words { words, count } = &self.0.words;
        words.get(..*count).unwrap_or_default()
    }

    /// The names in its path, in their order: `task`, `datasource` …
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.words().iter().filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Which of them it is about: a lookup, or the first
    pub fn subject(self) -> Option<&'static str> {
        self.names().find(|name| *name == "lookup").or_else(|| self.names().next())
    }

    /// Whether it runs a query as long as it answers
    pub fn is_query(self) -> bool {
        matches!(self.rule, Rule::Statement(Runs::AtOnce) | Rule::NativeQuery(_))
    }

    /// Whether its answer names a task that it has started
    pub fn starts_task(self) -> bool {
        matches!(self.rule, Rule::Statement(Runs::AsTask) | Rule::TaskSpec)
    }
}

impl Deref for Endpoint {
    type Target = Row;

    fn deref(&self) -> &Row {
        self.0
    }
}

const JSON: &[&str] = &["application/json"];
/// Rows come as JSON, lines of it or CSV (`ResultFormat`)
const ROWS: &[&str] = &["application/json", "text/plain", "text/csv"];
const TEXT: &[&str] = &["text/plain"];
/// The little that says how it went comes as either
const EITHER: &[&str] = &["application/json", "text/plain"];

/// An endpoint that takes nothing, and answers in JSON, soon
const fn row(method: Method, path: &'static str, rule: Rule) -> Row {
    Row {
        method,
        path,
        words: words(path),
        asked_by: None,
        rule,
        parameters: &[],
        content: Content::Nothing,
        patience: Patience::Control,
        media_types: JSON,
    }
}

/// A path has no more segments
const MOST_WORDS: usize = 11;

/// The segments of a path; taken apart when the gate is built, since each request is compared with all of them
#[derive(Debug, PartialEq, Eq)]
struct Words {
    words: [&'static str; MOST_WORDS],
    count: usize,
}

const fn words(path: &'static str) -> Words {
    let (mut words, mut count) = ([""; MOST_WORDS], 0);
    let mut left: &mut [&str] = &mut words;
    let (_, mut rest) = path.split_at(1);
    while !rest.is_empty() {
        let Some((word, others)) = left.split_first_mut() else { break };
        let end = first_slash(rest);
        (*word, _) = rest.split_at(end);
        (_, rest) = rest.split_at(if end < rest.len() { end + 1 } else { end });
        left = others;
        count += 1;
    }
    Words { words, count }
}

const fn first_slash(text: &str) -> usize {
    let mut bytes = text.as_bytes();
    let mut at = 0;
    while let Some((first, others)) = bytes.split_first() {
        if *first == b'/' {
            break;
        }
        bytes = others;
        at += 1;
    }
    at
}

const fn get(path: &'static str, rule: Rule) -> Row {
    row(Method::Get, path, rule)
}

const fn delete(path: &'static str, rule: Rule) -> Row {
    row(Method::Delete, path, rule)
}

const fn post(path: &'static str, content: Content, rule: Rule) -> Row {
    Row { content, ..row(Method::Post, path, rule) }
}

impl Row {
    /// With these query parameters
    const fn with(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    const fn answering(self, media_types: &'static [&'static str]) -> Self {
        Self { media_types, ..self }
    }

    const fn patiently(self) -> Self {
        Self { patience: Patience::Query, ..self }
    }

    const fn asked_by(self, path: &'static str) -> Self {
        Self { asked_by: Some(path), ..self }
    }
}

/// What an endpoint's requests carry
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing: a body is refused
    Nothing,
    /// Nothing, an empty body or `{}`
    EmptyOrObject,
    /// A JSON object with a statement in it, or a native query
    Query,
    /// A JSON object that is a task or a supervisor
    TaskSpec,
    /// Any JSON, about what the endpoint names
    Json,
    /// JSON about the datasource in the path, which it may name but no other
    OfDatasource,
    /// The same about how a datasource is compacted, which may set options of a task's JVM
    Compaction,
}

/// By which limit an endpoint's answer is awaited
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// `answer_seconds`
    Query,
    /// `control_answer_seconds`
    Control,
}

impl Patience {
    /// The limit's key under `[limits]`
    pub fn limit(self) -> &'static str {
        match self {
            Self::Query => "answer_seconds",
            Self::Control => "control_answer_seconds",
        }
    }
}
