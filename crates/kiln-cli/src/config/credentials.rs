//! The keys to sign with.

use std::fmt;

use super::profiles::{Profile, Section};
use super::role::{self, Roles};
use super::{container, process, variable};
use crate::failure::Failure;
use crate::json;
use crate::value::Value;

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) token: Option<String>,
}

impl fmt::Debug for Credentials {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// Finds keys: in the environment unless a profile is named by option, then by
/// the role that the profile asks for, then where the profile or the container says.
pub(super) fn find(
    profile: &Profile,
    named: bool,
    roles: &Roles<'_>,
) -> Result<Option<Credentials>, Failure> {
    if !named && let Some(found) = from_environment()? {
        return Ok(Some(found));
    }
    if role::is_wanted(profile) {
        return role::assume(profile, roles, &mut vec![profile.name.clone()]).map(Some);
    }
    of_profile(profile)
}

/// The keys that a profile itself has, or else the container.
pub(super) fn of_profile(profile: &Profile) -> Result<Option<Credentials>, Failure> {
    let in_file = from_section(&profile.credentials, "shared-credentials-file")?;
    if in_file.is_some() {
        return Ok(in_file);
    }
    if let Some(command) = profile.setting("credential_process") {
        return process::run(command).map(Some);
    }
    match from_section(&profile.config, "config-file")? {
        Some(found) => Ok(Some(found)),
        None => container::ask(),
    }
}

/// The keys in the environment.
pub(super) fn from_environment() -> Result<Option<Credentials>, Failure> {
    let Some(access_key) = variable("AWS_ACCESS_KEY_ID") else {
        return Ok(None);
    };
    let secret_key = variable("AWS_SECRET_ACCESS_KEY");
    Ok(Some(Credentials {
        access_key,
        secret_key: secret_key.ok_or_else(|| partial("env", "AWS_SECRET_ACCESS_KEY"))?,
        token: variable("AWS_SESSION_TOKEN").or_else(|| variable("AWS_SECURITY_TOKEN")),
    }))
}

fn from_section(section: &Section, place: &str) -> Result<Option<Credentials>, Failure> {
    let Some(access_key) = section.get("aws_access_key_id") else {
        return Ok(None);
    };
    let secret_key = section.get("aws_secret_access_key");
    Ok(Some(Credentials {
        access_key: access_key.clone(),
        secret_key: secret_key
            .ok_or_else(|| partial(place, "aws_secret_access_key"))?
            .clone(),
        token: section.get("aws_session_token").cloned(),
    }))
}

/// Something is missing of what a place is to give.
pub(super) fn partial(place: &str, missing: &str) -> Failure {
    Failure::General(format!(
        "Partial credentials found in {place}, missing: {missing}"
    ))
}

/// A place that was to give keys failed to.
pub(super) fn unretrieved(place: &str, reason: impl fmt::Display) -> Failure {
    Failure::General(format!(
        "Error when retrieving credentials from {place}: {reason}"
    ))
}

/// Keys in the form of JSON.
///
/// # Errors
/// The name of the member that is missing.
pub(super) fn printed(value: &Value, token: &str) -> Result<Credentials, &'static str> {
    let member = |name: &str| {
        value
            .member(name)
            .and_then(Value::as_text)
            .map(str::to_owned)
    };
    Ok(Credentials {
        access_key: member("AccessKeyId").ok_or("AccessKeyId")?,
        secret_key: member("SecretAccessKey").ok_or("SecretAccessKey")?,
        token: member(token),
    })
}

/// Reads what a program or a server said of keys.
pub(super) fn parsed(text: &str, place: &str) -> Result<Value, Failure> {
    json::parse(text).map_err(|reason| unretrieved(place, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_key_is_refused() {
        let half = Section::from([("aws_access_key_id".to_owned(), "a".to_owned())]);
        let error = from_section(&half, "config-file").unwrap_err();
        assert_eq!(
            error.to_string(),
            "\nPartial credentials found in config-file, missing: aws_secret_access_key"
        );
        assert_eq!(from_section(&Section::new(), "config-file").unwrap(), None);
    }

    #[test]
    fn printed_keys_are_read() {
        let value = json::parse(
            r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t"}"#,
        )
        .unwrap();
        let found = printed(&value, "SessionToken").unwrap();
        assert_eq!(
            (found.access_key.as_str(), found.token.as_deref()),
            ("a", Some("t"))
        );
        assert_eq!(printed(&Value::Null, "SessionToken"), Err("AccessKeyId"));
        assert!(!format!("{found:?}").contains("\"s\""));
    }
}
