//! The way out: TCP with a deadline, TLS where the address says https

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{AlertDescription, CertificateError, ClientConfig};

/// Connects to `http://` and `https://`, speaks HTTP/1.1
pub type Connector = HttpsConnector<HttpConnector>;

/// Connects within this time, with these settings of TLS
pub fn connector(tls: ClientConfig, connect: Duration) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(connect));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp)
}

/// Why there was no connection: the whole chain of causes, and what to do where that is known
pub fn why(error: &(dyn Error + 'static)) -> String {
    let causes = causes(error);
    match chain(error).find_map(hint) {
        Some(hint) => format!("{causes}; {hint}"),
        None => causes,
    }
}

/// The causes of an error, down to the one that says something: "connection refused", "certificate expired"
pub fn causes(error: &(dyn Error + 'static)) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// What to do about a cause
fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return tls_hint(error);
    }
    if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
        return Some("it speaks no HTTP there: where it speaks TLS, write `https://`");
    }
    let error = error.downcast_ref::<io::Error>()?;
    // What an I/O error is made of is not its source.
    match error.get_ref() {
        Some(inner) => hint(inner),
        None if error.kind() == io::ErrorKind::ConnectionRefused => {
            Some("nobody listens there: is it up, and is the port right?")
        }
        None => None,
    }
}

fn tls_hint(error: &rustls::Error) -> Option<&'static str> {
    if let rustls::Error::InvalidCertificate(fault) = error {
        return certificate_hint(fault);
    }
    if let rustls::Error::InvalidMessage(_) = error {
        return Some("it speaks no TLS there: write `http://`, or the port that does");
    }
    let rustls::Error::AlertReceived(alert) = error else { return None };
    use AlertDescription as Alert;
    if matches!(alert, Alert::HandshakeFailure | Alert::ProtocolVersion) {
        return Some("it takes neither TLS 1.2 nor 1.3 with any cipher of today");
    }
    let asks =
        [Alert::CertificateRequired, Alert::BadCertificate, Alert::UnknownCA, Alert::CertificateUnknown];
    asks.contains(alert).then_some("it asks for a client's certificate, and none is sent")
}

fn certificate_hint(fault: &CertificateError) -> Option<&'static str> {
    use CertificateError as Fault;
    Some(if matches!(fault, Fault::UnknownIssuer) {
        "nobody who is trusted has signed its certificate: give its CA's certificate as `ca_file`"
    } else if matches!(fault, Fault::BadSignature) {
        "another CA of the same name has signed its certificate: is `ca_file` an older one?"
    } else if matches!(fault, Fault::Expired | Fault::ExpiredContext { .. }) {
        "its certificate has expired: renew it there, or look at the clock here"
    } else if matches!(fault, Fault::NotValidYet | Fault::NotValidYetContext { .. }) {
        "its certificate is not valid yet: look at the clocks"
    } else if matches!(fault, Fault::NotValidForName | Fault::NotValidForNameContext { .. }) {
        "its certificate is for other names: write the URL with one of them"
    // rustls has no variant of its own for it.
    } else if matches!(fault, Fault::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity")) {
        "it serves with a CA's own certificate: sign one for the server with it (basicConstraints=CA:FALSE)"
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use crate::base::fetch::Fetcher;
    use crate::base::tls::{self, Certificate};
    use crate::development::Certificates;

    /// Serves TLS with this certificate and key, or plain text where there are none
    async fn serve(pair: Option<(&str, &str)>) -> u16 {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = pair.map(|(certificate, key)| {
            let folder = tempfile::tempdir().unwrap();
            let paths = ["c", "k"].map(|name| folder.path().join(name));
            std::fs::write(&paths[0], certificate).unwrap();
            std::fs::write(&paths[1], key).unwrap();
            let certificate = Arc::new(Certificate::read(&paths[0], &paths[1]).unwrap());
            tokio_rustls::TlsAcceptor::from(Arc::new(tls::server(&certificate).unwrap()))
        });
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                match &acceptor {
                    Some(acceptor) => drop(acceptor.accept(socket).await.map(hang_up)),
                    None => {
                        let _read = socket.read(&mut [0; 512]).await;
                        let _written = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                    }
                }
            }
        });
        port
    }

    fn hang_up(stream: tokio_rustls::server::TlsStream<TcpStream>) {
        drop(stream);
    }

    async fn why(host: &str, port: u16, ca: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, ca).unwrap();
        let fetcher = Fetcher::new(tls::client(Some(&path)).unwrap());
        fetcher.document(&format!("https://{host}:{port}/"), 9).await.unwrap_err().to_string()
    }

    fn certified(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        change(&mut parameters);
        (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[tokio::test]
    async fn each_reason_not_to_be_connected_is_told_with_what_to_do() {
        let (good, other) =
            (Certificates::make(SystemTime::now()).unwrap(), Certificates::make(SystemTime::now()).unwrap());
        let serves = serve(Some((&good.certificate, &good.key))).await;
        let cut = why("127.0.0.1", serves, &good.ca).await;
        assert!(!cut.contains("certificate"), "where all is well it is the answer that is missing: {cut}");
        let told = |text: String, wanted: &str| assert!(text.contains(wanted), "{text}");
        let unrelated = certified(|_| {}).0;
        told(why("127.0.0.1", serves, &unrelated).await, "UnknownIssuer; nobody who is trusted has signed");
        told(why("127.0.0.1", serves, &other.ca).await, "is `ca_file` an older one?");
        told(why("127.0.0.2", serves, &good.ca).await, "for other names: write the URL");
        let (authority, key) =
            certified(|parameters| parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        told(
            why("127.0.0.1", serve(Some((&authority, &key))).await, &authority).await,
            "a CA's own certificate",
        );
        let (expired, key) = certified(|parameters| parameters.not_after = SystemTime::UNIX_EPOCH.into());
        told(why("127.0.0.1", serve(Some((&expired, &key))).await, &expired).await, "has expired: renew it");
        told(why("127.0.0.1", serve(None).await, &good.ca).await, "it speaks no TLS there");
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        told(why("127.0.0.1", closed, &good.ca).await, "nobody listens there");
        let nowhere = why("nowhere.invalid", 1, &good.ca).await;
        assert!(nowhere.contains("dns error") && nowhere.len() > 60, "{nowhere}");
    }
}
