//! What a request needs, as far as its endpoint tells, and what has to be known to tell the rest

use std::fmt;

use super::list::List;
use crate::druid::{Action, ResourceAction, ResourceType};

/// By what the requests of an endpoint are judged
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any authenticated caller may, and anybody with `public_health`
    Health,
    /// Any authenticated caller may
    Anybody,
    /// This on a resource that the endpoint names: an area of STATE or CONFIG
    Fixed(Action, ResourceType, &'static str),
    /// These on the datasource in its path
    Datasource(&'static [Action]),
    /// This on the datasource in its path; changing those of `_default`, which count for all, takes more
    Retention(Action),
    /// By the statement in its body
    Statement(Runs),
    /// By the native query in its body
    NativeQuery(Asks),
    /// By the task in its body
    TaskSpec,
    /// By the supervisor in its body
    SupervisorSpec,
    /// By what the specification in its body would read
    Sampler,
    /// By the Overlord's task of the id in its path
    Task(TaskUse),
    /// By the owner of the statement of the id in its path
    StatementOf(TaskUse),
    /// By the query of the id in its path, where the gate saw it begin
    RunningQuery(TaskUse),
    /// This on every datasource of the supervisor of the id in its path
    Supervisor(Action),
    /// CONFIG of lookups, and LOOKUP of the one in its path where lookups are granted
    Lookup(Action),
    /// Any authenticated caller may; of the rows he sees those of datasources that he may READ
    Rows(List),
    /// The same; whoever holds this on this area of STATE sees all
    RowsUnless(Action, &'static str, List),
    /// Nobody may
    Closed(&'static str),
}

/// How a statement runs
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// At once (`SqlResource`)
    AtOnce,
    /// As a task of the multi-stage query engine (`SqlTaskResource`, `SqlStatementResource`)
    AsTask,
}

/// What is asked of a native query
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Its rows
    Rows,
    /// On which servers its segments lie (`BrokerQueryResource`)
    Servers,
}

/// What is done to a task, a statement or a query
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskUse {
    /// Looked at
    Look,
    /// Cancelled
    Cancel,
}

impl TaskUse {
    /// The verb for it, as in "alice may not cancel this task"
    pub fn verb(self) -> &'static str {
        match self {
            Self::Look => "look at",
            Self::Cancel => "cancel",
        }
    }

    /// What it takes of the state of the cluster, where it is somebody else's
    pub fn action(self) -> Action {
        match self {
            Self::Look => Action::Read,
            Self::Cancel => Action::Write,
        }
    }
}

/// Reading this area of the cluster's state
pub const fn read_state(area: &'static str) -> Rule {
    Rule::Fixed(Action::Read, ResourceType::State, area)
}

/// Changing it, or what Druid asks WRITE for
pub const fn write_state(area: &'static str) -> Rule {
    Rule::Fixed(Action::Write, ResourceType::State, area)
}

/// Reading this area of the cluster's configuration
pub const fn read_config(area: &'static str) -> Rule {
    Rule::Fixed(Action::Read, ResourceType::Config, area)
}

/// Changing it
pub const fn write_config(area: &'static str) -> Rule {
    Rule::Fixed(Action::Write, ResourceType::Config, area)
}

/// READ on the datasource in the path
pub const READ_DATASOURCE: Rule = Rule::Datasource(&[Action::Read]);
/// WRITE on the datasource in the path
pub const WRITE_DATASOURCE: Rule = Rule::Datasource(&[Action::Write]);

impl Rule {
    /// The list that it filters, if it does
    pub fn list(self) -> Option<List> {
        if let Self::Rows(list) | Self::RowsUnless(_, _, list) = self { Some(list) } else { None }
    }
}

/// As it stands in the table of endpoints, for people
impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Health => {
                formatter.write_str("any authenticated caller; no token with `public_health = true`")
            }
            Self::Anybody => formatter.write_str("any authenticated caller"),
            Self::Fixed(action, kind, name) => ResourceAction::new(*action, *kind, *name).fmt(formatter),
            Self::Datasource(actions) => {
                let words: Vec<_> = actions.iter().map(|action| action.word()).collect();
                write!(formatter, "{} on the datasource", words.join(" and "))
            }
            Self::Retention(Action::Read) => formatter.write_str("READ on the datasource"),
            Self::Retention(Action::Write) => formatter
                .write_str("WRITE on the datasource; WRITE CONFIG coordinator besides for `_default`"),
            Self::Statement(Runs::AtOnce) => formatter.write_str("what the statement reads"),
            Self::Statement(Runs::AsTask) => formatter.write_str("what the statement reads and writes"),
            Self::NativeQuery(Asks::Rows) => formatter.write_str("what the query reads"),
            Self::NativeQuery(Asks::Servers) => {
                formatter.write_str("what the query reads, and WRITE STATE queries")
            }
            Self::TaskSpec => formatter
                .write_str("WRITE on the task's datasource, and what its input source asks (`task_inputs`)"),
            Self::SupervisorSpec => formatter
                .write_str("WRITE on the supervisor's datasource, and what its input asks (`task_inputs`)"),
            Self::Sampler => formatter.write_str("what the specification reads (`task_inputs`)"),
            Self::Task(TaskUse::Look) => {
                formatter.write_str("READ on the task's datasource (`select_tasks`)")
            }
            Self::Task(TaskUse::Cancel) => formatter
                .write_str("of a query task what `cancel` says, of any other WRITE on its datasource"),
            Self::StatementOf(purpose) => {
                write!(formatter, "to be its submitter, or {} STATE STATE", purpose.action().word())
            }
            Self::RunningQuery(purpose) => write!(
                formatter,
                "to be its submitter or to hold what it needs, or {} STATE queries",
                purpose.action().word()
            ),
            Self::Supervisor(action) => {
                write!(formatter, "{} on every datasource of the supervisor", action.word())
            }
            Self::Lookup(action) => write!(
                formatter,
                "{} CONFIG lookups, and READ on the lookup with `lookups = \"granted\"`",
                action.word()
            ),
            Self::Rows(list) => write!(formatter, "any authenticated caller; {}", list.seen()),
            Self::RowsUnless(action, area, list) => {
                let (seen, action) = (list.seen(), action.word());
                write!(formatter, "any authenticated caller; {seen}, all with {action} STATE {area}")
            }
            Self::Closed(why) => write!(formatter, "closed: {why}"),
        }
    }
}
