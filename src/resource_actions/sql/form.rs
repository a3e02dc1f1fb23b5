//! The special forms in which some functions are called (`BuiltinFunctionCall()` of `Parser.jj`)

use super::token::{Token, TokenKind};

/// How the arguments of a function are written
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With commas
    Plain,
    /// With words between them: `TRIM(BOTH a FROM b)`, `FLOOR(a TO DAY)`
    Words,
    /// With a type: `CAST(a AS VARCHAR)`
    Cast,
    /// With keys, values and what to do on errors
    Json,
}

impl Form {
    /// The form of the calls of the function that this token names; only unquoted words have special ones
    pub(super) fn of(token: &Token<'_>) -> Option<Self> {
        let is_unquoted = matches!(token.kind, TokenKind::Word(_) | TokenKind::Keyword(_));
        let name = token.name()?.to_ascii_uppercase();
        Some(match name.as_str() {
            "CEIL" | "CEILING" | "CONVERT" | "EXTRACT" | "FLOOR" | "OVERLAY" | "POSITION" | "SUBSTRING"
            | "TRANSLATE" | "TRIM"
                if is_unquoted =>
            {
                Self::Words
            }
            "CAST" | "SAFE_CAST" | "TRY_CAST" if is_unquoted => Self::Cast,
            _ if is_unquoted && name.starts_with("JSON_") => Self::Json,
            _ => Self::Plain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::SqlLimits;
    use super::super::{lexer, token};
    use super::*;

    #[test]
    fn only_unquoted_names_have_special_forms() {
        let form = |text: &str| {
            let lexemes = lexer::read(text, &SqlLimits::default()).unwrap();
            Form::of(&token::decode(text, &lexemes).unwrap()[0])
        };
        assert_eq!(form("trim"), Some(Form::Words));
        assert_eq!(form("Cast"), Some(Form::Cast));
        assert_eq!(form("JSON_VALUE"), Some(Form::Json));
        assert_eq!(form("\"TRIM\""), Some(Form::Plain));
        assert_eq!(form("1"), None);
    }
}
