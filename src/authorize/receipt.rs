//! What a decision rested on: each needed permission, and by which role it was held

use super::policy::Holder;
pub use super::policy::Holding;
use crate::druid::{Action, ResourceAction};
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
}

impl Receipt {
    /// How what is needed stands with this caller
    pub(super) fn new(needs: &Needed, holder: &Holder<'_>) -> Self {
        let stands = |permission: &ResourceAction| NeededPermission {
            permission: permission.clone(),
            holding: holder.holding(permission),
        };
        Self { needed: needs.resource_actions().into_iter().map(stands).collect(), is_submitters: false }
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
    /// Whether the caller holds it
    pub fn is_held(&self) -> bool {
        matches!(self.holding, Holding::Held { .. })
    }
}
