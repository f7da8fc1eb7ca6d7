//! What the options of `kiln train` say, read from their text.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use kiln_model::S3Uri;
use time::OffsetDateTime;
use time::macros::format_description;

/// The longest name that the API takes.
const LONGEST_NAME: usize = 63;

/// Why an option's value cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OptionError {
    /// There is nothing to be equal.
    #[error("it should read {0}")]
    Form(&'static str),
    /// A channel cannot be called so.
    #[error("{0:?} is no name of a channel, which has letters, digits, '.', '-' and '_'")]
    Channel(String),
    /// A place in S3 is none.
    #[error(transparent)]
    Place(#[from] kiln_model::NameError),
}

/// `NAME=VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What is before the first `=`.
    pub name: String,
    /// What is behind it, which may be nothing.
    pub value: String,
}

impl FromStr for Pair {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let (name, value) = text.split_once('=').unwrap_or_default();
        if name.is_empty() {
            return Err(OptionError::Form("NAME=VALUE"));
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// A channel and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Where its data is now.
    pub origin: Origin,
}

/// Where data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On this machine.
    Files(PathBuf),
    /// In an S3 already.
    Objects(S3Uri),
}

impl FromStr for Channel {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let form = OptionError::Form("CHANNEL=DIR or CHANNEL=s3://bucket/prefix");
        let (name, source) = split(text).ok_or(form)?;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if !name.chars().all(is_letter) {
            return Err(OptionError::Channel(name.to_owned()));
        }
        let origin = if source.starts_with("s3://") {
            Origin::Objects(source.parse()?)
        } else {
            Origin::Files(PathBuf::from(source))
        };
        let name = name.to_owned();
        Ok(Self { name, origin })
    }
}

/// A number to find in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// What finds it.
    pub regex: String,
}

impl FromStr for Metric {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        if text.is_empty() {
            return Err(OptionError::Form("NAME or NAME=REGEX"));
        }
        let (name, regex) = match split(text) {
            Some((name, regex)) => (name, regex.to_owned()),
            None => (text, usual_regex(text)),
        };
        let name = name.to_owned();
        Ok(Self { name, regex })
    }
}

/// Both sides of the first `=`, when neither is empty.
fn split(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    (!name.is_empty() && !value.is_empty()).then_some((name, value))
}

/// Finds a name before its number, and not as the end of a longer word.
fn usual_regex(name: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let begins = if name.starts_with(is_word) { r"\b" } else { "" };
    let literal: String = name
        .chars()
        .flat_map(|c| {
            let escape = r"\.+*?()|[]{}^$#&-~".contains(c).then_some('\\');
            escape.into_iter().chain([c])
        })
        .collect();
    format!(r"{begins}{literal}\s*[=:]\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)")
}

/// A name that no other job has: the script's, and the time to the millisecond.
pub fn fresh_name(program: &str, now: OffsetDateTime) -> String {
    let form =
        format_description!("[year][month][day]-[hour][minute][second]-[subsecond digits:3]");
    let time = now.format(&form).unwrap_or_default();
    let stem = Path::new(program)
        .file_stem()
        .and_then(|stem| stem.to_str());
    let letters = stem.unwrap_or_default().chars();
    let letters: String = letters
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(LONGEST_NAME - time.len() - 1)
        .collect();
    match letters.trim_matches('-') {
        "" => format!("job-{time}"),
        stem => format!("{stem}-{time}"),
    }
}

#[cfg(test)]
mod tests {
    use kiln_model::JobName;
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_first_equals_sign_parts_a_name_from_its_value() {
        let pair: Pair = "a=b=c".parse().unwrap();
        assert_eq!((&*pair.name, &*pair.value), ("a", "b=c"));
        let pair: Pair = "a=".parse().unwrap();
        assert_eq!((&*pair.name, &*pair.value), ("a", ""));
        for text in ["a", "=b", ""] {
            assert!(text.parse::<Pair>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_channel_is_on_this_machine_or_in_an_s3() {
        let origin = |text: &str| text.parse::<Channel>().map(|channel| channel.origin).ok();
        assert_eq!(origin("train=./dir"), Some(Origin::Files("./dir".into())));
        let uri = S3Uri::new("bucket", "p/").unwrap();
        assert_eq!(origin("train=s3://bucket/p/"), Some(Origin::Objects(uri)));
        assert_eq!(origin("train=s3://"), None);
        assert_eq!(origin("./dir"), None);
        assert_eq!(origin("two words=./dir"), None);
    }

    #[test]
    fn a_metric_is_found_by_its_name_unless_told_how() {
        let metric: Metric = "loss=l: ([0-9]+)".parse().unwrap();
        assert_eq!((&*metric.name, &*metric.regex), ("loss", "l: ([0-9]+)"));
        let metric: Metric = "f1.macro".parse().unwrap();
        assert_eq!(metric.name, "f1.macro");
        assert!(
            metric.regex.starts_with(r"\bf1\.macro\s*[=:]"),
            "{}",
            metric.regex
        );
        let metric: Metric = "%idle".parse().unwrap();
        assert!(metric.regex.starts_with(r"%idle"), "{}", metric.regex);
        assert!("".parse::<Metric>().is_err());
    }

    #[test]
    fn a_fresh_name_tells_the_script_and_the_time() {
        let now = datetime!(2026-11-21 13:45:02.123 UTC);
        for (program, name) in [
            ("train.py", "train-20261121-134502-123"),
            ("src/fit_model.v2.py", "fit-model-v2-20261121-134502-123"),
            ("__.py", "job-20261121-134502-123"),
        ] {
            assert_eq!(fresh_name(program, now), name);
        }
    }

    proptest! {
        #[test]
        fn a_fresh_name_is_a_name(program in "\\PC{0,90}") {
            let name = fresh_name(&program, datetime!(2026-11-21 13:45:02 UTC));
            prop_assert!(name.parse::<JobName>().is_ok(), "{}", name);
        }
    }
}
