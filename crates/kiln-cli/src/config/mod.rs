//! Where and as whom to call: options, the environment, and the files in `~/.aws`.

mod connection;
mod container;
mod credentials;
mod endpoint;
mod process;
mod profiles;
mod role;
mod settings;

pub(crate) use connection::{Connection, RetryMode};
pub(crate) use credentials::Credentials;
pub(crate) use settings::{Settings, auto_prompt, output_alone};

/// A variable of the environment; one that is empty counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
