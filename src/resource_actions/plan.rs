//! Druid's own word on what a statement needs: the plan that EXPLAIN shows, as a third reader beside the two here
//!
//! `EXPLAIN PLAN FOR` answers one row; its RESOURCES is a list of `{"name","type"}`, one for each resource action,
//! without the action (`QueryHandler.planExplanation`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Needed;
use crate::druid::json;

/// The resources that a plan reads or writes, each by `TYPE NAME`, and how often it stands there
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedResources(BTreeMap<String, usize>);

/// The answer to an EXPLAIN says nothing of resources
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its plan does not say which resources the statement needs")]
pub struct UnreadablePlan;

impl PlannedResources {
    /// Reads the answer to an EXPLAIN, rows as objects
    ///
    /// # Errors
    ///
    /// Where it has not this shape.
    pub fn read(answer: &[u8], json_depth: usize) -> Result<Self, UnreadablePlan> {
        let rows = json::parse(answer, json_depth).map_err(|_| UnreadablePlan)?;
        let resources = rows.pointer("/0/RESOURCES").and_then(Value::as_str).ok_or(UnreadablePlan)?;
        let resources = json::parse(resources.as_bytes(), json_depth).map_err(|_| UnreadablePlan)?;
        let mut counts = BTreeMap::new();
        for resource in resources.as_array().ok_or(UnreadablePlan)? {
            let text = |member: &str| resource.get(member).and_then(Value::as_str).ok_or(UnreadablePlan);
            *counts.entry(format!("{} {}", text("type")?, text("name")?)).or_default() += 1;
        }
        Ok(Self(counts))
    }

    /// What the plan needs beyond what was judged, each by `TYPE NAME`; none is how it should be
    ///
    /// Where it needs less, the judge asks for more than Druid, which lets nothing through.
    pub fn beyond(&self, judged: &Needed) -> BTreeSet<String> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut judged = judged.resource_actions();
        judged.dedup_by(|one, other| one.action == other.action && one.resource == other.resource);
        for action in judged {
            let resource = &action.resource;
            *counts.entry(format!("{} {}", resource.kind.word(), resource.name)).or_default() += 1;
        }
        let beyond = self.0.iter().filter(|(name, count)| counts.get(*name).copied().unwrap_or(0) < **count);
        beyond.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::super::sql::{SqlLimits, SqlStatement, judge};
    use super::*;

    fn planned(resources: &str) -> PlannedResources {
        let row = serde_json::json!([{"PLAN": "[]", "RESOURCES": resources, "ATTRIBUTES": "{}"}]);
        PlannedResources::read(row.to_string().as_bytes(), 64).unwrap()
    }

    fn needs(text: &str) -> Needed {
        judge(&SqlStatement { text, parameters: &[] }, &Rules::default(), &SqlLimits::default())
            .unwrap()
            .needs
    }

    #[test]
    fn a_plan_that_needs_what_was_judged_needs_nothing_beyond() {
        let a = r#"{"name":"a","type":"DATASOURCE"}"#;
        for (text, resources) in [
            ("SELECT 1 FROM a", format!("[{a}]")),
            ("SELECT 1 FROM a, b, sys.tasks", format!("[{a}]")),
            ("SELECT 1", "[]".to_owned()),
            ("REPLACE INTO a OVERWRITE ALL SELECT 1 FROM a PARTITIONED BY ALL", format!("[{a},{a}]")),
        ] {
            assert_eq!(planned(&resources).beyond(&needs(text)), BTreeSet::new(), "{text}");
        }
    }

    #[test]
    fn a_plan_that_reads_another_datasource_or_reads_what_it_writes_is_told() {
        let (a, b) = (r#"{"name":"a","type":"DATASOURCE"}"#, r#"{"name":"b","type":"VIEW"}"#);
        for (text, resources, beyond) in [
            ("SELECT 1 FROM a", format!("[{a},{b}]"), "VIEW b"),
            ("SELECT 1", format!("[{a}]"), "DATASOURCE a"),
            ("INSERT INTO a SELECT 1 PARTITIONED BY ALL", format!("[{a},{a}]"), "DATASOURCE a"),
        ] {
            assert_eq!(
                planned(&resources).beyond(&needs(text)),
                BTreeSet::from([beyond.to_owned()]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_say_its_resources_is_no_plan() {
        for answer in
            ["", "[]", "{}", r#"[{"PLAN":"x"}]"#, r#"[{"RESOURCES":"{}"}]"#, r#"[{"RESOURCES":"[{}]"}]"#]
        {
            assert_eq!(PlannedResources::read(answer.as_bytes(), 64), Err(UnreadablePlan), "{answer}");
        }
    }
}
