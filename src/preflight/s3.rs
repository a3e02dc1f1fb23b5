//! S3 as far as a preflight asks it: five calls about one key, each signed in its head (AWS Signature Version 4)

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::hash::hex_sha256;
use reqsign_core::{Context, SignRequest};
use rustls::ClientConfig;

use super::wire::Wire;
use crate::durable_storage::Action;
use crate::durable_storage::answer::{self, Answer};
use crate::durable_storage::problem::NoAnswer;

/// What a preflight's object holds
pub const CONTENT: &[u8] = b"msq-gate preflight: this object can be deleted\n";

/// The key, and who asks about it
#[derive(Debug)]
pub struct S3 {
    url: String,
    credential: Credential,
    signer: RequestSigner,
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
    /// The body, whatever it is
    pub body: Bytes,
}

/// Why nothing came back
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request could not be signed
    #[error("{0}")]
    Unsigned(String),
    /// There is no answer
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
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
    pub fn new(url: &str, region: &str, credential: Credential, tls: ClientConfig) -> Self {
        let signer = RequestSigner::new("s3", region).with_standard_session_token();
        Self { url: url.to_owned(), credential, signer, wire: Wire::new(tls) }
    }

    /// Makes a call, once
    ///
    /// # Errors
    ///
    /// Where it cannot be signed, or nobody answers.
    pub async fn call(&self, call: Call<'_>) -> Result<Back, CallError> {
        let parts = self.signed(call).await?;
        let answer = self.wire.exchange(Request::from_parts(parts, Bytes::from_static(call.body()))).await?;
        let region = answer.headers().get("x-amz-bucket-region");
        let region = region.and_then(|region| region.to_str().ok()).map(str::to_owned);
        let body = answer.body().clone();
        Ok(Back { answer: Answer::new(answer.status().as_u16(), &body, region), body })
    }

    async fn signed(&self, call: Call<'_>) -> Result<Parts, CallError> {
        let unsigned = |error: &dyn std::fmt::Display| CallError::Unsigned(error.to_string());
        let request = Request::builder()
            .method(call.method())
            .uri(format!("{}{}", self.url, call.query()))
            .header("x-amz-content-sha256", hex_sha256(call.body()))
            .body(())
            .map_err(|error| unsigned(&error))?;
        let (mut parts, ()) = request.into_parts();
        let context = Context::new();
        let signing = self.signer.sign_request(&context, &mut parts, Some(&self.credential), None);
        signing.await.map_err(|error| unsigned(&error))?;
        Ok(parts)
    }
}

impl Back {
    /// The id of the upload that was started
    pub fn upload_id(&self) -> Option<String> {
        answer::upload_id(&self.body)
    }
}
