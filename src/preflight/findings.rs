//! What a probe found out: action by action, and what stood in the way

use crate::durable_storage::Action;
use crate::durable_storage::answer::Deny;
use crate::durable_storage::problem::Problem;
use crate::durable_storage::report::{Answered, Outcome, Proof};

/// What was found out so far
#[derive(Debug, Default)]
pub struct Findings {
    /// An action at most once: what is noted later counts
    known: Vec<(Proof, Option<Deny>)>,
    trouble: Option<Problem>,
    /// What could not be removed
    pub left_behind: Vec<String>,
    /// What an operator should know besides
    pub warnings: Vec<String>,
}

impl Findings {
    /// That there was nothing to ask with
    pub fn without_credentials(problem: Problem) -> Self {
        Self { trouble: Some(problem), ..Self::default() }
    }

    /// That S3 did what needs this action
    pub(super) fn proven(&mut self, action: Action, answer: Answered, note: &str) {
        self.note(action, Outcome::Proven, Some(answer), note, None);
    }

    /// That S3 refused this action
    pub(super) fn denied(&mut self, action: Action, answer: Answered, deny: Deny, note: &str) {
        self.note(action, Outcome::Denied, Some(answer), note, Some(deny));
    }

    /// That nothing is known of this action
    pub(super) fn not_reached(&mut self, action: Action, answer: Option<Answered>, note: &str) {
        self.note(action, Outcome::NotReached, answer, note, None);
    }

    fn note(
        &mut self,
        action: Action,
        outcome: Outcome,
        answer: Option<Answered>,
        note: &str,
        deny: Option<Deny>,
    ) {
        self.known.retain(|(earlier, _)| earlier.action != action);
        self.known.push((Proof { action, outcome, answer, note: note.to_owned() }, deny));
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
        self.known(action).map(|(proof, _)| proof.outcome)
    }

    fn known(&self, action: Action) -> Option<&(Proof, Option<Deny>)> {
        self.known.iter().find(|(proof, _)| proof.action == action)
    }

    /// What is wrong, where something is
    pub fn problem(&self) -> Option<Problem> {
        self.trouble.clone().or_else(|| self.denial())
    }

    fn denial(&self) -> Option<Problem> {
        let denies =
            Action::ALL.into_iter().filter_map(|action| Some((action, self.known(action)?.1.as_ref()?)));
        let (actions, denies): (Vec<_>, Vec<_>) = denies.unzip();
        let policy = |of: fn(&Deny) -> Option<&String>| denies.iter().copied().find_map(of).cloned();
        let explicit = policy(|deny| if let Deny::Explicit(policy) = deny { Some(policy) } else { None });
        let missing = policy(|deny| if let Deny::NotAllowed(policy) = deny { Some(policy) } else { None });
        let is_any_proven = self.known.iter().any(|(proof, _)| proof.outcome == Outcome::Proven);
        match explicit {
            _ if actions.is_empty() => None,
            Some(policy) => Some(Problem::ExplicitDeny(actions, policy)),
            None if is_any_proven => Some(Problem::Denied(actions, missing)),
            None => Some(Problem::NothingAllowed(actions)),
        }
    }

    /// What became of each action, in the manual's order
    pub fn proofs(&self) -> Vec<Proof> {
        let untried = |action| {
            let note = "not tried, since an earlier step failed".to_owned();
            Proof { action, outcome: Outcome::NotReached, answer: None, note }
        };
        let proof = |action| self.known(action).map_or_else(|| untried(action), |(proof, _)| proof.clone());
        Action::ALL.map(proof).into()
    }
}
