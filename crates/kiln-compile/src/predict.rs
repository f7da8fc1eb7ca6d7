//! A compiled artifact at work on this machine, opened as any client would.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::archive::{ArchiveError, Limits, unpack};
use crate::array::Array;
use crate::dlr::{Client, DlrError, LOADER, TensorInfo};
use crate::pipeline::{Latency, REPORT, Report, arrays, image_of, tensors};

/// An artifact that stands ready.
pub struct Artifact {
    client: Client,
    inputs: Vec<TensorInfo>,
    report: Option<Report>,
    /// What a packed artifact was unpacked into; it goes with the artifact.
    _room: Option<TempDir>,
}

/// Why an artifact cannot be opened or run.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The archive is none.
    #[error("{} cannot be unpacked: {source}", .path.display())]
    Unpack {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// A file cannot be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it could not be.
        source: std::io::Error,
    },
    /// It was built for other machines.
    #[error("{} was compiled for {built_for}, which this machine cannot run: {source}", .path.display())]
    Foreign {
        /// The artifact.
        path: PathBuf,
        /// The target, and what the code is for.
        built_for: String,
        /// What its loader said.
        source: Box<DlrError>,
    },
    /// There is nothing beside it that could open it here.
    #[error("{} has no libdlr.so, with which a compiled model is opened. {told}", .path.display())]
    NoLoader {
        /// The artifact.
        path: PathBuf,
        /// What it is, and what runs it.
        told: String,
    },
    /// Its loader refuses.
    #[error(transparent)]
    Loader(#[from] DlrError),
    /// The inputs are not what the model takes.
    #[error("{0}")]
    Inputs(String),
}

impl Artifact {
    /// Opens an artifact: a `model.tar.gz`, or the folder that was packed in one. Its
    /// code becomes part of this process.
    ///
    /// # Errors
    /// When it is none, or not for this machine.
    pub fn open(path: &Path) -> Result<Self, PredictError> {
        let (room, folder) = match path.is_dir() {
            true => (None, path.to_owned()),
            false => {
                let room = unpacked(path)?;
                let folder = room.path().to_owned();
                (Some(room), folder)
            }
        };
        let report = read_report(&folder);
        if !folder.join(LOADER).exists() {
            return Err(PredictError::NoLoader {
                path: path.to_owned(),
                told: without_loader(report.as_ref()),
            });
        }
        let mut client = Client::open(&folder).map_err(|source| match &report {
            Some(report) => PredictError::Foreign {
                path: path.to_owned(),
                built_for: report.built_for(),
                source: Box::new(source),
            },
            None => source.into(),
        })?;
        Ok(Self {
            inputs: client.inputs()?,
            client,
            report,
            _room: room,
        })
    }

    /// What it takes.
    #[must_use]
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    /// What is told of its compilation, if it is told.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The answers to one array for each input, by the outputs' names. An input that
    /// has its sizes in another form, such as a row where the model takes a batch of
    /// rows, gets the model's.
    ///
    /// # Errors
    /// When the inputs are not what the model takes, or it fails.
    pub fn predict(&mut self, inputs: Vec<Array>) -> Result<Vec<(String, Array)>, PredictError> {
        let fitted = self.inputs.iter().zip(inputs);
        let fitted = fitted.map(|(info, array)| fit(info, array));
        let fitted = fitted.collect::<Result<Vec<_>, _>>()?;
        let given = tensors(&self.inputs, &fitted).map_err(PredictError::Inputs)?;
        let outputs = self.client.predict(&given)?;
        let names: Vec<_> = outputs
            .iter()
            .map(|output| output.info.name.clone())
            .collect();
        let answers = arrays(outputs).map_err(PredictError::Inputs)?;
        Ok(names.into_iter().zip(answers).collect())
    }

    /// The times of runs on the inputs of the last prediction, for so long.
    ///
    /// # Errors
    /// When the model fails.
    pub fn time(&mut self, span: Duration) -> Result<Option<Latency>, PredictError> {
        let begun = Instant::now();
        let mut times = Vec::new();
        while times.is_empty() || begun.elapsed() < span {
            let run = Instant::now();
            self.client.run()?;
            times.push(run.elapsed());
        }
        Ok(Latency::of(&times))
    }
}

fn unpacked(path: &Path) -> Result<TempDir, PredictError> {
    let what = || format!("unpacking {}", path.display());
    let io = |source| PredictError::Io {
        what: what(),
        source,
    };
    let room = tempfile::tempdir().map_err(io)?;
    unpack(path, room.path(), &Limits::default()).map_err(|source| PredictError::Unpack {
        path: path.to_owned(),
        source,
    })?;
    Ok(room)
}

