//! The project's own chores: `cargo xtask models`, `cargo xtask test`, `cargo xtask bench`.

mod bench;
mod models;
mod test;

use std::process::ExitCode;

use clap::Parser;

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Measure Kiln against its targets and its peers
    Bench(bench::Options),
    /// Refresh the service model and the Rust that is generated from it
    Models(models::Options),
    /// Set up what the tests need and run all of them
    Test(test::Options),
}

fn main() -> ExitCode {
    let outcome = match Chore::parse() {
        Chore::Bench(options) => bench::run(&options),
        Chore::Models(options) => models::run(&options).map_err(|error| error.to_string()),
        Chore::Test(options) => test::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
