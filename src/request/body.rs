//! Read the body: whole, bounded, timed, and inflated where it came as gzip

use std::fmt;
use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;
use hyper::body::Body;

use super::unasked::Waits;
use crate::base::budget::{Lease, Spent};
use crate::base::workshop::{Undone, Workshop};

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
    /// It is inflated to far more than it is
    #[error("the body is inflated to more than {RATIO} times its length; send it plain")]
    Inflates,
    /// There is no room for it among all bodies
    #[error("{}", no_room(*.0))]
    NoRoom(Spent),
    /// There is no place to inflate it
    #[error("{0}")]
    Undone(Undone),
}

fn no_room(spent: Spent) -> &'static str {
    match spent {
        Spent::Share => {
            "as much of your bodies is under way as may be at one time; wait for an answer to one of them"
        }
        Spent::Whole => "as many bytes of bodies are under way as the gate holds at one time; try again soon",
    }
}

/// Reads a body of at most `limit` bytes, inflated ones included, and holds its bytes by this lease
///
/// # Errors
///
/// Where it is too large, too slow, broken off, followed by fields, or not what its coding says; or there is no room.
pub async fn read<B>(
    body: &mut B,
    coding: Coding,
    limit: BodyLimit,
    patience: Duration,
    lease: &mut Lease,
    workshop: &Workshop,
) -> Result<Vec<u8>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let arriving = tokio::time::timeout(patience, collect(body, limit, lease));
    let bytes = arriving.await.map_err(|_| BodyError::Timeout)??;
    match coding {
        Coding::Identity => Ok(bytes),
        Coding::Gzip => {
            let room = room(&bytes, limit);
            lease.hold(bytes.len().saturating_add(room)).map_err(BodyError::NoRoom)?;
            let inflating = workshop.work(lease.holder(), room, move || inflate(&bytes, limit));
            let inflated = inflating.await.map_err(BodyError::Undone)??;
            lease.keep(inflated.len());
            Ok(inflated)
        }
    }
}

/// Of a body that does not say how long it is, so many bytes are held at a time
const STEP: usize = 64 << 10;

fn fault(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BodyError {
    if error.into().is::<Waits>() { BodyError::Unasked } else { BodyError::Framing }
}

async fn collect<B>(body: &mut B, limit: BodyLimit, lease: &mut Lease) -> Result<Vec<u8>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let declared = body.size_hint().exact().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if declared > limit.bytes {
        return Err(BodyError::TooLarge { limit });
    }
    lease.hold(declared).map_err(BodyError::NoRoom)?;
    // What is declared is not there yet: whoever sends nothing takes no memory.
    let mut bytes = Vec::with_capacity(declared.min(STEP));
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(fault)?.into_data().map_err(|_| BodyError::Trailers)?;
        let length = bytes.len().saturating_add(data.len());
        if length > limit.bytes {
            return Err(BodyError::TooLarge { limit });
        }
        if length > lease.held() {
            let step = length.next_multiple_of(STEP).min(limit.bytes);
            lease.hold(step).map_err(BodyError::NoRoom)?;
        }
        if length > bytes.capacity() {
            // Exactly, where that is known: a vector that doubles would take more than is held.
            bytes.reserve_exact(lease.held().saturating_sub(bytes.len()).max(data.len()));
        }
        bytes.extend_from_slice(&data);
    }
    lease.keep(bytes.len());
    Ok(bytes)
}

/// What is inflated is no more than so many times as long as what came; or than [`SMALL_BYTES`]
///
/// A posted task with its data in it was seen to be 30 times as long; a body that is nothing but blanks is 1,000 times.
const RATIO: usize = 100;
const SMALL_BYTES: usize = 256 << 10;

/// How many bytes may be inflated of these
fn bound(bytes: &[u8], limit: BodyLimit) -> usize {
    bytes.len().saturating_mul(RATIO).max(SMALL_BYTES).min(limit.bytes)
}

/// How many bytes are inflated of these, by what their last four say (RFC 1952, `ISIZE`), if that is allowed
fn room(bytes: &[u8], limit: BodyLimit) -> usize {
    let declared = bytes.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
    usize::try_from(declared).unwrap_or(usize::MAX).min(bound(bytes, limit))
}

