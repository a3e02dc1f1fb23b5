//! The rows of a list that its caller may see: each is read, kept as it came, or left out

use std::ops::Range;
use std::sync::Arc;

use super::asked::Asked;
use super::elements::{Elements, NoList, Part};
use super::seeing::{MOST_BYTES, Seeing, Seen};
use crate::authorize::policy::Sight;
use crate::resource_actions::listed::Listed;

/// Leaves out of a list what its caller may not see, as it passes
#[derive(Debug)]
pub(super) struct Rows {
    elements: Elements,
    seeing: Seeing,
    is_first: bool,
}

/// Rows that have come, each with a comma before it
#[derive(Debug, Default)]
pub(super) struct Taken {
    bytes: Vec<u8>,
    /// Those of them that are seen only if more is found out
    pub(super) asked: Vec<Asked>,
}

impl Taken {
    fn row(&mut self, seen: Seen<'_>, row: &[u8]) {
        match seen {
            Seen::No => {}
            Seen::Yes(seen) => {
                self.push(&seen);
            }
            Seen::IfOwn { id, row: task } => {
                let at = self.push(row);
                self.asked.push(Asked { at, id, row: task });
            }
        }
    }

    fn push(&mut self, row: &[u8]) -> Range<usize> {
        let from = self.bytes.len();
        self.bytes.push(b',');
        self.bytes.extend_from_slice(row);
        from..self.bytes.len()
    }
}

impl Rows {
    pub(super) fn new(listed: Listed, sight: Sight) -> Self {
        Self { elements: Elements::new(MOST_BYTES), seeing: Seeing::new(listed, sight), is_first: true }
    }

    /// By what its rows are seen, and by whom
    pub(super) fn by(&self) -> (Arc<Listed>, Arc<Sight>) {
        self.seeing.by()
    }

    /// The rows of what has come that are seen, or may be
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Taken, NoList> {
        let mut taken = Taken { bytes: Vec::with_capacity(bytes.len() + 1), asked: Vec::new() };
        let Self { elements, seeing, .. } = self;
        elements.take(bytes, |part| {
            match part {
                Part::Begins(byte) | Part::Ends(byte) => taken.bytes.push(byte),
                Part::Element(element) => taken.row(seeing.of(element)?, element),
                Part::Ahead(bytes) => {
                    if let Some((seen, row)) = seeing.first(bytes)? {
                        taken.row(seen, row);
                        return Ok(row.len());
                    }
                }
            }
            Ok(0)
        })?;
        Ok(taken)
    }

    /// What is passed on of what was taken: all but these rows, with a comma between each two
    pub(super) fn join(&mut self, taken: Taken, unseen: &[Range<usize>]) -> Vec<u8> {
        let mut bytes = taken.bytes;
        for row in unseen.iter().rev() {
            bytes.drain(row.clone());
        }
        let behind_bracket = usize::from(matches!(bytes.first(), Some(b'[' | b'{')));
        if self.is_first && bytes.get(behind_bracket) == Some(&b',') {
            self.is_first = false;
            bytes.remove(behind_bracket);
        }
        bytes
    }

