//! Why a statement is refused before anybody's permissions are looked at

use std::fmt;

use crate::druid::resource::Printable;

/// A place in the text of a statement, both counted from 1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line; LF, CR and CRLF end one
    pub line: usize,
    /// The column, in characters
    pub column: usize,
}

impl Position {
    /// The place of this byte
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text).replace("\r\n", "\n");
        let line = before.matches(['\n', '\r']).count() + 1;
        let column = before.rsplit(['\n', '\r']).next().map_or(0, |last| last.chars().count()) + 1;
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} column {}", self.line, self.column)
    }
}

/// Why a statement is refused; the words of the statement are escaped in the message
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlRefusal {
    /// The text is too long
    #[error("the statement is longer than {0} bytes")]
    TooManyBytes(usize),
    /// It has too many tokens
    #[error("the statement has more than {limit} tokens")]
    TooManyTokens {
        /// How many are allowed
        limit: usize,
    },
    /// Parentheses, `CASE`s or prefix operators nest too deeply
    #[error("the statement nests deeper than {limit} levels at {at}")]
    TooDeep {
        /// How many levels are allowed
        limit: usize,
        /// Where the next one begins
        at: Position,
    },
    /// Characters that are no token of Druid SQL
    #[error("{0} at {1}")]
    Lexical(&'static str, Position),
    /// Tokens that are no statement of Druid SQL
    #[error("syntax error near `{}` at {at}", Printable(.near))]
    Syntax {
        /// The token that does not fit
        near: String,
        /// Where it stands
        at: Position,
    },
    /// The statement ends too early
    #[error("the statement ends where more is expected")]
    EndsEarly,
    /// A part of the query that parses and has no meaning in Druid SQL
    #[error("the query at {1} has {0} that is not understood")]
    NotUnderstood(&'static str, Position),
    /// A kind of statement, or a part of one, that Druid or this gate refuses
    #[error("{0} at {1}")]
    Unsupported(String, Position),
    /// The tables found by walking the statement are not those found by counting in its tokens
    #[error("the statement cannot be read in one way only: {0}")]
    TwoReadings(&'static str),
    /// `SET` of a context key that only the gate or Druid may set
    #[error("the context key `{}` may not be set", Printable(.0))]
    ReservedContextKey(String),
}

/// What kind of answer a refusal deserves
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlRefusalClass {
    /// It cannot be read as Druid SQL, or not in one way only
    Unreadable,
    /// It is too large to be judged
    TooLarge,
    /// It can be read, and is of a kind that is not let through
    Unsupported,
    /// It sets a context key that it may not set
    ReservedContextKey,
}

impl SqlRefusal {
    /// What kind of answer it deserves
    pub fn class(&self) -> SqlRefusalClass {
        match self {
            Self::TooManyBytes { .. } | Self::TooManyTokens { .. } | Self::TooDeep { .. } => {
                SqlRefusalClass::TooLarge
            }
            Self::Lexical { .. }
            | Self::Syntax { .. }
            | Self::EndsEarly
            | Self::NotUnderstood { .. }
            | Self::TwoReadings { .. } => SqlRefusalClass::Unreadable,
            Self::Unsupported { .. } => SqlRefusalClass::Unsupported,
            Self::ReservedContextKey { .. } => SqlRefusalClass::ReservedContextKey,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_lf_cr_and_crlf() {
        for text in ["a\nb", "a\rb", "a\r\nb"] {
            assert_eq!(Position::of(text, text.len() - 1), Position { line: 2, column: 1 }, "{text:?}");
        }
        assert_eq!(Position::of("éa", 2), Position { line: 1, column: 2 });
    }

    #[test]
    fn the_clients_words_are_escaped() {
        let refusal = SqlRefusal::Syntax { near: "a\nb".to_owned(), at: Position { line: 1, column: 2 } };
        assert_eq!(refusal.to_string(), "syntax error near `a\\u000Ab` at line 1 column 2");
    }
}
