//! A supervisor's specification as Druid tells it, and the datasources in it
//!
//! Druid writes `type` twice in some (`NoopSupervisorSpec`), and reads the first of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// What of a specification says its datasources
#[derive(Clone, Debug, Default)]
pub struct SupervisorSpec {
    kind: Option<String>,
    /// The members that may hold a datasource
    members: Vec<(&'static str, Value)>,
}

const MEMBERS: [&str; 4] = ["spec", "dataSchema", "dataSource", "dataSources"];

impl SupervisorSpec {
    /// Its datasources (`SupervisorSpec.getDataSources`); `None` where it is of a type that is not known
    pub fn datasources(&self) -> Option<Vec<String>> {
        match self.kind.as_deref()? {
            "kafka" | "kinesis" | "rabbit" => {
                self.text("spec", "/dataSchema/dataSource").or_else(|| self.text("dataSchema", "/dataSource"))
            }
            "autocompact" => self.text("spec", "/dataSource"),
            "scheduled_batch" => self.text("dataSource", ""),
            "NoopSupervisorSpec" => match self.member("dataSources") {
                None | Some(Value::Null) => Some(Vec::new()),
                Some(names) => names.as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect(),
            },
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn text(&self, member: &str, pointer: &str) -> Option<Vec<String>> {
        Some(vec![self.member(member)?.pointer(pointer)?.as_str()?.to_owned()])
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
                while let Some(name) = members.next_key::<String>()? {
                    match MEMBERS.into_iter().find(|known| *known == name) {
                        Some(known) if spec.member(known).is_some() => return Err(A::Error::custom("twice")),
                        Some(known) => spec.members.push((known, members.next_value()?)),
                        None if name == "type" && spec.kind.is_none() => {
                            spec.kind = Some(members.next_value()?);
                        }
                        None => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(spec)
            }
        }
        deserializer.deserialize_map(Spec)
    }
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
