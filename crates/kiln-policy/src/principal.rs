//! Whom a trust policy speaks of.

use serde_json::Value;

use crate::PolicyError;
use crate::element::{join, object, texts};

/// A name that somebody who asks goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// An ARN, or the number of an account.
    Aws(String),
    /// A service, such as `sagemaker.amazonaws.com`.
    Service(String),
}

/// The `Principal` of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principals {
    everyone: bool,
    aws: Vec<String>,
    services: Vec<String>,
}

impl Principals {
    pub(crate) fn parse(value: &Value, place: &str) -> Result<Self, PolicyError> {
        let mut all = Self {
            everyone: false,
            aws: Vec::new(),
            services: Vec::new(),
        };
        if let Value::String(text) = value {
            if text != "*" {
                return Err(PolicyError::at(
                    place,
                    format!("Invalid principal in policy: {text}"),
                ));
            }
            all.everyone = true;
            return Ok(all);
        }
        for (kind, names) in object(value, place)? {
            let place = join(place, kind);
            let names = texts(names, &place)?;
            match kind.as_str() {
                "AWS" => {
                    all.everyone |= names.iter().any(|name| name == "*");
                    check_aws(&names, &place)?;
                    all.aws = names;
                }
                "Service" => all.services = names,
                // Nobody who can call Kiln goes by such a name.
                "Federated" | "CanonicalUser" => {}
                other => {
                    let reason = format!("Invalid principal in policy: \"{other}\"");
                    return Err(PolicyError::at(place, reason));
                }
            }
        }
        Ok(all)
    }

    /// Whether somebody with these names is meant.
    pub(crate) fn include(&self, names: &[Holder]) -> bool {
        names.iter().any(|name| match name {
            Holder::Aws(name) => {
                self.everyone
                    || self
                        .aws
                        .iter()
                        .any(|one| one == name || account(one) == name)
            }
            Holder::Service(name) => self.everyone || self.services.contains(name),
        })
    }
}

fn check_aws(names: &[String], place: &str) -> Result<(), PolicyError> {
    let sound = |name: &String| {
        let number = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
        name == "*" || number || (name.starts_with("arn:") && !name.contains('*'))
    };
    match names.iter().find(|name| !sound(name)) {
        None => Ok(()),
        Some(name) => {
            let reason = format!("Invalid principal in policy: \"AWS\":\"{name}\"");
            Err(PolicyError::at(place, reason))
        }
    }
}

/// An account's number, for the ARN of an account; otherwise what was given.
fn account(name: &str) -> &str {
    let account = name
        .strip_suffix(":root")
        .and_then(|arn| arn.rsplit(':').next());
    account.unwrap_or(name)
}
