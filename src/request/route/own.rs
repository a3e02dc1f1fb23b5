//! The gate's own two endpoints on the public address

use super::RouteError;
use crate::druid::endpoint::Content;
use crate::druid::{CanonicalPath, Method};

/// One of the gate's own endpoints, for authenticated callers
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnEndpoint {
    /// GET who the caller is, and what he holds
    WhoAmI,
    /// POST what a statement or a task would need, and whether he may; nothing runs
    Explain,
}

/// The table
pub const OWN: [(Method, &str, OwnEndpoint); 2] = [
    (Method::Get, "/_gate/whoami", OwnEndpoint::WhoAmI),
    (Method::Post, "/_gate/explain", OwnEndpoint::Explain),
];

impl OwnEndpoint {
    /// What its body is
    pub fn content(self) -> Content {
        match self {
            Self::WhoAmI => Content::Nothing,
            Self::Explain => Content::TaskSpec,
        }
    }

    /// Its path
    pub fn path(self) -> &'static str {
        OWN.into_iter().find(|(.., own)| *own == self).map_or("/", |(_, path, _)| path)
    }
}

/// The endpoint of the gate's own at this path, `None` where the path is not one of its own
///
/// # Errors
///
/// Where it takes another method.
pub fn classify(method: Option<Method>, path: &CanonicalPath) -> Result<Option<OwnEndpoint>, RouteError> {
    let is_at = |own: &str| {
        let words: Vec<_> = own.split('/').skip(1).collect();
        words.len() == path.segments().len()
            && path.segments().iter().zip(words).all(|(segment, word)| segment.is_literally(word))
    };
    match OWN.into_iter().find(|(_, own, _)| is_at(own)) {
        None => Ok(None),
        Some((own, _, endpoint)) if method == Some(own) => Ok(Some(endpoint)),
        Some((own, ..)) => Err(RouteError::Method { allowed: vec![own] }),
    }
}
