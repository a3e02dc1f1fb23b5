//! A word of a statement, and its place

/// Where a token stands, from 1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_column: usize,
}

/// What a token is
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A keyword or a bare name
    Bare(String),
    /// A name in double quotes
    Quoted(String),
    /// A string in single quotes
    Text(String),
    /// A number without a sign
    Number(String),
    /// A mark such as `(` or `=>`
    Mark(String),
    /// Where the text ends
    End,
}

/// A word and its place
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) word: Word,
    pub(super) place: Place,
}

impl Token {
    /// As it would be quoted in an error
    pub(super) fn text(&self) -> &str {
        match &self.word {
            Word::Bare(text)
            | Word::Quoted(text)
            | Word::Text(text)
            | Word::Number(text)
            | Word::Mark(text) => text,
            Word::End => "<EOF>",
        }
    }

    /// Whether it is this keyword, in any case
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(&self.word, Word::Bare(text) if text.eq_ignore_ascii_case(keyword))
    }

    /// Whether it is this mark
    pub(super) fn is_mark(&self, mark: &str) -> bool {
        matches!(&self.word, Word::Mark(text) if text == mark)
    }
}
