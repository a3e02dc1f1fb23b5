//! HTTP/2 frames, written by hand: header blocks literally, without Huffman or indexing
//!
//! What comes back is read as far as a verdict needs it: statuses, resets, the connection's end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::expand::expanded;

/// How long the gate may take; its own deadlines are well below
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest payload that a frame may have before the gate says otherwise
const FRAME_BYTES: usize = 16_384;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
/// By its answer it is known that all before it was read
const LAST_PING: &[u8; 8] = b"lastping";

/// What came of a connection, in the catalogue's words: statuses, `1:202` for a stream's, `stream_error`,
/// `stream_refused`, `connection_error`, `goaway`; `ok` where nothing but answers came
pub(super) async fn converse(stream: TlsStream<TcpStream>, parts: &[Vec<u8>]) -> BTreeSet<String> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut heard = Heard::default();
    let mut awaited = BTreeSet::new();
    for part in parts {
        awaited.extend(opened(part));
        let bytes = [&part[..], &frame(PING, 0, 0, LAST_PING)].concat();
        let writing = async {
            // The gate may have hung up; what it said is being read.
            let _written = writer.write_all(&bytes).await;
            let _done = writer.flush().await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = tokio::time::timeout(PATIENCE, heard.listen(&mut reader, &awaited)) => {
                heard.is_late |= ended.is_err();
            }
            () = writing => {}
        }
    }
    heard.outcomes()
}

/// The bytes of a row's frames, after the preface and an empty SETTINGS
///
/// Two parts where the first request is to be answered before anything else is sent.
pub(super) fn parts(frames: &[Value], values: &[(&str, String)], answered_first: bool) -> Vec<Vec<u8>> {
    let mut values = values.to_vec();
    let data = frames.iter().find_map(|frame| frame["data"].as_str()).unwrap_or_default();
    values.push(("CL", expanded(data, &values).len().to_string()));
    let ends = |frame: &Value| flags(&frame["flags"]) & END_STREAM != 0;
    let first = frames.iter().position(ends).filter(|_| answered_first).map_or(frames.len(), |at| at + 1);
    let (first, rest) = frames.split_at(first);
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    write(&mut bytes, first, &values, 0);
    let mut parts = vec![bytes];
    if !rest.is_empty() {
        let mut bytes = Vec::new();
        write(&mut bytes, rest, &values, 0);
        parts.push(bytes);
    }
    parts
}

fn write(bytes: &mut Vec<u8>, frames: &[Value], values: &[(&str, String)], further: u32) {
    for frame in frames {
        let Some(times) = frame["repeat"].as_u64() else {
            bytes.extend(one(frame, values, further));
            continue;
        };
        let step = u32::try_from(frame["stream_step"].as_u64().unwrap_or(0)).unwrap();
        let inner = frame["frames"].as_array().unwrap();
        if step == 0 {
            let mut once = Vec::new();
            write(&mut once, inner, values, further);
            bytes.extend(once.repeat(usize::try_from(times).unwrap()));
            continue;
        }
        for time in 0..u32::try_from(times).unwrap() {
            write(bytes, inner, values, further + time * step);
        }
    }
}

fn one(written: &Value, values: &[(&str, String)], further: u32) -> Vec<u8> {
    let number = |name: &str| u32::try_from(written[name].as_u64().unwrap_or(0)).unwrap();
    let text = |name: &str| expanded(written[name].as_str().unwrap_or_default(), values);
    let stream = if written["stream"].is_null() { 0 } else { number("stream") + further };
    let flags = flags(&written["flags"]);
    match written["type"].as_str().unwrap_or_default() {
        "HEADERS" => headers(stream, flags, &block(written, values)),
        "CONTINUATION" => frame(CONTINUATION, flags, stream, &text("raw")),
        "DATA" => match written["pad"].as_u64() {
            None => frame(DATA, flags, stream, &text("data")),
            Some(pad) => {
                let pad = u8::try_from(pad).unwrap();
                let payload = [vec![pad], text("data"), vec![0; usize::from(pad)]].concat();
                frame(DATA, flags | PADDED, stream, &payload)
            }
        },
        "SETTINGS" => {
            let settings = written["settings"].as_object().unwrap();
            assert!(settings.keys().all(|name| name == "MAX_FRAME_SIZE"), "{settings:?}");
            let setting = |value: &Value| {
                [&[0, 5][..], &u32::try_from(value.as_u64().unwrap()).unwrap().to_be_bytes()].concat()
            };
            frame(SETTINGS, flags, 0, &settings.values().flat_map(setting).collect::<Vec<_>>())
        }
        "WINDOW_UPDATE" => frame(WINDOW_UPDATE, flags, stream, &number("increment").to_be_bytes()),
        "PING" => frame(PING, flags, 0, &text("data")),
        "PRIORITY" => {
            let weight = u8::try_from(number("weight")).unwrap();
            frame(PRIORITY, flags, stream, &[&number("dep").to_be_bytes()[..], &[weight]].concat())
        }
        "GOAWAY" => {
            let payload = [number("last").to_be_bytes(), number("error").to_be_bytes()].concat();
            frame(GOAWAY, flags, 0, &payload)
        }
        "RAW" => frame(u8::try_from(number("frame_type")).unwrap(), flags, stream, &text("payload")),
        other => panic!("unknown frame {other}"),
    }
}

