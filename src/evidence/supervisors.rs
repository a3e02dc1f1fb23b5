//! The datasources of supervisors: asked of the Overlord with the gate's own sign-in, each time anew

use serde::Deserialize;

use super::overlord::{Overlord, TaskError, broken};
use crate::druid::path::Escaped;
use crate::resource_actions::listed::DatasourcesOfSupervisors;
use crate::resource_actions::supervisor_spec::SupervisorSpec;

/// All supervisors with their specifications
const BYTES: usize = 64 << 20;

/// Asks the Overlord about supervisors
#[derive(Debug)]
pub struct Supervisors {
    overlord: Overlord,
}

impl Supervisors {
    /// Asks this one
    pub fn new(overlord: Overlord) -> Self {
        Self { overlord }
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
        let list = self.overlord.ask_for_bytes("/druid/indexer/v1/supervisor?full", BYTES).await?;
        let list: Vec<Listed> = serde_json::from_slice(&list).map_err(|_| unreadable())?;
        Ok(list.into_iter().map(|one| (one.id, one.spec.and_then(|spec| spec.datasources()))).collect())
    }
}

/// A supervisor in the list with specifications
#[derive(Deserialize)]
struct Listed {
    id: String,
    spec: Option<SupervisorSpec>,
}

fn unreadable() -> TaskError {
    broken("its description of a supervisor cannot be read")
}
