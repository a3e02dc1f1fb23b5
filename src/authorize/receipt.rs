//! What a decision rested on: each needed permission, and by which role it was held

use super::policy::Holder;
pub use super::policy::Holding;
use crate::druid::{Action, Reach, ResourceAction};
use crate::resource_actions::Needed;

/// The reasons of a denial
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedReason {
    /// No role of his grants something that is needed
    MissingPermission,
    /// A role of his denies something that is needed
    Denied,
    /// He is not the one who submitted it, and holds nothing that stands in for that
    NotOwner,
}

/// The needed permissions, in the order of their sentences, and how each stands with the caller
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// One for each needed permission
    pub needed: Vec<NeededPermission>,
    /// Whether the caller is the submitter, which was enough
    pub is_submitters: bool,
}

/// A needed permission and how it stands
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededPermission {
    /// The permission
    pub permission: ResourceAction,
    /// How it stands
    pub holding: Holding,
    /// Of external data how it stands with each place that can be told
    pub places: Vec<PlaceHolding>,
    /// Whether to hold it at each of these places is enough
    pub goes_by_place: bool,
}

/// A place of external data and how it stands
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceHolding {
    /// The sentence that names it
    pub sentence: String,
    /// How it stands
    pub holding: Holding,
}

impl Receipt {
    /// How what is needed stands with this caller
    pub(super) fn new(needs: &Needed, holder: &Holder<'_>) -> Self {
        // What differs in its place only stands together.
        let all = needs.resource_actions();
        let same = |one: &&ResourceAction, other: &&ResourceAction| {
            one.action == other.action && one.resource == other.resource
        };
        let stands = |at: &[&ResourceAction]| NeededPermission::new(at, holder);
        Self { needed: all.chunk_by(same).filter_map(stands).collect(), is_submitters: false }
    }

    /// The permissions that are not held and should be, in the order of their sentences
    pub fn missing(&self) -> impl Iterator<Item = &NeededPermission> {
        self.needed.iter().filter(|needed| !self.is_submitters && !needed.is_held())
    }

    /// Whether READ STATE STATE is needed and not held
    pub fn misses_state(&self) -> bool {
        let state = ResourceAction::state(Action::Read);
        self.missing().any(|needed| needed.permission == state)
    }

    /// Why not everything is held; `None` where it is
    pub(super) fn first_fault(&self) -> Option<DeniedReason> {
        let mut missing = self.missing().peekable();
        missing.peek()?;
        let denied = missing.any(|needed| matches!(needed.holding, Holding::Denied { .. }));
        Some(if denied { DeniedReason::Denied } else { DeniedReason::MissingPermission })
    }
}

impl NeededPermission {
    /// How one stands that is needed at these places: held where it is held at each
    fn new(at: &[&ResourceAction], holder: &Holder<'_>) -> Option<Self> {
        let first = at.first()?;
        let holdings: Vec<_> = at.iter().map(|needed| holder.holding(needed)).collect();
        let worst = holdings
            .iter()
            .find(|holding| matches!(holding, Holding::Denied { .. }))
            .or_else(|| holdings.iter().find(|holding| matches!(holding, Holding::Missing { .. })));
        let holding = match worst {
            Some(Holding::Missing { .. }) => {
                let held_by =
                    holder.policy().roles_that_hold_all(at).into_iter().map(str::to_owned).collect();
                Holding::Missing { held_by }
            }
            other => other.or(holdings.first())?.clone(),
        };
        let places = at.iter().zip(holdings).filter_map(|(needed, holding)| {
            Some(PlaceHolding { sentence: needed.sentence_of_place()?, holding })
        });
        Some(Self {
            permission: (*first).clone().reaching(Reach::Unknown),
            holding,
            places: places.collect(),
            goes_by_place: at.iter().all(|needed| needed.reach.place().is_some()),
        })
    }

    /// The places at which it is not held
    pub fn missing_places(&self) -> impl Iterator<Item = &PlaceHolding> {
        self.places.iter().filter(|place| !matches!(place.holding, Holding::Held { .. }))
    }

    /// Whether the caller holds it
    pub fn is_held(&self) -> bool {
        matches!(self.holding, Holding::Held { .. })
    }
}
