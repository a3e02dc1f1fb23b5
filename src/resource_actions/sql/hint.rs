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
    matches!(
        kind,
        LexemeKind::Number
            | LexemeKind::Text
            | LexemeKind::PrefixedText
            | LexemeKind::UnicodeText
            | LexemeKind::EscapedText
            | LexemeKind::Bytes
    )
}
