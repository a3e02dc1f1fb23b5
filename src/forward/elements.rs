//! A JSON list taken apart as it comes: each element by itself, of which one at a time is held

use memchr::memchr2;

/// Where the elements of a list begin and end
///
/// It counts brackets and looks for quotation marks; whether an element is JSON is for whoever reads it.
#[derive(Debug)]
pub(super) struct Elements {
    state: State,
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    element: Vec<u8>,
    /// The element has been taken ahead, and nothing more of it may come
    is_taken: bool,
    most_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    Within { closing: u8, is_first: bool },
    After,
}

/// What comes of a list
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// It begins, with this bracket
    Begins(u8),
    /// What there is of an element of an array and of what follows: whoever knows where it ends may take it
    Ahead(&'a [u8]),
    /// An element, or a member with its name
    Element(&'a [u8]),
    /// It ends, with this bracket
    Ends(u8),
}

/// How many bytes were taken ahead
type Told = Result<usize, NoList>;

/// The text is no list, or an element is longer than may be held
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoList {
    /// Neither an array nor an object, or something stands beside it
    #[error("it is neither an array nor an object")]
    Shape,
    /// One of its elements is too long
    #[error("one of its elements is too long; ask for a part of it, such as one datasource by its name")]
    TooLong,
    /// An element is not what the table says
    #[error("one of its elements is not what it should be")]
    Element,
}

impl Elements {
    /// Of a list whose elements are no longer than this
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            state: State::Before,
            depth: 0,
            in_text: false,
            is_escaped: false,
            element: Vec::new(),
            is_taken: false,
            most_bytes,
        }
    }

    /// Takes what has come, and tells its parts in their order to who answers how many bytes he has taken ahead
    ///
    /// Most elements lie wholly in what has come, and whoever reads one knows where it ends.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut tell: impl FnMut(Part<'_>) -> Told,
    ) -> Result<(), NoList> {
        let (mut from, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at).copied() {
            if self.in_text {
                at = self.behind_text(bytes, at);
                continue;
            }
            if self.is_at_element(byte, bytes.get(from..at).unwrap_or_default()) {
                let taken = tell(Part::Ahead(bytes.get(at..).unwrap_or_default()))?;
                if taken > 0 {
                    self.is_taken = true;
                    at += taken;
                    from = at;
                    continue;
                }
            }
            at += 1;
            match (self.state, byte) {
                (State::Before | State::After, b' ' | b'\n' | b'\r' | b'\t') => from = at,
                (State::Before, b'[' | b'{') => {
                    self.state = State::Within { closing: byte + 2, is_first: true };
                    from = at;
                    tell(Part::Begins(byte))?;
                }
                (State::Before | State::After, _) => return Err(NoList::Shape),
                (State::Within { .. }, b'"') => self.in_text = true,
                (State::Within { .. }, b'[' | b'{') => self.depth += 1,
                (State::Within { .. }, b']' | b'}') if self.depth > 0 => self.depth -= 1,
                (State::Within { closing, is_first }, b',' | b']' | b'}') if self.depth == 0 => {
                    self.keep(bytes.get(from..at - 1).unwrap_or_default())?;
                    from = at;
                    self.boundary(byte, closing, is_first, &mut tell)?;
                }
                (State::Within { .. }, _) => {}
            }
        }
        self.keep(bytes.get(from..).unwrap_or_default())
    }

    /// Whether the list has come to its end
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::After
    }

    /// Whether an element of an array begins with this byte, of which nothing has come before
    fn is_at_element(&self, byte: u8, before: &[u8]) -> bool {
        matches!(byte, b'"' | b'{')
            && matches!(self.state, State::Within { closing: b']', .. })
            && self.depth == 0
            && !self.is_taken
            && self.element.trim_ascii().is_empty()
            && before.trim_ascii().is_empty()
    }

    /// Where a text goes on behind its quotation mark, or all has been looked at; most of a list is text
    fn behind_text(&mut self, bytes: &[u8], mut at: usize) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            at += 1;
        }
        while let Some(found) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
            at += found + 1;
            if bytes.get(at - 1) == Some(&b'"') {
                self.in_text = false;
                return at;
            }
            if at == bytes.len() {
                self.is_escaped = true;
                return at;
            }
            at += 1;
        }
        bytes.len()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), NoList> {
        if self.element.len() + bytes.len() > self.most_bytes {
            return Err(NoList::TooLong);
        }
        self.element.extend_from_slice(bytes);
        Ok(())
    }

    fn boundary(
        &mut self,
        byte: u8,
        closing: u8,
        is_first: bool,
        tell: &mut impl FnMut(Part<'_>) -> Told,
    ) -> Result<(), NoList> {
        let is_end = byte != b',';
        if is_end && byte != closing {
            return Err(NoList::Shape);
        }
        let element = self.element.trim_ascii();
        match (element.is_empty(), std::mem::take(&mut self.is_taken)) {
            (false, true) => return Err(NoList::Shape),
            (false, false) => {
                tell(Part::Element(element))?;
            }
            (true, true) => {}
            (true, false) if is_first && is_end => {}
            (true, false) => return Err(NoList::Shape),
        }
        self.element.clear();
        self.state = State::Within { closing, is_first: false };
        if is_end {
            self.state = State::After;
            tell(Part::Ends(byte))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an element ends, for who knows
    type Reads = fn(&[u8]) -> Option<usize>;

    /// What is told of a text that comes in pieces of so many bytes
    fn told(text: &str, piece: usize, ahead: Reads) -> Result<Vec<String>, NoList> {
        let mut elements = Elements::new(20);
        let mut told = Vec::new();
        for bytes in text.as_bytes().chunks(piece) {
            elements.take(bytes, |part| {
                told.push(match part {
                    Part::Begins(byte) | Part::Ends(byte) => char::from(byte).to_string(),
                    Part::Element(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Part::Ahead(bytes) => {
                        let Some(length) = ahead(bytes) else { return Ok(0) };
                        told.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
                        return Ok(length);
                    }
                });
                Ok(0)
            })?;
        }
        if elements.is_whole() { Ok(told) } else { Err(NoList::Shape) }
    }

    fn nobody(_: &[u8]) -> Option<usize> {
        None
    }

    /// Whoever reads elements, and so knows where one ends
    fn reader(bytes: &[u8]) -> Option<usize> {
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
        values.next()?.ok()?;
        Some(values.byte_offset())
    }

    const AHEAD: [Reads; 2] = [nobody, reader];

    #[test]
    fn elements_are_told_apart_wherever_the_text_is_cut() {
        for (text, expected) in [
            ("[]", vec!["[", "]"]),
            (" [ ] \n", vec!["[", "]"]),
            (r#"["a","b,]"]"#, vec!["[", r#""a""#, r#""b,]""#, "]"]),
            (r#"[{"a":[1,{}]}, 2 ]"#, vec!["[", r#"{"a":[1,{}]}"#, "2", "]"]),
            (r#"{"a":{"b":1},"c":"\"}"}"#, vec!["{", r#""a":{"b":1}"#, r#""c":"\"}""#, "}"]),
            (r#"["\\",1]"#, vec!["[", r#""\\""#, "1", "]"]),
        ] {
            for piece in [1, 2, 3, 100] {
                for ahead in AHEAD {
                    assert_eq!(told(text, piece, ahead).unwrap(), expected, "{text} by {piece}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_list_or_not_whole_is_told_so() {
        assert!(told("[1]", 1, nobody).is_ok());
        for text in
            ["", "1", "null", "\"a\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1}", "{]", "[1]x", "[1][2]", "[1"]
        {
            for piece in [1, 100] {
                for ahead in AHEAD {
                    assert!(told(text, piece, ahead).is_err(), "{text} by {piece}");
                }
            }
        }
        assert!(told(r#"["12345678901234567"]"#, 7, nobody).is_ok());
        assert_eq!(told(r#"["1234567890123456789"]"#, 7, nobody), Err(NoList::TooLong));
        assert_eq!(told(r#"["1234567890123456789"]"#, 100, nobody), Err(NoList::TooLong));
    }
}
