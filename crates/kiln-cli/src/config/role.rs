//! `role_arn`: roles that a profile asks for, assumed through STS with keys from
//! elsewhere.

use std::time::{SystemTime, UNIX_EPOCH};

use quick_xml::escape::unescape;
use url::form_urlencoded::Serializer;

use super::credentials::{from_environment, of_profile, partial};
use super::profiles::Profile;
use super::{Connection, Credentials, container, endpoint};
use crate::failure::Failure;
use crate::transport::{Address, Call, Transport};

const PLACE: &str = "assume-role";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// How roles are assumed.
pub(super) struct Roles<'a> {
    /// The profile of the invocation, which may say where STS is.
    pub(super) profile: &'a Profile,
    pub(super) region: &'a str,
    pub(super) connection: &'a Connection,
}

/// Whether a profile asks for a role.
pub(super) fn is_wanted(profile: &Profile) -> bool {
    profile.setting("role_arn").is_some()
}

/// Assumes the role that a profile asks for. Those visited are the profiles that
/// have led here, this one last.
pub(super) fn assume(
    profile: &Profile,
    roles: &Roles<'_>,
    visited: &mut Vec<String>,
) -> Result<Credentials, Failure> {
    for (setting, needed) in [
        ("mfa_serial", "the code of a device"),
        ("web_identity_token_file", "a token of another identity"),
    ] {
        if profile.setting(setting).is_some() {
            return Err(Failure::Configuration(format!(
                "The role of the profile {} needs {needed} ({setting}), which kiln sagemaker does \
                 not use: assume it with another tool, and give its keys in the environment.",
                profile.name
            )));
        }
    }
    let source = source(profile, roles, visited)?;
    let form = form(profile, SystemTime::now());
    let endpoint = endpoint::endpoint(&endpoint::STS, None, roles.profile, roles.region);
    let address = Address {
        endpoint: &endpoint,
        service: "sts",
        region: roles.region,
        credentials: Some(&source),
    };
    let answer = Transport::new(address, roles.connection)?.call(&Call {
        operation: "AssumeRole",
        headers: &[("content-type", FORM)],
        body: form.as_bytes(),
        refusal,
    })?;
    let answer = String::from_utf8_lossy(&answer);
    answered(&answer).ok_or_else(|| {
        Failure::General("Unable to parse the answer to AssumeRole, which has no keys.".to_owned())
    })
}

/// The keys to ask with.
fn source(
    profile: &Profile,
    roles: &Roles<'_>,
    visited: &mut Vec<String>,
) -> Result<Credentials, Failure> {
    let name = &profile.name;
    let invalid = |reason: String| Err(Failure::General(reason));
    match (
        profile.setting("credential_source"),
        profile.setting("source_profile"),
    ) {
        (Some(_), Some(_)) => invalid(format!(
            "The profile \"{name}\" contains both source_profile and credential_source."
        )),
        (None, None) => Err(partial(PLACE, "source_profile or credential_source")),
        (Some(place), None) => from_place(place, name),
        (None, Some(other)) => {
            let Ok(found) = Profile::load(Some(other)) else {
                return invalid(format!(
                    "The source_profile \"{other}\" referenced in the profile \"{name}\" does \
                     not exist."
                ));
            };
            let has_keys = found.setting("aws_access_key_id").is_some();
            // A profile may name itself, if it has keys.
            if visited.iter().any(|name| name == other) && !(other == name && has_keys) {
                let names: Vec<String> = visited.iter().map(|name| format!("'{name}'")).collect();
                return invalid(format!(
                    "Infinite loop in credential configuration detected. Attempting to load from \
                     profile {other} which has already been visited. Visited profiles: [{}]",
                    names.join(", ")
                ));
            }
            visited.push(other.to_owned());
            if is_wanted(&found) && !has_keys {
                return assume(&found, roles, visited);
            }
            match of_profile(&found)? {
                Some(credentials) => Ok(credentials),
                None => invalid(format!(
                    "The source profile \"{other}\" must have credentials."
                )),
            }
        }
    }
}

