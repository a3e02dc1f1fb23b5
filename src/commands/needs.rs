//! `msq-gate needs`: what a statement or a task needs, without anybody asking

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::load::{Tell, load};
use super::{Exit, complain, say};
use crate::answer::refusal::Refusal;
use crate::druid::ResourceAction;
use crate::druid::resource::Printable;
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::sql::{JUDGE_STACK_BYTES, SqlLimits};
use crate::resource_actions::submit::{Submit, SubmitError};
use crate::resource_actions::{AnalysisError, Needed, Rules, ingestion, query_context};

pub(super) fn run(config: Option<&Path>, batch: bool, json: bool, file: Option<&Path>) -> Exit {
    let asking = match config.map(|file| load(file, Tell::Faults)).transpose() {
        Ok(Some(config)) => {
            Asking { limits: config.limits.sql(), json_depth: config.limits.json_depth, rules: config.rules }
        }
        Ok(None) => Asking::default(),
        Err(exit) => return exit,
    };
    let input = match open(file) {
        Ok(input) => input,
        Err(error) => {
            complain(format_args!("{}: {error}", file.unwrap_or(Path::new("standard input")).display()));
            return Exit::NoInput;
        }
    };
    on_a_large_stack(move || if batch { asking.batch(input) } else { asking.one(input, json) })
}

pub(super) type Input = Box<dyn BufRead + Send>;

pub(super) fn open(file: Option<&Path>) -> io::Result<Input> {
    Ok(match file {
        Some(path) => Box::new(BufReader::new(std::fs::File::open(path)?)),
        None => Box::new(BufReader::new(io::stdin())),
    })
}

/// A statement's tree is as deep as its author made it
pub(super) fn on_a_large_stack(work: impl FnOnce() -> Exit + Send + 'static) -> Exit {
    let thread = std::thread::Builder::new().stack_size(JUDGE_STACK_BYTES).spawn(work);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => exit,
        Ok(Err(_)) | Err(_) => {
            complain("the statement could not be judged");
            Exit::System
        }
    }
}

/// Under which rules and limits needs are asked for
pub(super) struct Asking {
    pub(super) rules: Rules,
    pub(super) limits: SqlLimits,
    pub(super) json_depth: usize,
}

impl Default for Asking {
    fn default() -> Self {
        let limits = SqlLimits { statement_bytes: 262_144, statement_tokens: 50_000, statement_nesting: 100 };
        Self { rules: Rules::default(), limits, json_depth: 64 }
    }
}

/// What one request needs, and the text that Druid would get
pub(super) struct Answer {
    pub(super) needs: Needed,
    pub(super) forwarded: Option<String>,
    pub(super) deed: String,
    pub(super) why_state: Option<&'static str>,
}

impl Asking {
    fn one(&self, mut input: Input, as_json: bool) -> Exit {
        let mut text = String::new();
        if let Err(error) = input.read_to_string(&mut text) {
            complain(format_args!("the input cannot be read: {error}"));
            return Exit::NoInput;
        }
        match self.answer(text) {
            Ok(answer) if as_json => say(answer.json()),
            Ok(answer) => answer.print(),
            Err(refusal) if as_json => {
                say(refused(&refusal));
                return Exit::DataError;
            }
            Err(refusal) => {
                complain(format_args!("refused, {}: {refusal}", refusal.reason().code()));
                return Exit::DataError;
            }
        }
        Exit::Ok
    }

    /// A statement's text, or an object
    pub(super) fn answer(&self, text: String) -> Result<Answer, Refusal> {
        if text.trim_start().starts_with('{') {
            self.object(&text)
        } else {
            self.statement(text, Value::Null)
        }
    }

    /// An object: a task where it has a `type`, else the body of a SQL submit
    fn object(&self, text: &str) -> Result<Answer, Refusal> {
        let value =
            crate::druid::json::parse(text.as_bytes(), self.json_depth).map_err(AnalysisError::json)?;
        if value.get("queryType").is_some() {
            return Err(native());
        }
        if value.get("type").is_some() { self.task(text.as_bytes()) } else { self.submit(text.as_bytes()) }
    }

    fn batch(&self, mut input: Input) -> Exit {
        let mut output = BufWriter::new(io::stdout().lock());
        let mut line = String::new();
        loop {
            line.clear();
            match input.read_line(&mut line) {
                Ok(0) => break,
                Ok(_) if line.trim().is_empty() => {}
                Ok(_) => {
                    if writeln!(output, "{}", self.line(&line)).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    complain(format_args!("the input cannot be read: {error}"));
                    return Exit::NoInput;
                }
            }
        }
        // Whoever read has gone, or the last of it is out.
        let _gone = output.flush();
        Exit::Ok
    }

