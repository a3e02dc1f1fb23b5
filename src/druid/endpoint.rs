//! Druid's endpoints, as far as the gate knows them; there is no "other"

/// The methods that Druid's endpoints take
///
/// The core's own, so that a `match` on it is checked for completeness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// DELETE
    Delete,
}

impl Method {
    /// The method of this word; case counts (RFC 9110, section 9.1)
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Get, Self::Post, Self::Delete].into_iter().find(|method| method.word() == word)
    }

    /// HTTP's word for it
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// One of Druid's endpoints: a method and a path that the gate lets through to be judged
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// POST a statement to run as a task (`SqlTaskResource`)
    SqlTask,
    /// POST a statement to answer at once (`SqlResource`)
    Sql,
    /// POST a statement to run as a task with results to fetch (`SqlStatementResource`)
    SqlStatements,
    /// GET how a statement stands
    StatementStatus,
    /// GET the rows of a statement
    StatementResults,
    /// DELETE a statement: cancel it
    StatementCancel,
    /// GET whether `/druid/v2/sql/task` is there
    SqlTaskEnabled,
    /// GET whether `/druid/v2/sql/statements` is there
    SqlStatementsEnabled,
    /// GET whether the router lives
    Health,
    /// POST a task to the Overlord (`OverlordResource`)
    TaskSubmit,
    /// GET a task's payload
    TaskPayload,
    /// GET a task's status
    TaskStatus,
    /// GET a task's reports; those of a SELECT hold its rows
    TaskReports,
    /// GET a task's log
    TaskLog,
    /// POST to shut a task down
    TaskShutdown,
}

/// What has to be known before an endpoint's request can be judged
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// By the endpoint alone: any authenticated caller may
    ByEndpoint,
    /// By the statement in its body
    ByStatement,
    /// By the task in its body
    ByTaskSpec,
    /// By the Overlord's task of the id in its path
    ByTask(TaskUse),
    /// By the owner of the statement of the id in its path
    ByOwner(TaskUse),
}

/// What is done to a task or a statement
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskUse {
    /// Looked at
    Look,
    /// Cancelled
    Cancel,
}

impl TaskUse {
    /// The verb for it, as in "alice may not cancel this task"
    pub fn verb(self) -> &'static str {
        match self {
            Self::Look => "look at",
            Self::Cancel => "cancel",
        }
    }
}

/// What is to be known of an endpoint besides its method and path
#[derive(Clone, Copy, Debug)]
struct Facts {
    judged: Judged,
    content: Content,
    patience: Patience,
    media_types: &'static [&'static str],
    starts_task: bool,
}

const JSON: &[&str] = &["application/json"];
/// Rows come as JSON, lines of it or CSV (`ResultFormat`)
const ROWS: &[&str] = &["application/json", "text/plain", "text/csv"];

impl Facts {
    /// Of an endpoint that answers in JSON, and soon
    const fn new(judged: Judged, content: Content) -> Self {
        Self { judged, content, patience: Patience::Control, media_types: JSON, starts_task: false }
    }

    const fn answering(self, media_types: &'static [&'static str]) -> Self {
        Self { media_types, ..self }
    }

    const fn as_a_query(self) -> Self {
        Self { patience: Patience::Query, ..self }
    }

    const fn starting_a_task(self) -> Self {
        Self { starts_task: true, ..self }
    }
}

impl Endpoint {
    /// The table: one row each
    const fn facts(self) -> Facts {
        let statement = Facts::new(Judged::ByStatement, Content::Statement).as_a_query();
        let open = Facts::new(Judged::ByEndpoint, Content::Nothing);
        let of_task = Facts::new(Judged::ByTask(TaskUse::Look), Content::Nothing);
        let of_owner = Facts::new(Judged::ByOwner(TaskUse::Look), Content::Nothing);
        match self {
            Self::SqlTask | Self::SqlStatements => statement.starting_a_task(),
            Self::Sql => statement.answering(ROWS),
            Self::StatementStatus => of_owner,
            Self::StatementResults => of_owner.as_a_query().answering(ROWS),
            Self::StatementCancel => Facts::new(Judged::ByOwner(TaskUse::Cancel), Content::Nothing),
            Self::SqlTaskEnabled | Self::SqlStatementsEnabled | Self::Health => open,
            Self::TaskSubmit => Facts::new(Judged::ByTaskSpec, Content::TaskSpec).starting_a_task(),
            Self::TaskPayload | Self::TaskStatus | Self::TaskReports => of_task,
            Self::TaskLog => of_task.answering(&["text/plain"]),
            Self::TaskShutdown => Facts::new(Judged::ByTask(TaskUse::Cancel), Content::EmptyOrObject),
        }
    }

    /// What has to be known to judge its requests
    pub fn judged(self) -> Judged {
        self.facts().judged
    }

    /// What its requests carry
    pub fn content(self) -> Content {
        self.facts().content
    }

    /// How long its answer may take
    pub fn patience(self) -> Patience {
        self.facts().patience
    }

    /// The media types of its answers where it succeeds
    pub fn media_types(self) -> &'static [&'static str] {
        self.facts().media_types
    }

    /// Whether its answer names a task that it has started
    pub fn starts_task(self) -> bool {
        self.facts().starts_task
    }
}

/// What an endpoint's requests carry
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing: a body is refused
    Nothing,
    /// Nothing, an empty body or `{}`
    EmptyOrObject,
    /// A JSON object with a statement in it
    Statement,
    /// A JSON object that is a task
    TaskSpec,
}

/// By which limit an endpoint's answer is awaited
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// `answer_seconds`
    Query,
    /// `control_answer_seconds`
    Control,
}

impl Patience {
    /// The limit's key under `[limits]`
    pub fn limit(self) -> &'static str {
        match self {
            Self::Query => "answer_seconds",
            Self::Control => "control_answer_seconds",
        }
    }
}
