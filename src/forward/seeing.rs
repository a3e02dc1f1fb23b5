//! Whether a row of a list is seen, by what it says of itself

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::elements::{Elements, NoList, Part};
use super::members::{Row, member};
use crate::authorize::policy::Sight;
use crate::druid::endpoint::List;
use crate::druid::task::is_of_query;
use crate::druid::{Action, Task};
use crate::resource_actions::listed::{Known, Listed};
use crate::resource_actions::supervisor_spec::SupervisorSpec;

/// A row is held whole: a segment, a task, a supervisor's specification
pub(super) const MOST_BYTES: usize = 16 << 20;

/// So many tasks of a list are asked about; whose the others are is not found out, and they are left out
const MOST_ASKED: usize = 2_000;

/// What the caller sees
#[derive(Debug)]
pub(super) struct Seeing {
    listed: Arc<Listed>,
    sight: Arc<Sight>,
    /// Of a datasource whether its rows are seen; they are few, and the rows many
    known: HashMap<String, bool>,
    /// Of a datasource how the tasks of statements on it are seen, and other tasks
    of_statements: HashMap<String, TaskSeen>,
    of_other_tasks: HashMap<String, TaskSeen>,
    may_be_asked: usize,
}

/// Whether a row is seen
pub(super) enum Seen<'a> {
    No,
    /// As it came, or what of it is seen
    Yes(Cow<'a, [u8]>),
    /// If the caller has submitted the task, or may look at it by what is found out
    IfOwn {
        id: String,
        row: Option<Task>,
    },
}

/// Whether a task is seen by what its row says of it
#[derive(Clone, Copy, Debug)]
enum TaskSeen {
    No,
    Yes,
    IfOwn,
}

pub(super) type Verdict<'a> = Result<Seen<'a>, NoList>;

impl Seeing {
    pub(super) fn new(listed: Listed, sight: Sight) -> Self {
        Self {
            listed: Arc::new(listed),
            sight: Arc::new(sight),
            known: HashMap::new(),
            of_statements: HashMap::new(),
            of_other_tasks: HashMap::new(),
            may_be_asked: MOST_ASKED,
        }
    }

    /// By what rows are seen, and by whom
    pub(super) fn by(&self) -> (Arc<Listed>, Arc<Sight>) {
        (Arc::clone(&self.listed), Arc::clone(&self.sight))
    }

