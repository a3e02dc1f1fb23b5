//! Read the body: whole, bounded, timed, and inflated where it came as gzip

use std::fmt;
use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;

use super::unasked::Waits;

/// How a body is coded
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is
    Identity,
    /// gzip (RFC 1952), a single member
    Gzip,
}

impl Coding {
    /// How an answer says that it is coded, as far as the gate reads answers
    pub fn of_answer(fields: &HeaderMap) -> Self {
        match fields.get(CONTENT_ENCODING) {
            Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"gzip") => Self::Gzip,
            Some(_) | None => Self::Identity,
        }
    }
}

/// How many bytes a body may have
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimit {
    /// The number of bytes
    pub bytes: usize,
    /// The key under `[limits]` that says so, where one does
    pub key: Option<&'static str>,
}

impl fmt::Display for BodyLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(formatter)
    }
}

/// Why there is no body
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than allowed, or inflates to more
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The number of bytes allowed
        limit: BodyLimit,
    },
    /// It did not come in time
    #[error("the body did not arrive in time")]
    Timeout,
    /// It broke off, or its framing is wrong
    #[error("the body broke off or its framing is wrong")]
    Framing,
    /// Its client waits to be asked for it
    #[error("over HTTP/2 nobody is asked for his body: leave out `Expect`, or send it over HTTP/1.1")]
    Unasked,
    /// Fields come after it
    #[error("the request has trailer fields, which nobody reads; leave them out")]
    Trailers,
    /// It is not one whole gzip member
    #[error("the body is not one whole gzip member")]
    Gzip,
}

/// Reads a body of at most `limit` bytes, inflated ones included
///
/// # Errors
///
/// Where it is too large, too slow, broken off, followed by fields, or not what its coding says.
pub async fn read<B>(
    body: B,
    coding: Coding,
    limit: BodyLimit,
    patience: Duration,
) -> Result<Vec<u8>, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let whole = tokio::time::timeout(patience, Limited::new(body, limit.bytes).collect()).await;
    let whole = whole.map_err(|_| BodyError::Timeout)?.map_err(|error| match error {
        error if error.is::<LengthLimitError>() => BodyError::TooLarge { limit },
        error if error.is::<Waits>() => BodyError::Unasked,
        _ => BodyError::Framing,
    })?;
    if whole.trailers().is_some() {
        return Err(BodyError::Trailers);
    }
    let bytes = whole.to_bytes();
    match coding {
        Coding::Identity => Ok(bytes.into()),
        Coding::Gzip => inflate(&bytes, limit),
    }
}

fn inflate(bytes: &[u8], limit: BodyLimit) -> Result<Vec<u8>, BodyError> {
    let mut decoder = GzDecoder::new(bytes);
    let mut inflated = Vec::new();
    let most = u64::try_from(limit.bytes).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(most).read_to_end(&mut inflated).map_err(|_| BodyError::Gzip)?;
    if inflated.len() > limit.bytes {
        return Err(BodyError::TooLarge { limit });
    }
    // A second member, or anything else behind the first, is text that somebody else might read.
    if decoder.into_inner().is_empty() { Ok(inflated) } else { Err(BodyError::Gzip) }
}

/// As much as can be inflated of the beginning of a gzip member, `most` bytes of it at most
pub fn inflate_beginning(bytes: &[u8], most: usize) -> Vec<u8> {
    let mut inflated = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    // Where it is cut off, what came before is there.
    let _end = GzDecoder::new(bytes).take(most).read_to_end(&mut inflated);
    inflated
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn limit(bytes: usize) -> BodyLimit {
        BodyLimit { bytes, key: Some("body_bytes") }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn one_whole_member_is_inflated() {
        assert_eq!(inflate(&gzip(b"{}"), limit(2)), Ok(b"{}".to_vec()));
    }

    #[test]
    fn anything_behind_the_member_a_cut_one_and_a_bomb_are_refused() {
        let two = [gzip(b"{}"), gzip(b"{}")].concat();
        assert_eq!(inflate(&two, limit(100)), Err(BodyError::Gzip));
        let trailing = [gzip(b"{}"), b"x".to_vec()].concat();
        assert_eq!(inflate(&trailing, limit(100)), Err(BodyError::Gzip));
        let whole = gzip(b"{}");
        let cut = whole.split_last().unwrap().1;
        assert_eq!(inflate(cut, limit(100)), Err(BodyError::Gzip));
        let bomb = gzip(&vec![b' '; 1 << 20]);
        assert_eq!(inflate(&bomb, limit(1_000)), Err(BodyError::TooLarge { limit: limit(1_000) }));
    }

    #[tokio::test]
    async fn a_body_with_fields_behind_it_is_refused_and_one_without_is_read() {
        use http_body_util::Full;

        let patience = Duration::from_secs(1);
        let whole = Full::new(Bytes::from_static(b"{}"));
        assert_eq!(read(whole.clone(), Coding::Identity, limit(2), patience).await, Ok(b"{}".to_vec()));
        // Fields or none: HTTP/2 hides pseudo-fields that stand there.
        let trailed = whole.with_trailers(std::future::ready(Some(Ok(HeaderMap::new()))));
        assert_eq!(read(trailed, Coding::Identity, limit(2), patience).await, Err(BodyError::Trailers));
    }
}
