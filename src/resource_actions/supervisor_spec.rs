//! A supervisor's specification as Druid tells it, and the datasources in it
//!
//! Druid writes `type` twice in some (`NoopSupervisorSpec`), and reads the first of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What of a specification says its datasources; the rest of it, which may be long, is not kept
#[derive(Clone, Debug, Default)]
pub struct SupervisorSpec {
    kind: Option<String>,
    id: Option<String>,
    spec: Option<Inner>,
    data_schema: Option<Inner>,
    data_source: Option<String>,
    data_sources: Option<Option<Vec<String>>>,
}

/// What may stand within
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    data_source: Option<String>,
    data_schema: Option<Box<Inner>>,
}

impl SupervisorSpec {
    /// Its datasources (`SupervisorSpec.getDataSources`); `None` where it is of a type that is not known
    pub fn datasources(&self) -> Option<Vec<String>> {
        let one = match self.kind.as_deref()? {
            "kafka" | "kinesis" | "rabbit" => {
                let within = self.spec.as_ref().and_then(|spec| spec.data_schema.as_deref());
                within.or(self.data_schema.as_ref())?.data_source.clone()?
            }
            "autocompact" => self.spec.as_ref()?.data_source.clone()?,
            "scheduled_batch" => self.data_source.clone()?,
            "NoopSupervisorSpec" => {
                return self.data_sources.clone().unwrap_or_else(|| Some(Vec::new()));
            }
            _ => return None,
        };
        Some(vec![one])
    }

    /// Whether its type is one of a supervisor, and of no task
    pub fn is_supervisor(&self) -> bool {
        let of_supervisors =
            ["kafka", "kinesis", "rabbit", "autocompact", "scheduled_batch", "NoopSupervisorSpec"];
        self.kind.as_deref().is_some_and(|kind| of_supervisors.contains(&kind))
    }

    /// The id under which it would run: its own, or that of its datasource
    pub fn id(&self) -> Option<String> {
        self.id.clone().or_else(|| self.datasources()?.into_iter().next())
    }
}

impl<'de> Deserialize<'de> for SupervisorSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spec;
        impl<'de> Visitor<'de> for Spec {
            type Value = SupervisorSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a supervisor's specification")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut spec = SupervisorSpec::default();
                let mut seen = Vec::new();
                while let Some(name) = members.next_key::<String>()? {
                    if !KEPT.contains(&name.as_str()) || name == "type" && spec.kind.is_some() {
                        members.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let raw: &RawValue = members.next_value()?;
                    match name.as_str() {
                        "type" => spec.kind = read(raw),
                        "id" => spec.id = read(raw),
                        "spec" => spec.spec = read(raw),
                        "dataSchema" => spec.data_schema = read(raw),
                        "dataSource" => spec.data_source = read(raw),
                        _ => spec.data_sources = Some(names(raw)),
                    }
                    if seen.contains(&name) {
                        return Err(A::Error::custom("twice"));
                    }
                    seen.push(name);
                }
                Ok(spec)
            }
        }
        deserializer.deserialize_map(Spec)
    }
}

const KEPT: [&str; 6] = ["type", "id", "spec", "dataSchema", "dataSource", "dataSources"];

/// What has another shape is not what is looked for
fn read<'de, T: Deserialize<'de>>(raw: &'de RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// No names for `null`; `None` for what is no list of names
fn names(raw: &RawValue) -> Option<Vec<String>> {
    read::<Option<Vec<String>>>(raw).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datasources(spec: &str) -> Option<Vec<String>> {
        serde_json::from_str::<SupervisorSpec>(spec).ok()?.datasources()
    }

    #[test]
    fn the_datasources_of_each_type_are_found_and_of_no_other() {
        let a = Some(vec!["a".to_owned()]);
        for spec in [
            r#"{"type":"kafka","spec":{"dataSchema":{"dataSource":"a"}},"dataSchema":{"dataSource":"a"}}"#,
            r#"{"type":"kinesis","dataSchema":{"dataSource":"a"}}"#,
            r#"{"spec":{"dataSource":"a"},"type":"autocompact"}"#,
            r#"{"type":"scheduled_batch","dataSource":"a","spec":{"query":"x"}}"#,
            r#"{"type":"NoopSupervisorSpec","dataSources":["a"],"type":"noop","source":"noop"}"#,
        ] {
            assert_eq!(datasources(spec), a, "{spec}");
        }
        assert_eq!(datasources(r#"{"type":"NoopSupervisorSpec","dataSources":null}"#), Some(Vec::new()));
        for spec in [
            r#"{"type":"new","dataSource":"a"}"#,
            r#"{"dataSource":"a"}"#,
            r#"{"type":"kafka"}"#,
            r#"{"type":"autocompact","spec":{"dataSource":"a"},"spec":{"dataSource":"b"}}"#,
            r#"{"type":"noop","dataSources":["a"],"type":"NoopSupervisorSpec"}"#,
            "[]",
        ] {
            assert_eq!(datasources(spec), None, "{spec}");
        }
    }
}
