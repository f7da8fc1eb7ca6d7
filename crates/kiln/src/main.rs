//! The kiln binary: commands, configuration, composition.

mod client;
mod commands;
mod configuration;
mod connection;
mod data_dir;
mod external_s3;
mod machine;
mod memory;
mod server;
mod terminal;
mod transfer;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Some(code) = commands::sagemaker::run_at_once() {
        return code;
    }
    commands::completions::answer_the_shell();
    commands::Kiln::parse().run()
}
