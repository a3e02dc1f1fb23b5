//! Reads along where the heads on an HTTP/1.1 connection end, and whether one of them has two framings
//!
//! hyper drops a `Content-Length` that stands twice or beside `Transfer-Encoding` before anybody can see it; a server
//! in front may have read the other one (RFC 9112, sections 6.1 and 6.3). hyper is given no byte behind a head before
//! that is noted. Where it is not clear how long a body is, nobody follows any more, and the connection ends with its
//! answer.

/// Where bytes of a connection stand
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    head: Head,
    /// The line at hand, as far as a name and a number go
    line: Vec<u8>,
    /// How large a chunk may be, and whether one is larger
    largest_chunk: u64,
    has_huge_chunk: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    /// So many bytes of a body are to come
    Body(u64),
    /// The line with a chunk's size (RFC 9112, section 7.1)
    ChunkSize,
    /// So many bytes of a chunk are to come, the end of its line among them
    Chunk(u64),
    /// The fields behind the last chunk
    Trailers,
    /// Nobody follows any more
    Unfollowed,
}

/// What is noted of a head
#[derive(Debug, Default)]
struct Head {
    has_begun: bool,
    lengths: usize,
    length: Option<u64>,
    codings: usize,
}

/// A line with a name and a number, or with a chunk's size, is shorter; of a longer one no number is taken
const LINE: usize = 64;

/// How many of some bytes belong together, and what ends with them
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// How many bytes: all of them, or those up to the end of the head or body at hand
    pub(super) bytes: usize,
    /// Where a head ends with them: whether it has two framings
    pub(super) head_with_two: Option<bool>,
}

impl Framing {
    pub(super) fn new(largest_chunk: u64) -> Self {
        let (place, head) = (Place::Head, Head::default());
        Self { place, head, line: Vec::new(), largest_chunk, has_huge_chunk: false }
    }

    /// Whether a chunk is said to be larger than it may be
    pub(super) fn has_huge_chunk(&self) -> bool {
        self.has_huge_chunk
    }

    /// Whether it is not known where the next head begins
    pub(super) fn is_unfollowed(&self) -> bool {
        self.place == Place::Unfollowed
    }

    /// Follows these bytes, the next ones of the connection
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Followed {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let was = self.place;
            at += self.step(rest);
            if was == Place::Head && self.place != was {
                let (place, has_two) = self.head.framing();
                (self.place, self.head) = (place, Head::default());
                return Followed { bytes: at, head_with_two: Some(has_two) };
            }
            if was != Place::Head && self.place == Place::Head {
                break;
            }
        }
        Followed { bytes: at, head_with_two: None }
    }

    /// Goes on by some of these bytes; how many
    fn step(&mut self, bytes: &[u8]) -> usize {
        let left = match self.place {
            Place::Unfollowed => return bytes.len(),
            Place::Body(left) | Place::Chunk(left) => left,
            Place::Head | Place::ChunkSize | Place::Trailers => return self.step_line(bytes),
        };
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        self.place = match (self.place, left) {
            (Place::Chunk(_), 0) => Place::ChunkSize,
            (Place::Chunk(_), left) => Place::Chunk(left),
            (_, 0) => Place::Head,
            (_, left) => Place::Body(left),
        };
        taken
    }

    /// Goes on to the end of the line, or as far as it has come
    fn step_line(&mut self, bytes: &[u8]) -> usize {
        let piece = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        if self.line.is_empty() && piece.ends_with(b"\n") {
            self.place = self.after(without_end(piece));
            return piece.len();
        }
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend(piece.iter().take(room));
        if piece.ends_with(b"\n") {
            let line = std::mem::take(&mut self.line);
            self.place = self.after(without_end(&line));
        }
        piece.len()
    }

    /// Where a line leads
    fn after(&mut self, line: &[u8]) -> Place {
        match self.place {
            Place::ChunkSize => match chunk_size(line) {
                Some(0) => Place::Trailers,
                Some(size) if size > self.largest_chunk => {
                    self.has_huge_chunk = true;
                    Place::Unfollowed
                }
                Some(size) => size.checked_add(2).map_or(Place::Unfollowed, Place::Chunk),
                None => Place::Unfollowed,
            },
            Place::Trailers if line.is_empty() => Place::Head,
            // Whatever comes behind the head: it says so itself.
            Place::Head if line.is_empty() && self.head.has_begun => Place::Unfollowed,
            Place::Head => {
                self.head.note(line);
                Place::Head
            }
            place @ (Place::Trailers | Place::Body(_) | Place::Chunk(_) | Place::Unfollowed) => place,
        }
    }
}

