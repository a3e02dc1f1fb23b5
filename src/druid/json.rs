//! JSON read in one way only
//!
//! Druid reads JSON with Jackson, which takes the last of two equal keys, ignores what follows the
//! document and accepts encodings that serde_json does not. Where two readers could differ, this one
//! refuses: equal keys at any depth (compared after decoding), anything but white space after the
//! document, a byte order mark, other encodings than UTF-8, and nesting beyond a limit.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a text is not JSON in one reading only
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It begins with a byte order mark
    #[error("the JSON text begins with a byte order mark; send UTF-8 without one")]
    ByteOrderMark,
    /// It is not UTF-8
    #[error("the JSON text is not UTF-8")]
    NotUtf8,
    /// Two equal keys stand in one object
    #[error("a JSON object has a key twice, at line {line} column {column}")]
    DuplicateKey {
        /// Line, from 1
        line: usize,
        /// Column, from 1
        column: usize,
    },
    /// It nests deeper than allowed
    #[error("the JSON text nests deeper than {limit} levels")]
    TooDeep {
        /// The number of levels allowed
        limit: usize,
    },
    /// It has more values than allowed
    #[error("the JSON text has more than {limit} values")]
    TooMany {
        /// The number of values allowed
        limit: usize,
    },
    /// It is no JSON
    #[error("not JSON: {0}")]
    Syntax(String),
}

/// How much JSON there may be in one text
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Levels of arrays and objects
    pub depth: usize,
    /// Values, arrays and objects among them
    pub values: usize,
}

impl From<usize> for JsonLimits {
    /// So many levels, and as many values as there are
    fn from(depth: usize) -> Self {
        Self { depth, values: usize::MAX }
    }
}

/// The text of a member of the object that a document is, if it is found before anything that is no JSON
///
/// For whoever wants to refuse before everything is read; nothing is kept of the rest.
pub fn text_member(bytes: &[u8], name: &str) -> Option<String> {
    let mut found = None;
    let _cut = serde_json::Deserializer::from_slice(bytes).deserialize_map(TextMember(name, &mut found));
    found
}

struct TextMember<'a>(&'a str, &'a mut Option<String>);

impl<'de> Visitor<'de> for TextMember<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name == self.0 {
                *self.1 = Some(members.next_value()?);
                return Ok(());
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Reads one JSON document within these limits; a number is one for levels of arrays and objects
///
/// Numbers too large for 64 bits arrive as floating point: judge by this value, but send the bytes it
/// was read from.
///
/// # Errors
///
/// Whatever a second reader could take otherwise; see [`JsonError`].
pub fn parse(bytes: &[u8], limits: impl Into<JsonLimits>) -> Result<Value, JsonError> {
    let limits = limits.into();
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        return Err(JsonError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    let (fault, values_left) = (Cell::new(None), Cell::new(limits.values));
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict { levels_left: limits.depth, values_left: &values_left, fault: &fault }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| JsonError::from_serde(&error, fault.get(), limits))
}

impl JsonError {
    fn from_serde(error: &serde_json::Error, fault: Option<Fault>, limits: JsonLimits) -> Self {
        match fault {
            Some(Fault::DuplicateKey) => Self::DuplicateKey { line: error.line(), column: error.column() },
            Some(Fault::TooDeep) => Self::TooDeep { limit: limits.depth },
            Some(Fault::TooMany) => Self::TooMany { limit: limits.values },
            None => Self::Syntax(error.to_string()),
        }
    }
}

#[derive(Clone, Copy)]
enum Fault {
    DuplicateKey,
    TooDeep,
    TooMany,
}

/// One value still to be read, and how many levels it may open
#[derive(Clone, Copy)]
struct Strict<'a> {
    levels_left: usize,
    values_left: &'a Cell<usize>,
    fault: &'a Cell<Option<Fault>>,
}

impl Strict<'_> {
    fn level_below<E: de::Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left, ..self }),
            None => Err(self.fail(Fault::TooDeep)),
        }
    }

    fn fail<E: de::Error>(self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.values_left.get().checked_sub(1) {
            Some(left) => self.values_left.set(left),
            None => return Err(self.fail(Fault::TooMany)),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let item = self.level_below()?;
        let mut array = Vec::new();
        while let Some(value) = items.next_element_seed(item)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let member = self.level_below()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.fail(Fault::DuplicateKey));
            }
            let value = entries.next_value_seed(member)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_document_is_read() {
        let value = parse(br#" {"a":[1,-2,0.5,null,true,"x"],"b":{}} "#, 3).unwrap();
        assert_eq!(value, serde_json::json!({"a":[1,-2,0.5,null,true,"x"],"b":{}}));
    }

    #[test]
    fn a_key_twice_is_refused_however_it_is_spelt_and_wherever_it_stands() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"x":{"a":1,"b":2,"a":1}}]"#] {
            let error = parse(text.as_bytes(), 9).unwrap_err();
            assert!(matches!(error, JsonError::DuplicateKey { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn nesting_is_allowed_up_to_the_limit_and_refused_beyond_it() {
        assert!(parse(b"[[[]]]", 3).is_ok());
        assert_eq!(parse(b"[[[[]]]]", 3), Err(JsonError::TooDeep { limit: 3 }));
        let bomb = "[".repeat(100_000);
        assert_eq!(parse(bomb.as_bytes(), 64), Err(JsonError::TooDeep { limit: 64 }));
    }

    #[test]
    fn as_many_values_are_read_as_may_be_and_no_more() {
        let text = br#"{"a":[1,{}],"b":"x"}"#;
        let limits = |values| JsonLimits { depth: 9, values };
        assert!(parse(text, limits(5)).is_ok());
        assert_eq!(parse(text, limits(4)), Err(JsonError::TooMany { limit: 4 }));
        let many = format!("[{}0]", "{\"a\":0},".repeat(1 << 20));
        assert_eq!(parse(many.as_bytes(), limits(1_000)), Err(JsonError::TooMany { limit: 1_000 }));
    }

    #[test]
    fn the_text_of_a_member_is_found_without_what_follows_it() {
        for (text, found) in [
            (r#"{"type":"index"}"#, Some("index")),
            (r#"{"a":{"type":"inner"},"type":"index","b":"#, Some("index")),
            (r#"{"a":1}"#, None),
            (r#"{"type":1}"#, None),
            (r#"{"a":}"#, None),
            (r#"["type"]"#, None),
        ] {
            assert_eq!(text_member(text.as_bytes(), "type").as_deref(), found, "{text}");
        }
    }

    #[test]
    fn what_jackson_would_let_pass_is_refused() {
        for bytes in [
            &b"\xEF\xBB\xBF{}"[..],
            b"{}{}",
            b"{}x",
            b"\xFF\xFE{\0}\0",
            b"\"\xC0\xA7\"",
            br#""\ud800""#,
            b"{\"a\":NaN}",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"// c\n{}",
            b"",
        ] {
            assert!(parse(bytes, 64).is_err(), "{bytes:?}");
        }
    }
}
