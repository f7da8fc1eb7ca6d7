//! Which linear layers are left as they are.

use regex::Regex;

use super::error::OptionsError;
use super::settings::Given;

/// What a regular expression begins with, as llm-compressor has it.
const EXPRESSION: &str = "re:";

/// Names of linear layers that are left as they are.
#[derive(Debug, Clone)]
pub struct Ignore {
    words: Vec<String>,
    names: Vec<String>,
    expressions: Vec<Regex>,
    /// Whether a part of a name is enough, as it is for AutoAWQ.
    parts: bool,
}

impl Ignore {
    /// Reads names with commas between them; without any, the head of a decoder is meant.
    pub(super) fn read(given: Option<Given<'_>>, parts: bool) -> Result<Self, OptionsError> {
        let mut ignore = Self {
            words: Vec::new(),
            names: Vec::new(),
            expressions: Vec::new(),
            parts,
        };
        let text = given.map_or("lm_head", |given| given.value);
        let words = text.split(',').map(str::trim);
        for word in words.filter(|word| !word.is_empty()) {
            ignore.words.push(word.to_owned());
            match word.strip_prefix(EXPRESSION) {
                None => ignore.names.push(word.to_owned()),
                Some(expression) => ignore.expressions.push(read(expression, given)?),
            }
        }
        Ok(ignore)
    }

    /// Whether a layer is left as it is, by its full name.
    #[must_use]
    pub fn matches(&self, module: &str) -> bool {
        let named = |name: &String| {
            let end = module.strip_suffix(name.as_str());
            let is_whole = end.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            is_whole || (self.parts && module.contains(name.as_str()))
        };
        self.names.iter().any(named) || self.expressions.iter().any(|one| one.is_match(module))
    }

    /// The names and expressions, as they were given.
    #[must_use]
    pub fn words(&self) -> String {
        self.words.join(", ")
    }
}

/// An expression that a name must begin with.
fn read(expression: &str, given: Option<Given<'_>>) -> Result<Regex, OptionsError> {
    let expected = "names, or re: and a regular expression, with commas between them";
    Regex::new(&format!("^(?:{expression})")).map_err(|_| match given {
        Some(given) => given.wrong(expected),
        None => OptionsError::Value {
            option: "the names of layers".to_owned(),
            value: expression.to_owned(),
            expected,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::properties::Properties;
    use super::super::settings::Settings;
    use super::*;

    fn ignore(words: &str, parts: bool) -> Result<Ignore, OptionsError> {
        let environment = BTreeMap::from([("OPTION_IGNORE".to_owned(), words.to_owned())]);
        let settings = Settings::gather(&environment, &Properties::default());
        Ignore::read(settings.get("ignore"), parts)
    }

    #[test]
    fn layers_are_named_in_full_or_by_their_end_or_by_expressions() {
        for (words, parts, module, expected) in [
            ("", false, "lm_head", true),
            ("", false, "model.layers.0.mlp.up_proj", false),
            ("up_proj", false, "model.layers.0.mlp.up_proj", true),
            ("p_proj", false, "model.layers.0.mlp.up_proj", false),
            ("p_proj", true, "model.layers.0.mlp.up_proj", true),
            (
                "lm_head, re:.*mlp",
                false,
                "model.layers.0.mlp.up_proj",
                true,
            ),
            ("re:mlp", false, "model.layers.0.mlp.up_proj", false),
        ] {
            let found = ignore(words, parts).unwrap().matches(module);
            assert_eq!(found, expected, "{words} {module}");
        }
        let told = ignore("lm_head , re:.*mlp", false).unwrap().words();
        assert_eq!(told, "lm_head, re:.*mlp");
        let refused = ignore("re:(", false).unwrap_err().to_string();
        assert!(
            refused.starts_with("OPTION_IGNORE is 're:(', and must be"),
            "{refused}"
        );
    }
}
