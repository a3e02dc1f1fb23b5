//! The datasources of supervisors: asked of the Overlord with the gate's own sign-in, each time anew

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::overlord::{Overlord, TaskError, broken};
use crate::druid::path::Escaped;
use crate::druid::{Action, ResourceAction};
use crate::resource_actions::listed::{DatasourcesOfSupervisors, Listed};
use crate::resource_actions::supervisor_spec::SupervisorSpec;

/// All supervisors with their specifications
const BYTES: usize = 64 << 20;

/// So many lists of them are read at a time
const AT_ONCE: usize = 2;

/// Asks the Overlord about supervisors
#[derive(Debug)]
pub struct Supervisors {
    overlord: Overlord,
    turns: Semaphore,
}

impl Supervisors {
    /// Asks this one
    pub fn new(overlord: Overlord) -> Self {
        Self { overlord, turns: Semaphore::new(AT_ONCE) }
    }

    /// The datasources of the supervisor of this id; `None` where they are not understood
    ///
    /// # Errors
    ///
    /// Where Druid does not know the id, or cannot be asked.
    pub async fn datasources(&self, id: &str) -> Result<Option<Vec<String>>, TaskError> {
        let target = format!("/druid/indexer/v1/supervisor/{}", Escaped(id));
        let spec = self.overlord.ask_for_bytes(&target, BYTES).await?;
        let spec: SupervisorSpec = serde_json::from_slice(&spec).map_err(|_| unreadable())?;
        Ok(spec.datasources())
    }

    /// The datasources of every supervisor
    ///
    /// # Errors
    ///
    /// Where Druid cannot be asked.
    pub async fn all(&self) -> Result<DatasourcesOfSupervisors, TaskError> {
        let _turn = self.turns.acquire().await;
        let list = self.overlord.ask_for_bytes("/druid/indexer/v1/supervisor?full", BYTES).await?;
        let list: Vec<One<'_>> = serde_json::from_slice(&list).map_err(|_| unreadable())?;
        let datasources =
            |spec: &RawValue| serde_json::from_str::<SupervisorSpec>(spec.get()).ok()?.datasources();
        Ok(list.into_iter().map(|one| (one.id, one.spec.and_then(datasources))).collect())
    }

    /// What it takes to put another in place of the supervisor of this id: nothing where there is none
    ///
    /// # Errors
    ///
    /// Where Druid cannot be asked.
    pub async fn replacing(&self, id: &str) -> Result<BTreeSet<ResourceAction>, TaskError> {
        match self.datasources(id).await {
            Err(TaskError::Unknown) => Ok(BTreeSet::new()),
            known => Ok(Listed::of_supervisor(Action::Write, known?.as_deref()).into_iter().collect()),
        }
    }
}

/// A supervisor in the list with specifications
#[derive(Deserialize)]
struct One<'a> {
    id: String,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

fn unreadable() -> TaskError {
    broken("its description of a supervisor cannot be read")
}
