//! `serving.properties`: what a model's directory says to the server that serves it.

use std::collections::BTreeMap;
use std::fmt;

/// What the name of an option begins with.
const OPTION: &str = "option.";

/// The keys and values of a `serving.properties`, in order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    entries: BTreeMap<String, String>,
}

impl Properties {
    /// The name of the file.
    pub const FILE: &'static str = "serving.properties";

    /// Reads a file's text as the serving containers do: a key and a value in a line,
    /// with the first `=` between them; lines without one, and comments, say nothing.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let said = text.lines().map(str::trim);
        let said = said.filter(|line| !line.starts_with(['#', '!']));
        let entries = said.filter_map(|line| line.split_once('='));
        let entries = entries.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
        Self {
            entries: entries.filter(|(key, _)| !key.is_empty()).collect(),
        }
    }

    /// The options, by their names without `option.`.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.entries.iter();
        entries.filter_map(|(key, value)| Some((key.strip_prefix(OPTION)?, value.as_str())))
    }

    /// Sets an option, or removes it.
    pub fn set(&mut self, option: &str, value: Option<&str>) {
        let key = format!("{OPTION}{option}");
        match value {
            Some(value) => self.entries.insert(key, value.to_owned()),
            None => self.entries.remove(&key),
        };
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries = self.entries.iter();
        entries.try_for_each(|(key, value)| writeln!(f, "{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_read_as_containers_read_it() {
        let text = "# a comment\nengine=Python\n\n option.quantize = awq \nnonsense\n\
                    option.entryPoint=a=b\n!also a comment\n=nothing\n";
        let mut properties = Properties::read(text);
        let options: Vec<_> = properties.options().collect();
        assert_eq!(options, [("entryPoint", "a=b"), ("quantize", "awq")]);
        properties.set("quantize", Some("compressed-tensors"));
        properties.set("entryPoint", None);
        let written = "engine=Python\noption.quantize=compressed-tensors\n";
        assert_eq!(properties.to_string(), written);
        assert!(Properties::read("# nothing").is_empty());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(text in "[a-z.#!= \n]{0,60}") {
            let read = Properties::read(&text);
            prop_assert_eq!(Properties::read(&read.to_string()), read);
        }
    }
}
