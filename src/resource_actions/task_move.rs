//! Tasks that move segments elsewhere within deep storage

use std::collections::BTreeSet;

use super::needed::Needed;
use super::reach;
use super::task_error::TaskSpecError;
use super::task_object::Object;
use super::task_parts::{JudgedTask, check_context, write_datasource};
use crate::druid::{ResourceAction, ResourceType};

/// `MoveTask`: segments go where `target` says, and whoever may look there reads them (`S3DataSegmentMover`)
pub(super) fn task(task: &Object<'_>) -> Result<JudgedTask, TaskSpecError> {
    task.only("type id dataSource interval target context")?;
    task.check_id()?;
    let target = task.member("target")?.object()?;
    target.only("bucket baseKey")?;
    let folder = target.optional("baseKey").map_or(Ok(""), |_| target.text("baseKey"))?;
    let reach = reach::of_export("s3", &[("bucket", target.text("bucket")?), ("prefix", folder)]);
    let name = task.text("dataSource")?;
    let mut needs = BTreeSet::from([
        write_datasource(name),
        ResourceAction::read(ResourceType::Datasource, name),
        ResourceAction::write(ResourceType::External, "s3").reaching(reach),
    ]);
    check_context(task, &mut needs)?;
    Ok(JudgedTask::new("move", Needed::after_reading_everything(needs)))
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::super::ingestion::judge;
    use super::*;

    fn needs(task: &str) -> Result<Vec<String>, TaskSpecError> {
        Ok(judge(task.as_bytes(), 64, &Rules::default())?.needs.sentences())
    }

    #[test]
    fn what_is_moved_is_read_and_goes_outside_and_all_else_of_segments_is_written() {
        let segments = r#""dataSource":"a","interval":"1/2""#;
        for kind in ["archive", "restore"] {
            let task = format!(r#"{{"type":"{kind}",{segments}}}"#);
            assert_eq!(needs(&task).unwrap(), ["WRITE DATASOURCE a"], "{task}");
            assert!(needs(&task.replace("interval", "target")).is_err(), "{kind}");
        }
        assert_eq!(needs(r#"{"type":"noop","dataSource":"a","runTime":1}"#).unwrap(), ["WRITE DATASOURCE a"]);
        assert!(needs(r#"{"type":"noop","runTime":1}"#).is_err(), "of no datasource it is nobody's");
        let to = |target: &str| needs(&format!(r#"{{"type":"move",{segments},"target":{target}}}"#));
        assert_eq!(
            to(r#"{"bucket":"out","baseKey":"eu"}"#).unwrap(),
            ["READ DATASOURCE a", "WRITE DATASOURCE a", "WRITE EXTERNAL s3"]
        );
        for target in
            [r#"{"baseKey":"eu"}"#, r#"{"bucket":"out","type":"hdfs"}"#, "null", r#"{"bucket":["out"]}"#]
        {
            assert!(to(target).is_err(), "{target}");
        }
    }
}
