//! A statement together with what was found out about it

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::rules::Rules;
use super::sql::{self, Judgement, Parameter, SqlLimits, SqlRefusal, SqlStatement};
use super::submit::Submit;

/// A judgement that knows of which statement it is; made only by judging that statement
///
/// It says nothing of who may run it, so it can be kept and used for anybody's same statement.
#[derive(Debug)]
pub struct JudgedStatement {
    query: String,
    parameters: Vec<Parameter>,
    judgement: Judgement,
    fingerprint: OnceLock<[u8; 32]>,
    beyond: Mutex<Option<(Instant, Arc<BTreeSet<String>>)>>,
}

/// How long what Druid's planner said counts: it may be another Druid's behind the same address by then
pub const PLAN_COUNTS: Duration = Duration::from_secs(3_600);

impl JudgedStatement {
    /// Judges a statement; needs a stack of [`sql::JUDGE_STACK_BYTES`]
    ///
    /// # Errors
    ///
    /// Where the statement is not understood to its last word; see [`SqlRefusal`].
    pub fn judge(
        query: String,
        parameters: Vec<Parameter>,
        rules: &Rules,
        limits: &SqlLimits,
    ) -> Result<Self, SqlRefusal> {
        let statement = SqlStatement { text: &query, parameters: &parameters };
        let judgement = sql::judge(&statement, rules, limits)?;
        Ok(Self { query, parameters, judgement, fingerprint: OnceLock::new(), beyond: Mutex::default() })
    }

    /// Whether it is of the statement in this submit
    pub fn is_of(&self, submit: &Submit) -> bool {
        self.query == submit.query && self.parameters == submit.parameters
    }

    /// Its text, as it came
    pub fn query(&self) -> &str {
        &self.query
    }

    /// What was found out
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// The fingerprint of its text, made once
    pub fn fingerprint(&self, make: impl FnOnce(&str) -> [u8; 32]) -> [u8; 32] {
        *self.fingerprint.get_or_init(|| make(&self.query))
    }

    /// What Druid's planner needs beyond it, each by `TYPE NAME`, where Druid was asked of late
    pub fn beyond(&self, now: Instant) -> Option<Arc<BTreeSet<String>>> {
        let beyond = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        let (said, beyond) = beyond.as_ref()?;
        (now.saturating_duration_since(*said) < PLAN_COUNTS).then(|| Arc::clone(beyond))
    }

    /// Remembers what Druid's planner says now
    pub fn remember_beyond(&self, beyond: BTreeSet<String>, now: Instant) -> Arc<BTreeSet<String>> {
        let beyond = Arc::new(beyond);
        *self.beyond.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&beyond)));
        beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_druid_said_counts_for_an_hour() {
        let (rules, limits) = (Rules::default(), SqlLimits::default());
        let judged = JudgedStatement::judge("SELECT 1".to_owned(), Vec::new(), &rules, &limits).unwrap();
        let now = Instant::now();
        assert_eq!(judged.beyond(now), None);
        let beyond = judged.remember_beyond(["DATASOURCE a".to_owned()].into(), now);
        assert_eq!(judged.beyond(now + PLAN_COUNTS - Duration::from_secs(1)), Some(beyond));
        assert_eq!(judged.beyond(now + PLAN_COUNTS), None);
    }
}
