//! A source of data that gives none until it is told to: what a task waits for, and is cancelled at

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A web server whose one answer is held back
pub(crate) struct Held {
    address: SocketAddr,
    release: watch::Sender<bool>,
}

impl Held {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (release, released) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut released = released.clone();
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let _read = socket.read(&mut head).await;
                    let _released = released.wait_for(|released| *released).await.map(|_| ());
                    let body = "{\"ts\":\"2024-01-01\",\"a\":\"held\"}\n";
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    let _written = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, release }
    }

    /// The table function that reads from it
    pub(crate) fn table(&self) -> String {
        format!(
            r#"TABLE(EXTERN('{{"type":"http","uris":["http://{}/rows.json"]}}', '{{"type":"json"}}')) EXTEND (ts VARCHAR, a VARCHAR)"#,
            self.address
        )
    }

    /// Lets everybody who waits have his rows
    pub(crate) fn release(&self) {
        self.release.send_replace(true);
    }
}
