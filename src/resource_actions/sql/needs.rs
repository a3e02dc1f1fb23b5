//! From what a statement mentions to what it needs, under the rules

use std::collections::BTreeSet;

use super::mention::Mention;
use super::statement::Target;
use crate::druid::{ResourceAction, ResourceType};
use crate::resource_actions::rules::{ContextKeys, InputSources, Lookups, Metadata, Rules, SystemTables};

/// The name under which all external input goes where it is not told apart by type
const EXTERNAL: &str = "EXTERNAL";

/// Tables of `INFORMATION_SCHEMA` that tell of nothing but Druid itself
const HARMLESS: [&str; 2] = ["ROUTINES", "SCHEMATA"];

/// Keys that Druid lets anybody set (`QueryContexts`, `DruidSqlConfig`: the built-in unsecured ones)
const UNSECURED_KEYS: [&str; 3] = ["sqlQueryId", "sqlStringifyArrays", "dartQueryId"];

/// What a mention needs; `None` where it cannot be told and the rules ask for it
pub(super) fn of_mention(mention: &Mention, rules: &Rules) -> Option<BTreeSet<ResourceAction>> {
    let read = |kind, name: &str| Some(BTreeSet::from([ResourceAction::read(kind, name)]));
    match mention {
        Mention::Datasource(name) => read(ResourceType::Datasource, name),
        Mention::View(name) => read(ResourceType::View, name),
        Mention::Lookup(name) => match rules.lookups {
            Lookups::Granted => read(ResourceType::Lookup, name),
            Lookups::Open => Some(BTreeSet::new()),
        },
        Mention::UndecidedLookup => match rules.lookups {
            Lookups::Granted => None,
            Lookups::Open => Some(BTreeSet::new()),
        },
        Mention::External(kind) => match rules.input_sources {
            InputSources::Together => read(ResourceType::External, EXTERNAL),
            InputSources::ByType => read(ResourceType::External, kind),
        },
        Mention::UndecidedExternal => match rules.input_sources {
            InputSources::Together => read(ResourceType::External, EXTERNAL),
            InputSources::ByType => None,
        },
        Mention::SystemTable(name) => Some(of_system_table(name, rules)),
        Mention::InformationSchema(name) => Some(of_metadata(HARMLESS.contains(&name.as_str()), rules)),
    }
}

fn of_system_table(name: &str, rules: &Rules) -> BTreeSet<ResourceAction> {
    let mut needs = of_metadata(false, rules);
    match rules.system_tables {
        SystemTables::Authorized => needs.extend([ResourceAction::read(ResourceType::SystemTable, name)]),
        SystemTables::Open => {}
    }
    needs
}

fn of_metadata(is_harmless: bool, rules: &Rules) -> BTreeSet<ResourceAction> {
    match rules.metadata {
        Metadata::State if !is_harmless => {
            BTreeSet::from([ResourceAction::state(crate::druid::Action::Read)])
        }
        Metadata::State | Metadata::Open => BTreeSet::new(),
    }
}

/// What a target needs; an export goes by its type whatever the rules say
pub(super) fn of_target(target: &Target) -> Option<ResourceAction> {
    match target {
        Target::Caller => None,
        Target::Insert(name) | Target::Replace(name) => {
            Some(ResourceAction::write(ResourceType::Datasource, name))
        }
        Target::Export(kind) => Some(ResourceAction::write(ResourceType::External, kind)),
    }
}

/// What a key of `SET` needs
pub(super) fn of_key(key: &str, rules: &Rules) -> Option<ResourceAction> {
    match rules.context_keys {
        ContextKeys::Authorized if !UNSECURED_KEYS.contains(&key) => {
            Some(ResourceAction::write(ResourceType::QueryContext, key))
        }
        ContextKeys::Authorized | ContextKeys::Open => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(mention: &Mention, rules: &Rules) -> Option<Vec<String>> {
        of_mention(mention, rules).map(|needs| needs.iter().map(ResourceAction::sentence).collect())
    }

    #[test]
    fn system_tables_ask_for_the_state_and_for_themselves_where_the_rules_say_so() {
        let table = Mention::SystemTable("segments".to_owned());
        let state = Rules::default();
        let open = Rules { metadata: Metadata::Open, ..state.clone() };
        let both = Rules { system_tables: SystemTables::Authorized, ..state.clone() };
        assert_eq!(sentences(&table, &state).unwrap(), ["READ STATE STATE"]);
        assert!(sentences(&table, &open).unwrap().is_empty());
        assert_eq!(sentences(&table, &both).unwrap(), ["READ STATE STATE", "READ SYSTEM_TABLE segments"]);
        let schemata = Mention::InformationSchema("SCHEMATA".to_owned());
        assert!(sentences(&schemata, &state).unwrap().is_empty());
        assert_eq!(
            sentences(&Mention::InformationSchema("TABLES".to_owned()), &state).unwrap(),
            ["READ STATE STATE"]
        );
    }

    #[test]
    fn what_cannot_be_told_is_refused_only_where_it_matters() {
        let exact =
            Rules { lookups: Lookups::Granted, input_sources: InputSources::ByType, ..Rules::default() };
        assert!(sentences(&Mention::UndecidedLookup, &Rules::default()).unwrap().is_empty());
        assert_eq!(sentences(&Mention::UndecidedLookup, &exact), None);
        assert_eq!(
            sentences(&Mention::UndecidedExternal, &Rules::default()).unwrap(),
            ["READ EXTERNAL EXTERNAL"]
        );
        assert_eq!(sentences(&Mention::UndecidedExternal, &exact), None);
    }

    #[test]
    fn keys_ask_where_the_rules_say_so_but_for_those_anybody_may_set() {
        let authorized = Rules { context_keys: ContextKeys::Authorized, ..Rules::default() };
        assert_eq!(of_key("timeout", &Rules::default()), None);
        assert_eq!(of_key("timeout", &authorized).unwrap().sentence(), "WRITE QUERY_CONTEXT timeout");
        assert_eq!(of_key("sqlQueryId", &authorized), None);
    }
}
