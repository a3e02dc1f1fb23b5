//! The four actions that Druid needs on S3 (manual of the multi-stage query engine, "Durable storage")

use std::fmt;

use serde::{Deserialize, Serialize};

/// An action of S3, as IAM policies name it
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Fetch intermediate results
    #[serde(rename = "s3:GetObject")]
    GetObject,
    /// Push intermediate results
    #[serde(rename = "s3:PutObject")]
    PutObject,
    /// Give up a push that failed; nothing else ever calls it
    #[serde(rename = "s3:AbortMultipartUpload")]
    AbortMultipartUpload,
    /// Remove results that are no longer needed
    #[serde(rename = "s3:DeleteObject")]
    DeleteObject,
}

impl Action {
    /// All four, in the manual's order
    pub const ALL: [Self; 4] =
        [Self::GetObject, Self::PutObject, Self::AbortMultipartUpload, Self::DeleteObject];

    /// Its name in a policy
    pub fn name(self) -> &'static str {
        match self {
            Self::GetObject => "s3:GetObject",
            Self::PutObject => "s3:PutObject",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::DeleteObject => "s3:DeleteObject",
        }
    }

    /// What Druid cannot do without it
    pub fn purpose(self) -> &'static str {
        match self {
            Self::GetObject => "fetch the results of a stage",
            Self::PutObject => "push the results of a stage",
            Self::AbortMultipartUpload => "give up a push that failed",
            Self::DeleteObject => "remove results that are no longer needed",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_has_one_name_in_reports_and_policies() {
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
    }
}
