//! The pieces that a text is made of

/// A piece of the text; all of them together are the text
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lexeme<'a> {
    /// What it is
    pub(super) kind: LexemeKind,
    /// Its text, whole
    pub(super) text: &'a str,
    /// The byte at which it begins
    pub(super) start: usize,
}

/// What a lexeme is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LexemeKind {
    /// Space, tab, LF, CR and FF
    White,
    /// A comment, without the end of line that ends it
    Comment,
    /// A hint, from `/*+` to `*/`; a comment to Druid 27 and before
    Hint,
    /// An identifier or keyword without quotes
    Word,
    /// `"…"`
    Quoted,
    /// `U&"…"`
    UnicodeQuoted,
    /// A number, without sign
    Number,
    /// `'…'`
    Text,
    /// `N'…'` or `_charset'…'`
    PrefixedText,
    /// `U&'…'`
    UnicodeText,
    /// `E'…'`
    EscapedText,
    /// `X'…'`
    Bytes,
    /// An operator or separator
    Symbol(Symbol),
}

impl LexemeKind {
    /// Whether nothing is read from it
    pub(super) fn is_skipped(self) -> bool {
        matches!(self, Self::White | Self::Comment | Self::Hint)
    }
}

/// An operator or separator
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `{fn`
    FunctionBrace,
    /// `{d`, `{t` or `{ts`
    LiteralBrace,
    /// `}`
    RightBrace,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `;`
    Semicolon,
    /// `:`
    Colon,
    /// `?`
    Question,
    /// `=>`
    NamedArgument,
    /// `*`
    Star,
    /// `+` or `-`
    Sign,
    /// `=`
    Equals,
    /// Any other operator between two operands
    Operator,
    /// `->`, `..`, `|`, a bare `{`, and a `*/` that ends no comment: tokens for which no statement has a use here
    Useless,
}
