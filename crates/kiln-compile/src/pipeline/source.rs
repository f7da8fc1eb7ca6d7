//! A network as its framework's files have it, and whose answers its artifact must
//! give.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kiln_graph::model::Model;
use kiln_graph::{darknet, mxnet, onnx, tflite};

use super::comparison::Tolerance;
use super::course::Course;
use super::error::CompileError;
use super::verification::{Case, Yardstick};
use super::workshop::Workshop;
use crate::archive::{ModelFiles, Unpacked, samples};
use crate::exported::{self, Answered, Export};
use crate::front::Checked;
use crate::input_config::InputConfig;

/// A network, and its reference.
pub(super) struct Source {
    pub(super) model: Model,
    pub(super) reference: Reference,
    pub(super) tolerance: Tolerance,
}

/// Whose answers an artifact must give.
pub(super) enum Reference {
    /// ONNX Runtime's.
    Runtime {
        /// What it runs.
        file: PathBuf,
        /// What that is, behind the runtime's name: nothing for the model itself.
        of: &'static str,
    },
    /// The framework's own, which it has given already.
    Framework {
        yardstick: Yardstick,
        cases: Vec<Case>,
    },
}

/// Reads the network.
pub(super) fn read(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    files: &ModelFiles,
    (order, unpacked): (&Checked, &Unpacked),
) -> Result<Source, CompileError> {
    let inputs = order.inputs.as_ref();
    let source = match files {
        ModelFiles::Onnx(path) => {
            let model = onnx::open(path).map_err(|error| broken(path, &error))?;
            Source {
                tolerance: Tolerance::of(&model),
                reference: Reference::Runtime {
                    file: path.clone(),
                    of: "",
                },
                model,
            }
        }
        ModelFiles::Tflite(path) => {
            let read = tflite::read(bytes(path)?.into()).map_err(|error| broken(path, &error))?;
            translated(workshop, read)?
        }
        ModelFiles::Darknet {
            configuration,
            weights,
        } => {
            let (text, weights) = (bytes(configuration)?, bytes(weights)?);
            let input = inputs.and_then(images);
            let read = darknet::read(&text, weights.into(), input.as_deref());
            translated(
                workshop,
                read.map_err(|error| broken(configuration, &error))?,
            )?
        }
        ModelFiles::Mxnet { symbol, parameters } => {
            let (text, weights) = (bytes(symbol)?, bytes(parameters)?);
            let sizes = inputs.map(by_name).unwrap_or_default();
            let read = mxnet::read(&text, weights.into(), &sizes);
            translated(workshop, read.map_err(|error| broken(symbol, &error))?)?
        }
        _ => framework(course, workshop, files, (order, unpacked))?,
    };
    let graph = &source.model.graph;
    course.say(&format!(
        "Kiln: {} operators, {} inputs, {} outputs",
        graph.nodes.len(),
        graph.inputs.len(),
        graph.outputs.len()
    ));
    Ok(source)
}

/// A network that only its framework reads, and whose answers that has given.
fn framework(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    files: &ModelFiles,
    (order, unpacked): (&Checked, &Unpacked),
) -> Result<Source, CompileError> {
    let environment = exported::environment_of(files).unwrap_or_default();
    let export = Export {
        environment: workshop.tools.environment(environment)?,
        files,
        inputs: order.inputs.as_ref(),
        options: &order.options,
        samples: &samples(unpacked),
        class_labels: None,
        scratch: workshop.scratch,
    };
    let exported = exported::run(&export, &mut |line| course.say(line))?;
    for remark in exported.remarks {
        course.remark(remark);
    }
    let case = |answered: Answered| Case {
        inputs: answered.inputs,
        expected: answered.outputs,
        is_sample: answered.is_sample,
    };
    let model = onnx::open(&exported.model).map_err(|error| broken(&exported.model, &error))?;
    let mut cases: Vec<Case> = exported.cases.into_iter().map(case).collect();
    // The last run is the one that is timed: of those that were made up, the smallest.
    cases.sort_by_key(|case| (case.is_sample, Reverse(size(case))));
    let tolerance = Tolerance::of(&model);
    Ok(Source {
        model,
        reference: Reference::Framework {
            yardstick: Yardstick {
                reference: exported.reference,
                tolerance,
            },
            cases,
        },
        tolerance,
    })
}

/// The bytes of a case's inputs.
fn size(case: &Case) -> usize {
    case.inputs.iter().map(|input| input.bytes().len()).sum()
}

/// The sizes of a network's only input, if they are given.
fn images(inputs: &InputConfig) -> Option<Vec<usize>> {
    let [input] = inputs.inputs.as_slice() else {
        return None;
    };
    let sizes = input.shape.fixed()?.into_iter();
    sizes.map(|size| usize::try_from(size).ok()).collect()
}

/// The sizes of the inputs that have a name and known sizes.
fn by_name(inputs: &InputConfig) -> BTreeMap<String, Vec<usize>> {
    let sizes = inputs.inputs.iter().filter_map(|input| {
        let sizes = input.shape.fixed()?.into_iter();
        let sizes = sizes.map(|size| usize::try_from(size).ok());
        Some((input.name.clone()?, sizes.collect::<Option<_>>()?))
    });
    sizes.collect()
}

/// A network that was read from another form; ONNX Runtime answers for what was read.
fn translated(workshop: &Workshop<'_>, model: Model) -> Result<Source, CompileError> {
    let path = workshop.scratch.join("translated.onnx");
    std::fs::write(&path, onnx::write(&model))
        .map_err(CompileError::io("writing the model for the reference"))?;
    Ok(Source {
        reference: Reference::Runtime {
            file: path,
            of: " on Kiln's translation to ONNX",
        },
        tolerance: Tolerance::of(&model),
        model,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, CompileError> {
    std::fs::read(path).map_err(CompileError::io(format!("reading {}", name(path))))
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> CompileError {
    let name = name(path);
    CompileError::Input(format!("Framework cannot load the model {name}: {error}"))
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