fn read_report(folder: &Path) -> Option<Report> {
    let text = std::fs::read(folder.join(REPORT)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// What an artifact is that has no loader for this machine, and what runs it.
fn without_loader(report: Option<&Report>) -> String {
    let Some(report) = report else {
        return "Nor does it say what it is: it is no artifact of a compilation by Kiln".to_owned();
    };
    let (target, engine) = (report.built_for(), &report.engine);
    let has = |ends: &[&str]| {
        let mut names = report.files.keys().flat_map(|name| name.split('/'));
        names.any(|name| ends.iter().any(|end| name.ends_with(end)))
    };
    if let Some(image) = image_of(report) {
        return format!(
            "It was compiled for {target} by the image {image}, and runs on that target only, \
             with the runtime of that compiler's maker"
        );
    }
    let runs = if has(&[".mlmodel", ".mlpackage"]) {
        "It runs with Core ML, on Apple's systems".to_owned()
    } else if has(&["dlr.dll"]) {
        "It runs on that target, where its dlr.dll opens it".to_owned()
    } else {
        "It runs on that target, with the runtime of what has compiled it".to_owned()
    };
    format!("It was compiled for {target} by {engine}. {runs}")
}

/// The array in the sizes that an input has: sizes of 1 may be left out or be too many,
/// and a single row is a batch of one.
fn fit(info: &TensorInfo, array: Array) -> Result<Array, PredictError> {
    let matches = |shape: &[usize]| {
        shape.len() == info.shape.len()
            && info
                .shape
                .iter()
                .zip(shape)
                .all(|(wanted, size)| *wanted < 0 || *wanted == *size as i64)
    };
    if matches(array.shape()) {
        return Ok(array);
    }
    let mut given = array.shape().iter().filter(|size| **size != 1);
    let shape: Vec<usize> = info
        .shape
        .iter()
        .map(|size| match size {
            1 => 1,
            -1 if info.shape.len() > array.shape().len() => 1,
            _ => given.next().copied().unwrap_or(1),
        })
        .collect();
    let found = array.shape().to_vec();
    let is_whole = given.next().is_none() && matches(&shape);
    let reshaped = is_whole.then(|| array.reshaped(shape).ok()).flatten();
    reshaped.ok_or_else(|| {
        PredictError::Inputs(format!(
            "the input {:?} has the sizes {:?}, and what is given has {found:?}",
            info.name, info.shape
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Element;

    #[test]
    fn an_artifact_that_cannot_be_opened_here_says_what_it_is_and_who_runs_it() {
        let report = |target: &str, engine: &str, file: &str| {
            serde_json::json!({
                "kiln": "1", "framework": "PYTORCH", "target": target, "platform": null,
                "engine": engine, "inputs": [], "outputs": [], "stages": [], "remarks": [],
                "verification": {"verdict": "built_not_run", "reason": ""}, "files": {file: 4},
            })
        };
        let cases = [
            (
                report("ml_inf1", "image neuron:1", "model.neff"),
                "It was compiled for ml_inf1 by the image neuron:1, and runs on that target only, \
                 with the runtime of that compiler's maker",
            ),
            (
                report("coreml", "coremltools 9.0", "model.mlpackage/Manifest.json"),
                "It was compiled for coreml by coremltools 9.0. It runs with Core ML, on Apple's \
                 systems",
            ),
            (
                report("x86_win64", "kiln trees", "dlr.dll"),
                "It was compiled for x86_win64 by kiln trees. It runs on that target, where its \
                 dlr.dll opens it",
            ),
            (
                report("LINUX_ARM64_MALI", "iree 3", "compiled.vmfb"),
                "It was compiled for LINUX_ARM64_MALI by iree 3. It runs on that target, with the \
                 runtime of what has compiled it",
            ),
        ];
        for (report, told) in cases {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(REPORT), report.to_string()).unwrap();
            let error = Artifact::open(folder.path()).err().unwrap().to_string();
            let path = folder.path().display();
            let expected =
                format!("{path} has no libdlr.so, with which a compiled model is opened. {told}");
            assert_eq!(error, expected);
        }
        let folder = tempfile::tempdir().unwrap();
        let error = Artifact::open(folder.path()).err().unwrap().to_string();
        assert!(
            error.ends_with("no artifact of a compilation by Kiln"),
            "{error}"
        );
    }

    #[test]
    fn what_is_given_takes_the_models_form_where_that_is_clear() {
        type Fit<'a> = (&'a [i64], &'a [usize], Option<&'a [usize]>);
        let cases: [Fit<'_>; 9] = [
            (&[1, 3, 4, 4], &[1, 4, 4, 3], None),
            (&[-1, 5], &[5, 2], None),
            (&[1, 3, 4, 4], &[3, 4, 4], Some(&[1, 3, 4, 4])),
            (&[-1, 4], &[3, 4], Some(&[3, 4])),
            (&[-1, 4], &[4], Some(&[1, 4])),
            (&[1, 2, 2], &[2, 2], Some(&[1, 2, 2])),
            (&[1, 4], &[2, 4], None),
            (&[-1, 4], &[3], None),
            (&[-1, -1], &[3], None),
        ];
        for (wanted, given, expected) in cases {
            let info = TensorInfo {
                name: "x".to_owned(),
                kind: "float32".to_owned(),
                shape: wanted.to_vec(),
            };
            let count: usize = given.iter().product();
            let array = Array::of(Element::Float32, given.to_vec(), vec![0.0; count]).unwrap();
            let fitted = fit(&info, array).ok().map(|array| array.shape().to_vec());
            assert_eq!(fitted.as_deref(), expected, "{given:?} for {wanted:?}");
        }
    }
}
