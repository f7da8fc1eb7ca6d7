//! The facts of a request that conditions and policy variables speak of.

use std::collections::BTreeMap;

/// Condition keys and their values. Keys are the same in any case, as IAM's are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// Adds a value to a key; a key with several values is a set.
    pub fn add(&mut self, key: &str, value: impl Into<String>) {
        let values = self.values.entry(key.to_ascii_lowercase()).or_default();
        values.push(value.into());
    }

    /// Adds values to a key.
    pub fn add_all<T: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.add(key, value);
        }
    }

    /// The same with one more value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.add(key, value);
        self
    }

    /// All that this and another say.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (key, values) in &other.values {
            self.add_all(key, values.iter().map(String::as_str));
        }
        self
    }

    /// The values of a key; `None` when the request has no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        let values = self.values.get(&key.to_ascii_lowercase());
        values.map(Vec::as_slice)
    }

    /// The value of a key that has exactly one.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some([one]) => Some(one),
            _ => None,
        }
    }
}
