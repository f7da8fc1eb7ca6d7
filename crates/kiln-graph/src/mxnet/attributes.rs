//! The attributes of a node, which the symbol file keeps as texts in Python's manner.

use std::collections::HashMap;

/// Texts by name.
pub(super) struct Attributes(HashMap<String, String>);

impl Attributes {
    pub(super) fn new(texts: HashMap<String, String>) -> Self {
        Self(texts)
    }

    /// An attribute as it stands. One that is none counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name).map(|text| text.trim());
        text.filter(|text| !matches!(*text, "None" | ""))
    }

    /// An attribute that is a whole number.
    pub(super) fn int(&self, name: &str) -> Result<Option<i64>, String> {
        self.text(name).map(|text| parse(name, text)).transpose()
    }

    /// An attribute that is a number.
    pub(super) fn float(&self, name: &str, otherwise: f32) -> Result<f32, String> {
        let Some(text) = self.text(name) else {
            return Ok(otherwise);
        };
        text.parse().map_err(|_| wrong(name, text))
    }

    /// An attribute that is true or false.
    pub(super) fn flag(&self, name: &str, otherwise: bool) -> Result<bool, String> {
        match self.text(name) {
            None => Ok(otherwise),
            Some("True" | "true" | "1") => Ok(true),
            Some("False" | "false" | "0") => Ok(false),
            Some(text) => Err(wrong(name, text)),
        }
    }

    /// An attribute that is a list of whole numbers, or one of them.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        let Some(list) = self.list_with_gaps(name)? else {
            return Ok(None);
        };
        let whole: Option<Vec<i64>> = list.into_iter().collect();
        whole
            .map(Some)
            .ok_or_else(|| wrong(name, self.text(name).unwrap_or_default()))
    }

    /// An attribute that is a list of whole numbers, some of which may be none.
    pub(super) fn list_with_gaps(&self, name: &str) -> Result<Option<Vec<Option<i64>>>, String> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let inner = text
            .trim_start_matches(['(', '['])
            .trim_end_matches([')', ']']);
        let items = inner
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let items = items.map(|item| match item {
            "None" => Ok(None),
            item => parse(name, item).map(Some),
        });
        items.collect::<Result<Vec<_>, String>>().map(Some)
    }
}

/// A whole number, which some versions wrote as 64 bits of C, and some with a
/// fraction of nothing.
fn parse(name: &str, text: &str) -> Result<i64, String> {
    let digits = text.trim_end_matches('L');
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    match digits {
        "True" => Ok(1),
        "False" => Ok(0),
        _ => digits.parse().map_err(|_| wrong(name, text)),
    }
}

fn wrong(name: &str, text: &str) -> String {
    format!("its attribute {name} cannot be `{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_what_they_mean() {
        let texts = [
            ("a", "(1, 2)"),
            ("b", "[3L]"),
            ("c", "4"),
            ("d", "(None, 5)"),
            ("e", "None"),
        ];
        let owned = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let attributes = Attributes::new(owned.into());
        assert_eq!(attributes.list("a"), Ok(Some(vec![1, 2])));
        assert_eq!(attributes.list("b"), Ok(Some(vec![3])));
        assert_eq!(attributes.list("c"), Ok(Some(vec![4])));
        assert_eq!(
            attributes.list_with_gaps("d"),
            Ok(Some(vec![None, Some(5)]))
        );
        assert!(attributes.list("d").is_err());
        assert_eq!(attributes.list("e"), Ok(None));
        assert_eq!(attributes.int("c"), Ok(Some(4)));
        let error = "its attribute a cannot be `(1, 2)`".to_owned();
        assert_eq!(attributes.int("a"), Err(error));
    }
}
