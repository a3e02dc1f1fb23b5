//! What S3's answers mean: done, refused, or something that says nothing of permission
//!
//! Codes as in the S3 API reference, "Error responses". An answer without such a code is not S3's, whatever its
//! status: a proxy's page with 403 is no denial, and one with 200 no proof.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::report::Answered;

/// An answer to a signed request
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status, and the code and the words of the error of S3's that its body is
    pub said: Answered,
    /// Whether its body is no error of S3's, and nothing that belongs there
    is_foreign: bool,
    /// The bucket's region, by the error or else by the head (`x-amz-bucket-region`)
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
    /// A policy of this kind does not allow it
    NotAllowed(String),
    /// A policy of this kind denies it, which no grant overrules
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
    /// S3 lets it pass, and a service behind it refuses this action: `kms:Decrypt`
    RefusedBehind(String),
    /// Too many requests at the moment
    Throttled,
    /// S3 itself fails
    ServerFault,
    /// Somebody else answers than an S3 server
    NotS3,
    /// Anything else
    Unexpected,
}

impl Answer {
    /// An answer with this status, body and bucket's region, to a call that wants a body or none
    ///
    /// A body that is not well-formed is read as far as it goes; of two codes the first counts.
    pub fn new(status: u16, body: &[u8], mut region: Option<String>, wants_body: bool) -> Self {
        let mut said = Answered { status, code: None, message: None };
        let mut words = elements(&String::from_utf8_lossy(body));
        words.retain(|(_, word)| !word.is_empty());
        if words.iter().any(|(path, _)| path == "Error/Code") {
            for (path, word) in words {
                match path.as_str() {
                    "Error/Code" => said.code = said.code.or(Some(word)),
                    "Error/Message" => said.message = Some(word),
                    "Error/Region" => region = Some(word),
                    _ => {}
                }
            }
        }
        Self { said, is_foreign: !wants_body && !body.trim_ascii().is_empty(), region }
    }

    /// What it means as the answer to a call that needs this action
    pub fn meaning(&self, action: &str) -> Meaning {
        match (self.said.status, self.said.code.as_deref()) {
            (200..300, None) if !self.is_foreign => Meaning::Done,
            (404, Some("NoSuchKey")) => Meaning::NoSuchKey,
            (404, Some("NoSuchUpload")) => Meaning::NoSuchUpload,
            (403, Some("AccessDenied" | "Forbidden")) => self.refusal(action),
            (status, Some(code)) => Meaning::Trouble(self.trouble(status, code)),
            (status, None) => Meaning::Trouble(self.wordless(status)),
        }
    }

    /// Amazon's own S3 says in its message which action is refused, and which kind of policy does it
    fn refusal(&self, action: &str) -> Meaning {
        let message = self.said.message.as_deref().unwrap_or_default();
        match between(message, "perform: ", ' ') {
            // Who may not list is told so where there is nothing to get.
            Some("s3:ListBucket") => Meaning::NoSuchKey,
            Some(other) if !other.eq_ignore_ascii_case(action) => {
                Meaning::Trouble(Trouble::RefusedBehind(other.to_owned()))
            }
            Some(_) | None => Meaning::Denied(deny(message)),
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
            | (503, "ServiceUnavailable")
            | (429, _) => Trouble::Throttled,
            (_, "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException") => {
                Trouble::WrongRegion { right: self.region.clone() }
            }
            (400, "AuthorizationHeaderMalformed") if self.region.is_some() => {
                Trouble::WrongRegion { right: self.region.clone() }
            }
            (500.., _) => Trouble::ServerFault,
            _ => Trouble::Unexpected,
        }
    }

    /// An answer without a code of S3's
    fn wordless(&self, status: u16) -> Trouble {
        match (status, &self.region) {
            (429, _) => Trouble::Throttled,
            (500.., _) => Trouble::ServerFault,
            // A redirect of S3's may have no body, but it has the bucket's region.
            (301 | 307 | 308, Some(region)) => Trouble::WrongRegion { right: Some(region.clone()) },
            _ => Trouble::NotS3,
        }
    }
}

