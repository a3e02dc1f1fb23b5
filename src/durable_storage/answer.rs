//! What S3's answers mean: done, refused, or something that says nothing of permission
//!
//! Codes as in the S3 API reference, "Error responses".

use serde::Deserialize;

use super::report::Answered;

/// An answer of S3's
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status
    pub status: u16,
    /// What its body says, where it is an error
    pub error: S3Error,
    /// The region that its head names (`x-amz-bucket-region`)
    pub region: Option<String>,
}

/// An error as S3 writes it
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct S3Error {
    code: Option<String>,
    message: Option<String>,
    region: Option<String>,
}

/// What an answer means
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// S3 did it
    Done,
    /// S3 knows the caller and refuses
    Denied(Deny),
    /// There is no such object
    NoSuchKey,
    /// There is no such upload
    NoSuchUpload,
    /// Something else is wrong, and nothing is said of permission
    Trouble(Trouble),
}

/// How S3 refuses
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deny {
    /// It does not say why
    Unexplained,
    /// A policy denies it, which no grant overrules; the kind of policy, where S3 names it
    Explicit(String),
}

/// What can be wrong besides permission
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The signature is wrong: the secret does not belong to the key
    WrongSecret,
    /// Nobody has this access key
    UnknownKey,
    /// The session token is over
    ExpiredToken,
    /// The session token is none, or not of this key
    InvalidToken,
    /// The clocks differ too much
    ClockSkew,
    /// The bucket is in another region
    WrongRegion {
        /// Which, where S3 says so
        right: Option<String>,
    },
    /// There is no such bucket
    NoSuchBucket,
    /// Too many requests at the moment
    Throttled,
    /// S3 itself fails
    ServerFault,
    /// Anything else
    Unexpected,
}

impl Answer {
    /// An answer with this status, body and bucket's region
    pub fn new(status: u16, body: &[u8], region: Option<String>) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default();
        // A body that is no error of S3's says nothing; its status does.
        let error = if is_success(status) { None } else { quick_xml::de::from_str(text).ok() };
        Self { status, error: error.unwrap_or_default(), region }
    }

    /// What it means
    pub fn meaning(&self) -> Meaning {
        let code = self.error.code.as_deref().unwrap_or_default();
        match (self.status, code) {
            (status, _) if is_success(status) => Meaning::Done,
            (404, "NoSuchKey") => Meaning::NoSuchKey,
            (404, "NoSuchUpload") => Meaning::NoSuchUpload,
            (403, "AccessDenied" | "Forbidden" | "") => Meaning::Denied(self.deny()),
            (status, code) => Meaning::Trouble(self.trouble(status, code)),
        }
    }

    /// Amazon's own S3 says in its message which kind of policy denies
    fn deny(&self) -> Deny {
        let message = self.error.message.as_deref().unwrap_or_default();
        match message.split_once("explicit deny in a") {
            Some((_, policy)) => {
                let policy = policy.trim_start_matches('n').trim();
                Deny::Explicit(policy.trim_end_matches('.').to_owned())
            }
            None => Deny::Unexplained,
        }
    }

    fn trouble(&self, status: u16, code: &str) -> Trouble {
        match (status, code) {
            (_, "SignatureDoesNotMatch") => Trouble::WrongSecret,
            (_, "InvalidAccessKeyId") => Trouble::UnknownKey,
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => Trouble::ExpiredToken,
            (_, "InvalidToken") => Trouble::InvalidToken,
            (_, "RequestTimeTooSkewed" | "RequestExpired") => Trouble::ClockSkew,
            (_, "NoSuchBucket") => Trouble::NoSuchBucket,
            (_, "SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded")
            | (429, _)
            | (503, "" | "ServiceUnavailable") => Trouble::Throttled,
            (301 | 307 | 308, _)
            | (_, "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException") => {
                self.wrong_region()
            }
            (400, "AuthorizationHeaderMalformed") if self.right_region().is_some() => self.wrong_region(),
            (500.., _) => Trouble::ServerFault,
            _ => Trouble::Unexpected,
        }
    }

    fn wrong_region(&self) -> Trouble {
        Trouble::WrongRegion { right: self.right_region() }
    }

    fn right_region(&self) -> Option<String> {
        self.error.region.clone().or_else(|| self.region.clone())
    }

    /// As it stands in a report
    pub fn told(&self) -> Answered {
        Answered { status: self.status, code: self.error.code.clone(), message: self.error.message.clone() }
    }
}

