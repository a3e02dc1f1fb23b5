//! The judge against statements whose needs Druid itself has told
//!
//! The corpora lie beside the project, not in it; without them there is nothing to test, except where
//! `CI` is `true`, where they have to be there.

use std::collections::BTreeSet;

use msq_gate::resource_actions::Rules;
use msq_gate::resource_actions::rules::InputSources;
use serde_json::Value;

use crate::support;

#[test]
fn statements_from_druid_need_what_druid_asks() {
    let Some(tally) = tally("druid-sql.jsonl") else { return };
    assert!(tally.short.is_empty(), "short: {:#?}", tally.short);
    assert!(tally.exact * 100 >= tally.accepted() * 99, "{} of {} are exact", tally.exact, tally.accepted());
}

#[test]
fn hostile_statements_need_what_druid_asks_or_are_refused_where_they_may_be() {
    let Some(tally) = tally("adversarial.jsonl") else { return };
    assert!(tally.short.is_empty(), "short: {:#?}", tally.short);
    assert!(tally.excess.is_empty(), "in excess: {:#?}", tally.excess);
    let exact_only: Vec<_> = tally.refused.iter().filter(|(policy, _)| policy != "exact-or-deny").collect();
    assert!(exact_only.is_empty(), "refused: {exact_only:#?}");
}

/// What Druid 27 does not know yet is among these: `SET`, `APPEND`, exports
#[test]
fn a_running_druid_37_asked_for_the_same() {
    let Some(rows) = support::corpus("live-37-explain.jsonl") else { return };
    let sources = ["druid-sql", "adversarial"].map(|name| support::corpus(&format!("{name}.jsonl")).unwrap());
    let different: Vec<_> = support::with_judges_stack(|| {
        let line = |row: &Value| usize::try_from(row["line"].as_u64().unwrap()).unwrap() - 1;
        let source = |row: &Value| &sources[usize::from(row["file"] == "adversarial")][line(row)];
        rows.iter().filter_map(|row| differs_from_37(row, source(row))).collect()
    });
    println!("live-37-explain.jsonl: {} statements, {} different", rows.len(), different.len());
    assert!(different.is_empty(), "{different:#?}");
}

/// How the judge and that Druid differ on a statement and on the text that is forwarded for it
///
/// EXPLAIN shows neither lookups nor system tables, and that file has each resource once.
fn differs_from_37(row: &Value, source: &Value) -> Option<String> {
    let sql = row["sql"].as_str().unwrap();
    let parameters: Vec<_> =
        support::strings(&source["params"]).iter().map(|value| support::varchar(value)).collect();
    let forwarded = match support::judged(sql, &parameters, &Rules::default()) {
        Ok(judgement) => judgement.forwarded,
        Err(_) if source["policy"] == "exact-or-deny" => return None,
        Err(refusal) => return Some(format!("{refusal}: {sql:?}")),
    };
    let theirs: BTreeSet<_> = row["resources"].as_array().unwrap().iter().map(support::strings).collect();
    [sql, forwarded.as_str()].into_iter().find_map(|text| {
        let judgement = support::judged(text, &parameters, &Rules::default());
        let sentences = judgement.as_ref().map(support::sentences).unwrap_or_default();
        let words = sentences.iter().map(|sentence| sentence.splitn(3, ' ').skip(1).map(str::to_owned));
        let mut ours: BTreeSet<Vec<String>> = words.map(Iterator::collect).collect();
        ours.retain(|words| ["DATASOURCE", "VIEW", "EXTERNAL"].contains(&words[0].as_str()));
        (ours != theirs).then(|| format!("{ours:?}, Druid {theirs:?}: {text:?}"))
    })
}

/// How the rows of a corpus came out that Druid accepts
#[derive(Default)]
struct Tally {
    exact: usize,
    short: Vec<String>,
    excess: Vec<String>,
    refused: Vec<(String, String)>,
}

impl Tally {
    fn accepted(&self) -> usize {
        self.exact + self.short.len() + self.excess.len() + self.refused.len()
    }
}

