//! The macros of a row, in the order in which the catalogue asks for them; every character is one byte
//!
//! A macro that is not known ends the test: a row that was sent half expanded says nothing.

use std::io::Write;

use crate::recipe::repeated;

/// What a row's text comes to: bytes to send, and what to do between them
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Send(Vec<u8>),
    /// This many bytes a second from here on
    Pace(u64),
    HalfClose,
    Reset,
    /// Nothing more is sent
    WaitForClose,
}

/// The steps of a row's text, with these values
pub(super) fn steps(text: &str, values: &[(&str, String)]) -> Vec<Step> {
    let text = framed(&contents(&with_values(text, values)));
    let mut steps = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").unwrap();
        steps.push(Step::Send(bytes(before)));
        steps.push(match action.split_once(':').unwrap_or((action, "")) {
            ("SHUT_WR", _) => Step::HalfClose,
            ("RST", _) => Step::Reset,
            ("WAIT_CLOSE", _) => Step::WaitForClose,
            ("PACE", pace) => Step::Pace(pace.parse().unwrap()),
            _ => panic!("unknown macro {action}"),
        });
        rest = after;
    }
    steps.push(Step::Send(bytes(rest)));
    steps.retain(|step| *step != Step::Send(Vec::new()));
    steps
}

/// A text without framing and actions, as bytes
pub(super) fn expanded(text: &str, values: &[(&str, String)]) -> Vec<u8> {
    let text = contents(&with_values(text, values));
    assert!(!text.contains("{{"), "unknown macro in {text}");
    bytes(&text)
}

fn with_values(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

fn contents(text: &str) -> String {
    let mut text = repeated(text.to_owned());
    for (open, close, encode) in CODECS {
        text = innermost(text, open, close, encode);
    }
    text
}

/// A codec's opening and closing macro, and what it makes of what stands between them
type Codec = (&'static str, &'static str, fn(&str) -> String);

const CODECS: [Codec; 5] = [
    ("{{GZIP}}", "{{/GZIP}}", gzip),
    ("{{CHUNK1}}", "{{/CHUNK1}}", one_byte_chunks),
    ("{{ENC:utf-16-le}}", "{{/ENC}}", |text| units(text, |unit| vec![unit, 0])),
    ("{{ENC:utf-16-be}}", "{{/ENC}}", |text| units(text, |unit| vec![0, unit])),
    ("{{ENC:utf-32-", "{{/ENC}}", |text| {
        let (order, text) = text.split_once("}}").unwrap();
        if order == "le" {
            units(text, |unit| vec![unit, 0, 0, 0])
        } else {
            units(text, |unit| vec![0, 0, 0, unit])
        }
    }),
];

/// Encodes from the inside outwards, so that what is coded twice is
fn innermost(mut text: String, open: &str, close: &str, encode: fn(&str) -> String) -> String {
    while text.contains(open) {
        let (before, after) = text.split_once(close).unwrap();
        let (before, inner) = before.rsplit_once(open).unwrap();
        text = format!("{before}{}{after}", encode(inner));
    }
    text
}

fn gzip(text: &str) -> String {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&bytes(text)).unwrap();
    characters(&encoder.finish().unwrap())
}

fn one_byte_chunks(text: &str) -> String {
    text.chars().map(|byte| format!("1\r\n{byte}\r\n")).collect()
}

fn units(text: &str, unit: impl Fn(u8) -> Vec<u8>) -> String {
    characters(&bytes(text).into_iter().flat_map(unit).collect::<Vec<_>>())
}

/// Fills in the numbers of bytes: of chunks first, of bodies after
fn framed(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some((before, rest)) = text.split_once("{{A}}") {
        let (counted, after) = rest.split_once("{{/A}}").unwrap();
        let length = format!("{:x}", counted.chars().count());
        text = format!("{before}{counted}{after}").replace("{{HEXLEN:A}}", &length);
    }
    while let Some(at) = text.rfind("{{CL") {
        let (before, rest) = text.split_at(at);
        let (name, after) = rest.split_once("}}").unwrap();
        let less: usize = name.strip_prefix("{{CL:-").map_or(0, |less| less.parse().unwrap());
        let length = body_length(after) - less;
        text = format!("{before}{length}{after}");
    }
    text.replace("{{END}}", "")
}

/// From the first empty line to `{{END}}`, the next action or the end
fn body_length(text: &str) -> usize {
    let after = |end: &str| text.split_once(end).map(|(head, body)| (head.len(), body));
    // Whichever empty line comes first.
    let (_, body) = after("\r\n\r\n").into_iter().chain(after("\n\n")).min_by_key(|(at, _)| *at).unwrap();
    body.split_once("{{").map_or(body, |(body, _)| body).chars().count()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|byte| u8::try_from(u32::from(byte)).unwrap()).collect()
}

/// Bytes as the characters that stand for them in the catalogue
fn characters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[test]
fn macros_are_expanded_in_the_catalogues_order() {
    let values = [("X", "ab".to_owned())];
    let sent = |text: &str| match &steps(text, &values)[..] {
        [Step::Send(bytes)] => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(sent("{{R:2}}{{X}}{{/R}}"), "abab");
    assert_eq!(sent("L: {{CL}}\r\n\r\n{{X}}{{END}}L: {{CL:-1}}\n\n{{X}}"), "L: 2\r\n\r\nabL: 1\n\nab");
    assert_eq!(sent("{{HEXLEN:A}} {{A}}{{R:17}}x{{/R}}{{/A}}"), format!("11 {}", "x".repeat(17)));
    assert_eq!(sent("{{CHUNK1}}{{X}}{{/CHUNK1}}"), "1\r\na\r\n1\r\nb\r\n");
    assert_eq!(expanded("{{ENC:utf-32-be}}a{{/ENC}}\u{ff}", &values), [0, 0, 0, b'a', 0xFF]);
    assert_eq!(
        steps("a{{PACE:2}}b{{SHUT_WR}}", &values),
        [Step::Send(b"a".to_vec()), Step::Pace(2), Step::Send(b"b".to_vec()), Step::HalfClose]
    );
}