    fn line(&self, line: &str) -> Value {
        // A task stands one level deeper than a body.
        let request = match crate::druid::json::parse(line.trim().as_bytes(), self.json_depth + 1) {
            Ok(Value::Object(request)) => request,
            Ok(_) => return no_line(LINE.to_owned()),
            Err(error) => return no_line(format!("{error}; {LINE}")),
        };
        let answer = self.request(&request);
        let mut written = Map::new();
        if let Some(id) = request.get("id") {
            written.insert("id".to_owned(), id.clone());
        }
        match answer.map(|answer| answer.json()).unwrap_or_else(|refusal| refused(&refusal)) {
            Value::Object(members) => written.extend(members),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
        Value::Object(written)
    }

    fn request(&self, request: &Map<String, Value>) -> Result<Answer, Refusal> {
        let is_known = |key: &&String| KNOWN.contains(&key.as_str());
        let stranger = request.keys().find(|key| !is_known(key)).map(|key| Printable(key).to_string());
        if let Some(stranger) =
            stranger.as_ref().filter(|_| request.keys().any(|key| ASKED.contains(&key.as_str())))
        {
            return Err(shape(format!(
                "a line has no member `{stranger}`; its members are {}",
                KNOWN.join(", ")
            )));
        }
        if let Some(task) = request.get("task") {
            let beside = ["sql", "parameters", "context", "native"]
                .into_iter()
                .find(|name| request.contains_key(*name));
            if let Some(beside) = beside {
                return Err(shape(format!(
                    "`{beside}` stands beside `task`; a line has a statement or a task"
                )));
            }
            return self.task(task.to_string().as_bytes());
        }
        if request.contains_key("native") {
            return Err(native());
        }
        if !request.get("sql").is_some_and(Value::is_string) {
            let given = stranger.map_or_else(String::new, |key| format!(", not in `{key}`"));
            return Err(shape(format!(
                "a line has its statement, a string, in `sql`{given}; or a task in `task`"
            )));
        }
        let mut body = Map::new();
        for (name, member) in [("sql", "query"), ("parameters", "parameters"), ("context", "context")] {
            if let Some(value) = request.get(name) {
                body.insert(member.to_owned(), value.clone());
            }
        }
        self.submit(Value::Object(body).to_string().as_bytes())
    }

    fn statement(&self, text: String, parameters: Value) -> Result<Answer, Refusal> {
        self.submit(json!({"query": text, "parameters": parameters}).to_string().as_bytes())
    }

    fn submit(&self, body: &[u8]) -> Result<Answer, Refusal> {
        let submit = Submit::read(body, self.json_depth)?;
        let Submit { query, parameters, context_keys, .. } = submit;
        let judged = JudgedStatement::judge(query, parameters, &self.rules, &self.limits);
        let judged = judged.map_err(crate::evidence::judge::JudgeError::Refused)?;
        let judgement = judged.judgement();
        let keys = query_context::resource_actions(&context_keys, &self.rules);
        let deed = format!("run this {}", judgement.kind);
        Ok(Answer {
            needs: judgement.needs.clone().and(keys),
            forwarded: Some(judgement.forwarded.clone()),
            deed,
            why_state: judgement.needs.why_state(&self.rules),
        })
    }

    fn task(&self, body: &[u8]) -> Result<Answer, Refusal> {
        let judged = ingestion::judge(body, self.json_depth, &self.rules).map_err(AnalysisError::from)?;
        let deed = format!("post this task of type {}", judged.kind);
        Ok(Answer { needs: judged.needs, forwarded: None, deed, why_state: None })
    }
}

impl Answer {
    fn sentences(&self) -> Vec<String> {
        self.needs.resource_actions().into_iter().map(ResourceAction::sentence).collect()
    }

    fn json(&self) -> Value {
        match &self.forwarded {
            Some(forwarded) => json!({"needs": self.sentences(), "forwarded": forwarded}),
            None => json!({"needs": self.sentences()}),
        }
    }

    fn print(&self) {
        let needed = self.needs.resource_actions();
        if needed.is_empty() {
            say("any authenticated caller may");
        }
        for action in needed {
            say(action);
        }
    }
}

/// The members of a line of `--batch`
const KNOWN: [&str; 7] = ["id", "sql", "parameters", "context", "engine", "task", "native"];

/// Those that say what is asked
const ASKED: [&str; 3] = ["sql", "task", "native"];

const LINE: &str = "a line is a JSON object: a statement, a string, in `sql`, with `parameters`, `context` and `engine` \
                    where it has them, or a task in `task`; `id` comes back with the answer";

fn no_line(message: String) -> Value {
    json!({"id": null, "refused": {"reason": "bad_json", "message": message}})
}

fn shape(what: String) -> Refusal {
    Refusal::Submit(SubmitError::Shape(what))
}

/// Native queries are not judged yet, and none is let through
fn native() -> Refusal {
    Refusal::Route(crate::request::route::RouteError::UnknownEndpoint(
        crate::request::route::closed::Closed::NativeQuery,
    ))
}

fn refused(refusal: &Refusal) -> Value {
    json!({"refused": {"reason": refusal.reason().code(), "message": refusal.to_string()}})
}
