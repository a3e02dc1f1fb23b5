//! Hints: comments to Druid 27 and before, which have no token for them, and hints to later ones
//!
//! To the first kind of reader `/*+` begins a comment like any other, which ends at the first `*/`. To the second
//! (`HINT_BEG` of `Parser.jj`) names follow, each with options in parentheses, and a `*/` in a string is none. What
//! can be no hint is a comment to the first and a fault to the second, and goes out as other comments do; where both
//! find an end and not the same, nobody can say what was meant. Nowhere does a hint name a table.

use super::keyword::Keyword;
use super::lexeme::{Lexeme, LexemeKind, Symbol};

/// What stands between `/*+` and the first `*/`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A hint where there are hints
    Hint,
    /// A comment to whom it is no fault
    Comment,
    /// A hint that goes on behind the first `*/`
    Two,
}

/// Reads on from `/*+` to `end`, where the first `*/` begins, and where a lexeme stands across it to the next one
///
/// `next` gives the lexemes, none where there is a fault. Behind a line's comment that stands across it nothing is
/// read: many of them on one line would be read many times.
pub(super) fn read<'a>(end: usize, mut next: impl FnMut() -> Option<Lexeme<'a>>) -> Reading {
    let mut place = Place::Outside;
    while let Some(lexeme) = next() {
        if lexeme.text == "*/" {
            return match place {
                Place::Named if lexeme.start == end => Reading::Hint,
                Place::Named => Reading::Two,
                Place::Outside | Place::Value | Place::Valued => Reading::Comment,
            };
        }
        let is_across = lexeme.start < end && lexeme.start + lexeme.text.len() > end;
        if is_across && lexeme.text.starts_with(['-', '/']) && !lexeme.text.starts_with("/*") {
            return Reading::Two;
        }
        let Some(after) = place.after(&lexeme) else { break };
        place = after;
    }
    Reading::Comment
}

/// Where in a hint a lexeme stands
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a name
    Outside,
    /// Behind a name or its options
    Named,
    /// In the options, where a value may begin
    Value,
    /// In the options, behind a value
    Valued,
}

impl Place {
    /// Where the lexeme leads; nowhere where no hint has it here
    fn after(self, lexeme: &Lexeme<'_>) -> Option<Self> {
        match (self, lexeme.kind) {
            (_, LexemeKind::White | LexemeKind::Comment) => Some(self),
            (Self::Outside | Self::Named, kind) if is_name(kind, lexeme.text) => Some(Self::Named),
            (Self::Named, LexemeKind::Symbol(Symbol::Comma)) => Some(Self::Outside),
            (Self::Named, LexemeKind::Symbol(Symbol::LeftParen)) => Some(Self::Value),
            (Self::Value, LexemeKind::Symbol(Symbol::Sign)) => Some(Self::Value),
            (Self::Value, kind) if is_name(kind, lexeme.text) || is_literal(kind) => Some(Self::Valued),
            (Self::Valued, LexemeKind::Symbol(Symbol::Comma | Symbol::Equals)) => Some(Self::Value),
            (Self::Value | Self::Valued, LexemeKind::Symbol(Symbol::RightParen)) => Some(Self::Named),
            _ => None,
        }
    }
}

fn is_name(kind: LexemeKind, text: &str) -> bool {
    let is_reserved = || Keyword::of(text).is_some_and(Keyword::shapes_queries);
    matches!(kind, LexemeKind::Quoted | LexemeKind::UnicodeQuoted)
        || kind == LexemeKind::Word && !is_reserved()
}

fn is_literal(kind: LexemeKind) -> bool {
    use LexemeKind::{Bytes, EscapedText, Number, PrefixedText, Text, UnicodeText};
    matches!(kind, Number | Text | PrefixedText | UnicodeText | EscapedText | Bytes)
}

#[cfg(test)]
mod tests {
    use super::super::lexer::read;
    use super::super::limits::SqlLimits;
    use super::*;

    /// What `/*+` begins where hints are hints, and the rest of the text, which is one for every reader
    fn hint(text: &str) -> Option<(LexemeKind, &str)> {
        let lexemes = read(text, &SqlLimits::default()).ok()?;
        let hint = lexemes.iter().find(|lexeme| lexeme.text.starts_with("/*+")).unwrap();
        Some((hint.kind, text.get(hint.start + hint.text.len()..).unwrap()))
    }

    #[test]
    fn a_hint_is_the_same_text_where_hints_are_comments() {
        for text in [
            "/*+ a */",
            "/*+a*/",
            "/*+ a, b c */",
            "/*+ b(c='d', 'e' = - 1, \"f\") */",
            "/*+ a() */",
            "/*+ a -- b\n */",
            "/*+ U&\"\\0061\"(X'00', N'a*', E'\\'') */",
        ] {
            assert_eq!(hint(&format!("{text} '*/'")), Some((LexemeKind::Hint, " '*/'")), "{text}");
        }
    }

    #[test]
    fn what_can_be_no_hint_is_the_comment_that_it_is_without_hints() {
        for text in [
            "/*+*/",
            "/*+ */",
            "/*+ select all */",
            "/*+ why? */",
            "/*+ a.b */",
            "/*+ x; y */",
            "/*+ @x */",
            "/*+ * */",
            "/*+ 'a' */",
            "/*+ a 'b' */",
            "/*+ a(b */",
            "/*+ a) */",
            "/*+ a(b c) */",
            "/*+ it's */",
            "/*+ \"a */",
            "/*+ a, */",
            "/*+ a /*+ b */",
            "/*+ a$b-$c */",
            "/*+ UNION ALL SELECT * FROM secret */",
            "/*+ a /* b */",
            "/*+ a(' */",
        ] {
            assert_eq!(hint(&format!("{text} 1")), Some((LexemeKind::Comment, " 1")), "{text}");
        }
        assert_eq!(hint("/*+ it's */ '*/'"), Some((LexemeKind::Comment, " '*/'")));
    }

    #[test]
    fn a_hint_that_ends_elsewhere_where_hints_are_comments_is_refused() {
        for text in [
            "a /*+ h(k='*/ , secret --') */",
            "a /*+ \"*/\" */",
            "a /*+ b /* c */ */",
            "a /*+ b -- */\n */",
            "a /*+ b",
            "a (b /*+ c // */",
            "a /*+ b(U&'*/') */",
        ] {
            assert_eq!(hint(text), None, "{text}");
        }
    }

    #[test]
    fn many_hints_are_read_in_linear_time() {
        for hint in ["/*+ a */", "/*+ it's */", "/*+ a(b,\"*/", "/*+ a-b$*/", "/*+ a(b */", "/*+a/*b*/"] {
            let text = hint.repeat(SqlLimits::default().statement_bytes / hint.len());
            let _any = read(&text, &SqlLimits::default());
        }
    }
}
