//! What of a list its caller may see: the rows, and what each of them takes

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rules::{Rules, SelectTasks};
use crate::druid::endpoint::{List, Rule};
use crate::druid::task::SELECT_STUB;
use crate::druid::{Action, ResourceAction, ResourceType};

/// The datasources of each supervisor, by its id; none where they are not understood
pub type DatasourcesOfSupervisors = BTreeMap<String, Option<Vec<String>>>;

/// An answer that is a list, and by what its rows are seen
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its shape
    pub list: List,
    /// Whoever holds this sees all of it
    pub unless: Option<ResourceAction>,
    /// Whose tasks of SELECT statements are shown
    pub select_tasks: SelectTasks,
    /// Of a list of supervisors
    pub supervisors: Arc<DatasourcesOfSupervisors>,
}

impl Listed {
    /// A list that is not of supervisors
    pub(super) fn of(rule: Rule, rules: &Rules) -> Option<Self> {
        let unless = if let Rule::RowsUnless(area, _) = rule {
            Some(ResourceAction::read(ResourceType::State, area))
        } else {
            None
        };
        Some(Self::new(rule.list()?, unless, rules, DatasourcesOfSupervisors::new()))
    }

    pub(super) fn new(
        list: List,
        unless: Option<ResourceAction>,
        rules: &Rules,
        supervisors: DatasourcesOfSupervisors,
    ) -> Self {
        Self { list, unless, select_tasks: rules.select_tasks, supervisors: Arc::new(supervisors) }
    }

    /// What seeing a row of this datasource takes
    pub fn of_datasource(name: &str) -> ResourceAction {
        ResourceAction::read(ResourceType::Datasource, name)
    }

    /// What seeing a task of this datasource takes
    ///
    /// Whose it is the list does not say, so where SELECT statements belong to their submitters it takes what others'
    /// take.
    pub fn of_task(&self, datasource: &str) -> ResourceAction {
        match self.select_tasks {
            SelectTasks::Owner if datasource == SELECT_STUB => ResourceAction::state(Action::Read),
            SelectTasks::Owner | SelectTasks::Shared => Self::of_datasource(datasource),
        }
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
