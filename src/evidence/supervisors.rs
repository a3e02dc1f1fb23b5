//! The datasources of supervisors: asked of the Overlord with the gate's own sign-in, each time anew

use serde_json::Value;

use super::overlord::{Overlord, TaskError, broken};
use crate::druid::path::Escaped;
use crate::resource_actions::listed::{DatasourcesOfSupervisors, datasources_of_supervisor};

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
        let spec = self.overlord.ask(&format!("/druid/indexer/v1/supervisor/{}", Escaped(id)), BYTES).await?;
        Ok(datasources_of_supervisor(&spec))
    }

    /// The datasources of every supervisor
    ///
    /// # Errors
    ///
    /// Where Druid cannot be asked.
    pub async fn all(&self) -> Result<DatasourcesOfSupervisors, TaskError> {
        let list = self.overlord.ask("/druid/indexer/v1/supervisor?full", BYTES).await?;
        let list = list.as_array().ok_or_else(|| broken("its list of supervisors is none"))?;
        let of_one = |one: &Value| {
            let id = one.get("id")?.as_str()?.to_owned();
            Some((id, one.get("spec").and_then(datasources_of_supervisor)))
        };
        Ok(list.iter().filter_map(of_one).collect())
    }
}