fn tally(file: &str) -> Option<Tally> {
    let rows = support::corpus(file)?;
    let tally = support::with_judges_stack(|| {
        let mut tally = Tally::default();
        rows.iter().filter(|row| row["accepted"] == true).for_each(|row| count(row, &mut tally));
        tally
    });
    let Tally { exact, short, excess, refused } = &tally;
    println!(
        "{file}: {exact} exact, {} short, {} in excess, {} refused",
        short.len(),
        excess.len(),
        refused.len()
    );
    for line in short.iter().chain(excess).chain(refused.iter().map(|(_, line)| line)) {
        println!("  {line}");
    }
    Some(tally)
}

fn count(row: &Value, tally: &mut Tally) {
    let sql = row["sql"].as_str().unwrap();
    let parameters: Vec<_> =
        support::strings(&row["params"]).iter().map(|value| support::varchar(value)).collect();
    let by_type = support::exacting();
    let together = Rules { input_sources: InputSources::Together, ..by_type.clone() };
    let mut missing = Vec::new();
    let mut extra = Vec::new();
    for (rules, by_type) in [(&together, false), (&by_type, true)] {
        let is_undecided =
            by_type && support::strings(&row["external_types"]).iter().any(|kind| is_undecided(kind));
        let judged = support::judged(sql, &parameters, rules);
        match judged {
            Ok(judgement) if !is_undecided => {
                let found = support::sentences(&judgement);
                let wanted = wanted(row, by_type);
                missing.extend(wanted.difference(&found).cloned());
                extra.extend(found.difference(&wanted).cloned());
            }
            Ok(_) => missing.push("a refusal".to_owned()),
            Err(_) if is_undecided => {}
            Err(refusal) => {
                let policy = row["policy"].as_str().unwrap_or_default().to_owned();
                return tally.refused.push((policy, format!("refused: {refusal}: {sql:?}")));
            }
        }
    }
    if !missing.is_empty() {
        tally.short.push(format!("missing {missing:?}: {sql:?}"));
    } else if !extra.is_empty() {
        tally.excess.push(format!("extra {extra:?}: {sql:?}"));
    } else {
        tally.exact += 1;
    }
}

/// Whether the corpus cannot tell the type either
fn is_undecided(kind: &str) -> bool {
    kind.ends_with(['?', '>', ' '])
}

/// What a row needs, and, beyond Druid, what the gate asks: the datasource of an input source of type `druid`
fn wanted(row: &Value, by_type: bool) -> BTreeSet<String> {
    let list = |key: &str, prefix: &str| {
        support::strings(&row[key]).into_iter().map(|name| format!("{prefix} {name}")).collect::<Vec<_>>()
    };
    let external = support::strings(&row["external_types"]);
    let external = external.iter().filter_map(|both| both.split_once(' ')).map(|(action, kind)| {
        match (action, by_type) {
            ("READ", false) => "READ EXTERNAL EXTERNAL".to_owned(),
            _ => format!("{action} EXTERNAL {kind}"),
        }
    });
    [
        list("reads", "READ DATASOURCE"),
        list("writes", "WRITE DATASOURCE"),
        list("views", "READ VIEW"),
        list("sys", "READ SYSTEM_TABLE"),
        // The planner asks nothing of the state; what gives the rows does.
        support::strings(&row["sys"])
            .iter()
            .filter(|table| {
                ["servers", "server_segments", "server_properties", "queries"].contains(&table.as_str())
            })
            .map(|_| "READ STATE STATE".to_owned())
            .collect(),
        list("lookups", "READ LOOKUP"),
        list("set_keys", "WRITE QUERY_CONTEXT")
            .into_iter()
            .filter(|sentence| !sentence.ends_with(" sqlQueryId"))
            .collect(),
        external.collect(),
        if row["sql"].as_str().unwrap().contains(r#""type":"druid","dataSource":"secret""#) {
            vec!["READ DATASOURCE secret".to_owned()]
        } else {
            vec![]
        },
    ]
    .into_iter()
    .flatten()
    .collect()
}
