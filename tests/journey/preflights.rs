//! The preflight of durable storage before a small S3 of the tests' own: every set of permissions, every call gone wrong
//!
//! Real S3 servers are in `tests/s3`; here are the laws that hold whatever the server does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use msq_gate::base::tls::client_without_roots;
use msq_gate::durable_storage::druid_properties::{Configured, Encryption};
use msq_gate::durable_storage::place::{Location, PROBE_NAME};
use msq_gate::durable_storage::problem::Settings;
use msq_gate::durable_storage::report::{Outcome, Report};
use msq_gate::durable_storage::{Action, Addressing, Place};
use msq_gate::preflight::credentials::{Chain, Environment};
use msq_gate::preflight::open_uploads::OpenUploads;
use msq_gate::preflight::probe::Pauses;
use msq_gate::preflight::wire::Wire;
use msq_gate::preflight::{self, Means};
use tokio::net::TcpListener;

/// What a call can meet instead of an answer
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The connection ends before anything is done
    CutBefore,
    /// It is done, and the connection ends
    CutAfter,
    /// An error that S3 knows and a preflight does not
    Nonsense,
    /// A web page that is not there
    Page,
    /// A page that refuses, not S3's
    Wall,
    /// S3 has no time, once
    Busy,
    /// It is done, and a gateway gives up waiting
    GaveUp,
    /// Another region
    Redirect,
    /// It is done, and the answer holds nothing of what it should
    Hollow,
    /// Nothing is done, and an error comes with a status that says it is
    Feigned,
}

const FAULTS: [Fault; 10] = [
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::Nonsense,
    Fault::Page,
    Fault::Wall,
    Fault::Busy,
    Fault::GaveUp,
    Fault::Redirect,
    Fault::Hollow,
    Fault::Feigned,
];

/// A bucket with one key of interest, and who may do what
#[derive(Debug, Default)]
struct Bucket {
    permitted: BTreeSet<&'static str>,
    object: Option<Bytes>,
    uploads: BTreeMap<String, ()>,
    calls: Vec<Action>,
    done: BTreeSet<&'static str>,
    fault: Option<(usize, Fault)>,
    strange: Vec<String>,
}

type Answer = (StatusCode, Bytes);

fn error(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code></Error>");
    (StatusCode::from_u16(status).unwrap(), Bytes::from(body))
}

impl Bucket {
    /// Does what is asked, if that is permitted
    fn act(&mut self, method: &Method, query: &str, body: Bytes) -> Option<Answer> {
        let action = action(method, query);
        self.calls.push(action);
        let fault = self.fault.filter(|(number, _)| *number == self.calls.len()).map(|(_, fault)| fault);
        match fault {
            Some(Fault::CutBefore) => return None,
            Some(Fault::Nonsense) => return Some(error(400, "Nonsense")),
            Some(Fault::Page) => {
                return Some((StatusCode::NOT_FOUND, Bytes::from("<html><p>no such page</html>")));
            }
            Some(Fault::Redirect) => return Some(error(301, "PermanentRedirect")),
            Some(Fault::Wall) => return Some((StatusCode::FORBIDDEN, Bytes::from("<html>blocked</html>"))),
            Some(Fault::Busy) => return Some(error(503, "SlowDown")),
            Some(Fault::Feigned) => return Some(error(200, "AccessDenied")),
            Some(Fault::CutAfter | Fault::GaveUp | Fault::Hollow) | None => {}
        }
        let answer = if self.permitted.contains(action.name()) {
            self.done.insert(action.name());
            self.perform(method, query, body)
        } else {
            error(403, "AccessDenied")
        };
        match fault {
            Some(Fault::CutAfter) => None,
            Some(Fault::GaveUp) => Some((StatusCode::GATEWAY_TIMEOUT, Bytes::from("<html>"))),
            Some(Fault::Hollow) if answer.0.is_success() => Some((answer.0, Bytes::new())),
            _ => Some(answer),
        }
    }

