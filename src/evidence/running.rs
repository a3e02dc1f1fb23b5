//! The queries that were let through and have not ended, by their ids: who may cancel them

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::druid::Owner;
use crate::resource_actions::RunningQuery;

/// The queries that run; another gate before the same Druid knows others
#[derive(Debug, Default)]
pub struct Running {
    queries: Mutex<HashMap<String, Vec<Arc<RunningQuery>>>>,
}

/// A query that runs; it has ended when this is dropped
#[derive(Debug)]
pub struct Begun {
    running: Arc<Running>,
    id: String,
    query: Arc<RunningQuery>,
}

impl Running {
    /// Notes that a query begins under this id, which others may have too
    pub fn begin(self: &Arc<Self>, id: String, query: RunningQuery) -> Begun {
        let query = Arc::new(query);
        self.with(|queries| queries.entry(id.clone()).or_default().push(Arc::clone(&query)));
        Begun { running: Arc::clone(self), id, query }
    }

    /// The queries of this id
    pub fn of(&self, id: &str) -> Vec<RunningQuery> {
        self.with(|queries| queries.get(id).into_iter().flatten().map(|query| (**query).clone()).collect())
    }

    /// The ids under which this one's queries run
    pub fn own(&self, submitter: &Owner) -> BTreeSet<String> {
        let is_own =
            |queries: &[Arc<RunningQuery>]| queries.iter().all(|query| query.submitter == *submitter);
        self.with(|queries| {
            queries.iter().filter(|(_, queries)| is_own(queries)).map(|(id, _)| id.clone()).collect()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Vec<Arc<RunningQuery>>>) -> T) -> T {
        work(&mut self.queries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.running.with(|queries| {
            let Some(same_id) = queries.get_mut(&self.id) else { return };
            same_id.retain(|query| !Arc::ptr_eq(query, &self.query));
            if same_id.is_empty() {
                queries.remove(&self.id);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_actions::Needed;

    #[test]
    fn a_query_is_known_as_long_as_it_runs_and_each_that_shares_its_id() {
        let running = Arc::new(Running::default());
        let of = |name| RunningQuery { submitter: Owner::new("i", name), needs: Needed::Authenticated };
        let (first, second) = (running.begin("q".into(), of("alice")), running.begin("q".into(), of("bob")));
        assert_eq!(running.of("q").len(), 2);
        assert!(running.own(&Owner::new("i", "alice")).is_empty(), "it may be bob's");
        drop(first);
        assert_eq!(running.of("q")[0].submitter, Owner::new("i", "bob"));
        assert_eq!(running.own(&Owner::new("i", "bob")), BTreeSet::from(["q".to_owned()]));
        drop(second);
        assert!(running.of("q").is_empty() && running.with(|queries| queries.is_empty()));
    }
}
