//! Tasks of a list whose rows do not say who may see them: they are asked about while the list passes

use std::fmt::Debug;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use super::answer_error::AnswerError;
use crate::authorize::policy::Sight;
use crate::druid::Task;
use crate::resource_actions::listed::Listed;

/// What is found out, at some time later
pub type Finding<T> = Pin<Box<dyn Future<Output = Result<T, AnswerError>> + Send>>;

/// Knows the tasks of a list
pub trait KnowsTasks: Debug + Send + Sync {
    /// The task of this id with its owner, of which the row has said this much; `None` where Druid knows it no longer
    fn find(self: Arc<Self>, id: String, row: Option<Task>) -> Finding<Option<Task>>;
}

/// A row that waits for what is found out about its task
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Where it stands among the rows that have come with it
    pub(super) at: Range<usize>,
    /// The task's id
    pub(super) id: String,
    /// What the row says of it: its type and datasource, where it says that
    pub(super) row: Option<Task>,
}

/// So many tasks are asked about at a time
const AT_ONCE: usize = 8;

/// Of these rows, those that are not seen
///
/// # Errors
///
/// Where Druid cannot be asked.
pub(super) async fn unseen(
    asked: Vec<Asked>,
    tasks: Arc<dyn KnowsTasks>,
    listed: Arc<Listed>,
    sight: Arc<Sight>,
) -> Result<Vec<Range<usize>>, AnswerError> {
    let mut unseen = Vec::new();
    for together in asked.chunks(AT_ONCE) {
        let finding = |asked: &Asked| Arc::clone(&tasks).find(asked.id.clone(), asked.row.clone());
        let all: Vec<_> = together.iter().map(finding).map(tokio::spawn).collect();
        for (asked, found) in together.iter().zip(all) {
            let found = found
                .await
                .unwrap_or_else(|_| Err(AnswerError::Unlike("nobody says whose a task is".to_owned())))?;
            if !found.is_some_and(|task| sight.takes_in(&listed.of_task(&task))) {
                unseen.push(asked.at.clone());
            }
        }
    }
    Ok(unseen)
}
