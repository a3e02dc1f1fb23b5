//! A router that answers, byte for byte, what it is told, and keeps what it was asked

use std::io::Write;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens on a connection once a request is there
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// These bytes, and the connection goes on
    Answer(Vec<u8>),
    /// The bytes beside the first of these words that the request holds, and the connection goes on
    Chosen(Vec<(&'static str, Vec<u8>)>),
    /// These bytes, and the connection ends
    AnswerAndClose(Vec<u8>),
    /// These bytes, then nothing until the test is over
    AnswerAndHang(Vec<u8>),
    /// These bytes for the first request, and at the second the connection ends or is reset without an answer
    AnswerOnce(Vec<u8>, Breaks),
    /// The connection is reset at once
    Reset,
    /// The first bytes at once, the others once everybody is let go
    Held(Vec<u8>, Vec<u8>, watch::Receiver<bool>),
}

/// How a connection breaks
#[derive(Clone, Copy, Debug)]
pub(crate) enum Breaks {
    Ends,
    IsReset,
}

/// The router
pub(crate) struct Scripted {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    held: watch::Sender<bool>,
    /// How many connections have ended on the gate's side
    pub(crate) ended: watch::Receiver<usize>,
}

impl Scripted {
    pub(crate) async fn start(script: Script) -> Self {
        Self::start_with(script, watch::Sender::new(false)).await
    }

    /// One that answers with these bytes when it is told to
    pub(crate) async fn start_held(answer: &[u8]) -> Self {
        Self::start_held_after(b"", answer).await
    }

    /// One that answers with the first bytes at once, and with the others when it is told to
    pub(crate) async fn start_held_after(first: &[u8], others: &[u8]) -> Self {
        let held = watch::Sender::new(false);
        Self::start_with(Script::Held(first.to_vec(), others.to_vec(), held.subscribe()), held).await
    }

    /// Lets everybody who waits have his answer
    pub(crate) fn release(&self) {
        self.held.send_replace(true);
    }

    /// Waits until so many requests are there
    pub(crate) async fn has_seen(&self, count: usize) {
        while self.seen().len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn start_with(script: Script, held: watch::Sender<bool>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (ended, ended_seen) = watch::channel(0);
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, kept, ended) = (script.clone(), Arc::clone(&kept), ended.clone());
                tokio::spawn(async move {
                    play(socket, &script, &kept).await;
                    ended.send_modify(|count| *count += 1);
                });
            }
        });
        Self { url, seen, held, ended: ended_seen }
    }

    /// The requests that came, head and body
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// A plain answer with this JSON in it
pub(crate) fn ok(json: &str) -> Vec<u8> {
    answer("200 OK", json)
}

/// An answer of this status with this JSON in it
pub(crate) fn answer(status: &str, json: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    )
    .into_bytes()
}

/// These bytes as one gzip member
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn play(mut socket: TcpStream, script: &Script, seen: &Mutex<Vec<String>>) {
    let mut count = 0;
    while let Some(request) = read_request(&mut socket).await {
        count += 1;
        seen.lock().unwrap().push(request.clone());
        match script {
            Script::Chosen(answers) => {
                let (_, bytes) = answers.iter().find(|(word, _)| request.contains(word)).unwrap();
                if socket.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Script::Answer(bytes) => {
                if socket.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Script::AnswerOnce(bytes, _) if count == 1 => {
                let _written = socket.write_all(bytes).await;
            }
            Script::AnswerOnce(_, breaks) => {
                if let Breaks::IsReset = breaks {
                    socket.set_zero_linger().unwrap();
                }
                return;
            }
            Script::AnswerAndClose(bytes) => {
                let _written = socket.write_all(bytes).await;
                let _closed = socket.shutdown().await;
                return;
            }
            Script::AnswerAndHang(bytes) => {
                let _written = socket.write_all(bytes).await;
                // Until the gate hangs up.
                let _end = socket.read(&mut [0; 1]).await;
                return;
            }
            Script::Held(first, bytes, released) => {
                let _written = socket.write_all(first).await;
                let mut released = released.clone();
                drop(released.wait_for(|released| *released).await);
                let _written = socket.write_all(bytes).await;
            }
            Script::Reset => {
                socket.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

/// Reads a head, and as much body as `Content-Length` says
async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut more = [0; 4096];
        match socket.read(&mut more).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&more[..read]),
        }
    }
}
