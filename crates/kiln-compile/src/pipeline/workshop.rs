//! What a compilation has at hand, all of it by path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::CompileError;
use crate::Order;

/// The environment with the toolchain and the compiler of neural networks.
const COMPILER: &str = "compiler";
/// The environment with the toolchain only.
const TREES_COMPILER: &str = "compiler-trees";

/// A job's files, and the tools for it.
#[derive(Debug)]
pub struct Workshop<'a> {
    /// What is to be made.
    pub order: &'a Order,
    /// The model's archive.
    pub archive: &'a Path,
    /// A directory for whatever comes up.
    pub scratch: &'a Path,
    /// The file to write the artifact to.
    pub artifact: &'a Path,
    /// The tools.
    pub tools: &'a Tools,
}

/// Tools, as far as they were made ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    /// The directories of Python environments, by their names.
    pub environments: BTreeMap<String, PathBuf>,
    /// The directory of the target's parts.
    pub parts: Option<PathBuf>,
}

impl Tools {
    /// An environment by its name.
    pub(super) fn environment(&self, name: &str) -> Result<&Path, CompileError> {
        let found = self.environments.get(name).map(PathBuf::as_path);
        found
            .ok_or_else(|| CompileError::Tool(format!("the environment {name} was not made ready")))
    }

    /// The environment of the compiler of neural networks.
    pub(super) fn compiler(&self) -> Result<&Path, CompileError> {
        self.environment(COMPILER)
    }

    /// The target's parts.
    pub(super) fn parts(&self) -> Result<&Path, CompileError> {
        let parts = self.parts.as_deref();
        parts.ok_or_else(|| CompileError::Tool("the target's parts were not made ready".to_owned()))
    }

    /// The program `zig`.
    pub(super) fn zig(&self) -> Result<PathBuf, CompileError> {
        let environment = self
            .environment(TREES_COMPILER)
            .or_else(|_| self.compiler())?;
        package_file(environment, "ziglang/zig")
    }

    /// The compiler of neural networks.
    pub(super) fn iree(&self) -> Result<PathBuf, CompileError> {
        package_file(
            self.compiler()?,
            "iree/compiler/_mlir_libs/libIREECompiler.so",
        )
    }
}

/// A file of a package in an environment, whatever its Python's version.
fn package_file(environment: &Path, file: &str) -> Result<PathBuf, CompileError> {
    let missing = || {
        CompileError::Tool(format!(
            "{file} is missing in the environment {}",
            environment.display()
        ))
    };
    let libraries = std::fs::read_dir(environment.join("lib")).map_err(|_| missing())?;
    let mut found = libraries
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("site-packages").join(file));
    found.find(|path| path.is_file()).ok_or_else(missing)
}

/// What was found out about a model, beside its artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The inputs' shapes, where the model tells them, as a `DataInputConfig`.
    pub derived_data_input_config: Option<String>,
}
