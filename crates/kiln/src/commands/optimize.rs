//! `kiln optimize`: what runs in the container of a step of an optimization.

use std::path::Path;
use std::process::ExitCode;

use kiln_optimize::Task;

use super::Failure;
use crate::terminal::say;

/// The name of the reason for a failure, beside the output directory.
const FAILURE: &str = "failure";

/// Does the task in a file, and leaves the optimized model where the task says, or the
/// reason for a failure beside that.
pub fn main(task: &Path) -> ExitCode {
    match attempt(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever reads the log sees it too; without an output there is nobody to tell.
            let _ = say(format!("Kiln: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn attempt(path: &Path) -> Result<(), Failure> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let task: Task = serde_json::from_slice(&std::fs::read(path).map_err(named)?)?;
    let optimized = kiln_optimize::run(&task, &mut |line| {
        // A log that nobody reads is no reason to fail.
        let _ = say(line);
    });
    if let Err(error) = &optimized {
        std::fs::write(task.output.with_file_name(FAILURE), error.to_string())?;
    }
    Ok(optimized?)
}
