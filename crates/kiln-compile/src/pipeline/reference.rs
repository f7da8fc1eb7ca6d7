//! What a network should answer: ONNX Runtime's own answers, from a process of
//! its own.

use std::path::Path;

use super::error::CompileError;
use crate::array::{Array, read_npy, write_npy};
use crate::python::{PythonError, Script};

const SCRIPT: Script = Script {
    name: "onnx_reference.py",
    source: include_str!("../../exporters/onnx_reference.py"),
};

/// The answers to several sets of inputs, and who gave them.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) reference: String,
    pub(super) outputs: Vec<Vec<Array>>,
}

/// Has ONNX Runtime answer. Each set has an array for each input of the model, and
/// gets one for each of its outputs.
pub(super) fn answers(
    environment: &Path,
    model: &Path,
    sets: &[Vec<Array>],
    scratch: &Path,
) -> Result<Answers, CompileError> {
    let room = scratch.join("reference");
    std::fs::create_dir_all(&room).map_err(CompileError::io("making room for the reference"))?;
    let cases: Vec<_> = (0..sets.len())
        .map(|set| room.join(set.to_string()))
        .collect();
    for (case, inputs) in cases.iter().zip(sets) {
        write_inputs(case, inputs).map_err(CompileError::io("writing inputs"))?;
    }
    let mut arguments = vec![model];
    arguments.extend(cases.iter().map(std::path::PathBuf::as_path));
    let mut reference = String::new();
    let ran = SCRIPT.run(environment, &arguments, &room, &mut |line| {
        line.clone_into(&mut reference);
    });
    ran.map_err(|error| match error {
        PythonError::Failed { lines, .. } => refused(lines.last()),
        error => error.into(),
    })?;
    let outputs = cases.iter().map(|case| read_outputs(case));
    Ok(Answers {
        reference,
        outputs: outputs.collect::<Result<_, _>>()?,
    })
}

/// That the runtime does not run the model is the model's fault.
fn refused(said: Option<&String>) -> CompileError {
    let said = said.map_or("it does not say why", String::as_str);
    CompileError::Input(format!("ONNX Runtime cannot run the model: {said}"))
}

fn write_inputs(case: &Path, inputs: &[Array]) -> std::io::Result<()> {
    std::fs::create_dir_all(case)?;
    for (index, input) in inputs.iter().enumerate() {
        std::fs::write(case.join(format!("input-{index}.npy")), write_npy(input))?;
    }
    Ok(())
}

fn read_outputs(case: &Path) -> Result<Vec<Array>, CompileError> {
    let mut outputs = Vec::new();
    loop {
        let path = case.join(format!("output-{}.npy", outputs.len()));
        if !path.exists() {
            return Ok(outputs);
        }
        let bytes = std::fs::read(&path).map_err(CompileError::io("reading the answers"))?;
        let answer = read_npy(&bytes);
        outputs.push(answer.map_err(|error| {
            CompileError::Tool(format!("the reference's answer cannot be read: {error}"))
        })?);
    }
}
