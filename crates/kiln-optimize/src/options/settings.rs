//! Options as they were given, each with the place that it was given in.

use std::collections::BTreeMap;
use std::fmt;

use super::error::OptionsError;
use super::properties::Properties;

/// No count is larger: neither of samples, nor of their tokens, nor of accelerators.
const MOST: usize = 1 << 20;

/// What the name of an option begins with in an environment.
const OPTION: &str = "OPTION_";

/// Where an option was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Environment,
    Properties,
}

/// An option that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given<'a> {
    name: &'a str,
    /// Its value.
    pub value: &'a str,
    place: Place,
}

impl fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Environment => write!(f, "{OPTION}{}", self.name.to_uppercase()),
            Place::Properties => write!(f, "option.{} of {}", self.name, Properties::FILE),
        }
    }
}

impl Given<'_> {
    /// That the value is none of the option's.
    pub fn wrong(&self, expected: &'static str) -> OptionsError {
        OptionsError::Value {
            option: self.to_string(),
            value: self.value.to_owned(),
            expected,
        }
    }
}

/// All options that were given, by their names in small letters, without a prefix.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, (String, Place)>,
}

impl Settings {
    /// Gathers the options. What the model's own `serving.properties` says stands
    /// against the environment, as it does in the serving containers.
    pub fn gather(environment: &BTreeMap<String, String>, properties: &Properties) -> Self {
        let environment = environment.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix(OPTION)?;
            Some((name, value.as_str(), Place::Environment))
        });
        let properties = properties.options();
        let properties = properties.map(|(name, value)| (name, value, Place::Properties));
        let all = environment.chain(properties);
        let all = all.filter(|(name, ..)| !name.is_empty());
        let values = all.map(|(name, value, place)| {
            let value = value.trim().to_owned();
            (name.to_lowercase(), (value, place))
        });
        Self {
            values: values.collect(),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&str, Given<'_>)> {
        self.values.iter().map(|(name, (value, place))| {
            let place = *place;
            (name.as_str(), Given { name, value, place })
        })
    }

    /// One of them; an empty one counts as not given.
    pub fn get(&self, name: &str) -> Option<Given<'_>> {
        let (name, (value, place)) = self.values.get_key_value(name)?;
        let given = Given {
            name,
            value,
            place: *place,
        };
        (!value.is_empty()).then_some(given)
    }

    /// A word of a list, in any case.
    pub fn one_of<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
        expected: &'static str,
    ) -> Result<Option<T>, OptionsError> {
        let Some(given) = self.get(name) else {
            return Ok(None);
        };
        let found = words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(given.value));
        match found {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(given.wrong(expected)),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, OptionsError> {
        self.one_of(name, &[("true", true), ("false", false)], "true or false")
    }

    /// A number that something is to be done or held for, so often.
    pub fn count(&self, name: &str) -> Result<Option<usize>, OptionsError> {
        let Some(given) = self.get(name) else {
            return Ok(None);
        };
        match given.value.parse() {
            Ok(number) if (1..=MOST).contains(&number) => Ok(Some(number)),
            _ => Err(given.wrong("a whole number from 1 to 1048576")),
        }
    }
}
