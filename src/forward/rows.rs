//! The rows of a list that its caller may see: each is read, kept as it came, or left out

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::elements::{Elements, NoList, Part};
use crate::authorize::policy::Sight;
use crate::druid::Action;
use crate::druid::ResourceAction;
use crate::druid::endpoint::List;
use crate::resource_actions::listed::Listed;
use crate::resource_actions::supervisor_spec::SupervisorSpec;

/// A row is held whole: a segment, a task, a supervisor's specification
const MOST_BYTES: usize = 16 << 20;

/// Leaves out of a list what its caller may not see, as it passes
#[derive(Debug)]
pub(super) struct Rows {
    elements: Elements,
    seeing: Seeing,
    is_first: bool,
}

impl Rows {
    pub(super) fn new(listed: Listed, sight: Sight) -> Self {
        let seeing = Seeing { listed, sight, known: HashMap::new() };
        Self { elements: Elements::new(MOST_BYTES), seeing, is_first: true }
    }

    /// What may be passed on of what has come
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<u8>, NoList> {
        let mut kept = Vec::with_capacity(bytes.len());
        let Self { elements, seeing, is_first } = self;
        elements.take(bytes, |part| {
            match part {
                Part::Begins(byte) | Part::Ends(byte) => kept.push(byte),
                Part::Element(element) => {
                    if let Some(row) = seeing.row(seeing.listed.list, element)? {
                        if !std::mem::take(is_first) {
                            kept.push(b',');
                        }
                        kept.extend_from_slice(&row);
                    }
                }
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// Whether all of it has come
    pub(super) fn is_whole(&self) -> bool {
        self.elements.is_whole()
    }
}

/// What the caller sees
#[derive(Debug)]
struct Seeing {
    listed: Listed,
    sight: Sight,
    /// Of a datasource whether its rows are seen; they are few, and the rows many
    known: HashMap<String, bool>,
}

type Row<'a> = Result<Option<Cow<'a, [u8]>>, NoList>;

impl Seeing {
    /// The row as it came, or what of it is seen; `None` where nothing is
    fn row<'a>(&mut self, list: List, row: &'a [u8]) -> Row<'a> {
        let is_seen = match list {
            List::Elements(member) => self.element(row, member)?,
            List::Tasks => self.task(row)?,
            List::Supervisors => self.supervisor(row)?,
            List::Versions => self.version(row)?,
            List::Keys => self.sees(&member(row)?.0),
            List::KeysWithin => return self.within(row, List::Keys, Empty::LeftOut),
            List::Loads => match member(row)? {
                (_, value) if value.get().starts_with('{') => {
                    return self.within(row, List::Keys, Empty::LeftOut);
                }
                (name, value) if value.get().parse::<f64>().is_ok() => self.sees(&name),
                _ => return Err(NoList::Element),
            },
            List::Wrapped(member) => return self.within(row, List::Elements(member), Empty::Kept),
            List::VersionsById => return self.within(row, List::Versions, Empty::LeftOut),
        };
        Ok(is_seen.then_some(Cow::Borrowed(row)))
    }

    /// A member whose value is a list of its own
    fn within<'a>(&mut self, row: &'a [u8], list: List, empty: Empty) -> Row<'a> {
        let (_, value) = member(row)?;
        let value = value.get().as_bytes();
        // The name as it came, with its colon.
        let name = row.get(..row.len() - value.len()).unwrap_or_default();
        let (mut kept, mut count) = (name.to_vec(), 0_usize);
        let mut elements = Elements::new(MOST_BYTES);
        let expected = if matches!(list, List::Keys) { b'{' } else { b'[' };
        elements.take(value, |part| {
            match part {
                Part::Begins(byte) if byte != expected => return Err(NoList::Element),
                Part::Begins(byte) | Part::Ends(byte) => kept.push(byte),
                Part::Element(element) => {
                    if let Some(row) = self.row(list, element)? {
                        if count > 0 {
                            kept.push(b',');
                        }
                        count += 1;
                        kept.extend_from_slice(&row);
                    }
                }
            }
            Ok(())
        })?;
        let is_shown = elements.is_whole() && (count > 0 || empty == Empty::Kept);
        Ok(is_shown.then_some(Cow::Owned(kept)))
    }

    fn element(&mut self, row: &[u8], member: &str) -> Result<bool, NoList> {
        let [name] = texts(row, [member])?;
        Ok(self.sees(&name.ok_or(NoList::Element)?))
    }

    fn task(&mut self, row: &[u8]) -> Result<bool, NoList> {
        let [datasource] = texts(row, ["dataSource"])?;
        let datasource = datasource.ok_or(NoList::Element)?;
        let needed = self.listed.of_task(&datasource);
        Ok(self.holds(&datasource, &needed))
    }

    /// One that is not known was made after the others were asked for
    fn supervisor(&mut self, row: &[u8]) -> Result<bool, NoList> {
        let [id] = texts(row, ["id"])?;
        let datasources = self.listed.supervisors.get(&*id.ok_or(NoList::Element)?);
        Ok(datasources.is_some_and(|datasources| self.sees_supervisor(datasources.as_deref())))
    }

