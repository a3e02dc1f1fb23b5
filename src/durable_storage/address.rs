//! Which storage a report is about, and which it should be about

use std::fmt;

use super::place::Location;
use super::summary::Summary;
use crate::druid::resource::Printable;

/// Which storage a report is, or should be, about, as far as that is said
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// Bucket and prefix
    pub location: Option<Location>,
    /// The S3 server: `https://host:port`
    pub endpoint: Option<String>,
}

impl Address {
    /// Whether a report is about this one
    pub(super) fn is_of(&self, summary: &Summary) -> bool {
        self.location.as_ref().is_none_or(|location| *location == summary.location)
            && (self.endpoint.is_none() || self.endpoint == summary.endpoint)
    }

    /// What a report is about; the server only where that matters
    pub(super) fn seen_in(&self, summary: &Summary) -> Self {
        let endpoint = summary.endpoint.clone().filter(|_| self.endpoint.is_some());
        Self { location: Some(summary.location.clone()), endpoint }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => formatter.write_str(&printable(location))?,
            None => formatter.write_str("storage")?,
        }
        let endpoint = self.endpoint.as_ref();
        endpoint.map_or(Ok(()), |endpoint| write!(formatter, " at {}", Printable(endpoint)))
    }
}

/// A place in a message; a prefix may hold any character that is not a control character
pub(super) fn printable(location: &Location) -> String {
    Printable(&location.to_string()).to_string()
}
