//! Whether a statement asks for durable storage (Druid's `MultiStageQueryContext`)

use super::query_context::ContextValue;
use super::sql::{Judgement, StatementKind};
use super::submit::Submit;
use crate::druid::Endpoint;
use crate::druid::endpoint::{Rule, Runs};

/// Results of stages go to durable storage
const DURABLE_SHUFFLE_STORAGE: &str = "durableShuffleStorage";
/// Workers that fail are replaced, which rests on results of stages in durable storage
const FAULT_TOLERANCE: &str = "faultTolerance";
/// Where the rows of a SELECT go (`MSQSelectDestination`)
const SELECT_DESTINATION: &str = "selectDestination";

/// Whether a request asks for durable storage
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// It runs without
    NotAsked,
    /// Its query context asks for it
    Asked {
        /// By these keys; without every one of them it runs without
        by: Vec<&'static str>,
    },
}

impl Storage {
    /// What the statement of a submit asks for at an endpoint
    ///
    /// Only the multi-stage query engine knows these keys, and an EXPLAIN runs nothing.
    pub fn asked(endpoint: Endpoint, submit: &Submit, judgement: &Judgement) -> Self {
        let runs_as_task = endpoint.rule == Rule::Statement(Runs::AsTask);
        if !runs_as_task || matches!(judgement.kind, StatementKind::Explain(_)) {
            return Self::NotAsked;
        }
        let context = Context { submit, judgement };
        let is_select = judgement.kind == StatementKind::Select;
        let destination = context.value(SELECT_DESTINATION).filter(|_| is_select);
        let is_stored = destination.is_some_and(|destination| destination.names("DURABLESTORAGE"));
        Self::of_keys(|key| context.value(key), is_stored)
    }

    /// What a query context of these values asks for, and rows that go to durable storage or not
    ///
    /// Fault tolerance switches durable storage on where the key for it is not given (`ControllerImpl`), which asks
    /// `containsKey`: a null is given too, and then a query that is to be fault tolerant fails.
    pub(super) fn of_keys(value: impl Fn(&str) -> Option<ContextValue>, is_stored: bool) -> Self {
        let is_true = |value: ContextValue| value.boolean() == Some(true);
        let shuffle = value(DURABLE_SHUFFLE_STORAGE).map(is_true);
        let is_tolerant = shuffle != Some(false) && value(FAULT_TOLERANCE).is_some_and(is_true);
        let asking = [
            (DURABLE_SHUFFLE_STORAGE, shuffle == Some(true)),
            (FAULT_TOLERANCE, is_tolerant),
            (SELECT_DESTINATION, is_stored),
        ];
        let by: Vec<_> = asking.into_iter().filter_map(|(key, asks)| asks.then_some(key)).collect();
        if by.is_empty() { Self::NotAsked } else { Self::Asked { by } }
    }
}

/// The query context as Druid makes it of a request
struct Context<'a> {
    submit: &'a Submit,
    judgement: &'a Judgement,
}

