//! What native queries need: the kinds that the manual shows, and queries made at random

use std::collections::BTreeSet;

use msq_gate::resource_actions::native::{NativeQueryError, judge};
use msq_gate::resource_actions::{Rules, rules::Lookups};
use serde_json::Value;

use crate::native_queries;

fn needs(query: &str, rules: &Rules) -> Result<BTreeSet<String>, NativeQueryError> {
    let judged = judge(query.as_bytes(), 64, rules)?;
    Ok(judged.needs.resource_actions().into_iter().map(|need| need.sentence()).collect())
}

#[test]
fn each_native_query_of_the_cases_needs_just_what_stands_beside_it() {
    let granted = Rules { lookups: Lookups::Granted, ..Rules::default() };
    let mut count = 0;
    for line in include_str!("cases/native.jsonl").lines().filter(|line| line.starts_with('{')) {
        let case: Value = serde_json::from_str(line).unwrap();
        let rules = if case["lookups"] == "granted" { &granted } else { &Rules::default() };
        let found = needs(&case["native"].to_string(), rules);
        match case.get("needs") {
            Some(expected) => {
                let expected: BTreeSet<String> = serde_json::from_value(expected.clone()).unwrap();
                assert_eq!(found.as_ref(), Ok(&expected), "{line}");
            }
            None => assert!(found.is_err(), "{line}"),
        }
        count += 1;
    }
    println!("{count} native queries");
    assert!(count > 50, "{count}");
}

#[test]
fn native_queries_made_at_random_need_what_was_put_into_them() {
    for number in 0..5_000 {
        let made = native_queries::query(number);
        assert_eq!(needs(&made.query.to_string(), &Rules::default()), Ok(made.needs), "{}", made.query);
    }
}