    /// Whether all of it has come
    pub(super) fn is_whole(&self) -> bool {
        self.elements.is_whole()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::authorize::Policy;
    use crate::authorize::permission::Permission;
    use crate::authorize::policy::Role;
    use crate::druid::endpoint::List;
    use crate::resource_actions::Rules;
    use crate::resource_actions::listed::Known;
    use crate::resource_actions::rules::SelectTasks;

    /// Who may read `a` and `ä "b"`
    fn sight() -> Sight {
        let grants = ["READ DATASOURCE a", "READ DATASOURCE exact:ä \"b\""];
        let role = Role {
            name: "r".to_owned(),
            members: Vec::new(),
            grants: grants.iter().map(|sentence| Permission::parse(sentence).unwrap()).collect(),
            denies: Vec::new(),
            line: 1,
        };
        Policy::new(vec![role]).holder("i", "alice", &["r"]).sight()
    }

    fn listed(list: List) -> Listed {
        let supervisors = BTreeMap::from([
            ("one".to_owned(), Some(vec!["a".to_owned()])),
            ("two".to_owned(), Some(vec!["a".to_owned(), "c".to_owned()])),
            ("odd".to_owned(), None),
        ]);
        Listed {
            list,
            unless: None,
            rules: Rules::default(),
            known: Known::Supervisors(Arc::new(supervisors)),
        }
    }

    /// The same, however the text is cut
    fn seen(list: List, text: &str) -> Result<String, NoList> {
        let [cut, whole] = [5, 1_000].map(|piece| {
            let mut kept = Vec::new();
            let mut rows = Rows::new(listed(list), sight());
            for bytes in text.as_bytes().chunks(piece) {
                let taken = rows.take(bytes)?;
                kept.extend(rows.join(taken, &[]));
            }
            if rows.is_whole() { Ok(String::from_utf8(kept).unwrap()) } else { Err(NoList::Shape) }
        });
        assert_eq!(cut.as_ref().ok(), whole.as_ref().ok(), "{text}");
        whole
    }

    #[test]
    fn of_every_kind_of_list_only_the_rows_that_may_be_seen_are_left_as_they_came() {
        for (list, text, expected) in [
            (List::Elements("name"), r#"["a","c","a"]"#, r#"["a","a"]"#),
            (List::Elements("name"), r#"["c"]"#, "[]"),
            (List::Elements("name"), "[ ]", "[]"),
            (List::Elements("name"), r#"["\u00e4 \"b\"", "A"]"#, r#"["\u00e4 \"b\""]"#),
            (
                List::Elements("name"),
                r#"[{"name":"c","x":["a"]}, {"x":{"name":"c"},"name":"a"}]"#,
                r#"[{"x":{"name":"c"},"name":"a"}]"#,
            ),
            (
                List::Tasks,
                r#"[{"id":"1","dataSource":"c"},{"id":"2","dataSource":"a"}]"#,
                r#"[{"id":"2","dataSource":"a"}]"#,
            ),
            (List::Keys, r#"{"a":{"c":1},"c":{"a":1}}"#, r#"{"a":{"c":1}}"#),
            (
                List::KeysWithin,
                r#"{"1/2":{"a":1,"c":2},"2/3":{"c":1},"3/4": {"a":{}}}"#,
                r#"{"1/2":{"a":1},"3/4": {"a":{}}}"#,
            ),
            (List::Loads, r#"{"a":100.0,"c":0.5}"#, r#"{"a":100.0}"#),
            (List::Loads, r#"{"_default_tier":{"a":1,"c":2}}"#, r#"{"_default_tier":{"a":1}}"#),
            (
                List::Wrapped("dataSource"),
                r#"{"latestStatus":[{"dataSource":"c"},{"dataSource":"a"}]}"#,
                r#"{"latestStatus":[{"dataSource":"a"}]}"#,
            ),
            (
                List::Wrapped("dataSource"),
                r#"{"latestStatus":[{"dataSource":"c"}]}"#,
                r#"{"latestStatus":[]}"#,
            ),
            (List::Queries, r#"{"queries":[{"sqlQueryId":"q"}]}"#, r#"{"queries":[]}"#),
            (List::Supervisors, r#"["one","two","odd","new"]"#, r#"["one"]"#),
            (
                List::Supervisors,
                r#"[{"id":"two"},{"id":"one","state":"RUNNING"}]"#,
                r#"[{"id":"one","state":"RUNNING"}]"#,
            ),
            (
                List::Versions,
                r#"[{"spec":{"type":"autocompact","spec":{"dataSource":"c"}}},{"spec":{"type":"autocompact","spec":{"dataSource":"a"}}},{"spec":{"type":"NoopSupervisorSpec","dataSources":["c"]}},{"spec":{"type":"new"}}]"#,
                r#"[{"spec":{"type":"autocompact","spec":{"dataSource":"a"}}}]"#,
            ),
            (
                List::VersionsById,
                r#"{"x":[{"spec":{"type":"autocompact","spec":{"dataSource":"c"}}}],"y":[{"spec":{"type":"NoopSupervisorSpec","dataSources":["a"]}}]}"#,
                r#"{"y":[{"spec":{"type":"NoopSupervisorSpec","dataSources":["a"]}}]}"#,
            ),
        ] {
            assert_eq!(seen(list, text).unwrap(), expected, "{list:?} {text}");
        }
    }

    #[test]
    fn a_list_of_another_shape_is_never_passed_on_whole() {
        for (list, text) in [
            (List::Elements("name"), r#"[{"datasource":"a"}]"#),
            (List::Elements("name"), r#"[["a"]]"#),
            (List::Elements("name"), r#"[{"name":"a","name":"c"}]"#),
            (List::Elements("name"), r#"[{"name":7}]"#),
            (List::Elements("name"), r#"[{"name":"a"]]"#),
            (List::Elements("name"), r#"["a" "c"]"#),
            (List::Elements("name"), r#"[1{"name":"a"}]"#),
            (List::Elements("name"), r#"[{"name":"a"}"c"]"#),
            (List::Elements("name"), r#"[null]"#),
            (List::Tasks, r#"{"tasks":[]}"#),
            (List::TasksById, r#"{"a":"SUCCESS"}"#),
            (List::Queries, r#"{"queries":{"a":{"sqlQueryId":"q"}}}"#),
            (List::Queries, r#"{"queries":[{"id":"q"}]}"#),
            (List::Keys, r#"["a"]"#),
            (List::KeysWithin, r#"{"1/2":["a"]}"#),
            (List::Loads, r#"{"tier":["a"]}"#),
            (List::Wrapped("dataSource"), r#"{"latestStatus":{"a":{"dataSource":"a"}}}"#),
            (List::Wrapped("dataSource"), r#"[{"dataSource":"a"}]"#),
            (List::Versions, r#"[{"version":"1"}]"#),
        ] {
            assert!(seen(list, text).is_err(), "{list:?} {text}");
        }
    }

    #[test]
    fn where_tasks_belong_to_their_submitters_a_list_asks_whose_they_are_that_the_caller_may_not_see_else() {
        let text = r#"[{"dataSource":"__query_select","id":"1","type":"query_controller"},{"dataSource":"a","id":"2","type":"query_controller"},{"dataSource":"c","id":"3","type":"query_worker"},{"dataSource":"c","id":"4","type":"index"}]"#;
        let taken = |select_tasks| {
            let rules = Rules { select_tasks, ..Rules::default() };
            let mut rows = Rows::new(Listed { rules, ..listed(List::Tasks) }, sight());
            let taken = rows.take(text.as_bytes()).unwrap();
            let asked: Vec<_> = taken.asked.iter().map(|asked| asked.id.clone()).collect();
            let ranges: Vec<_> = taken.asked.iter().map(|asked| asked.at.clone()).collect();
            (asked, String::from_utf8(rows.join(taken, &ranges)).unwrap())
        };
        let a = r#"[{"dataSource":"a","id":"2","type":"query_controller"}]"#;
        assert_eq!(taken(SelectTasks::Shared), (vec![], a.to_owned()));
        assert_eq!(taken(SelectTasks::Owner), (vec!["1".to_owned(), "3".to_owned()], a.to_owned()));
    }

    #[test]
    fn wherever_rows_are_left_out_that_were_asked_about_what_is_left_is_a_list() {
        let text = r#"[{"dataSource":"__query_select","id":"1","type":"query_controller"},{"dataSource":"__query_select","id":"2","type":"query_controller"},{"dataSource":"__query_select","id":"3","type":"query_controller"}]"#;
        for piece in [1, 60, 100, 1000] {
            for shown in 0..8_usize {
                let rules = Rules { select_tasks: SelectTasks::Owner, ..Rules::default() };
                let mut rows = Rows::new(Listed { rules, ..listed(List::Tasks) }, sight());
                let (mut kept, mut number) = (Vec::new(), 0);
                for bytes in text.as_bytes().chunks(piece) {
                    let taken = rows.take(bytes).unwrap();
                    let mut unseen = Vec::new();
                    for asked in &taken.asked {
                        if shown & (1 << number) == 0 {
                            unseen.push(asked.at.clone());
                        }
                        number += 1;
                    }
                    kept.extend(rows.join(taken, &unseen));
                }
                let kept: Vec<serde_json::Value> = serde_json::from_slice(&kept).unwrap();
                let ids: Vec<_> = kept.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
                let expected =
                    (0..3).filter(|number| shown & (1 << number) != 0).map(|number| (number + 1).to_string());
                assert_eq!(ids, expected.collect::<Vec<_>>(), "{shown:b} by {piece}");
            }
        }
    }
}
