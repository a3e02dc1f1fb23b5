//! Keys of the query context (Druid's `druid.auth.authorizeQueryContextParams`)

use std::collections::BTreeSet;

use super::rules::{ContextKeys, Rules};
use crate::druid::{ResourceAction, ResourceType};

/// Keys that Druid never asks for (`AuthConfig.ALLOWED_CONTEXT_KEYS`)
const UNSECURED_KEYS: [&str; 3] = ["dartQueryId", "sqlQueryId", "sqlStringifyArrays"];

/// What bringing these context keys needs
pub fn resource_actions<Key: AsRef<str>>(keys: &[Key], rules: &Rules) -> BTreeSet<ResourceAction> {
    match rules.context_keys {
        ContextKeys::Open => BTreeSet::new(),
        ContextKeys::Authorized => keys
            .iter()
            .map(Key::as_ref)
            .filter(|key| !UNSECURED_KEYS.contains(key))
            .map(|key| ResourceAction::write(ResourceType::QueryContext, key))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_key_needs_write_only_where_keys_are_authorized() {
        let keys = ["timeout", "sqlQueryId"];
        assert!(resource_actions(&keys, &Rules::default()).is_empty());
        let rules = Rules { context_keys: ContextKeys::Authorized, ..Rules::default() };
        let needs = resource_actions(&keys, &rules);
        let sentences: Vec<_> = needs.iter().map(ResourceAction::sentence).collect();
        assert_eq!(sentences, ["WRITE QUERY_CONTEXT timeout"]);
    }
}
