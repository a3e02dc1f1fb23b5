//! From what a statement mentions to what it needs, under the rules

use std::collections::BTreeSet;

use super::mention::Mention;
use super::statement::Target;
use crate::druid::{Action, ResourceAction, ResourceType};
use crate::resource_actions::rules::{EXTERNAL, InputSources, Lookups, Metadata, Rules, SystemTables};

/// Tables of `INFORMATION_SCHEMA` that tell of nothing but Druid itself
const HARMLESS: [&str; 2] = ["ROUTINES", "SCHEMATA"];

/// Tables of `sys` for which Druid's broker asks READ STATE STATE before it gives a row
/// (`SystemSchema.checkStateReadAccessForServers`), and the one where it asks that for everybody else's rows:
/// to Druid every query behind the gate is the gate's own
const OF_THE_STATE: [&str; 4] = ["servers", "server_segments", "server_properties", "queries"];

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
        Mention::External(kind, reach) => {
            Some(BTreeSet::from([rules.read_external(kind).reaching(reach.clone())]))
        }
        Mention::UndecidedExternal => match rules.input_sources {
            InputSources::Together => read(ResourceType::External, EXTERNAL),
            InputSources::ByType => None,
        },
        Mention::SystemTable(name) => Some(of_system_table(name, rules)),
        Mention::InformationSchema(name) => {
            Some(state_if(rules.metadata == Metadata::State && !HARMLESS.contains(&name.as_str())))
        }
    }
}

fn of_system_table(name: &str, rules: &Rules) -> BTreeSet<ResourceAction> {
    let mut needs = state_if(rules.metadata == Metadata::State || OF_THE_STATE.contains(&name));
    match rules.system_tables {
        SystemTables::Authorized => needs.extend([ResourceAction::read(ResourceType::SystemTable, name)]),
        SystemTables::Open => {}
    }
    needs
}

fn state_if(is_asked: bool) -> BTreeSet<ResourceAction> {
    is_asked.then(|| ResourceAction::state(Action::Read)).into_iter().collect()
}

/// What a target needs; an export goes by its type whatever the rules say
pub(super) fn of_target(target: &Target) -> Option<ResourceAction> {
    match target {
        Target::Caller => None,
        Target::Insert(name) | Target::Replace(name) => {
            Some(ResourceAction::write(ResourceType::Datasource, name))
        }
        Target::Export(kind, reach) => {
            Some(ResourceAction::write(ResourceType::External, kind).reaching(reach.clone()))
        }
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
        for table in ["segments", "tasks", "supervisors"] {
            assert!(sentences(&Mention::SystemTable(table.to_owned()), &open).unwrap().is_empty(), "{table}");
        }
        for table in OF_THE_STATE {
            let table = Mention::SystemTable(table.to_owned());
            assert_eq!(sentences(&table, &open).unwrap(), ["READ STATE STATE"], "{table:?}");
        }
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
}