fn from_place(place: &str, profile: &str) -> Result<Credentials, Failure> {
    let found = match place {
        "Environment" => from_environment()?,
        "EcsContainer" => container::ask()?,
        "Ec2InstanceMetadata" => {
            return Err(Failure::Configuration(
                "kiln sagemaker does not ask the metadata of an instance for keys: give them in \
                 the environment."
                    .to_owned(),
            ));
        }
        _ => {
            return Err(Failure::General(format!(
                "The credential source \"{place}\" referenced in profile \"{profile}\" is not \
                 valid."
            )));
        }
    };
    found.ok_or_else(|| {
        Failure::General(format!(
            "Error when retrieving credentials from {place}: No credentials found in \
             credential_source referenced in profile {profile}"
        ))
    })
}

/// The request's parameters.
fn form(profile: &Profile, now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let session = profile.setting("role_session_name").map(str::to_owned);
    let session = session.unwrap_or_else(|| format!("kiln-session-{seconds}"));
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", "AssumeRole")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", profile.setting("role_arn").unwrap_or_default())
        .append_pair("RoleSessionName", &session);
    if let Some(id) = profile.setting("external_id") {
        form.append_pair("ExternalId", id);
    }
    // A duration that is no number counts as not set.
    let duration = profile.setting("duration_seconds");
    if let Some(duration) = duration.filter(|text| text.parse::<u32>().is_ok()) {
        form.append_pair("DurationSeconds", duration);
    }
    form.finish()
}

/// The keys in an answer of STS.
fn answered(xml: &str) -> Option<Credentials> {
    Some(Credentials {
        access_key: element(xml, "AccessKeyId")?,
        secret_key: element(xml, "SecretAccessKey")?,
        token: element(xml, "SessionToken"),
    })
}

fn refusal(status: u16, body: &[u8]) -> (String, String) {
    let xml = String::from_utf8_lossy(body);
    let code = element(&xml, "Code").unwrap_or_else(|| status.to_string());
    (code, element(&xml, "Message").unwrap_or_default())
}

/// The text of the first element with a name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once(&format!("</{name}>"))?;
    Some(unescape(text).ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(settings: &[(&str, &str)]) -> Profile {
        let each = settings.iter();
        Profile {
            name: "p".to_owned(),
            config: each
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Profile::default()
        }
    }

    #[test]
    fn a_request_says_what_the_profile_says() {
        for (settings, expected) in [
            (
                &[("role_arn", "arn:r")][..],
                "RoleArn=arn%3Ar&RoleSessionName=kiln-session-0",
            ),
            (
                &[
                    ("role_arn", "r"),
                    ("role_session_name", "a b"),
                    ("external_id", "&="),
                    ("duration_seconds", "900"),
                ],
                "RoleArn=r&RoleSessionName=a+b&ExternalId=%26%3D&DurationSeconds=900",
            ),
            (
                &[
                    ("role_arn", "r"),
                    ("role_session_name", "s"),
                    ("duration_seconds", "long"),
                ],
                "RoleArn=r&RoleSessionName=s",
            ),
        ] {
            let expected = format!("Action=AssumeRole&Version=2011-06-15&{expected}");
            assert_eq!(form(&profile(settings), UNIX_EPOCH), expected);
        }
    }

    #[test]
    fn answers_and_refusals_are_read() {
        let xml = "<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s/+=\
                   </SecretAccessKey><SessionToken>t</SessionToken></Credentials></R>";
        let found = answered(xml).unwrap();
        assert_eq!(
            (found.access_key.as_str(), found.secret_key.as_str()),
            ("A", "s/+=")
        );
        assert_eq!(answered("<AccessKeyId>A"), None);
        let refused = b"<E><Code>AccessDenied</Code><Message>a &lt; b</Message></E>";
        assert_eq!(
            refusal(403, refused),
            ("AccessDenied".to_owned(), "a < b".to_owned())
        );
        assert_eq!(refusal(500, b"down"), ("500".to_owned(), String::new()));
    }
}
