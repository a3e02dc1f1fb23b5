//! What it takes to look at a task, or to cancel it
//!
//! From the permission page of the manual of the multi-stage query engine; where the manual and the
//! Overlord's code differ (`TaskResourceFilter` asks WRITE to shut down), a rule chooses.

use super::needed::Needed;
use super::rules::{Cancel, Rules, SelectTasks};
use crate::druid::endpoint::TaskUse;
use crate::druid::task::SELECT_STUB;
use crate::druid::{Action, Owner, ResourceAction, ResourceActions, ResourceType, Task};

/// What using a task through the Overlord's API needs
pub fn of_task(task: &Task, purpose: TaskUse, rules: &Rules) -> Needed {
    let shows_own = rules.select_tasks == SelectTasks::Owner;
    let shows_own_selects_only = shows_own && task.datasource == SELECT_STUB;
    match purpose {
        TaskUse::Look if shows_own_selects_only => submitter_or_state(task, Action::Read),
        TaskUse::Look if shows_own && task.is_of_query() => submitter_or(task, read_datasource(task)),
        TaskUse::Look => Needed::All(read_datasource(task)),
        TaskUse::Cancel if !task.is_query_controller() => on_datasource(task, Action::Write),
        TaskUse::Cancel => match rules.cancel {
            Cancel::Owner => submitter_or_state(task, Action::Write),
            Cancel::Write => on_datasource(task, Action::Write),
            // Who may not see another's SELECT may not cancel it by the grant that shows all of them.
            Cancel::Read if shows_own_selects_only => submitter_or_state(task, Action::Write),
            Cancel::Read => Needed::All(read_datasource(task)),
        },
    }
}

/// What using a statement through `/druid/v2/sql/statements/{id}` needs (`SqlStatementResource`)
pub fn of_statement(owner: Option<Owner>, purpose: TaskUse) -> Needed {
    let state = ResourceAction::state(purpose.action());
    Needed::SubmitterOr { submitter: owner, otherwise: ResourceActions::only(state) }
}

/// Whether the judgement depends on who submitted a task, so that its payload has to be asked for
pub fn asks_for_owner(task_kind: &str, datasource: &str, purpose: TaskUse, rules: &Rules) -> bool {
    let task = Task { kind: task_kind.to_owned(), datasource: datasource.to_owned(), owner: None };
    task.is_of_query() && matches!(of_task(&task, purpose, rules), Needed::SubmitterOr { .. })
}

fn on_datasource(task: &Task, action: Action) -> Needed {
    let name = task.datasource.clone();
    Needed::All(ResourceActions::only(ResourceAction::new(action, ResourceType::Datasource, name)))
}

fn read_datasource(task: &Task) -> ResourceActions {
    ResourceActions::only(ResourceAction::read(ResourceType::Datasource, task.datasource.clone()))
}

fn submitter_or_state(task: &Task, action: Action) -> Needed {
    submitter_or(task, ResourceActions::only(ResourceAction::state(action)))
}

fn submitter_or(task: &Task, otherwise: ResourceActions) -> Needed {
    let submitter = if task.is_of_query() { task.owner.clone() } else { None };
    Needed::SubmitterOr { submitter, otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(kind: &str, datasource: &str) -> Task {
        Task { kind: kind.into(), datasource: datasource.into(), owner: Some(Owner::new("i", "alice")) }
    }

    fn sentence(needed: &Needed) -> String {
        let actions: Vec<_> = needed.resource_actions().iter().map(|action| action.sentence()).collect();
        match needed {
            Needed::Authenticated => "anyone".into(),
            Needed::All(_) => actions.join(", "),
            Needed::SubmitterOr { submitter: Some(owner), .. } => {
                format!("{owner} or {}", actions.join(", "))
            }
            Needed::SubmitterOr { submitter: None, .. } => format!("nobody or {}", actions.join(", ")),
        }
    }

    fn needs(kind: &str, datasource: &str, purpose: TaskUse, rules: &Rules) -> String {
        sentence(&of_task(&task(kind, datasource), purpose, rules))
    }

    #[test]
    fn by_default_read_on_the_datasource_shows_and_cancels_a_query_task() {
        let rules = Rules::default();
        for datasource in ["wikipedia", "__query_select", "__query_export"] {
            let read = format!("READ DATASOURCE {datasource}");
            assert_eq!(needs("query_controller", datasource, TaskUse::Look, &rules), read);
            assert_eq!(needs("query_controller", datasource, TaskUse::Cancel, &rules), read);
        }
    }

    #[test]
    fn shutdown_of_any_other_task_needs_write_whatever_the_rule() {
        for cancel in [Cancel::Read, Cancel::Write, Cancel::Owner] {
            let rules = Rules { cancel, ..Rules::default() };
            for kind in ["index_parallel", "query_worker", "compact", "", "QUERY_CONTROLLER"] {
                assert_eq!(needs(kind, "a", TaskUse::Cancel, &rules), "WRITE DATASOURCE a", "{kind}");
            }
        }
    }

    #[test]
    fn the_cancel_rule_chooses_between_read_write_and_owner() {
        let with = |cancel| Rules { cancel, ..Rules::default() };
        let cancel = |rules| needs("query_controller", "a", TaskUse::Cancel, &rules);
        assert_eq!(cancel(with(Cancel::Read)), "READ DATASOURCE a");
        assert_eq!(cancel(with(Cancel::Write)), "WRITE DATASOURCE a");
        assert_eq!(cancel(with(Cancel::Owner)), "i|alice or WRITE STATE STATE");
    }

    #[test]
    fn where_selects_belong_to_their_owner_only_he_sees_and_cancels_them() {
        let rules = Rules { select_tasks: SelectTasks::Owner, ..Rules::default() };
        let select = |purpose| needs("query_controller", SELECT_STUB, purpose, &rules);
        assert_eq!(select(TaskUse::Look), "i|alice or READ STATE STATE");
        assert_eq!(select(TaskUse::Cancel), "i|alice or WRITE STATE STATE");
        for kind in ["query_controller", "query_worker"] {
            assert_eq!(needs(kind, "a", TaskUse::Look, &rules), "i|alice or READ DATASOURCE a", "her INSERT");
        }
        assert_eq!(needs("index", "a", TaskUse::Look, &rules), "READ DATASOURCE a");
        assert_eq!(needs("query_worker", SELECT_STUB, TaskUse::Look, &rules), "i|alice or READ STATE STATE");
        assert_eq!(needs("index", SELECT_STUB, TaskUse::Look, &rules), "nobody or READ STATE STATE");
    }
}
