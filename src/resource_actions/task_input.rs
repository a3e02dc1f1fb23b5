//! From where a posted task reads, and what that needs

use std::collections::BTreeSet;

use super::reach;
use super::rules::{EXTERNAL, Rules, TaskInputs};
use super::task_error::TaskSpecError;
use super::task_members::{INPUT_SOURCES, PLAIN_FORMATS, WAREHOUSES};
use super::task_object::{Object, object_at};
use crate::druid::{ResourceAction, ResourceType};

/// What a format reads besides what its source gives: descriptor files and schema registries, at any address
pub(super) fn input_format(
    format: &Object<'_>,
    rules: &Rules,
) -> Result<Option<ResourceAction>, TaskSpecError> {
    let is_plain = PLAIN_FORMATS.contains(&format.text("type")?);
    Ok(match rules.task_inputs {
        TaskInputs::External if !is_plain => Some(ResourceAction::read(ResourceType::External, EXTERNAL)),
        TaskInputs::External | TaskInputs::Druid => None,
    })
}

/// Adds what reading this source needs
pub(super) fn input_source(
    source: &Object<'_>,
    rules: &Rules,
    needs: &mut BTreeSet<ResourceAction>,
) -> Result<(), TaskSpecError> {
    let kind = source.text("type")?;
    let known = INPUT_SOURCES.iter().find(|(known, _)| *known == kind);
    let (_, members) = known.ok_or_else(|| TaskSpecError::InputSource(kind.to_owned()))?;
    source.only(members)?;
    for (position, delegate) in source.list("delegates")?.into_iter().enumerate() {
        let path = format!("{}.delegates[{position}]", source.path);
        input_source(&object_at(&path, delegate)?, rules, needs)?;
    }
    if kind == "iceberg" {
        let warehouse = source.member("warehouseSource")?.object()?;
        needs.extend(warehouse_of(&warehouse, rules)?);
    }
    match (rules.task_inputs, kind) {
        (TaskInputs::Druid, _) | (TaskInputs::External, "combining") => {}
        (TaskInputs::External, "druid") => {
            needs.insert(ResourceAction::read(ResourceType::Datasource, source.text("dataSource")?));
        }
        (TaskInputs::External, _) => {
            let reaches = reach::of_source(kind, source.members).into_iter();
            needs.extend(reaches.map(|reach| rules.read_external(kind).reaching(reach)));
        }
    }
    Ok(())
}

/// By what the files of an Iceberg table are read (`InputSourceFactory`); their places come from its catalog
fn warehouse_of(factory: &Object<'_>, rules: &Rules) -> Result<Option<ResourceAction>, TaskSpecError> {
    factory.only("type properties proxyConfig endpointConfig clientConfig")?;
    let kind = factory.text("type")?;
    if !WAREHOUSES.contains(&kind) {
        return Err(factory.shape("type", "one of local, hdfs, s3, google, azure and azureStorage"));
    }
    Ok(match rules.task_inputs {
        TaskInputs::External => Some(rules.read_external(kind)),
        TaskInputs::Druid => None,
    })
}
