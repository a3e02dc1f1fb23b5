//! What of a list its caller may see: the rows, and what each of them takes

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::needed::Needed;
use super::rules::Rules;
use super::task_access;
use crate::druid::endpoint::{List, Rule, TaskUse};
use crate::druid::{Action, ResourceAction, ResourceType, Task};

/// The datasources of each supervisor, by its id; none where they are not understood
pub type DatasourcesOfSupervisors = BTreeMap<String, Option<Vec<String>>>;

/// An answer that is a list, and by what its rows are seen
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its shape
    pub list: List,
    /// Whoever holds this sees all of it
    pub unless: Option<ResourceAction>,
    /// What looking at a task takes
    pub rules: Rules,
    /// What is known of what it lists
    pub known: Known,
}

/// What was found out, before it was asked for, about what a list will hold
#[derive(Clone, Debug)]
pub enum Known {
    /// Nothing; its rows say it all
    Nothing,
    /// Of supervisors, their datasources
    Supervisors(Arc<DatasourcesOfSupervisors>),
    /// Of queries, which the caller has submitted
    OwnQueries(Arc<BTreeSet<String>>),
}

impl Listed {
    /// The list in the answer to what has this rule, if it is one
    pub(super) fn of(rule: Rule, rules: &Rules, known: Known) -> Option<Self> {
        let unless = if let Rule::RowsUnless(action, area, _) = rule {
            Some(ResourceAction::new(action, ResourceType::State, area))
        } else {
            None
        };
        Some(Self { list: rule.list()?, unless, rules: rules.clone(), known })
    }

    /// What seeing a row of this datasource takes
    pub fn of_datasource(name: &str) -> ResourceAction {
        ResourceAction::read(ResourceType::Datasource, name)
    }

    /// What seeing this task takes
    pub fn of_task(&self, task: &Task) -> Needed {
        task_access::of_task(task, TaskUse::Look, &self.rules)
    }

    /// Whether seeing this task may rest on who has submitted it
    pub fn asks_for_owner(&self, task: &Task) -> bool {
        task_access::asks_for_owner(&task.kind, &task.datasource, TaskUse::Look, &self.rules)
    }

    /// What seeing a supervisor of these datasources takes, or of none that are understood
    pub fn of_supervisor(action: Action, datasources: Option<&[String]>) -> Vec<ResourceAction> {
        match datasources {
            Some(names) => {
                names.iter().map(|name| ResourceAction::new(action, ResourceType::Datasource, name)).collect()
            }
            None => vec![ResourceAction::new(action, ResourceType::State, "supervisors")],
        }
    }
}
