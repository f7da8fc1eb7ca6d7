//! `kiln compile`: what runs in the container of a compilation.

use std::path::Path;
use std::process::ExitCode;

use kiln_agent::compilation::{ARTIFACT, COMPILED, Findings, Task};
use kiln_agent::failure::FAILURE_FILE;
use kiln_compile::pipeline::{CompileError, Tools, Workshop, run};

use super::{Failure, contained};

/// What shells answer with for a command that was killed. The runtime, which knows whether
/// memory was short, then tells that in place of the reason that is left.
const KILLED: u8 = 137;

/// Bytes of the longest `DataInputConfig` in the service model.
const LONGEST_CONFIG: usize = 16_384;

/// Does the task in a file, and leaves the artifact or the reason for a failure where
/// the task says.
pub fn main(task: &Path) -> ExitCode {
    let failure = |task: &Task| task.output.join(FAILURE_FILE);
    match contained::run(task, failure, compile) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<CompileError>() {
            Some(error) if error.is_of_a_kill() => ExitCode::from(KILLED),
            _ => ExitCode::FAILURE,
        },
    }
}

fn compile(task: &Task) -> Result<(), Failure> {
    let tools = Tools {
        environments: task.environments.clone(),
        parts: task.parts.clone(),
    };
    let workshop = Workshop {
        order: &task.order,
        archive: &task.archive,
        scratch: &task.scratch,
        artifact: &task.output.join(ARTIFACT),
        tools: &tools,
    };
    let compiled = run(&workshop, &mut contained::log)?;
    let findings = Findings {
        // The API holds no longer ones.
        derived_data_input_config: compiled
            .derived_data_input_config
            .filter(|config| config.len() <= LONGEST_CONFIG),
    };
    let findings = serde_json::to_vec(&findings)?;
    Ok(std::fs::write(task.output.join(COMPILED), findings)?)
}