fn flags(flags: &Value) -> u8 {
    let named = |flag: &Value| match flag.as_str().unwrap_or_default() {
        "END_STREAM" => END_STREAM,
        "END_HEADERS" => END_HEADERS,
        other => panic!("unknown flag {other}"),
    };
    let number = flags.as_u64().map(|number| u8::try_from(number).unwrap());
    number
        .unwrap_or_else(|| flags.as_array().into_iter().flatten().map(named).fold(0, |all, flag| all | flag))
}

/// A header block: fields, raw bytes, or one entry that is referred to again and again
fn block(written: &Value, values: &[(&str, String)]) -> Vec<u8> {
    if let Some(raw) = written["raw"].as_str() {
        return expanded(raw, values);
    }
    if written["hpack"] == "bomb" {
        let size = |name: &str| usize::try_from(written[name].as_u64().unwrap()).unwrap();
        let entry = "a".repeat(size("entry_bytes"));
        // 0x40: with incremental indexing; 0xBE: the newest entry of the dynamic table.
        return [literal(0x40, b"x", entry.as_bytes()), vec![0xBE; size("refs")]].concat();
    }
    let field = |field: &Value| {
        let part = |at: usize| expanded(field[at].as_str().unwrap(), values);
        literal(0, &part(0), &part(1))
    };
    let mut block: Vec<u8> = written["headers"].as_array().unwrap().iter().flat_map(field).collect();
    if let Some(times) = written["extra_repeat"][1].as_u64() {
        block.extend(field(&written["extra_repeat"][0]).repeat(usize::try_from(times).unwrap()));
    }
    block
}

fn literal(first: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[first][..], &string(name), &string(value)].concat()
}

