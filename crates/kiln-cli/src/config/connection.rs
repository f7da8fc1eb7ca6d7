//! How calls are made, whatever is called.

use super::profiles::Profile;
use super::variable;
use crate::failure::Failure;
use crate::globals::{Globals, not_whole};
use crate::log::Log;

/// How calls that failed are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryMode {
    Legacy,
    Standard,
}

/// How calls are made.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) verify_ssl: bool,
    pub(crate) ca_bundle: Option<String>,
    /// In seconds; none for no limit.
    pub(crate) connect_timeout: Option<u64>,
    pub(crate) read_timeout: Option<u64>,
    pub(crate) retry_mode: RetryMode,
    /// How often a call is tried, at most.
    pub(crate) attempts: u32,
    pub(crate) log: Log,
}

impl Connection {
    /// Gathers what options, the environment and the profile say.
    pub(super) fn gather(globals: &Globals, profile: &Profile) -> Result<Self, Failure> {
        let setting = |name: &str| profile.setting(name).map(str::to_owned);
        let (retry_mode, attempts) = retries(profile)?;
        let ca_bundle = globals.ca_bundle.clone();
        Ok(Self {
            verify_ssl: globals.verify_ssl,
            ca_bundle: ca_bundle
                .or_else(|| variable("AWS_CA_BUNDLE"))
                .or_else(|| setting("ca_bundle"))
                .or_else(|| variable("REQUESTS_CA_BUNDLE")),
            connect_timeout: globals.connect_timeout,
            read_timeout: globals.read_timeout,
            retry_mode,
            attempts,
            log: Log::new(globals.debug),
        })
    }
}

fn retries(profile: &Profile) -> Result<(RetryMode, u32), Failure> {
    let configured = |name: &str, setting: &str| {
        variable(name).or_else(|| profile.setting(setting).map(str::to_owned))
    };
    let mode = match configured("AWS_RETRY_MODE", "retry_mode").as_deref() {
        Some("standard" | "adaptive") => RetryMode::Standard,
        None | Some("legacy") => RetryMode::Legacy,
        Some(other) => {
            return Err(Failure::General(format!(
                "Invalid value provided to \"mode\": \"{other}\" must be one of: ('legacy', \
                 'standard', 'adaptive')"
            )));
        }
    };
    let usual = match mode {
        RetryMode::Legacy => 5,
        RetryMode::Standard => 3,
    };
    let attempts = match configured("AWS_MAX_ATTEMPTS", "max_attempts") {
        Some(number) => attempts(number.parse().map_err(|_| not_whole(&number))?)?,
        None => usual,
    };
    Ok((mode, attempts))
}

/// A number of tries, which is at least one.
fn attempts(number: i64) -> Result<u32, Failure> {
    let attempts = u32::try_from(number).ok().filter(|attempts| *attempts > 0);
    attempts.ok_or_else(|| {
        Failure::General(format!(
            "Value provided to \"max_attempts\": {number} must be an integer greater than or \
             equal to 1."
        ))
    })
}