    /// Whether this row of the list is seen
    pub(super) fn of<'a>(&mut self, row: &'a [u8]) -> Verdict<'a> {
        self.row(self.listed.list, row)
    }

    /// The same of the row with which these bytes begin, and how long it is; nothing where that is not sure
    pub(super) fn first<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Seen<'a>, &'a [u8])>, NoList> {
        let list = self.listed.list;
        if !matches!(list, List::Elements(_) | List::Tasks | List::Supervisors) {
            return Ok(None);
        }
        let Some((said, length)) = Row::first(bytes) else { return Ok(None) };
        let Some(row) = bytes.get(..length) else { return Ok(None) };
        Ok(Some((self.says(list, &said, row)?, row)))
    }

    /// Of a list whose rows say who may see them
    fn says<'a>(&mut self, list: List, said: &Row<'_>, row: &'a [u8]) -> Verdict<'a> {
        let is_seen = match list {
            List::Tasks => return self.task(said, row),
            List::Elements(member) => self.sees(said.name(member)?),
            List::Supervisors => self.supervisor(said.name("id")?),
            List::TasksById
            | List::Queries
            | List::Versions
            | List::Keys
            | List::KeysWithin
            | List::Loads
            | List::Wrapped(_)
            | List::VersionsById => return Err(NoList::Element),
        };
        Ok(if is_seen { Seen::Yes(Cow::Borrowed(row)) } else { Seen::No })
    }

    fn row<'a>(&mut self, list: List, row: &'a [u8]) -> Verdict<'a> {
        let is_seen = match list {
            List::Elements(_) | List::Tasks | List::Supervisors => {
                return self.says(list, &Row::of(row)?, row);
            }
            List::TasksById => match member(row)? {
                (id, value) if value.get().starts_with('{') => return Ok(self.ask(id, None)),
                _ => return Err(NoList::Element),
            },
            List::Queries if row.starts_with(b"{") => self.query(row)?,
            List::Queries => return self.within(row, List::Queries, Empty::Kept),
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
        Ok(if is_seen { Seen::Yes(Cow::Borrowed(row)) } else { Seen::No })
    }

    /// A member whose value is a list of its own
    fn within<'a>(&mut self, row: &'a [u8], list: List, empty: Empty) -> Verdict<'a> {
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
                Part::Ahead(_) => {}
                Part::Begins(byte) | Part::Ends(byte) => kept.push(byte),
                Part::Element(element) => {
                    if let Seen::Yes(row) = self.row(list, element)? {
                        if count > 0 {
                            kept.push(b',');
                        }
                        count += 1;
                        kept.extend_from_slice(&row);
                    }
                }
            }
            Ok(0)
        })?;
        let is_shown = elements.is_whole() && (count > 0 || empty == Empty::Kept);
        Ok(if is_shown { Seen::Yes(Cow::Owned(kept)) } else { Seen::No })
    }

    fn task<'a>(&mut self, said: &Row<'_>, row: &'a [u8]) -> Verdict<'a> {
        let datasource = said.text("dataSource")?.ok_or(NoList::Element)?;
        let kind = said.text("type")?.unwrap_or_default();
        let of = |kind: &str, datasource: &str| Task {
            kind: kind.to_owned(),
            datasource: datasource.to_owned(),
            owner: None,
        };
        let known = if is_of_query(kind) { &mut self.of_statements } else { &mut self.of_other_tasks };
        let seen = match known.get(datasource) {
            Some(seen) => *seen,
            None => {
                let task = of(kind, datasource);
                let seen = if self.sight.takes_in(&self.listed.of_task(&task)) {
                    TaskSeen::Yes
                } else if self.listed.asks_for_owner(&task) {
                    TaskSeen::IfOwn
                } else {
                    TaskSeen::No
                };
                known.insert(datasource.to_owned(), seen);
                seen
            }
        };
        Ok(match seen {
            TaskSeen::No => Seen::No,
            TaskSeen::Yes => Seen::Yes(Cow::Borrowed(row)),
            TaskSeen::IfOwn => {
                let id = said.text("id")?.ok_or(NoList::Element)?;
                self.ask(id.to_owned(), Some(of(kind, datasource)))
            }
        })
    }

    fn ask(&mut self, id: String, row: Option<Task>) -> Seen<'static> {
        if self.may_be_asked == 0 {
            return Seen::No;
        }
        self.may_be_asked -= 1;
        Seen::IfOwn { id, row }
    }

    fn query(&self, row: &[u8]) -> Result<bool, NoList> {
        let row = Row::of(row)?;
        let id = row.text("sqlQueryId")?.ok_or(NoList::Element)?;
        Ok(matches!(&self.listed.known, Known::OwnQueries(own) if own.contains(id)))
    }

    /// One that is not known was made after the others were asked for
    fn supervisor(&self, id: &str) -> bool {
        let Known::Supervisors(known) = &self.listed.known else { return false };
        known.get(id).is_some_and(|datasources| self.sees_supervisor(datasources.as_deref()))
    }

    fn version(&mut self, row: &[u8]) -> Result<bool, NoList> {
        let Version { spec } = serde_json::from_slice(row).map_err(|_| NoList::Element)?;
        Ok(self.sees_supervisor(spec.datasources().as_deref()))
    }

    fn sees_supervisor(&self, datasources: Option<&[String]>) -> bool {
        Listed::of_supervisor(Action::Read, datasources).iter().all(|needed| self.sight.holds(needed))
    }

    fn sees(&mut self, datasource: &str) -> bool {
        if let Some(known) = self.known.get(datasource) {
            return *known;
        }
        let is_held = self.sight.holds(&Listed::of_datasource(datasource));
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
