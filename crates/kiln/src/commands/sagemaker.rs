//! `kiln sagemaker`: the AWS CLI's `aws sagemaker`.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

const NAME: &str = "sagemaker";

/// All that follows, which is read as the AWS CLI reads it.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct SageMaker {
    /// An operation and its options, as of `aws sagemaker`.
    #[arg(
        value_name = "OPERATION",
        allow_hyphen_values = true,
        trailing_var_arg = true
    )]
    arguments: Vec<OsString>,
}

impl SageMaker {
    /// Runs the invocation.
    pub fn run(self) -> ExitCode {
        ExitCode::from(kiln_cli::run(self.arguments))
    }
}

/// Runs the invocation if it is one, before anything of the other commands is
/// built: this one starts in milliseconds. None if it is for another command.
pub fn run_at_once() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != NAME {
        return None;
    }
    Some(ExitCode::from(kiln_cli::run(arguments)))
}
