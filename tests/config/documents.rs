//! What is written about the configuration is what the code does

use std::fmt::Write;
use std::fs;
use std::path::Path;

use msq_gate::config::Config;
use msq_gate::config::keys::{Fallback, KEYS, Key};

use crate::LEAST;
use crate::findings;
use crate::read;

fn project_file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_shipped_file_loads_without_a_finding() {
    assert_eq!(findings(&project_file("proxy.toml")), Vec::<String>::new());
}

#[test]
fn the_least_configuration_loads_without_a_finding() {
    assert_eq!(findings(LEAST), Vec::<String>::new());
}

#[test]
fn the_documented_defaults_are_those_of_the_code() {
    let mut spelt_out = LEAST.to_owned();
    for section in ["admin", "rules", "limits", "audit", "durable_storage"] {
        writeln!(spelt_out, "[{section}]").unwrap();
        for key in KEYS.iter().filter(|key| key.section == section) {
            let Fallback::Value(value) = key.default else { continue };
            writeln!(spelt_out, "{} = {value}", key.name).unwrap();
        }
    }
    let (left_out, spelt_out) = (read(LEAST).config.unwrap(), read(&spelt_out).config.unwrap());
    let settings = |config: &Config| {
        let Config { admin, rules, door, limits, audit, durable_storage, .. } = config;
        format!("{:#?}", (admin, rules, door, limits, audit, durable_storage))
    };
    assert_eq!(settings(&left_out), settings(&spelt_out));
}

#[test]
fn every_key_with_a_default_stands_in_the_shipped_file() {
    let shipped = project_file("proxy.toml");
    for key in
        KEYS.iter().filter(|key| matches!(key.section, "rules" | "limits" | "audit" | "durable_storage"))
    {
        assert!(
            shipped.contains(&format!("{} ", key.name)),
            "{}.{} is not in proxy.toml",
            key.section,
            key.name
        );
    }
}

fn row(key: &Key) -> String {
    let default = match key.default {
        Fallback::Required => "must be given".to_owned(),
        Fallback::Unset => "".to_owned(),
        Fallback::Value(value) => format!("`{value}`"),
    };
    format!("| `{}.{}` | {default} | {} |\n", key.section, key.name, key.meaning.replace('|', "\\|"))
}

#[test]
fn the_readme_lists_every_key_with_its_default() {
    let rows: String = KEYS.iter().map(row).collect();
    let table = format!("| key | default | what it does |\n| --- | --- | --- |\n{rows}");
    let readme = project_file("README.md");
    assert!(readme.contains(&table), "the README's table of keys should be:\n\n{table}");
}

#[test]
fn the_readme_lists_every_endpoint_as_the_route_table_does() {
    let table = msq_gate::druid::endpoint::table::markdown();
    let readme = project_file("README.md");
    assert!(readme.contains(&table), "the README's table of endpoints should be:\n\n{table}");
}

#[test]
fn the_schema_knows_every_key_and_no_other() {
    let schema = msq_gate::config::schema::schema();
    for key in KEYS {
        let place = match key.section {
            "issuers" => "/properties/issuers/items/properties".to_owned(),
            "roles.*" => "/properties/roles/additionalProperties/properties".to_owned(),
            section => format!("/properties/{section}/properties"),
        };
        let properties = schema.pointer(&place).unwrap().as_object().unwrap();
        assert!(properties.contains_key(key.name), "{}.{}", key.section, key.name);
        assert_eq!(properties.len(), KEYS.iter().filter(|other| other.section == key.section).count());
    }
}

#[test]
fn tasks_says_whose_they_are_where_neither_of_the_two_it_stands_for_says_otherwise() {
    use msq_gate::resource_actions::rules::{Cancel, SelectTasks};
    for (rules, cancel, select_tasks) in [
        ("", Cancel::Read, SelectTasks::Shared),
        ("tasks = \"shared\"", Cancel::Read, SelectTasks::Shared),
        ("tasks = \"owner\"", Cancel::Owner, SelectTasks::Owner),
        ("tasks = \"owner\"\ncancel = \"write\"", Cancel::Write, SelectTasks::Owner),
        ("tasks = \"owner\"\nselect_tasks = \"shared\"", Cancel::Owner, SelectTasks::Shared),
        ("tasks = \"shared\"\ncancel = \"owner\"", Cancel::Owner, SelectTasks::Shared),
    ] {
        let read = read(&format!("{LEAST}\n[rules]\n{rules}\n")).config.unwrap().rules;
        assert_eq!((read.cancel, read.select_tasks), (cancel, select_tasks), "{rules}");
    }
}
