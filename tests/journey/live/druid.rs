//! Druid asked directly, around the gate: to set the stage, and to hear its own judgement

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What browsers' clients of Druid take
pub(crate) const ACCEPT: &str = "application/json, text/plain, */*";

/// A router, and who asks
pub(crate) struct Druid {
    pub(crate) url: String,
    sign_in: Option<(String, String)>,
}

impl Druid {
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), sign_in: None }
    }

    pub(crate) fn signed_in(&self, name: &str, password: &str) -> Self {
        Self { url: self.url.clone(), sign_in: Some((name.to_owned(), password.to_owned())) }
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> (StatusCode, String) {
        let authority = self.url.trim_start_matches("http://").trim_end_matches('/');
        let request = Request::builder().method(method).uri(target).header("host", authority);
        // Without it some endpoints find no form for their answer (`DataSourcesResource`).
        let mut request = request.header("accept", ACCEPT);
        if let Some((name, password)) = &self.sign_in {
            request = request
                .header("authorization", format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request =
            request.header("content-type", "application/json").body(Full::new(Bytes::from(body))).unwrap();
        let socket = TcpStream::connect(authority).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Asks again until the answer is as awaited; gives up after two minutes, with the last answer
pub(crate) async fn until<T, Ask>(what: &str, mut ask: impl FnMut() -> Ask, awaited: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
    Ask: Future<Output = T>,
{
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let answer = ask().await;
        if awaited(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: still {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
