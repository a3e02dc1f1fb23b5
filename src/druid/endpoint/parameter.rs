//! The query parameters that cross to Druid, and the values that they may have

use crate::druid::resource::is_id;

/// A query parameter that crosses
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; case counts
    pub name: &'static str,
    /// The values it may have
    pub values: Values,
    /// Whether it may stand more than once; Jersey takes the first of one that does not
    pub repeats: bool,
}

/// What values a query parameter may have
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// `true` or `false`
    Boolean,
    /// Decimal digits that fit 63 bits
    Natural,
    /// The same, or negative
    Integer,
    /// Letters, digits, `-` and `_`
    Word,
    /// A file's name: up to 255 characters, none of them a quote, a slash or a control character
    FileName,
    /// A line of text, such as an interval
    Text,
    /// A datasource; whoever gives it needs READ on that
    Datasource,
    /// Whatever it says is left behind: only its name crosses
    Flag,
    /// None: what it asks for is to be asked otherwise, as this says
    Refused(&'static str),
}

/// A parameter of this name, which stands once
pub const fn parameter(name: &'static str, values: Values) -> Parameter {
    Parameter { name, values, repeats: false }
}

/// A parameter of this name, which may stand more than once
pub const fn repeated(name: &'static str, values: Values) -> Parameter {
    Parameter { name, values, repeats: true }
}

impl Values {
    /// Whether this can be one of them
    pub fn include(self, value: &str) -> bool {
        match self {
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Natural => is_number(value),
            Self::Integer => is_number(value.strip_prefix('-').unwrap_or(value)),
            Self::Word => !value.is_empty() && value.len() <= 64 && value.bytes().all(is_of_words),
            Self::FileName => {
                !value.is_empty()
                    && value.chars().count() <= 255
                    && !value.chars().any(|c| c.is_control() || matches!(c, '"' | '/' | '\\' | ';'))
            }
            Self::Text => value.len() <= 1024 && !value.chars().any(char::is_control),
            Self::Datasource => is_id(value),
            Self::Flag => true,
            Self::Refused(_) => false,
        }
    }
}

fn is_number(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<i64>().is_ok()
}

fn is_of_words(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
