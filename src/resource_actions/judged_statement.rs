//! A statement together with what was found out about it

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::rules::Rules;
use super::sql::{self, Judgement, Parameter, SqlLimits, SqlRefusal, SqlStatement};
use super::submit::Submit;

/// A judgement that knows of which statement it is; made only by judging that statement
///
/// It says nothing of who may run it, so it can be kept and used for anybody's same statement.
#[derive(Clone, Debug)]
pub struct JudgedStatement {
    query: String,
    parameters: Vec<Parameter>,
    judgement: Judgement,
    beyond: OnceLock<BTreeSet<String>>,
}

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
        Ok(Self { query, parameters, judgement, beyond: OnceLock::new() })
    }

    /// Whether it is of the statement in this submit
    pub fn is_of(&self, submit: &Submit) -> bool {
        self.query == submit.query && self.parameters == submit.parameters
    }

    /// What was found out
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// What Druid's planner needs beyond it, each by `TYPE NAME`, once Druid has been asked
    pub fn beyond(&self) -> Option<&BTreeSet<String>> {
        self.beyond.get()
    }

    /// Remembers what Druid's planner said first
    pub fn remember_beyond(&self, beyond: BTreeSet<String>) -> &BTreeSet<String> {
        self.beyond.get_or_init(|| beyond)
    }
}
