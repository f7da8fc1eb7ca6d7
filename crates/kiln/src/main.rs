//! The kiln binary: commands, configuration, composition.

mod client;
mod commands;
mod configuration;
mod data_dir;
mod external_s3;
mod machine;
mod memory;
mod server;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::Kiln::parse().run()
}