impl Context<'_> {
    /// A value: of the last `SET`, or else of the JSON object beside the statement
    fn value(&self, key: &str) -> Option<ContextValue> {
        let setting = self.judgement.settings.iter().rfind(|setting| setting.key == key);
        let set = setting.map(|setting| setting.value.clone());
        set.or_else(|| self.submit.context_value(key).map(ContextValue::of_json))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::druid::Method;
    use crate::resource_actions::Rules;
    use crate::resource_actions::judged_statement::JudgedStatement;
    use crate::resource_actions::sql::SqlLimits;

    const INSERT: &str = "INSERT INTO b SELECT * FROM a PARTITIONED BY ALL";

    /// The keys by which this statement asks beside this context
    fn asked_at(path: &str, query: &str, context: &str) -> Vec<&'static str> {
        let endpoint = Endpoint::at(Method::Post, path).unwrap();
        let body = format!(r#"{{"query":{},"context":{context}}}"#, json!(query));
        let submit = Submit::read(body.as_bytes(), 64).unwrap();
        let (rules, limits) = (Rules::default(), SqlLimits::default());
        let judged = JudgedStatement::judge(query.to_owned(), Vec::new(), &rules, &limits).unwrap();
        match Storage::asked(endpoint, &submit, judged.judgement()) {
            Storage::NotAsked => Vec::new(),
            Storage::Asked { by } => by,
        }
    }

    fn asked(query: &str, context: &str) -> Vec<&'static str> {
        asked_at("/druid/v2/sql/task", query, context)
    }

    #[test]
    fn the_key_asks_where_druid_reads_it_as_true() {
        for value in ["true", r#""true""#, r#""TRUE""#, r#""tr\u0075e""#] {
            let context = format!(r#"{{"durableShuffleStorage":{value}}}"#);
            assert_eq!(asked("SELECT * FROM a", &context), [DURABLE_SHUFFLE_STORAGE], "{value}");
            assert_eq!(asked(INSERT, &context), [DURABLE_SHUFFLE_STORAGE], "{value}");
        }
        let raw = r#"{"$serde_json::private::RawValue":"true"}"#;
        for value in ["false", r#""true ""#, r#""1""#, "1", "null", "[true]", raw] {
            let context = format!(r#"{{"durableShuffleStorage":{value}}}"#);
            assert!(asked("SELECT * FROM a", &context).is_empty(), "{value}");
        }
        for context in ["{}", "null", r#"{"durableshufflestorage":true}"#, r#"{"timeout":1}"#] {
            assert!(asked("SELECT * FROM a", context).is_empty(), "{context}");
        }
    }

    #[test]
    fn set_overrides_the_context_and_the_last_one_wins() {
        let (on, off) = (r#"{"durableShuffleStorage":true}"#, r#"{"durableShuffleStorage":false}"#);
        for (query, context, is_asked) in [
            ("SET durableShuffleStorage = TRUE; SELECT * FROM a", "{}", true),
            ("SET durableShuffleStorage = TRUE; SELECT * FROM a", off, true),
            ("SET durableShuffleStorage = FALSE; SELECT * FROM a", on, false),
            ("SET \"durableShuffleStorage\" = 'True'; SELECT * FROM a", off, true),
            ("SET U&\"durable\\0053huffleStorage\" = U&'\\0074rue'; SELECT * FROM a", off, true),
            ("SET durableShuffleStorage = ' true'; SELECT * FROM a", on, false),
            ("SET durableShuffleStorage = 1; SELECT * FROM a", "{}", false),
            ("SET durableShuffleStorage = NULL; SELECT * FROM a", on, false),
            ("SET timeout = 1; SELECT * FROM a", on, true),
            (
                "SET durableShuffleStorage = FALSE; SET durableShuffleStorage = TRUE; SELECT * FROM a",
                off,
                true,
            ),
            (
                "SET durableShuffleStorage = TRUE; SET durableShuffleStorage = FALSE; SELECT * FROM a",
                on,
                false,
            ),
        ] {
            assert_eq!(!asked(query, context).is_empty(), is_asked, "{query} {context}");
        }
    }

    #[test]
    fn fault_tolerance_asks_by_itself_unless_the_key_says_no() {
        for (context, by) in [
            (r#"{"faultTolerance":true}"#, vec![FAULT_TOLERANCE]),
            (r#"{"faultTolerance":"True"}"#, vec![FAULT_TOLERANCE]),
            (
                r#"{"faultTolerance":true,"durableShuffleStorage":true}"#,
                vec![DURABLE_SHUFFLE_STORAGE, FAULT_TOLERANCE],
            ),
            (r#"{"faultTolerance":true,"durableShuffleStorage":false}"#, vec![]),
            (r#"{"faultTolerance":true,"durableShuffleStorage":"no"}"#, vec![]),
            (r#"{"faultTolerance":true,"durableShuffleStorage":null}"#, vec![]),
            (r#"{"faultTolerance":true,"durableShuffleStorage":1}"#, vec![]),
            (r#"{"faultTolerance":false}"#, vec![]),
            (r#"{"faultTolerance":1}"#, vec![]),
        ] {
            assert_eq!(asked(INSERT, context), by, "{context}");
        }
        let tolerant = r#"{"faultTolerance":true}"#;
        assert_eq!(asked(&format!("SET timeout = 1; {INSERT}"), tolerant), [FAULT_TOLERANCE]);
        assert!(asked(&format!("SET durableShuffleStorage = NULL; {INSERT}"), tolerant).is_empty());
    }

    #[test]
    fn the_rows_of_a_select_go_to_durable_storage_in_any_case_of_the_word() {
        for word in ["durableStorage", "DURABLESTORAGE", "durable\u{17f}torage"] {
            let context = json!({"selectDestination": word}).to_string();
            assert_eq!(asked("SELECT * FROM a", &context), [SELECT_DESTINATION], "{word}");
            assert!(asked(INSERT, &context).is_empty(), "an INSERT has another destination");
        }
        for word in ["taskReport", "durableStorage ", ""] {
            let context = json!({"selectDestination": word}).to_string();
            assert!(asked("SELECT * FROM a", &context).is_empty(), "{word}");
        }
        let set = "SET selectDestination = 'durableStorage'; SELECT * FROM a";
        assert_eq!(asked(set, r#"{"selectDestination":"taskReport"}"#), [SELECT_DESTINATION]);
    }

    #[test]
    fn only_what_runs_as_a_task_asks() {
        let context = r#"{"durableShuffleStorage":true,"selectDestination":"durableStorage"}"#;
        for endpoint in ["/druid/v2/sql/task", "/druid/v2/sql/statements"] {
            assert_eq!(asked_at(endpoint, "SELECT * FROM a", context).len(), 2, "{endpoint:?}");
            assert!(asked_at(endpoint, "EXPLAIN PLAN FOR SELECT * FROM a", context).is_empty());
        }
        assert!(asked_at("/druid/v2/sql", "SELECT * FROM a", context).is_empty());
    }
}