    fn perform(&mut self, method: &Method, query: &str, body: Bytes) -> Answer {
        let no_content = (StatusCode::NO_CONTENT, Bytes::new());
        match (method, query.strip_prefix("uploadId=")) {
            (&Method::DELETE, Some(id)) => {
                self.uploads.remove(id).map_or_else(|| error(404, "NoSuchUpload"), |()| no_content)
            }
            (&Method::DELETE, None) => {
                self.object = None;
                no_content
            }
            (&Method::PUT, _) => {
                self.object = Some(body);
                (StatusCode::OK, Bytes::new())
            }
            (&Method::GET, _) => {
                self.object.clone().map_or_else(|| error(404, "NoSuchKey"), |object| (StatusCode::OK, object))
            }
            _ => {
                let id = format!("upload-{}", self.calls.len());
                self.uploads.insert(id.clone(), ());
                let body = format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                );
                (StatusCode::OK, Bytes::from(body))
            }
        }
    }
}

fn action(method: &Method, query: &str) -> Action {
    match (method.as_str(), query) {
        ("GET", "") => Action::GetObject,
        ("PUT", "") | ("POST", "uploads=") => Action::PutObject,
        ("DELETE", "") => Action::DeleteObject,
        ("DELETE", query) if query.starts_with("uploadId=") => Action::AbortMultipartUpload,
        other => panic!("a preflight does not call {other:?}"),
    }
}

/// A server with that bucket
struct S3 {
    url: String,
    bucket: Arc<Mutex<Bucket>>,
    folder: tempfile::TempDir,
}

