//! What is wrong with a policy document, and where.

/// Why a document is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at {place})")]
pub struct PolicyError {
    /// The place in the document, such as `Statement[0].Condition.StringLike`.
    pub place: String,
    /// What is wrong there, in IAM's words where it has some.
    pub reason: String,
}

impl PolicyError {
    pub(crate) fn at(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
        }
    }
}