/// A line without its CRLF or LF
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The size of a chunk, without its extensions
fn chunk_size(line: &[u8]) -> Option<u64> {
    let line = Some(line).filter(|line| line.len() < LINE)?;
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

impl Head {
    /// Notes a line; blank ones before the head are none of it
    fn note(&mut self, line: &[u8]) {
        self.has_begun |= !line.is_empty();
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { return };
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            let value = std::str::from_utf8(value).ok().filter(|_| line.len() < LINE);
            self.length = value.and_then(|value| value.trim().parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings += 1;
        }
    }

    /// What comes behind it, and whether there are two framings of that
    fn framing(&self) -> (Place, bool) {
        let place = match (self.codings, self.lengths, self.length) {
            (0, 0, _) | (0, 1, Some(0)) => Place::Head,
            (0, 1, Some(length)) => Place::Body(length),
            (1, 0, _) => Place::ChunkSize,
            _ => Place::Unfollowed,
        };
        (place, self.lengths > 1 || self.codings > 0 && self.lengths > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The heads in these bytes, come in pieces of this size: where each ends, and whether it has two framings
    fn heads(text: &str, size: usize) -> Vec<(usize, bool)> {
        let (mut framing, mut at, mut heads) = (Framing::new(1 << 20), 0, Vec::new());
        while at < text.len() {
            let piece = text.as_bytes().get(at..text.len().min(at + size)).unwrap();
            let Followed { bytes, head_with_two } = framing.follow(piece);
            assert!(bytes > 0);
            at += bytes;
            heads.extend(head_with_two.map(|two| (at, two)));
        }
        heads
    }

    #[test]
    fn each_head_is_found_however_its_bytes_come() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let post = "POST / HTTP/1.1\nHOST: a\ncontent-LENGTH:  12 \n\nabc\r\n\r\n\r\n\r\n\n";
        let text = format!("\r\n{get}{post}{get}");
        let expected =
            [(2 + get.len(), false), (2 + get.len() + post.len() - 12, false), (text.len(), false)];
        for size in 1..text.len() {
            assert_eq!(heads(&text, size), expected, "{size}");
        }
    }

    #[test]
    fn two_framings_are_found_in_every_spelling_and_order() {
        for (fields, two) in [
            ("Content-Length: 2", false),
            ("Transfer-Encoding: chunked", false),
            ("X-Content-Length: 2\r\nContent-Length: 2", false),
            ("Content-Length: 2\r\nContent-Length: 2", true),
            ("Content-Length: 2\r\nX: y\r\ncontent-length: 3", true),
            ("Content-Length: 2\r\nTransfer-Encoding: chunked", true),
            ("TRANSFER-ENCODING: chunked\r\nContent-Length: 2", true),
            ("Transfer-Encoding: identity\r\nContent-Length:2", true),
        ] {
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
            for size in [1, 7, 1_000] {
                assert_eq!(heads(&format!("{head}{{}}"), size)[0], (head.len(), two), "{fields}");
            }
        }
    }

    #[test]
    fn chunks_are_followed_to_their_end() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body =
            "5;a=\"b\"\r\n\r\n\r\n\n\r\n1C \r\nContent-Length: 7\r\n\r\n\r\n\r\nabc\r\n0\r\nX: y\r\n\r\n";
        let text = format!("{head}{body}{head}0\r\n\r\n{head}");
        let second = head.len() + body.len() + head.len();
        let expected = [(head.len(), false), (second, false), (text.len(), false)];
        for size in 1..text.len() {
            assert_eq!(heads(&text, size), expected, "{size}");
        }
    }

    #[test]
    fn a_line_of_blanks_ends_no_head() {
        let head = format!("GET / HTTP/1.1\r\n{}X: y\r\n \r\n\r\n", " ".repeat(2 * LINE));
        for size in [1, 9, 1_000] {
            assert_eq!(heads(&head, size), [(head.len(), false)]);
        }
    }

    #[test]
    fn where_no_length_is_clear_nobody_follows() {
        let zeros = "0".repeat(LINE);
        for rest in [
            "Content-Length: x\r\n\r\n".to_owned(),
            "Content-Length: 1, 1\r\n\r\n".to_owned(),
            format!("Content-Length: {zeros}5\r\n\r\n"),
            "Transfer-Encoding: chunked\r\n\r\nx\r\n".to_owned(),
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_owned(),
            format!("Transfer-Encoding: chunked\r\n\r\n{zeros}5\r\n"),
        ] {
            for size in [1, 9, 1_000] {
                let mut framing = Framing::new(1 << 20);
                let text = format!("POST / HTTP/1.1\r\n{rest}");
                let mut left = text.as_bytes();
                while !left.is_empty() {
                    let piece = left.get(..size.min(left.len())).unwrap();
                    left = left.get(framing.follow(piece).bytes..).unwrap();
                }
                assert!(framing.is_unfollowed(), "{rest}");
            }
        }
    }
}
