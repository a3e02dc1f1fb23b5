//! A request as it arrived: its head, its body that is not read yet, and who sends it

use std::net::SocketAddr;
use std::time::Duration;

use http::header::EXPECT;
use http::request::Parts;
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::body::{self, BodyError, BodyLimit};
use super::head::{self, FieldError};
use super::unasked::Unasked;
use crate::base::budget::{Holder, Lease};
use crate::base::budgets::Budgets;
use crate::druid::endpoint::Content;

/// How much of a refused request's body is read so that its connection can go on
const DRAINED_BYTES: usize = 64 << 10;
const DRAINED_FOR: Duration = Duration::from_secs(1);

/// A request as it arrived
#[derive(Debug)]
pub struct Arrived {
    /// Its head
    pub head: Parts,
    /// Who sends it
    pub client: SocketAddr,
    body: Body,
    /// How much of it is read in vain, so that its connection can go on
    drained_bytes: usize,
    /// By what its body is held, as long as this is there
    lease: Option<Lease>,
}

/// What has become of a request's body
#[derive(Debug)]
enum Body {
    /// Nobody has read it
    Unread(Incoming),
    /// It was read to its end
    Read,
    /// It was read, and there is no saying how far
    Broken,
}

/// Why a request has no content that its endpoint takes
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The endpoint does not take these fields
    #[error(transparent)]
    Fields(#[from] FieldError),
    /// There is no body to judge
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body says something
    #[error("the body must be empty, `{{}}` or `\"\"`")]
    Unexpected,
}

impl Arrived {
    /// A request of this client
    pub fn new(request: Request<Incoming>, client: SocketAddr) -> Self {
        let (head, body) = request.into_parts();
        Self { head, client, body: Body::Unread(body), drained_bytes: DRAINED_BYTES, lease: None }
    }

    /// Reads its body, whole, of at most these bytes, within this time; what its caller may hold counts
    ///
    /// # Errors
    ///
    /// Where the head announces, or the body is, what the endpoint does not take.
    pub async fn content(
        &mut self,
        content: Content,
        limit: BodyLimit,
        patience: Duration,
        budgets: &Budgets,
        holder: Holder,
    ) -> Result<Vec<u8>, ContentError> {
        let has_body = matches!(&self.body, Body::Unread(body) if !body.is_end_stream());
        let coding = head::check_fields(&self.head, content, has_body, limit)?;
        let bytes = match std::mem::replace(&mut self.body, Body::Broken) {
            Body::Unread(mut body) if has_body => {
                let waits = self.waits_in_vain();
                let lease = self.lease.insert(budgets.bodies.lease(holder));
                if waits {
                    let mut body = Unasked::new(body);
                    body::read(&mut body, coding, limit, patience, lease, &budgets.workshop).await?
                } else {
                    let read = body::read(&mut body, coding, limit, patience, lease, &budgets.workshop).await;
                    if let Err(BodyError::NoRoom(_)) = read {
                        // Who may send so much, but not now, is to hear that: over HTTP/1.1 he does when he has sent it.
                        (self.body, self.drained_bytes) = (Body::Unread(body), limit.bytes);
                    }
                    read?
                }
            }
            Body::Unread(_) => Vec::new(),
            Body::Read | Body::Broken => return Err(BodyError::Framing.into()),
        };
        self.body = Body::Read;
        if content == Content::EmptyOrObject && !says_nothing(&bytes) {
            return Err(ContentError::Unexpected);
        }
        Ok(bytes)
    }

    /// Whether its client may send nothing before he is asked to, and cannot be: hyper sends no `100` over HTTP/2
    fn waits_in_vain(&self) -> bool {
        self.head.version == Version::HTTP_2 && self.head.headers.contains_key(EXPECT)
    }

    /// Reads what is left of its body, if that is little; whether its connection can go on
    pub async fn drained(self) -> bool {
        let body = match self.body {
            Body::Read => return true,
            Body::Broken => return false,
            Body::Unread(body) if body.is_end_stream() => return true,
            Body::Unread(body) => body,
        };
        // Whoever waits for "100 Continue" has sent nothing, and reading would ask him to.
        if self.head.headers.contains_key(EXPECT) {
            return false;
        }
        let rest = tokio::time::timeout(DRAINED_FOR, discarded(body, self.drained_bytes)).await;
        rest.unwrap_or(false)
    }
}

/// Reads a body to its end and keeps nothing; whether it came, and was no longer than this
async fn discarded(mut body: Incoming, most: usize) -> bool {
    let mut left = most;
    while let Some(frame) = body.frame().await {
        let bytes = frame.ok().map(|frame| frame.data_ref().map_or(0, bytes::Bytes::len));
        let Some(less) = bytes.and_then(|bytes| left.checked_sub(bytes)) else { return false };
        left = less;
    }
    true
}

/// Nothing, `{}`, or the empty JSON string that druidapi sends
fn says_nothing(bytes: &[u8]) -> bool {
    bytes.is_empty() || [&b""[..], b"{}", b"\"\""].contains(&bytes.trim_ascii())
}
