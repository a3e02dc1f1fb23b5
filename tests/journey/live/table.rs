//! Who may do what: a table of cells, each tried on a real gate and a real Druid, and printed

use http::StatusCode;

use crate::gate::Answer;

/// What a cell should give
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Druid answers, with this status
    Passes(StatusCode),
    /// Druid answers, and what depends on how far its task is
    Reaches,
    /// The gate refuses, and exactly these are missing
    Missing(&'static [&'static str]),
    /// The gate refuses for this reason
    Refused(&'static str),
}

/// The cells tried so far
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<String>,
    wrong: Vec<String>,
}

impl Table {
    /// Notes what a cell gave
    pub(crate) fn note(&mut self, rule: &str, what: &str, who: &str, expect: &Expect, answer: &Answer) {
        let got = got(answer);
        let right = match expect {
            Expect::Passes(status) => got == Got::Passed(*status),
            Expect::Reaches => matches!(got, Got::Passed(StatusCode::OK | StatusCode::NOT_FOUND)),
            Expect::Missing(permissions) => {
                got == Got::Refused {
                    reason: "missing_permission".to_owned(),
                    missing: permissions.iter().map(|&permission| permission.to_owned()).collect(),
                }
            }
            Expect::Refused(reason) => matches!(&got, Got::Refused { reason: told, .. } if told == reason),
        };
        let row = format!("{rule:<5}| {what:<58}| {who:<28}| {got}");
        if !right {
            self.wrong.push(format!(
                "{row}\n      expected {expect:?}; the answer was {} {}",
                answer.status,
                answer.text()
            ));
        }
        self.rows.push(row);
    }

    /// Prints the table, and fails if a cell is wrong
    pub(crate) fn finish(self, title: &str) {
        println!("\n{title}\n{:<5}| {:<58}| {:<28}| gives", "rule", "what", "who");
        println!("{}\n{} cells", self.rows.join("\n"), self.rows.len());
        assert!(self.wrong.is_empty(), "\n{}", self.wrong.join("\n"));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Got {
    Passed(StatusCode),
    Refused { reason: String, missing: Vec<String> },
}

/// Every answer carries the gate's header; only the gate's own refusals carry a reason
fn got(answer: &Answer) -> Got {
    let _decision = answer.decision();
    match answer.reason() {
        None => Got::Passed(answer.status),
        Some(reason) => Got::Refused { reason, missing: answer.missing() },
    }
}

impl std::fmt::Display for Got {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed(status) => write!(formatter, "{}", status.as_u16()),
            Self::Refused { reason, missing } if missing.is_empty() => write!(formatter, "refused: {reason}"),
            Self::Refused { missing, .. } => write!(formatter, "403: missing {}", missing.join(", ")),
        }
    }
}
