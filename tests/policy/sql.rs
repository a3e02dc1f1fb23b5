//! Cases of the project's own: statements, and what they need or why they are refused

use std::collections::BTreeSet;

use msq_gate::resource_actions::sql::SqlRefusalClass;

use crate::support::{self, Case};

#[test]
fn every_case_needs_what_it_says_or_is_refused_as_it_says() {
    let cases = support::cases();
    let wrong: Vec<_> = support::with_judges_stack(|| cases.iter().filter_map(fault).collect());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases.len() >= 100);
}

#[test]
fn there_are_as_many_allowed_cases_as_refused_ones_at_least() {
    let (refused, allowed): (Vec<_>, Vec<_>) =
        support::cases().into_iter().partition(|case| !case.row["refused"].is_null());
    assert!(allowed.len() >= refused.len(), "{} allowed, {} refused", allowed.len(), refused.len());
}

/// How a case came out otherwise than it says
fn fault(case: &Case) -> Option<String> {
    let outcome = support::judged(&case.sql, &case.parameters, &case.rules);
    let found = match &outcome {
        Ok(judgement) => Ok(support::sentences(judgement)),
        Err(refusal) => Err(class(refusal.class())),
    };
    let wanted = match case.row["refused"].as_str() {
        None => Ok(support::strings(&case.row["needs"]).into_iter().collect::<BTreeSet<_>>()),
        Some(reason) => Err(reason),
    };
    (found != wanted).then(|| format!("{}: {found:?}, not {wanted:?}; {:?}", case.sql, outcome.err()))
}

fn class(class: SqlRefusalClass) -> &'static str {
    match class {
        SqlRefusalClass::Unreadable => "bad_sql",
        SqlRefusalClass::TooLarge => "too_large",
        SqlRefusalClass::Unsupported => "unsupported_statement",
        SqlRefusalClass::ReservedContextKey => "reserved_context_key",
    }
}
