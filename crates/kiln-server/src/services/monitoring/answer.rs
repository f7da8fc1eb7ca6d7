//! An answer, before it is written in one of the protocols.

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Text(String),
    Number(f64),
    /// Epoch seconds.
    Time(i64),
    List(Vec<Answer>),
    /// Values by names that the caller chose.
    Map(Vec<(String, Answer)>),
    /// Members in the order in which XML has them.
    Structure(Vec<(&'static str, Answer)>),
}

impl Answer {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }
}

/// A structure whose optional members are there if they have a value.
pub(super) fn structure(
    members: impl IntoIterator<Item = (&'static str, Option<Answer>)>,
) -> Answer {
    let members = members.into_iter();
    let there = members.filter_map(|(name, value)| Some((name, value?)));
    Answer::Structure(there.collect())
}
