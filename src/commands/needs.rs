//! `msq-gate needs`: what a statement or a task needs, without anybody asking

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::load::{Tell, load};
use super::{Exit, fail, say};
use crate::answer::explain;
use crate::answer::refusal::Refusal;
use crate::config::Config;
use crate::druid::json::{JsonLimits, parse};
use crate::druid::resource::Printable;
use crate::evidence::judge::JudgeError;
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::sql::{JUDGE_STACK_BYTES, SqlLimits};
use crate::resource_actions::submit::{Submit, SubmitError};
use crate::resource_actions::{AnalysisError, Needed, Rules};

/// What was typed
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The configuration whose [rules] and [limits] count; the defaults where not given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read JSON lines, `{"id":1,"sql":"…"}`, and write JSON lines
    #[arg(long)]
    batch: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// The file with the statement or the task; standard input where not given
    file: Option<PathBuf>,
}

pub(super) fn run(asked: Asked) -> Result<(), Exit> {
    let config = asked.config.map(|file| load(&file, Tell::Faults)).transpose()?;
    let asking = config.map_or_else(Asking::default, |config| Asking::of(&config));
    let input = open(asked.file.as_deref())?;
    on_a_large_stack(move || if asked.batch { asking.batch(input) } else { asking.one(input, asked.json) })
}

pub(super) type Input = Box<dyn BufRead + Send>;

pub(super) fn open(file: Option<&Path>) -> Result<Input, Exit> {
    let Some(path) = file else { return Ok(Box::new(BufReader::new(io::stdin()))) };
    let opened = std::fs::File::open(path);
    let opened = opened.map_err(|error| fail(Exit::NoInput, format_args!("{}: {error}", path.display())))?;
    Ok(Box::new(BufReader::new(opened)))
}

pub(super) fn read_whole(mut input: Input) -> Result<String, Exit> {
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn unreadable(error: io::Error) -> Exit {
    fail(Exit::NoInput, format_args!("the input cannot be read: {error}"))
}

/// A statement's tree is as deep as its author made it
pub(super) fn on_a_large_stack(work: impl FnOnce() -> Result<(), Exit> + Send + 'static) -> Result<(), Exit> {
    let thread = std::thread::Builder::new().stack_size(JUDGE_STACK_BYTES).spawn(work);
    let done = thread.ok().and_then(|thread| thread.join().ok());
    done.unwrap_or_else(|| Err(fail(Exit::System, "the statement could not be judged")))
}

/// Under which rules and limits needs are asked for
pub(super) struct Asking {
    pub(super) rules: Rules,
    pub(super) limits: SqlLimits,
    pub(super) json: JsonLimits,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            limits: SqlLimits::default(),
            json: JsonLimits { depth: 64, values: 100_000 },
        }
    }
}

impl Asking {
    pub(super) fn of(config: &Config) -> Self {
        let (rules, limits) = (config.rules.clone(), config.limits.sql());
        Self { rules, limits, json: config.limits.json() }
    }

    fn one(&self, input: Input, as_json: bool) -> Result<(), Exit> {
        match self.answer(&read_whole(input)?) {
            Ok(needed) if as_json => say(json(&needed)),
            Ok(needed) => print(&needed),
            Err(refusal) if as_json => {
                say(refused(&refusal));
                return Err(Exit::DataError);
            }
            Err(refusal) => {
                let what = format_args!("refused, {}: {refusal}", refusal.reason().code());
                return Err(fail(Exit::DataError, what));
            }
        }
        Ok(())
    }

    /// A statement's text; or an object: a task where it has a `type`, a native query where it has a `queryType`, else the body of a SQL submit
    pub(super) fn answer(&self, text: &str) -> Result<explain::Asked, Refusal> {
        if !text.trim_start().starts_with('{') {
            return self.submit(json!({"query": text}).to_string().as_bytes());
        }
        let value = parse(text.as_bytes(), self.json).map_err(AnalysisError::json)?;
        if value.get("queryType").is_some() && !value.get("query").is_some_and(Value::is_string) {
            return self.native(text.as_bytes());
        }
        if value.get("type").is_some() { self.task(text.as_bytes()) } else { self.submit(text.as_bytes()) }
    }

    fn batch(&self, input: Input) -> Result<(), Exit> {
        let mut output = BufWriter::new(io::stdout().lock());
        for line in input.lines() {
            let line = line.map_err(unreadable)?;
            if !line.trim().is_empty() && writeln!(output, "{}", self.line(&line)).is_err() {
                break;
            }
        }
        // Whoever read has gone, or the last of it is out.
        let _gone = output.flush();
        Ok(())
    }

