//! Reads a framework's trees, with its Python where only that can read them.

use std::path::Path;

use super::course::Course;
use super::error::CompileError;
use super::verification::Case;
use super::workshop::Workshop;
use crate::archive::ModelFiles;
use crate::array::read_npz;
use crate::python::{PythonError, Script};
use crate::trees::{
    Ensemble, SKLEARN_EXPORTER, TreesError, XGBOOST_EXPORTER, read_lightgbm, read_sklearn,
    read_xgboost,
};

/// What reads a pickled file: a program, the environment that it runs in, the file
/// that it leaves, and who answers for it.
struct Exporter {
    script: Script,
    environment: &'static str,
    product: &'static str,
    framework: &'static str,
    read: fn(&[u8]) -> Result<Ensemble, TreesError>,
}

const SKLEARN: Exporter = Exporter {
    script: Script {
        name: "sklearn_trees.py",
        source: SKLEARN_EXPORTER,
    },
    environment: "exporter-sklearn",
    product: "ensemble.trees",
    framework: "scikit-learn",
    read: read_sklearn,
};

const XGBOOST: Exporter = Exporter {
    script: Script {
        name: "xgboost_booster.py",
        source: XGBOOST_EXPORTER,
    },
    environment: "xgboost-3.0",
    product: "model.ubj",
    framework: "XGBoost",
    read: read_xgboost,
};

/// An ensemble, and answers of its framework if it was asked for some.
pub(super) struct Forest {
    pub(super) ensemble: Ensemble,
    pub(super) answers: Option<Answers>,
}

/// What a framework itself answers.
pub(super) struct Answers {
    pub(super) framework: &'static str,
    pub(super) case: Case,
}

/// Whether the files are a tree ensemble's.
pub(super) fn is_one(files: &ModelFiles) -> bool {
    matches!(
        files,
        ModelFiles::Xgboost(_)
            | ModelFiles::XgboostPickle(_)
            | ModelFiles::Lightgbm(_)
            | ModelFiles::Sklearn(_)
    )
}

/// Reads the ensemble.
pub(super) fn read(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    files: &ModelFiles,
) -> Result<Forest, CompileError> {
    let forest = match files {
        ModelFiles::Xgboost(path) => plain(path, read_xgboost),
        ModelFiles::Lightgbm(path) => plain(path, read_lightgbm),
        ModelFiles::XgboostPickle(path) => exported(course, workshop, path, &XGBOOST),
        ModelFiles::Sklearn(path) => exported(course, workshop, path, &SKLEARN),
        other => unreachable!("no tree ensemble's files: {other:?}"),
    }?;
    let parts = forest.ensemble.parts();
    course.say(&format!(
        "Kiln: {} trees over {} features, {} outputs",
        parts.trees.len(),
        parts.features,
        forest.ensemble.outputs()
    ));
    Ok(forest)
}

fn plain(
    path: &Path,
    read: fn(&[u8]) -> Result<Ensemble, TreesError>,
) -> Result<Forest, CompileError> {
    let name = name(path);
    let bytes = std::fs::read(path).map_err(CompileError::io(format!("reading {name}")))?;
    let ensemble = read(&bytes).map_err(|error| refused(&name, &error))?;
    Ok(Forest {
        ensemble,
        answers: None,
    })
}

/// Has the framework's own Python read what may make it do anything.
fn exported(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    path: &Path,
    exporter: &Exporter,
) -> Result<Forest, CompileError> {
    let environment = workshop.tools.environment(exporter.environment)?;
    let room = workshop.scratch.join("exported");
    std::fs::create_dir(&room).map_err(CompileError::io("making room for the export"))?;
    let mut log = |line: &str| course.say(line);
    let ran = exporter
        .script
        .run(environment, &[path, &room], &room, &mut log);
    ran.map_err(|error| match error {
        PythonError::Failed { lines, .. } => {
            let last = lines.last().cloned().unwrap_or_default();
            refused(&name(path), &last)
        }
        error => error.into(),
    })?;
    let forest = plain(&room.join(exporter.product), exporter.read)?;
    Ok(Forest {
        answers: Some(Answers {
            framework: exporter.framework,
            case: Case {
                inputs: arrays(&room.join("inputs.npz"))?,
                expected: arrays(&room.join("outputs.npz"))?,
                is_sample: false,
            },
        }),
        ..forest
    })
}

fn arrays(path: &Path) -> Result<Vec<crate::array::Array>, CompileError> {
    let bytes = std::fs::read(path).map_err(CompileError::io("reading the framework's answers"))?;
    let arrays = read_npz(&bytes).map_err(|error| CompileError::Tool(error.to_string()))?;
    Ok(arrays.into_iter().map(|(_, array)| array).collect())
}

fn refused(name: &str, error: &dyn std::fmt::Display) -> CompileError {
    CompileError::Input(format!("Framework cannot load the model {name}: {error}"))
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
