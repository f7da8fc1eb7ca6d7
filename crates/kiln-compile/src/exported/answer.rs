//! What an exporter leaves behind: a model with `export.json` and arrays, or
//! `failure.json`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Answered, Export, ExportError, Exported};
use crate::archive::ModelFiles;
use crate::array::{Array, read_npz};
use crate::framework::Framework;
use crate::input_config::{Dimension, Dtype, Input, InputConfig};

/// What a file of words may hold.
const LONGEST: u64 = 1 << 20;
/// What a file of arrays may hold.
const LARGEST: u64 = 1 << 30;
/// More sets of inputs than a model comes with.
const MOST_CASES: usize = 1000;
/// What the job's owner is told of a model at most.
const LONGEST_MESSAGE: usize = 900;

#[derive(Deserialize)]
struct Answer {
    model: String,
    reference: String,
    inputs: Vec<Port>,
    /// For each set of inputs, whether it came with the model.
    cases: Vec<bool>,
    remarks: Vec<String>,
}

#[derive(Deserialize)]
struct Failure {
    message: Option<String>,
    /// The model's inputs, where the request contradicts them.
    inputs: Option<Vec<Port>>,
}

#[derive(Deserialize)]
struct Port {
    name: String,
    shape: Vec<Size>,
    dtype: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    Fixed(u64),
    Range(u64, Option<u64>),
    Open(()),
}

/// Reads what was left in the exporter's folder.
pub(super) fn read(folder: &Path, export: &Export<'_>) -> Result<Exported, ExportError> {
    if folder.join("failure.json").exists() {
        let failure = serde_json::from_slice(&bytes(folder, "failure.json", LONGEST)?)?;
        return Err(refused(failure, export));
    }
    let answer: Answer = serde_json::from_slice(&bytes(folder, "export.json", LONGEST)?)?;
    if answer.cases.len() > MOST_CASES {
        return Err(ExportError::Answer("it has too many cases".to_owned()));
    }
    let case = |(number, is_sample): (usize, &bool)| {
        Ok(Answered {
            inputs: arrays(folder, &format!("inputs-{number}.npz"))?,
            outputs: arrays(folder, &format!("outputs-{number}.npz"))?,
            is_sample: *is_sample,
        })
    };
    let cases = answer.cases.iter().enumerate().map(case);
    Ok(Exported {
        model: within(folder, &answer.model)?,
        cases: cases.collect::<Result<_, ExportError>>()?,
        inputs: config(answer.inputs),
        reference: answer.reference,
        remarks: answer.remarks,
    })
}

/// The file of that name right in the folder.
fn within(folder: &Path, name: &str) -> Result<PathBuf, ExportError> {
    let path = folder.join(name);
    let is_plain = Path::new(name).file_name() == Some(OsStr::new(name));
    let is_there = path
        .symlink_metadata()
        .is_ok_and(|file| file.is_file() || file.is_dir());
    match is_plain && is_there {
        true => Ok(path),
        false => Err(ExportError::Answer(format!("there is no {name:?}"))),
    }
}

fn bytes(folder: &Path, name: &str, most: u64) -> Result<Vec<u8>, ExportError> {
    let what = "reading what the exporter has written";
    let file = File::open(within(folder, name)?).map_err(ExportError::io(what))?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(ExportError::io(what))?;
    match bytes.len() as u64 > most {
        true => Err(ExportError::Answer(format!("{name} is too large"))),
        false => Ok(bytes),
    }
}

/// The arrays of a file, which are numbered from 0.
fn arrays(folder: &Path, name: &str) -> Result<Vec<Array>, ExportError> {
    let mut numbered = read_npz(&bytes(folder, name, LARGEST)?)?
        .into_iter()
        .map(|(number, array)| Some((number.parse::<usize>().ok()?, array)))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| ExportError::Answer(format!("an array of {name} has no number")))?;
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, array)| array).collect())
}

fn config(ports: Vec<Port>) -> InputConfig {
    let input = |port: Port| Input {
        dtype: Dtype::parse(&port.dtype),
        ..Input::new(Some(port.name), port.shape.iter().map(dimension).collect())
    };
    InputConfig {
        inputs: ports.into_iter().map(input).collect(),
    }
}

fn dimension(size: &Size) -> Dimension {
    match *size {
        Size::Fixed(size) => Dimension::Fixed(size),
        Size::Range(least, most) => Dimension::Range { least, most },
        Size::Open(()) => Dimension::Open,
    }
}

/// Why there is no model. That a request contradicts the inputs is told as for all
/// frameworks.
fn refused(failure: Failure, export: &Export<'_>) -> ExportError {
    let framework = match export.files {
        ModelFiles::Keras(_) => Framework::Keras,
        ModelFiles::TorchScript(_) | ModelFiles::ExportedProgram(_) => Framework::Pytorch,
        _ => Framework::Tensorflow,
    };
    let misfit = failure
        .inputs
        .zip(export.inputs)
        .and_then(|(ports, given)| given.fit(&config(ports), framework).err());
    if let Some(error) = misfit {
        return error.into();
    }
    let message = failure.message.unwrap_or_else(|| {
        format!(
            "Kiln cannot convert the {framework} model. Its inputs are not as DataInputConfig says."
        )
    });
    ExportError::Refused(message.chars().take(LONGEST_MESSAGE).collect())
}
