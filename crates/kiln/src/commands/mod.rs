//! The commands, one module each.

mod agent;
mod env;
mod images;
mod interrupt;
mod quickstart;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::data_dir;

/// The Amazon SageMaker job API, served from your own machines.
#[derive(Debug, Parser)]
#[command(name = "kiln", version)]
pub struct Kiln {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until interrupted. Running jobs outlive the server.
    Serve(serve::Serve),
    /// Print the exports that point any AWS client at the server.
    Env(DataDir),
    /// Manage the images that jobs can name besides AWS's framework images.
    Images(images::Images),
    /// Run a real training job from start to finish on this machine.
    Quickstart(quickstart::Quickstart),
    /// Take the machines of a training job on spot capacity away, as the cloud may
    /// at any time. The job goes on from its checkpoint when there is room.
    Interrupt(interrupt::Interrupt),
    /// Live one instance of a job. The server starts this.
    #[command(hide = true)]
    Agent {
        /// The instance's directory.
        directory: PathBuf,
    },
    /// Start one container. An agent starts this.
    #[command(hide = true)]
    Shim {
        /// The shim's specification.
        spec: PathBuf,
    },
}

/// The choice of a data directory.
#[derive(Debug, Clone, Args)]
pub struct DataDir {
    /// Where jobs, logs, objects and keys are kept.
    #[arg(long, value_name = "DIR", env = "KILN_DATA_DIR", default_value_os_t = data_dir::default())]
    data_dir: PathBuf,
}

/// Why a command failed, for a person to read.
pub type Failure = Box<dyn std::error::Error>;

impl Kiln {
    /// Runs the command, and says on standard error why it failed.
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Serve(serve) => serve.run(),
            Command::Env(directory) => env::run(&directory.data_dir),
            Command::Images(images) => images.run(),
            Command::Quickstart(quickstart) => quickstart.run(),
            Command::Interrupt(interrupt) => interrupt.run(),
            Command::Agent { directory } => agent::run(&directory),
            Command::Shim { spec } => return kiln_agent::runtime::embedded::shim::main(&spec),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("kiln: {error}");
                ExitCode::FAILURE
            }
        }
    }
}
