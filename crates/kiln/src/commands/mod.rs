//! The commands, one module each.

mod agent;
mod artifact;
mod bench;
mod compile;
pub mod completions;
mod contained;
mod cp;
mod describe;
mod env;
mod exit;
mod images;
mod interrupt;
mod jobs;
mod kind;
mod logs;
mod optimize;
mod predict;
mod quickstart;
pub mod sagemaker;
mod serve;
mod stop;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

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
    /// Train: upload the script and its data, begin a job, and follow it to its end.
    Train(train::Train),
    /// List the newest jobs.
    Jobs(jobs::Jobs),
    /// Show all about a job.
    Describe(describe::Describe),
    /// Print the log of a job.
    Logs(logs::Logs),
    /// Stop a job.
    Stop(stop::Stop),
    /// Copy files to an S3, or objects to this machine.
    Cp(cp::Cp),
    /// Run a compiled artifact on this machine.
    Predict(predict::Predict),
    /// Measure how fast a compiled artifact runs on this machine.
    Bench(bench::Bench),
    /// Print the hook that makes a shell complete commands, options and jobs.
    Completions(completions::Completions),
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
    /// Call an operation as `aws sagemaker` does, against Kiln or the cloud.
    #[command(name = "sagemaker")]
    SageMaker(sagemaker::SageMaker),
    /// Live one instance of a job. The server starts this.
    #[command(hide = true)]
    Agent {
        /// The instance's directory.
        directory: PathBuf,
    },
    /// Compile a model. An agent starts this, in a container.
    #[command(hide = true)]
    Compile {
        /// What is to be compiled, and with what.
        task: PathBuf,
    },
    /// Optimize a model. An agent starts this, in a container.
    #[command(hide = true)]
    Optimize {
        /// What is to be done with which model.
        task: PathBuf,
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
            Command::Train(train) => train.run(),
            Command::Jobs(jobs) => jobs.run(),
            Command::Describe(describe) => describe.run(),
            Command::Logs(logs) => logs.run(),
            Command::Stop(stop) => stop.run(),
            Command::Cp(cp) => cp.run(),
            Command::Predict(predict) => predict.run(),
            Command::Bench(bench) => bench.run(),
            Command::Completions(completions) => completions.run(),
            Command::Serve(serve) => serve.run(),
            Command::Env(directory) => env::run(&directory.data_dir),
            Command::Images(images) => images.run(),
            Command::Quickstart(quickstart) => quickstart.run(),
            Command::Interrupt(interrupt) => interrupt.run(),
            Command::SageMaker(sagemaker) => return sagemaker.run(),
            Command::Agent { directory } => agent::run(&directory),
            Command::Compile { task } => return compile::main(&task),
            Command::Optimize { task } => return optimize::main(&task),
            Command::Shim { spec } => return kiln_agent::runtime::embedded::shim::main(&spec),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => exit::explain(&error),
        }
    }
}

/// This moment as the API writes it, in seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
