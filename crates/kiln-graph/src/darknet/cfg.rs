//! The `.cfg` file: sections with options, in the manner of INI files.

use std::str::FromStr;

use super::FORMAT;
use crate::foreign::ForeignError;

/// One section: a layer, or the network as a whole in the first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    /// The name between the brackets.
    pub(super) name: String,
    /// The line that it begins in, from 1.
    line: usize,
    options: Vec<(String, String)>,
}

/// Reads all sections.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Section>, ForeignError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ForeignError::malformed(FORMAT, "its cfg is not text"))?;
    let mut sections: Vec<Section> = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.split(['#', ';']).next().unwrap_or("").trim();
        if content.is_empty() {
            continue;
        }
        if let Some(name) = content.strip_prefix('[') {
            let name = name.trim_end().strip_suffix(']');
            let name = name.ok_or_else(|| broken(line, "a section's name has no end"))?;
            let name = name.trim().to_owned();
            let options = Vec::new();
            sections.push(Section {
                name,
                line,
                options,
            });
            continue;
        }
        let section = sections.last_mut();
        let section = section.ok_or_else(|| broken(line, "an option precedes all sections"))?;
        let (key, value) = content
            .split_once('=')
            .ok_or_else(|| broken(line, "neither a section nor an option with `=`"))?;
        section
            .options
            .push((key.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(sections)
}

fn broken(line: usize, what: &str) -> ForeignError {
    ForeignError::malformed(FORMAT, format!("line {line} of its cfg: {what}"))
}

impl Section {
    /// An option as it stands; the first one if there are several.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// An option that is a number, or what it is otherwise.
    pub(super) fn number<T: FromStr>(&self, key: &str, otherwise: T) -> Result<T, String> {
        match self.text(key) {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .map_err(|_| format!("its option {key} cannot be `{text}`")),
        }
    }

    /// An option that is a size, at least 1.
    pub(super) fn size(&self, key: &str, otherwise: usize) -> Result<usize, String> {
        match self.number(key, otherwise)? {
            0 => Err(format!("its option {key} cannot be 0")),
            // Darknet's own sizes are of 32 bits.
            size if size > i32::MAX as usize => Err(format!("its option {key} is too large")),
            size => Ok(size),
        }
    }

    /// An option that is on or off.
    pub(super) fn flag(&self, key: &str) -> Result<bool, String> {
        Ok(self.number::<i64>(key, 0)? != 0)
    }

    /// An option that is a list of numbers; an empty one if it is absent.
    pub(super) fn list<T: FromStr>(&self, key: &str) -> Result<Vec<T>, String> {
        let text = self.text(key).unwrap_or_default();
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let numbers = items.map(|item| {
            item.parse()
                .map_err(|_| format!("its option {key} cannot hold `{item}`"))
        });
        numbers.collect()
    }

    /// Refuses options that change what the layer computes in ways that are not
    /// known here.
    pub(super) fn refuse(&self, keys: &[&str]) -> Result<(), String> {
        let is_on = |key: &&&str| !matches!(self.text(key), None | Some("0" | "none"));
        match keys.iter().find(is_on) {
            Some(key) => Err(format!("its option {key} is not implemented")),
            None => Ok(()),
        }
    }

    /// Where it stands, for messages.
    pub(super) fn place(&self) -> String {
        format!("in line {} of the cfg", self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_options_are_read() {
        let sections = parse(b"# net\n[net]\nwidth = 8\n\n[yolo]\nmask= 0, 1,2 ; three\n").unwrap();
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].size("width", 1), Ok(8));
        assert_eq!(sections[0].size("height", 3), Ok(3));
        assert_eq!(sections[1].list::<i32>("mask"), Ok(vec![0, 1, 2]));
        assert_eq!(sections[1].place(), "in line 5 of the cfg");
    }

    #[test]
    fn what_is_neither_is_refused_with_its_line() {
        let cases = [
            ("[net\n", "line 1 of its cfg: a section's name has no end"),
            (
                "a=1\n",
                "line 1 of its cfg: an option precedes all sections",
            ),
            (
                "[net]\nwidth\n",
                "line 2 of its cfg: neither a section nor an option with `=`",
            ),
        ];
        for (text, reason) in cases {
            let error = ForeignError::malformed(FORMAT, reason);
            assert_eq!(parse(text.as_bytes()), Err(error));
        }
    }
}
