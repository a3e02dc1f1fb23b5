//! JSON read in one way only
//!
//! Druid reads JSON with Jackson, which takes the last of two equal keys, ignores what follows the
//! document and accepts encodings that serde_json does not. Where two readers could differ, this one
//! refuses: equal keys at any depth (compared after decoding), anything but white space after the
//! document, a byte order mark, other encodings than UTF-8, and nesting beyond a limit.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
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
    /// It is no JSON
    #[error("not JSON: {0}")]
    Syntax(String),
}

/// Reads one JSON document, with at most `depth` levels of arrays and objects
///
/// Numbers too large for 64 bits arrive as floating point: judge by this value, but send the bytes it
/// was read from.
///
/// # Errors
///
/// Whatever a second reader could take otherwise; see [`JsonError`].
pub fn parse(bytes: &[u8], depth: usize) -> Result<Value, JsonError> {
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        return Err(JsonError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict { levels_left: depth, fault: &fault }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| JsonError::from_serde(&error, fault.get(), depth))
}

impl JsonError {
    fn from_serde(error: &serde_json::Error, fault: Option<Fault>, limit: usize) -> Self {
        match fault {
            Some(Fault::DuplicateKey) => Self::DuplicateKey { line: error.line(), column: error.column() },
            Some(Fault::TooDeep) => Self::TooDeep { limit },
            None => Self::Syntax(error.to_string()),
        }
    }
}

#[derive(Clone, Copy)]
enum Fault {
    DuplicateKey,
    TooDeep,
}

/// One value still to be read, and how many levels it may open
#[derive(Clone, Copy)]
struct Strict<'a> {
    levels_left: usize,
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
