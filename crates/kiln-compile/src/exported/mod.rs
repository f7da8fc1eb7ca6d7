//! Models that only their framework can read: a program in Python, in that
//! framework's environment, makes of them an ONNX model or a Core ML package, and
//! has the framework answer the inputs that the artifact will be tried with.
//!
//! What the program leaves behind may be anything, since the model decides what it
//! does: files are read with the care that an archive is read with.

mod answer;
mod error;
mod order;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::archive::ModelFiles;
use crate::array::Array;
use crate::input_config::InputConfig;
use crate::options::Options;
use crate::python::Script;

pub use error::ExportError;

/// What the exporters have in common.
const EXCHANGE: (&str, &str) = ("exchange.py", include_str!("../../exporters/exchange.py"));
const ONNX_CHECK: (&str, &str) = (
    "onnx_check.py",
    include_str!("../../exporters/onnx_check.py"),
);
const PYTORCH_MODELS: (&str, &str) = (
    "pytorch_models.py",
    include_str!("../../exporters/pytorch_models.py"),
);
const PYTORCH_RECORDER: (&str, &str) = (
    "pytorch_recorder.py",
    include_str!("../../exporters/pytorch_recorder.py"),
);
const TENSORFLOW_MODELS: (&str, &str) = (
    "tensorflow_models.py",
    include_str!("../../exporters/tensorflow_models.py"),
);
const PYTORCH: Script = Script {
    name: "pytorch_network.py",
    source: include_str!("../../exporters/pytorch_network.py"),
};
const TENSORFLOW: Script = Script {
    name: "tensorflow_network.py",
    source: include_str!("../../exporters/tensorflow_network.py"),
};
const CORE_ML: Script = Script {
    name: "coreml_package.py",
    source: include_str!("../../exporters/coreml_package.py"),
};

/// A model that is to be exported.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    /// The directory of the framework's environment.
    pub environment: &'a Path,
    /// The model.
    pub files: &'a ModelFiles,
    /// What the request says of its inputs.
    pub inputs: Option<&'a InputConfig>,
    /// The request's options.
    pub options: &'a Options,
    /// Inputs that came with the model, as `.npz` files.
    pub samples: &'a [PathBuf],
    /// The file of class labels, a label in each line, for Core ML.
    pub class_labels: Option<&'a Path>,
    /// A directory for whatever comes up.
    pub scratch: &'a Path,
}

/// What became of a model.
#[derive(Debug)]
pub struct Exported {
    /// The model in its new form: an ONNX file, or Core ML's file or package.
    pub model: PathBuf,
    /// The framework and its release, which gave the answers.
    pub reference: String,
    /// The model's inputs, with all that the model and the request say of them.
    pub inputs: InputConfig,
    /// Inputs, and the framework's answers to them.
    pub cases: Vec<Answered>,
    /// What the job's owner should know.
    pub remarks: Vec<String>,
}

/// Inputs, and the framework's answers to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// For each input of the model.
    pub inputs: Vec<Array>,
    /// For each output.
    pub outputs: Vec<Array>,
    /// Whether the inputs came with the model.
    pub is_sample: bool,
}

/// The environment whose framework reads these files, if one has to.
#[must_use]
pub fn environment_of(files: &ModelFiles) -> Option<&'static str> {
    match files {
        ModelFiles::TorchScript(_) | ModelFiles::ExportedProgram(_) => Some("exporter-pytorch"),
        ModelFiles::Keras(_) | ModelFiles::SavedModel(_) | ModelFiles::FrozenGraph(_) => {
            Some("exporter-tensorflow")
        }
        _ => None,
    }
}

/// The environment in which these files are converted to Core ML, if they can be. For
/// TensorFlow it is its own, and for PyTorch one with a release that Apple's converter knows.
#[must_use]
pub fn core_ml_environment_of(files: &ModelFiles) -> Option<&'static str> {
    match environment_of(files) {
        Some("exporter-pytorch") => Some("exporter-coreml"),
        environment => environment,
    }
}

/// Makes an ONNX model of what only its framework can read. The exporter's lines go
/// to `log`.
///
/// # Errors
/// When the framework cannot read it, or the request contradicts it, or it has
/// what ONNX cannot say.
pub fn run(export: &Export<'_>, log: &mut dyn FnMut(&str)) -> Result<Exported, ExportError> {
    let modules = [
        EXCHANGE,
        ONNX_CHECK,
        PYTORCH_MODELS,
        PYTORCH_RECORDER,
        TENSORFLOW_MODELS,
    ];
    let script = match export.files {
        ModelFiles::TorchScript(_) | ModelFiles::ExportedProgram(_) => PYTORCH,
        _ => TENSORFLOW,
    };
    let folder = exchanged(export, script, &modules, log)?;
    answer::read(&folder, export)
}

/// Makes a Core ML model, `model.mlmodel` or the directory `model.mlpackage`, of what
/// PyTorch, TensorFlow or Keras has saved. Nothing here can run it, so there are no answers.
///
/// # Errors
/// When it cannot be read, or the request contradicts it, or it has what Core ML
/// cannot say.
pub fn core_ml(export: &Export<'_>, log: &mut dyn FnMut(&str)) -> Result<Exported, ExportError> {
    let folder = exchanged(
        export,
        CORE_ML,
        &[EXCHANGE, PYTORCH_MODELS, TENSORFLOW_MODELS],
        log,
    )?;
    answer::read(&folder, export)
}

/// Runs an exporter in a folder of its own, in which it leaves its answer.
fn exchanged(
    export: &Export<'_>,
    script: Script,
    modules: &[(&str, &str)],
    log: &mut dyn FnMut(&str),
) -> Result<PathBuf, ExportError> {
    let folder = export.scratch.join("export");
    std::fs::create_dir(&folder).map_err(ExportError::io("making the exporter's folder"))?;
    for (name, source) in modules {
        std::fs::write(folder.join(name), source)
            .map_err(ExportError::io("writing the exporter"))?;
    }
    order::write(export, &folder)?;
    script.run(export.environment, &[], &folder, log)?;
    Ok(folder)
}
