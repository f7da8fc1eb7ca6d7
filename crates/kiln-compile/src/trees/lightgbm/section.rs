//! The sections of LightGBM's text: `key=value` lines about the model, and
//! then about each tree.

use std::collections::HashMap;
use std::str::FromStr;

use crate::trees::TreesError;

use super::malformed;

/// What follows the last tree.
const END: &str = "end of trees";

/// The header, or one tree.
pub(super) struct Section<'a> {
    title: &'a str,
    values: HashMap<&'a str, &'a str>,
}

/// The header and then every tree, one at a time.
pub(super) fn sections(text: &str) -> impl Iterator<Item = Section<'_>> {
    let mut lines = text.lines().take_while(|line| *line != END).peekable();
    std::iter::from_fn(move || {
        let title = lines.find(|line| !line.is_empty())?;
        let mut values = HashMap::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("Tree=")) {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if !key.is_empty() {
                values.insert(key, value);
            }
        }
        Some(Section { title, values })
    })
}

impl<'a> Section<'a> {
    /// Whether a model's text begins so.
    pub fn is_header(&self) -> bool {
        self.title == "tree"
    }

    /// Whether there is a line with this key.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// What the line with this key says.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.values.get(key).copied()
    }

    /// The words of a line; none where there is no such line.
    pub fn words(&self, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get(key).unwrap_or("").split_ascii_whitespace()
    }

    /// The number that a line must have.
    pub fn number<T: FromStr>(&self, key: &str) -> Result<T, TreesError> {
        let value = self.get(key);
        let value = value.ok_or_else(|| malformed(self.says(&format!("has no {key}"))))?;
        let wrong = |_| malformed(self.says(&format!("has the {key} {value:?}")));
        value.trim().parse().map_err(wrong)
    }

    /// The numbers of a line; none where there is no such line.
    pub fn numbers<T: FromStr>(&self, key: &str) -> Result<Vec<T>, TreesError> {
        let number = |word: &str| {
            let wrong = |_| malformed(self.says(&format!("has {word:?} among its {key}")));
            word.parse().map_err(wrong)
        };
        self.words(key).map(number).collect()
    }

    fn says(&self, what: &str) -> String {
        if self.is_header() {
            format!("its header {what}")
        } else {
            format!("its section {:?} {what}", self.title)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "tree\nnum_class=2\naverage_output\nnames=a b\n\nTree=0\nleaves=1 2.5\n\n\nTree=1\n\nend of trees\n\nx=1\n";

    #[test]
    fn sections_come_in_their_order() {
        let all: Vec<Section<'_>> = sections(TEXT).collect();
        let titles: Vec<&str> = all.iter().map(|section| section.title).collect();
        assert_eq!(titles, ["tree", "Tree=0", "Tree=1"]);
        assert_eq!(all[0].number::<u32>("num_class").unwrap(), 2);
        assert!(all[0].has("average_output"));
        assert_eq!(all[0].words("names").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(all[1].numbers::<f64>("leaves").unwrap(), [1.0, 2.5]);
        assert!(all[2].numbers::<f64>("leaves").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let all: Vec<Section<'_>> = sections(TEXT).collect();
        let message = |error: TreesError| error.to_string();
        let absent = all[0].number::<u32>("objective").map_err(message);
        let expected = "The file is not a LightGBM model: its header has no objective.";
        assert_eq!(absent, Err(expected.to_owned()));
        let wrong = all[1].numbers::<u32>("leaves").map_err(message);
        let expected = "The file is not a LightGBM model: its section \"Tree=0\" has \"2.5\" among its leaves.";
        assert_eq!(wrong, Err(expected.to_owned()));
    }
}
