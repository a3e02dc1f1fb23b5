//! Large statements are judged in time and on the stack that a judge has, or refused

use std::time::{Duration, Instant};

use msq_gate::resource_actions::Rules;
use msq_gate::resource_actions::sql::{SqlLimits, SqlRefusal, SqlRefusalClass, SqlStatement, judge};

use crate::support::with_judges_stack;

/// Far more than it takes on a slow machine without optimisation
const PATIENCE: Duration = Duration::from_secs(20);

/// Judges, and tells how; none may take long or overflow the stack
fn outcome(text: &str) -> Result<(), SqlRefusal> {
    let start = Instant::now();
    let statement = SqlStatement { text, parameters: &[] };
    let judged = || judge(&statement, &Rules::default(), &SqlLimits::default());
    let outcome = with_judges_stack(|| judged().map(|_| ()));
    let taken = start.elapsed();
    println!(
        "{taken:?} {} {:?}",
        text.chars().take(60).collect::<String>().replace('\n', " "),
        outcome.as_ref().err().map(ToString::to_string)
    );
    assert!(taken < PATIENCE, "{taken:?}: {:.80}", text);
    outcome
}

/// A statement of just under the limits, from a chain whose links have so many tokens
fn chain(head: &str, link: &str, link_tokens: usize, tail: &str) -> String {
    let links = (49_980 / link_tokens).min(262_100 / link.len());
    format!("{head}{}{tail}", link.repeat(links))
}

#[test]
fn long_flat_statements_are_judged() {
    for (head, link, tokens, tail) in [
        ("SELECT 1", "+1", 2, ""),
        ("SELECT 1", " OR 1", 2, " FROM a"),
        ("SELECT 'a'", "||'b'", 2, ""),
        ("SELECT 1 FROM a WHERE b = 1", " AND b = 1", 4, ""),
        ("SELECT 1", " UNION ALL SELECT 1", 4, ""),
        ("SELECT 1", " UNION SELECT 1", 3, ""),
        ("SELECT 1", " UNION VALUES 1", 3, ""),
        ("TABLE a", " UNION TABLE a", 3, ""),
        ("SELECT 1", " INTERSECT SELECT 1", 3, ""),
        ("SELECT 1", " UNION(SELECT 1)", 5, ""),
        ("SELECT a", " IS NULL", 2, ""),
        ("SELECT a", "[1]", 3, ""),
        ("SELECT a", ".b", 2, ""),
        ("SELECT 1", ",1", 2, ""),
        ("SELECT 1 FROM a", ",a", 2, ""),
        ("SELECT 1 FROM a", " JOIN a ON 1", 4, ""),
        ("VALUES (1)", ",(1)", 4, ""),
        ("SELECT CASE", " WHEN 1 THEN 1", 4, " END"),
        ("WITH a AS (SELECT 1)", ", a AS (SELECT 1 FROM a)", 10, " SELECT 1"),
        ("SELECT f(1", ", a => 1", 4, ")"),
        ("SELECT 1", ", f(SELECT 1)", 6, ""),
        ("SELECT 1", ", ((SELECT 1) UNION SELECT 1)", 10, ""),
        ("SELECT 1 FROM (SELECT 1)", ", (SELECT 1) a", 6, ""),
        ("SELECT 1 FROM a", ", (a JOIN a ON 1) a", 9, ""),
        ("SET a = 1;", "SET a = 1;", 5, " SELECT 1"),
        ("SELECT 'a'", " 'a'", 1, ""),
        ("SELECT ", "(", 1, ""),
        ("SELECT 1 ", ")", 1, ""),
        ("", "SELECT ", 1, ""),
        ("SELECT a FROM ", "a ", 1, ""),
        ("SELECT ", "a-", 2, "a"),
    ] {
        let refused = outcome(&chain(head, link, tokens, tail));
        let is_flat = !matches!(link, "(" | ")" | "SELECT " | "a ");
        assert_eq!(refused.is_ok(), is_flat, "{head}{link}…{tail}: {refused:?}");
    }
}

#[test]
fn ninety_levels_are_judged_and_a_thousand_refused() {
    for (head, open, middle, close) in [
        ("SELECT ", "(", "1", ")"),
        ("SELECT ", "f(", "1", ")"),
        ("SELECT ", "(1 + ", "1", ")"),
        ("SELECT ", "(SELECT ", "1", ")"),
        ("SELECT * FROM ", "(SELECT * FROM ", "a", ")"),
        ("SELECT * FROM ", "(", "SELECT 1", ")"),
        ("SELECT * FROM ", "(", "a JOIN b ON 1", ")"),
        ("SELECT * FROM ", "(", "a", " JOIN b ON 1)"),
        ("SELECT * FROM ", "(b JOIN ", "a", " ON 1)"),
        ("SELECT * FROM ", "((SELECT 1) a JOIN ", "b", " ON 1)"),
        ("", "(", "SELECT 1", ")"),
        ("", "(SELECT 1 UNION ", "SELECT 1", ")"),
        ("", "(", "SELECT 1", " UNION SELECT 1)"),
        ("SELECT ", "CASE WHEN ", "1", " THEN 1 END"),
        ("SELECT ", "CAST(", "1", " AS VARCHAR)"),
        ("SELECT ", "TRIM(a FROM ", "b", ")"),
        ("SELECT ", "ARRAY[", "1", "]"),
        ("SELECT a", "[b", "", "]"),
        ("SELECT ", "NOT ", "a", ""),
        ("SELECT ", "- ", "a", ""),
        ("SELECT ", "EXISTS (SELECT ", "1", ")"),
        ("SELECT 1 WHERE a ", "IN (SELECT 1 FROM a WHERE a ", "= 1", ")"),
        ("", "WITH a AS (", "SELECT 1", ") SELECT 1"),
        ("SELECT ", "f(SELECT ", "1", ")"),
        ("SELECT ", "((SELECT 1) UNION SELECT ", "1", ")"),
        ("SELECT f(1) OVER ", "(ORDER BY f(1) OVER ", "(ORDER BY 1)", ")"),
    ] {
        let nested = |levels: usize| format!("{head}{}{middle}{}", open.repeat(levels), close.repeat(levels));
        let shallow = outcome(&nested(90));
        assert!(shallow.is_ok(), "{head}{open}{middle}: {shallow:?}");
        let deep = outcome(&nested(1_000)).unwrap_err();
        assert_eq!(deep.class(), SqlRefusalClass::TooLarge, "{open}");
    }
}

#[test]
fn deep_and_long_at_once_is_still_judged_in_time() {
    for (open, close) in [
        ("(", ")"),
        ("(1+", ")"),
        ("f(", ")"),
        ("(SELECT ", ")"),
        ("CASE WHEN ", " THEN 1 END"),
        ("((", "))"),
    ] {
        let levels = 88 / open.matches(['(', 'C']).count();
        let text =
            format!("SELECT {}{}{}", open.repeat(levels), "a+".repeat(20_000) + "a", close.repeat(levels));
        assert_eq!(outcome(&text), Ok(()), "{open}");
    }
    for (open, close) in [("(", " JOIN a ON 1)"), ("((SELECT 1) a JOIN ", " ON 1)"), ("(a JOIN ", " ON 1)")] {
        let chain = " JOIN a ON 1".repeat(10_000);
        let text = format!("SELECT * FROM a{chain} JOIN {}a{} ON 1", open.repeat(45), close.repeat(45));
        assert_eq!(outcome(&text), Ok(()), "{open}");
    }
}
