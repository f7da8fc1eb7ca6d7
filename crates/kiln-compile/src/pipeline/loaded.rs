//! Artifacts as verification runs them: in this process, or by the runner in a
//! process of its own, under an emulator if need be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::verification::Loaded;
use crate::array::Array;
use crate::dlr::{Client, DlrError, Runner, Tensor, TensorInfo};

/// Runs are timed for so long, or so often.
const TIMED_FOR: Duration = Duration::from_millis(300);
const MOST_RUNS: usize = 1000;
const FEWEST_RUNS: usize = 3;

/// An artifact in this process.
pub(super) struct Native {
    client: Client,
    inputs: Vec<TensorInfo>,
}

impl Native {
    pub(super) fn open(folder: &Path) -> Result<Self, DlrError> {
        let mut client = Client::open(folder)?;
        let inputs = client.inputs()?;
        Ok(Self { client, inputs })
    }
}

impl Loaded for Native {
    fn place(&self) -> String {
        "this machine".to_owned()
    }

    fn is_timed(&self) -> bool {
        true
    }

    fn run(&mut self, inputs: &[Array]) -> Result<Vec<Array>, String> {
        let given = tensors(&self.inputs, inputs)?;
        let outputs = self
            .client
            .predict(&given)
            .map_err(|error| error.to_string())?;
        arrays(outputs)
    }

    fn time(&mut self) -> Result<Vec<Duration>, String> {
        let mut times = Vec::new();
        let begun = Instant::now();
        while times.len() < FEWEST_RUNS || (begun.elapsed() < TIMED_FOR && times.len() < MOST_RUNS)
        {
            let run = Instant::now();
            self.client.run().map_err(|error| error.to_string())?;
            times.push(run.elapsed());
        }
        Ok(times)
    }
}

/// An artifact that the runner runs.
pub(super) struct Emulated {
    runner: Runner,
    folder: PathBuf,
    inputs: Vec<TensorInfo>,
}

impl Emulated {
    pub(super) fn new(runner: Runner, folder: &Path, inputs: Vec<TensorInfo>) -> Self {
        Self {
            runner,
            folder: folder.to_owned(),
            inputs,
        }
    }
}

impl Loaded for Emulated {
    fn place(&self) -> String {
        match &self.runner.emulator {
            Some(emulator) => emulator.program.file_name().map_or_else(
                || "an emulator".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            ),
            None => "this machine".to_owned(),
        }
    }

    fn is_timed(&self) -> bool {
        false
    }

    fn run(&mut self, inputs: &[Array]) -> Result<Vec<Array>, String> {
        let given = tensors(&self.inputs, inputs)?;
        let ran = self.runner.run(&self.folder, &given, 1);
        arrays(ran.map_err(|error| error.to_string())?.outputs)
    }

    fn time(&mut self) -> Result<Vec<Duration>, String> {
        Ok(Vec::new())
    }
}

/// Arrays as a client gives them: each under its input's name and type.
pub(crate) fn tensors(inputs: &[TensorInfo], arrays: &[Array]) -> Result<Vec<Tensor>, String> {
    if inputs.len() != arrays.len() {
        return Err(format!(
            "the model takes {} inputs, and {} are given",
            inputs.len(),
            arrays.len()
        ));
    }
    let tensor = |(info, array): (&TensorInfo, &Array)| {
        let element = info.kind.parse().map_err(|error| format!("{error}"))?;
        let shape = array.shape().iter().map(|size| *size as i64).collect();
        Ok(Tensor {
            info: TensorInfo {
                shape,
                ..info.clone()
            },
            bytes: array.cast(element).bytes().to_vec(),
        })
    };
    inputs.iter().zip(arrays).map(tensor).collect()
}

/// What a model gave, as arrays.
pub(crate) fn arrays(tensors: Vec<Tensor>) -> Result<Vec<Array>, String> {
    let array = |tensor: Tensor| {
        let element = tensor
            .info
            .kind
            .parse()
            .map_err(|error| format!("{error}"))?;
        let shape = tensor.info.shape.iter();
        let shape = shape
            .map(|size| usize::try_from(*size).map_err(|error| error.to_string()))
            .collect::<Result<_, _>>()?;
        Array::new(element, shape, tensor.bytes).map_err(|error| error.to_string())
    };
    tensors.into_iter().map(array).collect()
}
