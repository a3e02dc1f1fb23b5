//! Properties that hold for every statement: the project's cases, and the corpora where they are there

use msq_gate::resource_actions::Rules;
use msq_gate::resource_actions::sql::{Judgement, Parameter, StatementKind};

use crate::support::{self, judged, sentences};

/// A statement that is judged, with all that it takes
struct Sample {
    sql: String,
    parameters: Vec<Parameter>,
    rules: Rules,
    judgement: Judgement,
}

/// Does this with every sample
fn with_samples(check: impl Fn(&Sample) + Send) {
    support::with_judges_stack(|| {
        let samples = samples();
        assert!(samples.len() >= 50);
        samples.iter().for_each(check);
    });
}

fn samples() -> Vec<Sample> {
    let of_corpora =
        ["druid-sql.jsonl", "adversarial.jsonl"].into_iter().filter_map(support::corpus).flatten();
    let of_corpora = of_corpora.map(|row| {
        let parameters =
            support::strings(&row["params"]).iter().map(|value| support::varchar(value)).collect();
        (row["sql"].as_str().unwrap().to_owned(), parameters, support::exacting())
    });
    let own = support::cases().into_iter().map(|case| (case.sql, case.parameters, case.rules));
    let judged = own.chain(of_corpora).filter_map(|(sql, parameters, rules)| {
        let judgement = judged(&sql, &parameters, &rules).ok()?;
        Some(Sample { sql, parameters, rules, judgement })
    });
    judged.collect()
}

#[test]
fn what_is_forwarded_needs_the_same_and_is_forwarded_as_it_is() {
    with_samples(|sample| {
        let again = judged(&sample.judgement.forwarded, &sample.parameters, &sample.rules);
        assert_eq!(again.as_ref(), Ok(&sample.judgement), "{}", sample.sql);
    });
}

#[test]
fn white_space_and_comments_between_tokens_change_nothing() {
    with_samples(|sample| {
        if sample.sql.contains(['\'', '"', '/', '-', '&', '{']) {
            return;
        }
        for filling in
            ["  ", "\r\n\t\u{C}", " /* FROM a */ ", " -- FROM a\n", " // , a\r", " /**/", " /*!a*/ "]
        {
            let spaced = sample.sql.replace(' ', filling);
            let judgement =
                judged(&spaced, &sample.parameters, &sample.rules).map(|judgement| judgement.needs);
            assert_eq!(judgement.as_ref(), Ok(&sample.judgement.needs), "{spaced}");
        }
    });
}

#[test]
fn what_stands_around_a_query_only_adds() {
    with_samples(|sample| {
        let is_lone = sample.judgement.settings.is_empty() && !sample.sql.contains(';');
        if sample.judgement.kind != StatementKind::Select || !is_lone {
            return;
        }
        let query = format!("{}\n", sample.sql);
        for (around, added) in [
            (format!("SELECT * FROM ({query}) AS \"around\", \"other\""), "READ DATASOURCE other"),
            (
                format!("WITH \"around\" AS ({query}) SELECT * FROM \"around\", \"other\""),
                "READ DATASOURCE other",
            ),
            (format!("SELECT 1 FROM \"other\" WHERE EXISTS ({query})"), "READ DATASOURCE other"),
            (format!("SELECT f(1, ({query})) FROM \"other\""), "READ DATASOURCE other"),
            (format!("({query}) UNION ALL SELECT * FROM \"other\""), "READ DATASOURCE other"),
            (
                format!("SELECT 1 FROM \"other\" ORDER BY CASE WHEN 1 IN ({query}) THEN 1 END"),
                "READ DATASOURCE other",
            ),
            (format!("INSERT INTO \"other\" ({query}) PARTITIONED BY ALL"), "WRITE DATASOURCE other"),
            (
                format!("REPLACE INTO \"other\" OVERWRITE ALL {query} PARTITIONED BY ALL"),
                "WRITE DATASOURCE other",
            ),
            (format!("INSERT INTO EXTERN(s3()) AS CSV {query}"), "WRITE EXTERNAL s3"),
            (format!("EXPLAIN PLAN FOR {query}"), ""),
            (format!("SET \"a b\" = 'c'; {query}"), "WRITE QUERY_CONTEXT a b"),
        ] {
            let mut wanted = sentences(&sample.judgement);
            let is_open = added.starts_with("WRITE QUERY_CONTEXT") && sample.rules == Rules::default();
            wanted.extend((!added.is_empty() && !is_open).then(|| added.to_owned()));
            let found =
                judged(&around, &sample.parameters, &sample.rules).map(|judgement| sentences(&judgement));
            assert_eq!(found, Ok(wanted), "{around}");
        }
    });
}
