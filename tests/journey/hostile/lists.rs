//! What is said beside single rows: where interface.md is right against the catalogue, what is not run here
//! and why, and the misses that are known
//!
//! The last list may only shrink.

/// A row that says something else than interface.md, which is right
pub(super) struct Difference {
    pub(super) id: &'static str,
    pub(super) statuses: &'static [u16],
    pub(super) upstream_sees: &'static str,
    /// The statement that Druid gets, where that is the point
    pub(super) statement: Option<&'static str>,
    pub(super) why: &'static str,
}

/// Nothing of it reaches Druid, as the row says, and it is told so otherwise
const REFUSED: Difference =
    Difference { id: "", statuses: &[405], upstream_sees: "nothing", statement: None, why: "" };

const LET_THROUGH: Difference =
    Difference { id: "", statuses: &[200, 202], upstream_sees: "normalized", statement: None, why: "" };

/// The rows about which interface.md says otherwise: this is asked for instead
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        id: "pa-statements",
        statuses: &[400],
        why: "the statements API is served like the task API; the 400 is Druid's, for want of executionMode",
        ..LET_THROUGH
    },
    Difference {
        id: "pa-ext-json",
        why: "a query of this id can be cancelled, so the path is listed with another method",
        ..REFUSED
    },
    Difference { id: "pa-seg-tilde", why: "the same", ..REFUSED },
    Difference { id: "pa-qs-dup", why: "the list of tasks is listed, with GET", ..REFUSED },
    Difference {
        id: "pa-proxy-basic-sec",
        statuses: &[413],
        why: "the path is listed; it takes no body, and a body comes before what the caller may",
        ..REFUSED
    },
    Difference { id: "pa-shutdown-all", statuses: &[413], why: "the same", ..REFUSED },
    Difference {
        id: "ti-status-batch-other",
        why: "the path is listed, and of what is asked for each is shown the tasks that he may look at (owns.rs)",
        ..LET_THROUGH
    },
    Difference {
        id: "ti-spec-type-archive",
        why: "the type is open: its segments go where the cluster's configuration says, with WRITE, which alice has here",
        ..LET_THROUGH
    },
    Difference {
        id: "sq-e-string",
        statement: Some(r#"INSERT INTO "own" SELECT 'a'' FROM "other" --' FROM "own" PARTITIONED BY ALL"#),
        why: "Calcite reads one literal, and prefixed literals are forwarded in their plain form",
        ..LET_THROUGH
    },
    Difference {
        id: "sq-comment-ls",
        statement: Some("INSERT INTO \"own\" SELECT * FROM \"own\"  \n PARTITIONED BY ALL"),
        why: "it ends no comment in Calcite, and each comment is forwarded as one space",
        ..LET_THROUGH
    },
    Difference {
        id: "sq-comment-nel",
        statement: Some("INSERT INTO \"own\" SELECT * FROM \"own\"  \n PARTITIONED BY ALL"),
        why: "the same",
        ..LET_THROUGH
    },
    Difference {
        id: "sq-comment-mysql",
        statement: Some(r#"INSERT INTO "own" SELECT * FROM "own"   PARTITIONED BY ALL"#),
        why: "a plain comment in Calcite, and forwarded as one space",
        ..LET_THROUGH
    },
    Difference {
        id: "sq-ctx-queryid",
        statuses: &[500],
        why: "the id of a query is not reserved; Druid starts no second task of an id, and says so",
        ..LET_THROUGH
    },
];

/// Rows of the groups that are run which are not
pub(super) const NOT_RUN: &[(&str, &str)] = &[
    ("ti-id-reuse", "look-ups are remembered for a minute, and the run is to end before"),
    ("h2-early-reset-upstream", "no endpoint of the gate's has this path; a client that leaves: answers.rs"),
    (
        "tk-timing",
        "4,000 tokens made anew: played by authenticates.rs, which prints the ratio of the medians",
    ),
    ("ck-leap", "the clock of this process cannot be set; run in process by tests/authenticate"),
    ("ck-frozen", "the same"),
    ("ck-suspend", "the same"),
];

/// Misses, each with the reason why it stays
pub(super) const KNOWN_MISSES: &[(&str, &str)] = &[];