/// The id in the answer to `CreateMultipartUpload`
pub fn upload_id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct InitiateMultipartUploadResult {
        upload_id: String,
    }
    let read: InitiateMultipartUploadResult =
        quick_xml::de::from_str(std::str::from_utf8(body).ok()?).ok()?;
    Some(read.upload_id).filter(|id| !id.is_empty())
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, code: &str, rest: &str) -> Meaning {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code>{rest}</Error>");
        Answer::new(status, body.as_bytes(), None).meaning()
    }

    #[test]
    fn only_a_refusal_of_a_known_caller_is_a_denial() {
        assert_eq!(meaning(403, "AccessDenied", ""), Meaning::Denied(Deny::Unexplained));
        assert_eq!(Answer::new(403, b"", None).meaning(), Meaning::Denied(Deny::Unexplained));
        for (status, code, trouble) in [
            (403, "SignatureDoesNotMatch", Trouble::WrongSecret),
            (403, "InvalidAccessKeyId", Trouble::UnknownKey),
            (400, "ExpiredToken", Trouble::ExpiredToken),
            (400, "InvalidToken", Trouble::InvalidToken),
            (403, "RequestTimeTooSkewed", Trouble::ClockSkew),
            (404, "NoSuchBucket", Trouble::NoSuchBucket),
            (503, "SlowDown", Trouble::Throttled),
            (429, "TooManyRequests", Trouble::Throttled),
            (500, "InternalError", Trouble::ServerFault),
            (400, "InvalidArgument", Trouble::Unexpected),
            (400, "AuthorizationHeaderMalformed", Trouble::Unexpected),
            (404, "NotFound", Trouble::Unexpected),
            (403, "AccountProblem", Trouble::Unexpected),
        ] {
            assert_eq!(meaning(status, code, ""), Meaning::Trouble(trouble), "{status} {code}");
        }
    }

    #[test]
    fn the_right_region_is_read_from_the_body_or_the_head() {
        let right = |region: &str| Meaning::Trouble(Trouble::WrongRegion { right: Some(region.to_owned()) });
        assert_eq!(
            meaning(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            right("eu-west-1")
        );
        let redirect = Answer::new(301, b"", Some("eu-west-2".to_owned()));
        assert_eq!(redirect.meaning(), right("eu-west-2"));
        let silent = Answer::new(301, b"", None);
        assert_eq!(silent.meaning(), Meaning::Trouble(Trouble::WrongRegion { right: None }));
    }

    #[test]
    fn an_explicit_deny_is_told_where_s3_says_so() {
        let denied = |words: &str| meaning(403, "AccessDenied", &format!("<Message>{words}</Message>"));
        let words = "User: arn:aws:iam::1:user/d is not authorized to perform: s3:PutObject on resource: x ";
        assert_eq!(
            denied(&format!("{words}because no identity-based policy allows the s3:PutObject action")),
            Meaning::Denied(Deny::Unexplained)
        );
        for (kind, article) in [("resource-based policy", "a"), ("identity-based policy", "an")] {
            assert_eq!(
                denied(&format!("{words}with an explicit deny in {article} {kind}")),
                Meaning::Denied(Deny::Explicit(kind.to_owned()))
            );
        }
    }

    #[test]
    fn what_is_no_error_of_s3s_is_no_denial_but_by_its_status() {
        assert_eq!(Answer::new(404, b"<html>", None).meaning(), Meaning::Trouble(Trouble::Unexpected));
        assert_eq!(Answer::new(502, b"\xff", None).meaning(), Meaning::Trouble(Trouble::ServerFault));
        assert_eq!(Answer::new(204, b"", None).meaning(), Meaning::Done);
    }

    #[test]
    fn an_upload_has_an_id_or_is_none() {
        let result = |inner: &str| {
            format!(
                "<InitiateMultipartUploadResult><Bucket>b</Bucket>{inner}</InitiateMultipartUploadResult>"
            )
        };
        assert_eq!(upload_id(result("<UploadId>a.b</UploadId>").as_bytes()).as_deref(), Some("a.b"));
        for nothing in [result(""), result("<UploadId></UploadId>"), String::new(), "<html>".to_owned()] {
            assert_eq!(upload_id(nothing.as_bytes()), None, "{nothing}");
        }
    }
}
