//! What a request needs before it may pass

use std::collections::BTreeSet;

use super::rules::{Metadata, Rules};
use crate::druid::{Action, Owner, Reach, ResourceAction, ResourceActions};

/// What a request needs; there is no variant that means "nobody looked"
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Any authenticated caller may; always chosen by name, never by finding an empty set
    Authenticated,
    /// Every one of these
    All(ResourceActions),
    /// To be the submitter, or to hold every one of `otherwise`
    SubmitterOr {
        /// Who submitted, where that is known; a task without an owner has no submitter
        submitter: Option<Owner>,
        /// What anybody else needs
        otherwise: ResourceActions,
    },
}

impl Needed {
    /// What a request needs whose every part was read and asked just these
    ///
    /// Only for an analyser that has looked at everything there is: an empty set becomes "any
    /// authenticated caller".
    pub fn after_reading_everything(actions: BTreeSet<ResourceAction>) -> Self {
        ResourceActions::new(told_apart(actions)).map_or(Self::Authenticated, Self::All)
    }

    /// The same, and all of these besides
    #[must_use]
    pub fn and(self, more: BTreeSet<ResourceAction>) -> Self {
        match self {
            Self::Authenticated => Self::after_reading_everything(more),
            Self::All(actions) => Self::All(more.into_iter().fold(actions, ResourceActions::with)),
            Self::SubmitterOr { submitter, otherwise } => Self::SubmitterOr {
                submitter,
                otherwise: more.into_iter().fold(otherwise, ResourceActions::with),
            },
        }
    }

    /// Why a statement that needs this is asked for the state, for people, where it is
    ///
    /// Tables of metadata are all that asks it of a statement.
    pub fn why_state(&self, rules: &Rules) -> Option<&'static str> {
        let state = ResourceAction::state(Action::Read);
        self.resource_actions().contains(&&state).then_some(match rules.metadata {
            Metadata::State => {
                "tables of sys and INFORMATION_SCHEMA ask for it, since Druid shows the gate's account the rows of \
                 all; rules.metadata = \"open\" asks what Druid asks"
            }
            Metadata::Open => "Druid itself asks for it, of servers and of other people's queries",
        })
    }

    /// Who submitted what it is asked for, where that alone is enough
    pub fn submitter(&self) -> Option<&Owner> {
        if let Self::SubmitterOr { submitter, .. } = self { submitter.as_ref() } else { None }
    }

    /// The sentences of what it names, in their order and without repeats
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<_> =
            self.resource_actions().into_iter().map(ResourceAction::sentence).collect();
        sentences.dedup();
        sentences
    }

    /// The sentences that name the places of external data
    pub fn sentences_of_places(&self) -> Vec<String> {
        self.resource_actions().into_iter().filter_map(ResourceAction::sentence_of_place).collect()
    }

    /// The resource actions it names, in the order of their sentences; one of external data once for each place
    pub fn resource_actions(&self) -> Vec<&ResourceAction> {
        match self {
            Self::Authenticated => Vec::new(),
            Self::All(actions) | Self::SubmitterOr { otherwise: actions, .. } => actions.iter().collect(),
        }
    }
}

/// So many places of external data are told apart; each stands in receipts and records
const MOST_PLACES: usize = 1_000;

/// Where there are more places than anybody means, none of them is told
fn told_apart(actions: BTreeSet<ResourceAction>) -> BTreeSet<ResourceAction> {
    let is_place = |action: &ResourceAction| action.reach.place().is_some();
    if actions.iter().filter(|action| is_place(action)).count() <= MOST_PLACES {
        return actions;
    }
    let untold =
        |action: ResourceAction| if is_place(&action) { action.reaching(Reach::Unknown) } else { action };
    actions.into_iter().map(untold).collect()
}