fn inflate(bytes: &[u8], limit: BodyLimit) -> Result<Vec<u8>, BodyError> {
    let (room, bound) = (room(bytes, limit), bound(bytes, limit));
    let mut decoder = GzDecoder::new(bytes);
    let mut inflated = Vec::with_capacity(room.saturating_add(1));
    let most = u64::try_from(room).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(most).read_to_end(&mut inflated).map_err(|_| BodyError::Gzip)?;
    if inflated.len() > room {
        return Err(match room {
            _ if room < bound => BodyError::Gzip,
            _ if bound < limit.bytes => BodyError::Inflates,
            _ => BodyError::TooLarge { limit },
        });
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
    use crate::base::budget::{Budget, Holders, Shares};

    fn limit(bytes: usize) -> BodyLimit {
        BodyLimit { bytes, key: Some("body_bytes") }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// A body of frames that does not say how long it is
    struct Frames(std::vec::IntoIter<Vec<u8>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(self.0.next().map(|data| Ok(hyper::body::Frame::data(data.into()))))
        }
    }

    /// What is read of a body where there is so much room, of at most a mebibyte
    async fn read_of<B>(whole: usize, mut body: B, coding: Coding) -> Result<Vec<u8>, BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let budget = Budget::new(Shares { whole, caller: usize::MAX, address: usize::MAX });
        let holder = Holders::default().holder("alice", std::net::IpAddr::from([192, 0, 2, 1]));
        let mut lease = budget.lease(holder);
        let patience = Duration::from_secs(10);
        let read = read(&mut body, coding, limit(1 << 20), patience, &mut lease, &Workshop::new(1)).await;
        if let Ok(bytes) = &read {
            assert_eq!((lease.held(), budget.use_of_whole().0), (bytes.len(), bytes.len()));
        }
        read
    }

    #[test]
    fn what_inflates_beyond_all_measure_is_refused_and_what_does_as_texts_do_is_not() {
        let most = limit(8 << 20);
        let blanks = |bytes: usize| gzip(&vec![b' '; bytes]);
        assert_eq!(inflate(&blanks(SMALL_BYTES), most).map(|text| text.len()), Ok(SMALL_BYTES));
        assert_eq!(inflate(&blanks(4 << 20), most), Err(BodyError::Inflates));
        let rows = (0..50_000).map(|row| format!("{{\"a\":{row},\"b\":\"x\"}}\\n")).collect::<String>();
        assert_eq!(inflate(&gzip(rows.as_bytes()), most), Ok(rows.into_bytes()));
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

        let whole = Full::new(Bytes::from_static(b"{}"));
        assert_eq!(read_of(1 << 20, whole.clone(), Coding::Identity).await, Ok(b"{}".to_vec()));
        // Fields or none: HTTP/2 hides pseudo-fields that stand there.
        let trailed = whole.with_trailers(std::future::ready(Some(Ok(HeaderMap::new()))));
        assert_eq!(read_of(1 << 20, trailed, Coding::Identity).await, Err(BodyError::Trailers));
    }

    #[tokio::test]
    async fn what_is_held_is_what_there_is_room_for_whether_it_says_how_long_it_is_or_not() {
        use http_body_util::Full;

        let text = vec![b' '; 10_000];
        let zipped = gzip(&text);
        let in_frames =
            |text: &[u8]| Frames(text.chunks(1_000).map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter());
        let full = |bytes: &[u8]| Full::new(Bytes::copy_from_slice(bytes));
        assert_eq!(read_of(10_000, full(&text), Coding::Identity).await, Ok(text.clone()));
        assert_eq!(read_of(9_999, full(&text), Coding::Identity).await, Err(BodyError::NoRoom(Spent::Whole)));
        assert_eq!(read_of(1 << 20, in_frames(&text), Coding::Identity).await, Ok(text.clone()));
        assert_eq!(
            read_of(9_999, in_frames(&text), Coding::Identity).await,
            Err(BodyError::NoRoom(Spent::Whole))
        );
        assert_eq!(read_of(10_000 + zipped.len(), full(&zipped), Coding::Gzip).await, Ok(text.clone()));
        assert_eq!(read_of(9_999, full(&zipped), Coding::Gzip).await, Err(BodyError::NoRoom(Spent::Whole)));
    }
}
