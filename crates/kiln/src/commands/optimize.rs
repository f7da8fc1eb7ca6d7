//! `kiln optimize`: what runs in the container of a step of an optimization.

use std::path::Path;
use std::process::ExitCode;

use kiln_agent::failure::FAILURE_FILE;
use kiln_optimize::Task;

use super::contained;

/// Does the task in a file, and leaves the optimized model where the task says, or the
/// reason for a failure beside that.
pub fn main(task: &Path) -> ExitCode {
    let failure = |task: &Task| task.output.with_file_name(FAILURE_FILE);
    let work = |task: &Task| Ok(kiln_optimize::run(task, &mut contained::log)?);
    match contained::run(task, failure, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
