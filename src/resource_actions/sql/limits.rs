//! How large a statement may be, measured before any parser sees it

/// How large a statement may be (`[limits]` of proxy.toml)
///
/// More than 100,000 tokens or 200 levels count as so many: the judge's stack holds no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlLimits {
    /// Its length
    pub statement_bytes: usize,
    /// Its tokens, white space and comments not counted
    pub statement_tokens: usize,
    /// How deeply parentheses, brackets, braces, `CASE`s and prefix operators may nest
    pub statement_nesting: usize,
}

impl SqlLimits {
    /// These limits, or less where the judge's stack would not hold as much
    pub(super) fn on_judges_stack(&self) -> Self {
        Self {
            statement_tokens: self.statement_tokens.min(MOST_TOKENS),
            statement_nesting: self.statement_nesting.min(MOST_LEVELS),
            ..*self
        }
    }
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self { statement_bytes: 262_144, statement_tokens: 50_000, statement_nesting: 100 }
    }
}

/// Tokens that the judge's stack holds at their worst, in a chain of UNIONs
const MOST_TOKENS: usize = 100_000;

/// Levels that it holds in a debug build
const MOST_LEVELS: usize = 200;
