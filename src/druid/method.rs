//! The methods that Druid's endpoints take

/// A method
///
/// The core's own, so that a `match` on it is checked for completeness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// DELETE
    Delete,
}

impl Method {
    /// The method of this word; case counts (RFC 9110, section 9.1)
    ///
    /// HEAD asks for what GET does, and only the answer's head goes out.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = if word == "HEAD" { "GET" } else { word };
        [Self::Get, Self::Post, Self::Delete].into_iter().find(|method| method.word() == word)
    }

    /// HTTP's word for it
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}
