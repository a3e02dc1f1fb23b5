//! S3 as far as a preflight asks it: five calls about one key, each signed in its head (AWS Signature Version 4)

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Method, Request};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::hash::hex_sha256;
use reqsign_core::{Context, ErrorKind, SignRequest};
use rustls::ClientConfig;

use super::wire::Wire;
use crate::durable_storage::Action;
use crate::durable_storage::answer::{self, Answer, Meaning, Trouble};
use crate::durable_storage::druid_properties::Encryption;
use crate::durable_storage::problem::{NoAnswer, Problem};

/// What a preflight's object holds
pub const CONTENT: &[u8] = b"msq-gate preflight: this object can be deleted\n";

/// The key, and who asks about it
#[derive(Debug)]
pub struct S3 {
    url: String,
    credential: Credential,
    signer: RequestSigner,
    encryption: Encryption,
    wire: Wire,
}

/// A call about the key
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// `PutObject`
    Put,
    /// `GetObject`
    Get,
    /// `DeleteObject`
    Delete,
    /// `CreateMultipartUpload`, which needs `s3:PutObject`
    CreateUpload,
    /// `AbortMultipartUpload` of this id
    AbortUpload(&'a str),
}

/// What came back
#[derive(Clone, Debug)]
pub struct Back {
    /// What S3 says
    pub answer: Answer,
    /// What that means
    pub meaning: Meaning,
    /// The body, whatever it is
    pub body: Bytes,
    /// Whether the bucket keeps versions of what is written (`x-amz-version-id`)
    pub is_versioned: bool,
}

/// Why nothing came back
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request could not be signed
    #[error("{0}")]
    Unsigned(String),
    /// The credentials are over
    #[error("{0}")]
    Expired(String),
    /// There is no answer
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

impl CallError {
    /// The problem that it is
    pub fn problem(self) -> Problem {
        match self {
            Self::Unsigned(why) => Problem::Unsigned(why),
            Self::Expired(why) => Problem::Trouble(Trouble::ExpiredToken, why),
            Self::NoAnswer(why) => Problem::NoAnswer(why),
        }
    }
}

impl Call<'_> {
    /// The action that it needs
    pub fn action(self) -> Action {
        match self {
            Self::Put | Self::CreateUpload => Action::PutObject,
            Self::Get => Action::GetObject,
            Self::Delete => Action::DeleteObject,
            Self::AbortUpload(_) => Action::AbortMultipartUpload,
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Put => Method::PUT,
            Self::Get => Method::GET,
            Self::Delete | Self::AbortUpload(_) => Method::DELETE,
            Self::CreateUpload => Method::POST,
        }
    }

    fn query(self) -> String {
        match self {
            Self::Put | Self::Get | Self::Delete => String::new(),
            Self::CreateUpload => "?uploads=".to_owned(),
            Self::AbortUpload(id) => {
                let id: String = id.bytes().map(encoded).collect();
                format!("?uploadId={id}")
            }
        }
    }

    fn body(self) -> &'static [u8] {
        match self {
            Self::Put => CONTENT,
            Self::Get | Self::Delete | Self::CreateUpload | Self::AbortUpload(_) => b"",
        }
    }

    fn wants_body(self) -> bool {
        match self {
            Self::Get | Self::CreateUpload => true,
            Self::Put | Self::Delete | Self::AbortUpload(_) => false,
        }
    }

    fn is_encrypted(self) -> bool {
        matches!(self, Self::Put | Self::CreateUpload)
    }
}

/// An id is S3's own text and may hold anything
fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

impl S3 {
    /// The key at this address, asked about with these credentials
    pub fn new(
        url: &str,
        region: &str,
        credential: Credential,
        encryption: Encryption,
        tls: ClientConfig,
    ) -> Self {
        let signer = RequestSigner::new("s3", region).with_standard_session_token();
        Self { url: url.to_owned(), credential, signer, encryption, wire: Wire::new(tls) }
    }

    /// The key's address
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes a call, once
    ///
    /// # Errors
    ///
    /// Where it cannot be signed, or nobody answers.
    pub async fn call(&self, call: Call<'_>) -> Result<Back, CallError> {
        let parts = self.signed(call).await?;
        let answer = self.wire.exchange(Request::from_parts(parts, Bytes::from_static(call.body()))).await?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let region = header("x-amz-bucket-region").map(str::to_owned);
        let is_versioned = header("x-amz-version-id").is_some_and(|version| version != "null");
        let (status, body) = (answer.status().as_u16(), answer.body().clone());
        let answer = Answer::new(status, &body, region, call.wants_body());
        Ok(Back { meaning: answer.meaning(call.action().name()), answer, body, is_versioned })
    }

    async fn signed(&self, call: Call<'_>) -> Result<Parts, CallError> {
        let unsigned = |error: &dyn std::fmt::Display| CallError::Unsigned(error.to_string());
        let mut request = Request::builder()
            .method(call.method())
            .uri(format!("{}{}", self.url, call.query()))
            .header("x-amz-content-sha256", hex_sha256(call.body()));
        for (name, value) in self.encryption.headers().iter().filter(|_| call.is_encrypted()) {
            request = request.header(*name, value);
        }
        let (mut parts, ()) = request.body(()).map_err(|error| unsigned(&error))?.into_parts();
        let context = Context::new();
        let signing = self.signer.sign_request(&context, &mut parts, Some(&self.credential), None);
        signing.await.map_err(|error| {
            let is_over = error.kind() == ErrorKind::CredentialInvalid;
            if is_over { CallError::Expired(error.to_string()) } else { unsigned(&error) }
        })?;
        // Not signed: whoever passes requests on may write another one.
        parts.headers.insert(USER_AGENT, HeaderValue::from_static("msq-gate-preflight"));
        Ok(parts)
    }
}

impl Back {
    /// The id of the upload that was started
    pub fn upload_id(&self) -> Option<String> {
        answer::upload_id(&self.body)
    }
}