/// RFC 7541, section 5.2, its length with a prefix of seven bits
fn string(bytes: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut rest = bytes.len();
    if rest < 127 {
        coded.push(u8::try_from(rest).unwrap());
    } else {
        coded.push(127);
        rest -= 127;
        while rest >= 128 {
            coded.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        coded.push(u8::try_from(rest).unwrap());
    }
    coded.extend_from_slice(bytes);
    coded
}

/// HEADERS, and what does not fit in CONTINUATION
fn headers(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    if block.len() <= FRAME_BYTES {
        return frame(HEADERS, flags, stream, block);
    }
    let (first, rest) = block.split_at(FRAME_BYTES);
    let mut bytes = frame(HEADERS, flags & !END_HEADERS, stream, first);
    let mut rest = rest.chunks(FRAME_BYTES).peekable();
    while let Some(part) = rest.next() {
        let flags = if rest.peek().is_none() { flags & END_HEADERS } else { 0 };
        bytes.extend(frame(CONTINUATION, flags, stream, part));
    }
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The streams on which these frames ask something
fn opened(bytes: &[u8]) -> BTreeSet<u32> {
    let mut opened = BTreeSet::new();
    let mut rest = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    while let Some((frame, after)) = split(rest) {
        if frame.kind == HEADERS {
            opened.insert(frame.stream);
        }
        rest = after;
    }
    opened
}

/// A frame that came
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

/// The first frame, and what follows it
fn split(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let head = bytes.get(..9)?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let frame = Frame { kind: head[3], flags: head[4], stream, payload: bytes.get(9..9 + length)? };
    Some((frame, &bytes[9 + length..]))
}

#[derive(Debug, Default)]
struct Heard {
    received: Vec<u8>,
    statuses: BTreeMap<u32, u16>,
    done: BTreeSet<u32>,
    resets: Vec<u32>,
    goaway: Option<u32>,
    has_pinged: bool,
    has_ended: bool,
    is_late: bool,
}

impl Heard {
    /// Reads until every stream has its end and the last ping its answer, or the connection ends
    async fn listen(&mut self, reader: &mut (impl AsyncRead + Unpin), opened: &BTreeSet<u32>) {
        self.has_pinged = false;
        while !(self.has_ended || self.has_pinged && self.done.is_superset(opened)) {
            // A reset ends a connection as well as a close.
            if reader.read_buf(&mut self.received).await.unwrap_or(0) == 0 {
                self.has_ended = true;
                return;
            }
            let received = std::mem::take(&mut self.received);
            let mut rest = &received[..];
            while let Some((frame, after)) = split(rest) {
                self.take(&frame);
                rest = after;
            }
            self.received = rest.to_vec();
        }
    }

    fn take(&mut self, frame: &Frame<'_>) {
        let Frame { kind, flags, stream, payload } = *frame;
        let number = |at: usize| {
            payload.get(at..at + 4).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()))
        };
        match kind {
            HEADERS => {
                // Trailers have no status.
                self.statuses.entry(stream).or_insert_with(|| status(payload));
            }
            RST_STREAM => {
                self.resets.push(number(0));
                self.done.insert(stream);
            }
            GOAWAY => self.goaway = Some(number(4)),
            PING if flags & ACK != 0 && payload == LAST_PING => self.has_pinged = true,
            _ => {}
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            self.done.insert(stream);
        }
    }

    fn outcomes(&self) -> BTreeSet<String> {
        const NO_ERROR: u32 = 0;
        const REFUSED_STREAM: u32 = 7;
        let mut outcomes = BTreeSet::new();
        for (stream, status) in &self.statuses {
            outcomes.extend([status.to_string(), format!("{stream}:{status}")]);
        }
        // A reset without an error asks to send no more of a body: the answer is what counts.
        outcomes.extend(self.resets.iter().filter(|code| **code != NO_ERROR).map(|code| match *code {
            REFUSED_STREAM => "stream_refused".to_owned(),
            _ => "stream_error".to_owned(),
        }));
        match self.goaway {
            Some(NO_ERROR) => _ = outcomes.insert("goaway".to_owned()),
            Some(_) => outcomes.extend(["goaway".to_owned(), "connection_error".to_owned()]),
            None if self.has_ended => _ = outcomes.insert("connection_error".to_owned()),
            None => {}
        }
        if self.is_late {
            outcomes.insert("late".to_owned());
        } else if self.goaway.is_none() && !self.has_ended {
            outcomes.insert("ok".to_owned());
        }
        outcomes
    }
}

/// `:status`, which comes first: one of the static table's, or a literal, Huffman-coded or not
fn status(block: &[u8]) -> u16 {
    const OF_THE_STATIC_TABLE: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [first @ 0x88..=0x8E, ..] => OF_THE_STATIC_TABLE[usize::from(first - 0x88)],
        [0x48 | 0x08 | 0x18, 0x03, digits @ ..] => String::from_utf8_lossy(&digits[..3]).parse().unwrap_or(0),
        [0x48 | 0x08 | 0x18, length @ 0x80..=0xFF, coded @ ..] => {
            digits(&coded[..usize::from(length & 0x7F)])
        }
        _ => 0,
    }
}

/// Three digits in HPACK's Huffman code: 0 to 2 have five bits, the others six (RFC 7541, appendix B)
fn digits(coded: &[u8]) -> u16 {
    let bits = coded.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (32 - 8 * coded.len());
    let mut rest = bits;
    (0..3).fold(0, |number, _| {
        let five = rest >> 27;
        let (digit, length) = if five < 3 { (five, 5) } else { ((rest >> 26) - 0b01_1001 + 3, 6) };
        rest <<= length;
        number * 10 + u16::try_from(digit).unwrap_or(0)
    })
}

#[test]
fn statuses_are_read_in_each_of_their_forms() {
    assert_eq!(status(&[0x88, 0xFF]), 200);
    assert_eq!(status(b"\x48\x03401..."), 401);
    // As RFC 7541, appendix C.6.1, has it: 302.
    assert_eq!(status(&[0x48, 0x82, 0x64, 0x02, 0x58]), 302);
    // 6 bits for 4, 5 for 0, 5 for 1.
    assert_eq!(digits(&[0b0110_1000, 0b0000_0001]), 401);
}