    fn version(&mut self, row: &[u8]) -> Result<bool, NoList> {
        let Version { spec } = serde_json::from_slice(row).map_err(|_| NoList::Element)?;
        Ok(self.sees_supervisor(spec.datasources().as_deref()))
    }

    fn sees_supervisor(&self, datasources: Option<&[String]>) -> bool {
        Listed::of_supervisor(Action::Read, datasources).iter().all(|needed| self.sight.holds(needed))
    }

    fn sees(&mut self, datasource: &str) -> bool {
        self.holds(datasource, &Listed::of_datasource(datasource))
    }

    fn holds(&mut self, datasource: &str, needed: &ResourceAction) -> bool {
        if let Some(known) = self.known.get(datasource) {
            return *known;
        }
        let is_held = self.sight.holds(needed);
        self.known.insert(datasource.to_owned(), is_held);
        is_held
    }
}

/// A version of a supervisor's specification
#[derive(serde::Deserialize)]
struct Version {
    spec: SupervisorSpec,
}

/// What becomes of a list in which nothing is seen
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Kept,
    LeftOut,
}

/// The name and the value of `"name": value`
fn member(row: &[u8]) -> Result<(String, Box<RawValue>), NoList> {
    struct Member;
    impl<'de> Visitor<'de> for Member {
        type Value = (String, Box<RawValue>);

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("one member")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let first = members.next_entry()?.ok_or_else(|| A::Error::custom("no member"))?;
            match members.next_key::<IgnoredAny>()? {
                None => Ok(first),
                Some(_) => Err(A::Error::custom("two members")),
            }
        }
    }
    let object = [b"{", row, b"}"].concat();
    let mut reader = serde_json::Deserializer::from_slice(&object);
    let member = reader.deserialize_map(Member).and_then(|member| reader.end().map(|()| member));
    member.map_err(|_| NoList::Element)
}

/// These members of an object, where they are text; a text in its place is the first of them
fn texts<'a, const N: usize>(row: &'a [u8], names: [&str; N]) -> Result<[Option<Cow<'a, str>>; N], NoList> {
    struct Texts<'n, const N: usize>([&'n str; N]);
    impl<'de, const N: usize> Visitor<'de> for Texts<'_, N> {
        type Value = [Option<Cow<'de, str>>; N];

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a name, or an object with it")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            let mut found = [const { None }; N];
            if let Some(first) = found.first_mut() {
                *first = Some(Cow::Borrowed(text));
            }
            Ok(found)
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            let mut found = [const { None }; N];
            if let Some(first) = found.first_mut() {
                *first = Some(Cow::Owned(text.to_owned()));
            }
            Ok(found)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut found: Self::Value = [const { None }; N];
            while let Some(Text(name)) = members.next_key()? {
                let wanted = self.0.iter().position(|wanted| *wanted == name);
                match wanted.and_then(|wanted| found.get_mut(wanted)) {
                    None => {
                        members.next_value::<IgnoredAny>()?;
                    }
                    Some(Some(_)) => return Err(A::Error::custom("twice")),
                    Some(slot) => *slot = Some(members.next_value::<Text<'de>>()?.0),
                }
            }
            Ok(found)
        }
    }
    let mut reader = serde_json::Deserializer::from_slice(row);
    let texts = reader.deserialize_any(Texts(names)).and_then(|texts| reader.end().map(|()| texts));
    texts.map_err(|_| NoList::Element)
}

/// A text, borrowed where it has no escapes
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::authorize::Policy;
    use crate::authorize::permission::Permission;
    use crate::authorize::policy::Role;
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
        Listed { list, unless: None, select_tasks: SelectTasks::Shared, supervisors: Arc::new(supervisors) }
    }

    fn seen(list: List, text: &str) -> Result<String, NoList> {
        let mut kept = Vec::new();
        let mut rows = Rows::new(listed(list), sight());
        for bytes in text.as_bytes().chunks(5) {
            kept.extend(rows.take(bytes)?);
        }
        if rows.is_whole() { Ok(String::from_utf8(kept).unwrap()) } else { Err(NoList::Shape) }
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
            (List::Elements("name"), r#"[null]"#),
            (List::Tasks, r#"{"tasks":[]}"#),
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
    fn where_selects_belong_to_their_submitters_a_list_shows_none_by_their_stub() {
        let text = r#"[{"dataSource":"__query_select"},{"dataSource":"a"}]"#;
        let with = |select_tasks| {
            let role = Role {
                name: "r".to_owned(),
                members: Vec::new(),
                grants: vec![Permission::parse("READ DATASOURCE *").unwrap()],
                denies: Vec::new(),
                line: 1,
            };
            let sight = Policy::new(vec![role]).holder("i", "alice", &["r"]).sight();
            let mut rows = Rows::new(Listed { select_tasks, ..listed(List::Tasks) }, sight);
            String::from_utf8(rows.take(text.as_bytes()).unwrap()).unwrap()
        };
        assert_eq!(with(SelectTasks::Shared), text);
        assert_eq!(with(SelectTasks::Owner), r#"[{"dataSource":"a"}]"#);
    }
}
