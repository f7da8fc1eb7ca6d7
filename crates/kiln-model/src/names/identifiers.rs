//! Names of one part: regions, accounts and jobs.

use std::fmt;
use std::str::FromStr;

use super::NameError;
use crate::text::serde_as_text;

/// Declares a text that is checked when it is made.
macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident, $check:path) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError::$name(text.to_owned()))
                }
            }
        }

        serde_as_text!($name);
    };
}

identifier! {
    /// A region, such as `us-east-1`.
    Region, is_region
}

identifier! {
    /// An account's twelve digits.
    AccountId, is_account
}

identifier! {
    /// The name of a job of any kind, in the letters its owner chose.
    JobName, is_job_name
}

impl Region {
    /// The part of AWS that the region belongs to, as ARNs begin with it.
    pub fn partition(&self) -> &'static str {
        const PARTITIONS: [(&str, &str); 6] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-isof-", "aws-iso-f"),
            ("us-iso-", "aws-iso"),
            ("eusc-", "aws-eusc"),
        ];
        let found = PARTITIONS
            .iter()
            .find(|(prefix, _)| self.0.starts_with(prefix));
        found.map_or("aws", |(_, partition)| partition)
    }
}

impl JobName {
    /// The name as ARNs of training jobs spell it.
    pub(super) fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }
}

/// Words of small letters, then a number: `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else {
        return false;
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && words.contains('-')
        && words.split('-').all(is_word)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_job_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn regions() {
        for (text, partition) in [
            ("us-east-1", "aws"),
            ("ap-southeast-12", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(text.parse::<Region>().unwrap().partition(), partition);
        }
        for text in [
            "",
            "us",
            "us-1",
            "US-EAST-1",
            "us--east-1",
            "us-east-",
            "us-east-1a",
        ] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }

    #[test]
    fn accounts() {
        assert!("123456789012".parse::<AccountId>().is_ok());
        for text in ["", "12345678901", "1234567890123", "12345678901a"] {
            let refused = text.parse::<AccountId>().unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("'{text}' is not an account, which has twelve digits")
            );
        }
    }

    #[test]
    fn names_read_from_json_are_checked() {
        assert!(serde_json::from_str::<JobName>(r#""job-1""#).is_ok());
        assert!(serde_json::from_str::<JobName>(r#""job_1""#).is_err());
    }

    proptest! {
        /// The check by hand agrees with the service model.
        #[test]
        fn job_names_are_what_the_model_says(text in "[a-zA-Z0-9-]{0,66}|.{0,4}") {
            let pattern = regex::Regex::new(r"\A[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}\z").unwrap();
            let expected = text.len() <= 63 && pattern.is_match(&text);
            let name = text.parse::<JobName>();
            prop_assert_eq!(name.is_ok(), expected);
            if let Ok(name) = name {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
