//! What a probe found out: action by action, and what stood in the way

use crate::durable_storage::Action;
use crate::durable_storage::answer::Deny;
use crate::durable_storage::problem::Problem;
use crate::durable_storage::report::{Answered, Outcome, Proof};

/// What was found out so far
#[derive(Debug, Default)]
pub struct Findings {
    known: Vec<Known>,
    trouble: Option<Problem>,
    /// What could not be removed
    pub left_behind: Vec<String>,
    /// What an operator should know besides
    pub warnings: Vec<String>,
}

/// What is known of an action; what is noted later counts
#[derive(Debug)]
struct Known {
    action: Action,
    outcome: Outcome,
    answer: Option<Answered>,
    deny: Option<Deny>,
    note: String,
}

impl Findings {
    /// That there was nothing to ask with
    pub fn without_credentials(problem: Problem) -> Self {
        Self { trouble: Some(problem), ..Self::default() }
    }

    /// That S3 did what needs this action
    pub(super) fn proven(&mut self, action: Action, answer: Answered, note: &str) {
        self.note(action, Outcome::Proven, Some(answer), None, note);
    }

    /// That S3 refused this action
    pub(super) fn denied(&mut self, action: Action, answer: Answered, deny: Deny, note: &str) {
        self.note(action, Outcome::Denied, Some(answer), Some(deny), note);
    }

    /// That nothing is known of this action
    pub(super) fn not_reached(&mut self, action: Action, answer: Option<Answered>, note: &str) {
        self.note(action, Outcome::NotReached, answer, None, note);
    }

    fn note(
        &mut self,
        action: Action,
        outcome: Outcome,
        answer: Option<Answered>,
        deny: Option<Deny>,
        note: &str,
    ) {
        self.known.retain(|earlier| earlier.action != action);
        self.known.push(Known { action, outcome, answer, deny, note: note.to_owned() });
    }

    /// Something else than a denial is wrong; the first problem is the one to solve, what follows may come of it
    pub(super) fn trouble(&mut self, problem: Problem) {
        self.trouble.get_or_insert(problem);
    }

    /// Whether something else than a denial is wrong
    pub(super) fn has_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// What is known of an action so far
    pub(super) fn outcome(&self, action: Action) -> Option<Outcome> {
        self.known(action).map(|known| known.outcome)
    }

    fn known(&self, action: Action) -> Option<&Known> {
        self.known.iter().find(|known| known.action == action)
    }

    /// What is wrong, where something is
    pub fn problem(&self) -> Option<Problem> {
        self.trouble.clone().or_else(|| self.denial())
    }

    fn denial(&self) -> Option<Problem> {
        let known = Action::ALL.into_iter().filter_map(|action| self.known(action));
        let denied: Vec<_> = known.filter(|known| known.outcome == Outcome::Denied).collect();
        let actions: Vec<_> = denied.iter().map(|known| known.action).collect();
        let policy = |of: fn(&Deny) -> Option<&String>| {
            denied.iter().filter_map(|known| known.deny.as_ref()).find_map(of).cloned()
        };
        let is_any_proven = self.known.iter().any(|known| known.outcome == Outcome::Proven);
        match (policy(Deny::explicit), actions.is_empty(), is_any_proven) {
            (_, true, _) => None,
            (Some(policy), false, _) => Some(Problem::ExplicitDeny(actions, policy)),
            (None, false, true) => Some(Problem::Denied(actions, policy(Deny::not_allowed))),
            (None, false, false) => Some(Problem::NothingAllowed(actions)),
        }
    }

    /// What became of each action, in the manual's order
    pub fn proofs(&self) -> Vec<Proof> {
        Action::ALL.into_iter().map(|action| self.proof(action)).collect()
    }

    fn proof(&self, action: Action) -> Proof {
        let untried = || "not tried, since an earlier step failed".to_owned();
        let known = self.known(action);
        Proof {
            action,
            outcome: known.map_or(Outcome::NotReached, |known| known.outcome),
            answer: known.and_then(|known| known.answer.clone()),
            note: known.map_or_else(untried, |known| known.note.clone()),
        }
    }
}

impl Deny {
    fn explicit(&self) -> Option<&String> {
        if let Self::Explicit(policy) = self { Some(policy) } else { None }
    }

    fn not_allowed(&self) -> Option<&String> {
        if let Self::NotAllowed(policy) = self { Some(policy) } else { None }
    }
}
