//! The project's own chores: `cargo xtask models`.

mod models;

use std::process::ExitCode;

use clap::Parser;

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Refresh the service model and the Rust that is generated from it
    Models(models::Options),
}

fn main() -> ExitCode {
    let outcome = match Chore::parse() {
        Chore::Models(options) => models::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
