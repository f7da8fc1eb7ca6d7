//! All that was decided before the first call.

use super::profiles::Profile;
use super::role::Roles;
use super::{Connection, Credentials, credentials, endpoint, variable};
use crate::answer::Timestamps;
use crate::failure::Failure;
use crate::globals::{AutoPrompt, Globals, Output};
use crate::timestamp;

/// Where and as whom to call.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    /// None where requests are not signed, or no keys were found.
    pub(crate) credentials: Option<Credentials>,
    /// Whether requests are to be signed.
    pub(crate) signs: bool,
    pub(crate) connection: Connection,
    pub(crate) timestamps: Timestamps,
    pub(crate) output: Output,
}

impl Settings {
    /// Gathers the settings of an invocation.
    pub(crate) fn gather(globals: &Globals) -> Result<Self, Failure> {
        let profile = Profile::load(globals.profile.as_deref())?;
        let region = globals
            .region
            .clone()
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(|| profile.setting("region").map(str::to_owned));
        let region = region.ok_or_else(no_region)?;
        endpoint::check_region(&region)?;
        let connection = Connection::gather(globals, &profile)?;
        let credentials = if globals.sign {
            let roles = Roles {
                profile: &profile,
                region: &region,
                connection: &connection,
            };
            credentials::find(&profile, globals.profile.is_some(), &roles)?
        } else {
            None
        };
        let option = globals.endpoint_url.as_deref();
        Ok(Self {
            endpoint: endpoint::endpoint(&endpoint::SAGEMAKER, option, &profile, &region),
            region,
            credentials,
            signs: globals.sign,
            connection,
            timestamps: timestamps(&profile)?,
            output: output(globals, &profile)?,
        })
    }
}

/// The form of the output, which is known without a region and keys.
pub(crate) fn output_alone(globals: &Globals) -> Result<Output, Failure> {
    output(globals, &Profile::load(globals.profile.as_deref())?)
}

/// Whether missing parameters are asked for.
pub(crate) fn auto_prompt(globals: &Globals) -> Result<bool, Failure> {
    let configured = || -> Result<Option<String>, Failure> {
        if let Some(value) = variable("AWS_CLI_AUTO_PROMPT") {
            return Ok(Some(value));
        }
        let profile = Profile::load(globals.profile.as_deref())?;
        Ok(profile.setting("cli_auto_prompt").map(str::to_owned))
    };
    match globals.auto_prompt {
        AutoPrompt::On => Ok(true),
        AutoPrompt::Off => Ok(false),
        AutoPrompt::Unsaid => Ok(matches!(
            configured()?.as_deref(),
            Some("on" | "on-partial")
        )),
    }
}

fn output(globals: &Globals, profile: &Profile) -> Result<Output, Failure> {
    if let Some(output) = globals.output {
        return Ok(output);
    }
    let named =
        variable("AWS_DEFAULT_OUTPUT").or_else(|| profile.setting("output").map(str::to_owned));
    let Some(name) = named else {
        return Ok(Output::Json);
    };
    Output::named(&name).ok_or_else(|| Failure::General(format!("Unknown output type: {name}")))
}

fn timestamps(profile: &Profile) -> Result<Timestamps, Failure> {
    let name = profile.setting("cli_timestamp_format");
    match timestamp::checked_form(name) {
        Ok(true) => Ok(Timestamps::Iso8601),
        Ok(false) => Ok(Timestamps::Wire),
        Err(reason) => Err(Failure::General(reason)),
    }
}

fn no_region() -> Failure {
    Failure::Configuration(
        "You must specify a region. You can also configure your region by running \"aws configure\"."
            .to_owned(),
    )
}