    fn line(&self, line: &str) -> Value {
        // A task stands one level deeper than a body.
        let request =
            match parse(line.trim().as_bytes(), JsonLimits { depth: self.json.depth + 1, ..self.json }) {
                Ok(Value::Object(request)) => request,
                Ok(_) => return no_line(LINE.to_owned()),
                Err(error) => return no_line(format!("{error}; {LINE}")),
            };
        let answer = self.request(&request).map_or_else(|refusal| refused(&refusal), |needed| json(&needed));
        let id = request.get("id").map(|id| ("id".to_owned(), id.clone()));
        let members = answer.as_object().cloned().unwrap_or_default();
        Value::Object(id.into_iter().chain(members).collect())
    }

    fn request(&self, request: &Map<String, Value>) -> Result<explain::Asked, Refusal> {
        let stranger = request.keys().find(|key| !KNOWN.contains(&key.as_str())).map(|key| Printable(key));
        if let Some(stranger) = &stranger
            && ASKED.iter().any(|asked| request.contains_key(*asked))
        {
            let known = KNOWN.join(", ");
            return Err(shape(format!("a line has no member `{stranger}`; its members are {known}")));
        }
        for (name, judge) in [("task", Self::task as Judge), ("native", Self::native)] {
            let Some(body) = request.get(name) else { continue };
            let others = ["sql", "parameters", "context", "task", "native"].into_iter();
            return match others.filter(|other| *other != name).find(|other| request.contains_key(*other)) {
                None => judge(self, body.to_string().as_bytes()),
                Some(beside) => Err(shape(format!(
                    "`{beside}` stands beside `{name}`; a line has a statement, a task or a native query"
                ))),
            };
        }
        if !request.get("sql").is_some_and(Value::is_string) {
            let given = stranger.map_or_else(String::new, |key| format!(", not in `{key}`"));
            return Err(shape(format!(
                "a line has its statement, a string, in `sql`{given}; or a task in `task`, or a native query in `native`"
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

    fn submit(&self, body: &[u8]) -> Result<explain::Asked, Refusal> {
        let Submit { query, parameters, context_keys, .. } = Submit::read(body, self.json)?;
        let judged = JudgedStatement::judge(query, parameters, &self.rules, &self.limits);
        let judged = judged.map_err(JudgeError::Refused)?;
        Ok(explain::Asked::statement(&judged, &context_keys, &self.rules))
    }

    fn native(&self, body: &[u8]) -> Result<explain::Asked, Refusal> {
        Ok(explain::Asked::native(body, self.json, &self.rules)?)
    }

    fn task(&self, body: &[u8]) -> Result<explain::Asked, Refusal> {
        Ok(explain::Asked::task(body, self.json, &self.rules)?)
    }
}

/// Reads what stands in a line in place of a statement
type Judge = fn(&Asking, &[u8]) -> Result<explain::Asked, Refusal>;

fn json(asked: &explain::Asked) -> Value {
    let places = asked.needs.sentences_of_places();
    let members = [
        ("needs", Some(json!(asked.needs.sentences()))),
        ("places", Some(json!(places)).filter(|_| !places.is_empty())),
        ("forwarded", asked.forwarded.as_ref().map(|forwarded| json!(forwarded))),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn print(asked: &explain::Asked) {
    let needed = Needed::resource_actions(&asked.needs);
    if needed.is_empty() {
        say("any authenticated caller may");
    }
    // A line each; what may stand in for it is indented.
    for at in needed.chunk_by(|one, other| one.action == other.action && one.resource == other.resource) {
        at.first().into_iter().for_each(say);
        let places: Option<Vec<_>> = at.iter().map(|needed| needed.sentence_of_place()).collect();
        places.into_iter().for_each(|places| say(format_args!("  or, by place, {}", places.join(" and "))));
    }
}

/// The members of a line of `--batch`
const KNOWN: [&str; 7] = ["id", "sql", "parameters", "context", "engine", "task", "native"];

/// Those that say what is asked
const ASKED: [&str; 3] = ["sql", "task", "native"];

const LINE: &str = "a line is a JSON object: a statement, a string, in `sql`, with `parameters`, `context` and `engine` \
                    where it has them, a task in `task`, or a native query in `native`; `id` comes back with the answer";

fn no_line(message: String) -> Value {
    json!({"id": null, "refused": {"reason": "bad_json", "message": message}})
}

fn shape(what: String) -> Refusal {
    Refusal::Submit(SubmitError::Shape(what))
}

fn refused(refusal: &Refusal) -> Value {
    json!({"refused": {"reason": refusal.reason().code(), "message": refusal.to_string()}})
}