/// `because no session policy allows …`, `with an explicit deny in a resource-based policy`
fn deny(message: &str) -> Deny {
    let policy = |text: &str| text.trim_start_matches('n').trim().trim_end_matches('.').to_owned();
    if let Some((_, rest)) = message.split_once("explicit deny in a") {
        return Deny::Explicit(policy(rest));
    }
    let missing = message.split_once("because no ").and_then(|(_, rest)| rest.split_once(" allows"));
    missing.map_or(Deny::Unexplained, |(kind, _)| Deny::NotAllowed(kind.to_owned()))
}

fn between<'a>(text: &'a str, before: &str, end: char) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split(end).next().filter(|word| !word.is_empty())
}

/// The id in the answer to `CreateMultipartUpload`
pub fn upload_id(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let is_id = |path: &str| path == "InitiateMultipartUploadResult/UploadId";
    elements(&text).into_iter().find(|(path, id)| is_id(path) && !id.is_empty()).map(|(_, id)| id)
}

/// The texts of the elements just below a document's root, by both local names, each trimmed
fn elements(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_dangling_amp = true;
    let (mut open, mut elements) = (Vec::<String>::new(), Vec::<(String, String)>::new());
    let mut words = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                open.push(start.local_name().as_ref().to_owned());
                words.clear();
            }
            Ok(Event::Text(piece)) => words.push_str(&piece),
            Ok(Event::CData(piece)) => words.push_str(&piece),
            Ok(Event::GeneralRef(entity)) => {
                words.push_str(resolve_predefined_entity(&entity).unwrap_or("?"))
            }
            Ok(Event::End(_)) => {
                if let [root, name] = &open[..] {
                    elements.push((format!("{root}/{name}"), words.trim().to_owned()));
                }
                open.pop();
                words.clear();
            }
            Ok(Event::Eof) | Err(_) => return elements,
            Ok(Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: &str = "s3:PutObject";

    fn answer(status: u16, body: &str) -> Answer {
        Answer::new(status, body.as_bytes(), None, false)
    }

    fn meaning(status: u16, code: &str, rest: &str) -> Meaning {
        answer(status, &format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code>{rest}</Error>"))
            .meaning(PUT)
    }

    fn refused(words: &str) -> Meaning {
        meaning(403, "AccessDenied", &format!("<Message>{words}</Message>"))
    }

    #[test]
    fn only_a_refusal_of_a_known_caller_is_a_denial() {
        assert_eq!(meaning(403, "AccessDenied", ""), Meaning::Denied(Deny::Unexplained));
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
            (403, "AccountProblem", Trouble::Unexpected),
            (200, "AccessDenied", Trouble::Unexpected),
        ] {
            assert_eq!(meaning(status, code, ""), Meaning::Trouble(trouble), "{status} {code}");
        }
    }

    #[test]
    fn an_answer_without_a_code_of_s3s_is_somebody_elses() {
        assert_eq!(answer(204, "").meaning(PUT), Meaning::Done);
        assert_eq!(answer(200, " \n").meaning(PUT), Meaning::Done);
        assert_eq!(Answer::new(200, b"rows", None, true).meaning("s3:GetObject"), Meaning::Done);
        for (status, body) in [
            (403, ""),
            (403, "<html>blocked</html>"),
            (403, "Forbidden by policy"),
            (403, r#"{"code":"AccessDenied"}"#),
            (403, "<Error><Code></Code></Error>"),
            (404, "<html>"),
            (200, "<html>welcome</html>"),
            (301, ""),
        ] {
            assert_eq!(
                answer(status, body).meaning(PUT),
                Meaning::Trouble(Trouble::NotS3),
                "{status} {body}"
            );
        }
        for status in [500, 502, 503, 504] {
            assert_eq!(answer(status, "<html>").meaning(PUT), Meaning::Trouble(Trouble::ServerFault));
        }
    }

    #[test]
    fn an_error_that_is_not_quite_xml_keeps_its_code() {
        for body in [
            "<Error><Code>SignatureDoesNotMatch</Code><Message>a & b</Message></Error>",
            "<Error><Code> SignatureDoesNotMatch\n</Code><Message>&undeclared;</Message></Error>",
            "<Error><Code>SignatureDoesNotMatch</Code><Code>AccessDenied</Code></Error>",
            "<s:Error xmlns:s='x'><s:Code>SignatureDoesNotMatch</s:Code></s:Error>",
            "<Error><Code>SignatureDoesNotMatch</Code><Message>cut",
            "<Error><Code><![CDATA[SignatureDoesNotMatch]]></Code></Error>",
        ] {
            assert_eq!(answer(403, body).meaning(PUT), Meaning::Trouble(Trouble::WrongSecret), "{body}");
        }
        let latin = b"<Error><Code>RequestTimeTooSkewed</Code><Message>\xe9</Message></Error>";
        let latin = Answer::new(403, latin, None, false);
        assert_eq!(latin.meaning(PUT), Meaning::Trouble(Trouble::ClockSkew));
    }

    #[test]
    fn the_right_region_is_read_from_the_body_or_the_head() {
        let right = |region: &str| Meaning::Trouble(Trouble::WrongRegion { right: Some(region.to_owned()) });
        let malformed = meaning(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>");
        assert_eq!(malformed, right("eu-west-1"));
        let redirect = Answer::new(301, b"", Some("eu-west-2".to_owned()), false);
        assert_eq!(redirect.meaning(PUT), right("eu-west-2"));
        let silent = meaning(301, "PermanentRedirect", "");
        assert_eq!(silent, Meaning::Trouble(Trouble::WrongRegion { right: None }));
    }

    #[test]
    fn the_kind_of_policy_is_told_where_s3_says_so() {
        let words = "User: arn:aws:iam::1:user/d is not authorized to perform: s3:PutObject on resource: x ";
        let missing =
            |kind: &str| refused(&format!("{words}because no {kind} allows the s3:PutObject action"));
        for kind in ["identity-based policy", "VPC endpoint policy", "session policy"] {
            assert_eq!(missing(kind), Meaning::Denied(Deny::NotAllowed(kind.to_owned())));
        }
        for (kind, article) in [("resource-based policy", "a"), ("identity-based policy", "an")] {
            assert_eq!(
                refused(&format!("{words}with an explicit deny in {article} {kind}")),
                Meaning::Denied(Deny::Explicit(kind.to_owned()))
            );
        }
    }

    #[test]
    fn a_refusal_of_another_action_is_not_one_of_this() {
        let perform = |action: &str| {
            refused(&format!(
                "User: u is not authorized to perform: {action} on resource: k because no x allows it"
            ))
        };
        assert!(matches!(perform(PUT), Meaning::Denied(_)));
        for behind in ["kms:GenerateDataKey", "kms:Decrypt", "s3:PutObjectTagging"] {
            assert_eq!(perform(behind), Meaning::Trouble(Trouble::RefusedBehind(behind.to_owned())));
        }
        assert_eq!(perform("s3:ListBucket"), Meaning::NoSuchKey);
    }

    #[test]
    fn an_upload_has_an_id_or_is_none() {
        let result = |inner: &str| {
            format!(
                "<InitiateMultipartUploadResult xmlns=\"x\"><Bucket>b</Bucket>{inner}</InitiateMultipartUploadResult>"
            )
        };
        assert_eq!(upload_id(result("<UploadId> a.b\n</UploadId>").as_bytes()).as_deref(), Some("a.b"));
        for nothing in [result(""), result("<UploadId></UploadId>"), String::new(), "<html>".to_owned()] {
            assert_eq!(upload_id(nothing.as_bytes()), None, "{nothing}");
        }
    }

    #[test]
    fn a_document_of_many_levels_is_read_without_a_stack() {
        assert_eq!(answer(403, &"<a>".repeat(20_000)).meaning(PUT), Meaning::Trouble(Trouble::NotS3));
    }
}
