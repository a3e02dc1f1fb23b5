//! The rows of `hostile-http.jsonl`, as they are written

use std::path::PathBuf;

use serde_json::Value;

/// One case: what is sent, and what a correct gate does with it
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) group: String,
    pub(super) what: String,
    pub(super) request: Request,
    /// How `{{TOKEN}}` is made
    pub(super) token: Value,
    pub(super) statuses: Vec<u16>,
    /// The outcomes of frames, statuses among them
    pub(super) outcomes: Vec<String>,
    pub(super) upstream_sees: String,
    pub(super) asserts: Vec<String>,
}

/// The form of a request
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Bytes for a connection
    Raw(String),
    /// Method, path, fields and body
    Ordinary { method: String, path: String, fields: Vec<(String, String)>, body: String },
    /// HTTP/2 frames after the preface
    Frames(Vec<Value>),
    /// Handshakes, loads and controls
    Other,
}

/// All rows; `None`, with a notice, where the shared test data is not there, but not on CI
pub(super) fn rows() -> Option<Vec<Row>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/hostile-http.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", path.display());
        println!("skipped: {} is not there", path.display());
        return None;
    };
    Some(text.lines().map(|line| Row::read(&serde_json::from_str(line).unwrap())).collect())
}

impl Row {
    fn read(row: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let expect = &row["expect"];
        let all = expect["status"].as_array().unwrap();
        // `1:202|200`: either is right for stream 1.
        let outcomes = |outcome: &Value| match outcome.as_str() {
            Some(named) => match named.split_once(':') {
                Some((stream, statuses)) => {
                    statuses.split('|').map(|status| format!("{stream}:{status}")).collect()
                }
                None => vec![named.to_owned()],
            },
            None => vec![outcome.to_string()],
        };
        let status = |status: &Value| status.as_u64().and_then(|status| u16::try_from(status).ok());
        Self {
            id: text(&row["id"]),
            group: text(&row["group"]),
            what: text(&row["what"]),
            request: Request::read(&row["request"]),
            token: row["token"].clone(),
            statuses: all.iter().filter_map(status).collect(),
            outcomes: all.iter().flat_map(outcomes).collect(),
            upstream_sees: text(&expect["upstream_sees"]),
            asserts: expect["asserts"].as_array().into_iter().flatten().map(text).collect(),
        }
    }

    pub(super) fn asserts(&self, name: &str) -> bool {
        self.asserts.iter().any(|assert| assert == name)
    }
}

impl Request {
    fn read(request: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(raw) = request.as_str() {
            return Self::Raw(raw.to_owned());
        }
        if let Some(frames) = request["h2"].as_array() {
            return Self::Frames(frames.clone());
        }
        let Some(method) = request["method"].as_str() else { return Self::Other };
        let fields = request["headers"].as_array().into_iter().flatten();
        Self::Ordinary {
            method: method.to_owned(),
            path: text(&request["path"]),
            fields: fields.map(|field| (text(&field[0]), text(&field[1]))).collect(),
            body: text(&request["body"]),
        }
    }
}