impl S3 {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let served = Arc::clone(&bucket);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let bucket = Arc::clone(&served);
                let service = service_fn(move |request| answer(request, Arc::clone(&bucket)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { url, bucket, folder: tempfile::tempdir().unwrap() }
    }

    fn state(&self) -> &Path {
        self.folder.path()
    }

    async fn run(&self) -> Report {
        let place = Place {
            location: Location { bucket: "druid".to_owned(), prefix: "msq".to_owned() },
            endpoint: Some(self.url.clone()),
            region: Some("eu-central-1".to_owned()),
            addressing: Addressing::PathStyle,
        };
        let chain = Chain {
            configured: Configured { keys: Some(("AK".to_owned(), "SK".to_owned())), session_file: None },
            environment: Environment::new(HashMap::new()),
            wire: Wire::new(client_without_roots()),
            region: "eu-central-1".to_owned(),
        };
        let means = Means {
            chain,
            encryption: Encryption::Unasked,
            tls: client_without_roots(),
            principal: "somebody",
            settings: Settings::Config,
            warnings: Vec::new(),
            interrupted: &AtomicBool::new(false),
            pauses: Pauses { busy: [Duration::ZERO; 2], disturbed: [Duration::ZERO; 2] },
        };
        // A program that another test starts has, until it runs, all that is open here: this file's lock too.
        let patience = Duration::from_secs(10);
        let mut uploads = OpenUploads::open(&self.state().join("state.json"), patience).unwrap();
        preflight::run(&place, means, &mut uploads, SystemTime::now).await
    }

    /// Everything as new, for a caller who may do this
    fn reset(&self, permitted: impl IntoIterator<Item = Action>, fault: Option<(usize, Fault)>) {
        let permitted = permitted.into_iter().map(Action::name).collect();
        *self.bucket.lock().unwrap() = Bucket { permitted, fault, ..Bucket::default() };
    }

    /// The same bucket, and from now on nothing is wrong
    fn mend(&self) {
        let mut bucket = self.bucket.lock().unwrap();
        bucket.fault = None;
        bucket.permitted = Action::ALL.map(Action::name).into();
    }
}

async fn answer(
    request: Request<Incoming>,
    bucket: Arc<Mutex<Bucket>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut bucket = bucket.lock().unwrap();
    let signed = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if head.uri.path() != format!("/druid/msq/{PROBE_NAME}")
        || !signed.contains("/eu-central-1/s3/aws4_request")
    {
        bucket.strange.push(format!("{} {signed}", head.uri));
    }
    let Some((status, body)) = bucket.act(&head.method, head.uri.query().unwrap_or_default(), body) else {
        return Err(std::io::Error::other("cut"));
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok::<_, Infallible>(response).map_err(|never| match never {})
}

fn with_outcome(report: &Report, outcome: Outcome) -> BTreeSet<&'static str> {
    let proofs = report.actions.iter().filter(|proof| proof.outcome == outcome);
    proofs.map(|proof| proof.action.name()).collect()
}

/// What is true of every report, whatever was wrong
fn assert_laws(report: &Report, bucket: &Bucket, what: &str) {
    assert!(bucket.strange.is_empty(), "{what}: {:?}", bucket.strange);
    let proven = with_outcome(report, Outcome::Proven);
    assert!(proven.is_subset(&bucket.done), "{what}: proven, and never done: {report:#?}");
    let denied = with_outcome(report, Outcome::Denied);
    assert!(denied.is_disjoint(&bucket.permitted), "{what}: denied, and permitted: {report:#?}");
    let is_clean = bucket.object.is_none() && bucket.uploads.is_empty();
    assert!(is_clean || !report.left_behind.is_empty(), "{what}: left behind and not told: {report:#?}");
    assert_eq!(report.actions.len(), 4);
    assert!(
        report.problem.is_some() || report.is_proven(),
        "{what}: nothing is said to be wrong: {report:#?}"
    );
}

fn subsets() -> impl Iterator<Item = Vec<Action>> {
    (0..16).map(|bits: u32| {
        let of = |(position, action): (u32, Action)| (bits & (1 << position) != 0).then_some(action);
        (0..).zip(Action::ALL).filter_map(of).collect()
    })
}

#[tokio::test]
async fn of_every_set_of_permissions_a_preflight_says_what_is_true_and_leaves_nothing() {
    let s3 = S3::start().await;
    for permitted in subsets() {
        s3.reset(permitted.clone(), None);
        let report = s3.run().await;
        let bucket = s3.bucket.lock().unwrap();
        let what = format!("{permitted:?}");
        assert_laws(&report, &bucket, &what);
        assert!(bucket.object.is_none() && bucket.uploads.is_empty(), "{what}: {bucket:?}");
        assert!(report.left_behind.is_empty(), "{what}: {report:#?}");
        assert_eq!(report.is_proven(), permitted.len() == 4, "{what}");
        assert_eq!(report.problem.is_none(), permitted.len() == 4, "{what}");
        let missing = Action::ALL.into_iter().filter(|action| !permitted.contains(action));
        let missing: BTreeSet<_> = missing.map(Action::name).collect();
        let denied = with_outcome(&report, Outcome::Denied);
        assert_eq!(denied.is_empty(), missing.is_empty(), "{what}: {report:#?}");
        if missing.len() == 1 {
            assert_eq!(denied, missing, "the one that is missing is named");
        }
    }
}

#[tokio::test]
async fn whatever_goes_wrong_at_any_call_the_laws_hold_and_the_next_run_cleans_up() {
    let s3 = S3::start().await;
    let mut runs = 0;
    for permitted in subsets() {
        s3.reset(permitted.clone(), None);
        s3.run().await;
        let calls = s3.bucket.lock().unwrap().calls.len();
        for (number, fault) in (1..=calls + 2).flat_map(|number| FAULTS.map(|fault| (number, fault))) {
            s3.reset(permitted.clone(), Some((number, fault)));
            let report = s3.run().await;
            let what = format!("{permitted:?}, {fault:?} at call {number}");
            assert_laws(&report, &s3.bucket.lock().unwrap(), &what);
            s3.mend();
            let next = s3.run().await;
            let bucket = s3.bucket.lock().unwrap();
            assert!(next.is_proven() && next.problem.is_none(), "{what}: {next:#?}");
            let is_lost = matches!(fault, Fault::CutAfter | Fault::GaveUp | Fault::Hollow);
            let told = report.left_behind.iter().any(|left| left.contains("upload"));
            assert!(bucket.object.is_none(), "{what}: {bucket:?}");
            assert!(bucket.uploads.is_empty() || (is_lost && told), "{what}: {bucket:?} {report:#?}");
            runs += 1;
        }
    }
    println!("{runs} runs with a fault, each followed by a clean one");
    assert!(runs > 300, "{runs}");
}
