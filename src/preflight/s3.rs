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
use crate::durable_storage::answer::{Answer, Meaning, Trouble};
use crate::durable_storage::druid_properties::Encryption;
use crate::durable_storage::place::percent_encoded;
use crate::durable_storage::problem::Problem;
use crate::durable_storage::report::Answered;

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
pub struct Reply {
    /// What S3 says
    pub said: Answered,
    /// What that means
    pub meaning: Meaning,
    /// The body, whatever it is
    pub body: Bytes,
    /// Whether the bucket keeps versions of what is written (`x-amz-version-id`)
    pub is_versioned: bool,
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
            // An id is S3's own text and may hold anything.
            Self::AbortUpload(id) => format!("?uploadId={}", percent_encoded(id, "")),
        }
    }

    fn body(self) -> &'static [u8] {
        if self == Self::Put { CONTENT } else { b"" }
    }

    fn wants_body(self) -> bool {
        matches!(self, Self::Get | Self::CreateUpload)
    }

    fn is_encrypted(self) -> bool {
        matches!(self, Self::Put | Self::CreateUpload)
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
    pub async fn call(&self, call: Call<'_>) -> Result<Reply, Problem> {
        let request = Request::from_parts(self.signed(call).await?, Bytes::from_static(call.body()));
        let (head, body) = self.wire.exchange(request).await.map_err(Problem::NoAnswer)?.into_parts();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let region = header("x-amz-bucket-region").map(str::to_owned);
        let is_versioned = header("x-amz-version-id").is_some_and(|version| version != "null");
        let answer = Answer::new(head.status.as_u16(), &body, region, call.wants_body());
        Ok(Reply { meaning: answer.meaning(call.action().name()), said: answer.said, body, is_versioned })
    }

    async fn signed(&self, call: Call<'_>) -> Result<Parts, Problem> {
        let mut request = Request::builder()
            .method(call.method())
            .uri(format!("{}{}", self.url, call.query()))
            .header("x-amz-content-sha256", hex_sha256(call.body()));
        for (name, value) in self.encryption.headers().iter().filter(|_| call.is_encrypted()) {
            request = request.header(*name, value);
        }
        let request = request.body(()).map_err(|error| Problem::Unsigned(error.to_string()))?;
        let (mut parts, ()) = request.into_parts();
        let context = Context::new();
        let signing = self.signer.sign_request(&context, &mut parts, Some(&self.credential), None);
        signing.await.map_err(|error| match error.kind() == ErrorKind::CredentialInvalid {
            true => Problem::Trouble(Trouble::ExpiredToken, error.to_string()),
            false => Problem::Unsigned(error.to_string()),
        })?;
        // Not signed: whoever passes requests on may write another one.
        parts.headers.insert(USER_AGENT, HeaderValue::from_static("msq-gate-preflight"));
        Ok(parts)
    }
}
