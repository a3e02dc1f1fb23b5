//! The admin address: whether the gate lives, whether it is ready, and what it counted
//!
//! Plain HTTP for the operator's own network; nothing here says who asked for what.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::faulty_files::FaultyFiles;
use crate::answer::respond::json_response;
use crate::authenticate::KeyStore;
use crate::base::connector::why;
use crate::base::drain;
use crate::base::live::Live;
use crate::base::log;
use crate::door::listener::connection_limit;
use crate::forward::upstream::Question;
use crate::pipeline::Gate;

/// How long Druid may take to say that it lives
const PROBE: Duration = Duration::from_secs(2);
const HEAD: Duration = Duration::from_secs(10);

/// Answers operators until the gate drains
pub async fn listen(
    listener: TcpListener,
    live: Arc<Live<Gate>>,
    keys: Arc<KeyStore>,
    faulty: Arc<FaultyFiles>,
    mut draining: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain::begins(&mut draining) => return,
        };
        let Ok((socket, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (live, keys, faulty) = (Arc::clone(&live), Arc::clone(&keys), Arc::clone(&faulty));
        let service = service_fn(move |request| {
            let (gate, keys, faulty) = (live.now(), Arc::clone(&keys), Arc::clone(&faulty));
            async move { Ok::<_, std::convert::Infallible>(answer(&request, &gate, &keys, &faulty).await) }
        });
        tokio::spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
            // An operator who hangs up is no fault.
            let _ended = builder.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn answer(
    request: &Request<Incoming>,
    gate: &Gate,
    keys: &KeyStore,
    faulty: &FaultyFiles,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return json_response(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": "only GET is answered here"}));
    }
    match request.uri().path() {
        "/livez" => json_response(StatusCode::OK, &json!({"live": true})),
        "/readyz" => ready(gate, keys, faulty).await,
        "/metrics" => metrics(gate, faulty),
        _ => json_response(
            StatusCode::NOT_FOUND,
            &json!({"error": "there are /livez, /readyz and /metrics here"}),
        ),
    }
}

async fn ready(gate: &Gate, keys: &KeyStore, faulty: &FaultyFiles) -> Response<Full<Bytes>> {
    let names = gate.config.issuers.iter().map(|issuer| issuer.issuer.name());
    let missing: Vec<_> = names.filter(|name| !keys.has(name)).collect();
    let druid = gate.routers.ask(&Question::get("/status/health"), 1 << 10, PROBE).await;
    if let Err(error) = &druid {
        let cause = std::error::Error::source(error).map(why);
        tracing::warn!(%error, cause, "Druid does not answer to the probe of /readyz");
    }
    let druid = matches!(druid, Ok((StatusCode::OK, _)));
    // Without a record nothing is forwarded.
    let record = gate.audit.trouble();
    let ready = druid && missing.is_empty() && record.is_none();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = json!({"ready": ready, "policy": true, "druid": druid, "issuersWithoutKeys": missing, "record": record.is_none(), "faulty": faulty.json()});
    if let (Some(trouble), Some(members)) = (record, answer.as_object_mut()) {
        members.insert("recordTrouble".to_owned(), json!(trouble.to_string()));
    }
    if let (Some(storage), Some(members)) = (&gate.storage, answer.as_object_mut()) {
        // Told, and no more: what asks for no durable storage is served.
        members.insert("durableStorage".to_owned(), storage.json(SystemTime::now()));
    }
    json_response(status, &answer)
}

fn metrics(gate: &Gate, faulty: &FaultyFiles) -> Response<Full<Bytes>> {
    gate.metrics.durable_storage(gate.storage.as_ref().map(|storage| storage.metrics(SystemTime::now())));
    gate.metrics.faulty_since(faulty.since().into_iter().map(|(part, since)| (part.name(), since)));
    gate.metrics.log_left_out(log::left_out());
    let (waiting, most) = gate.audit.waiting();
    let open = usize::try_from(gate.metrics.connections.get()).unwrap_or_default();
    let connections = (open, connection_limit(gate.limits.connections));
    let others = [
        ("audit_bytes", (waiting, most)),
        ("connections", connections),
        ("judgements_bytes", gate.judge.bytes()),
    ];
    for (name, (used, most)) in gate.budgets.in_use().into_iter().chain(others) {
        gate.metrics.budget(name, used, most);
    }
    let mut response = Response::new(Full::new(Bytes::from(gate.metrics.page())));
    let openmetrics = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, openmetrics);
    response
}
