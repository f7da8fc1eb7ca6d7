//! `cargo xtask models`: trim botocore's SageMaker model into `models/` and
//! generate the Rust of `kiln-model` and the command line's table from it.

mod botocore;
mod closure;
mod command_line;
mod enums;
mod names;
mod overlay;
mod service;
mod structures;
mod table;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use overlay::Overlay;
use service::ServiceModel;

const MODEL: &str = "models/sagemaker.json";
const OVERLAY: &str = "models/overlay.json";
const GENERATED: &str = "crates/kiln-model/src/generated";
const COMMAND_LINE: &str = "crates/kiln-cli/src/generated";

/// How the chore is run.
#[derive(clap::Args)]
pub struct Options {
    /// Change nothing; fail if the checked-in Rust is not what models/ describes
    #[arg(long, conflicts_with_all = ["botocore", "no_refresh"])]
    check: bool,
    /// Leave models/sagemaker.json as it is and only generate the Rust again
    #[arg(long, conflicts_with = "botocore")]
    no_refresh: bool,
    /// The botocore package to read, instead of the one python3 imports
    #[arg(long, value_name = "DIR")]
    botocore: Option<PathBuf>,
}

/// Why the chore could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// A file could not be read or written.
    #[error("could not read or write {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not the JSON it should be.
    #[error("{path} is not in the expected form: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// No botocore is installed where python3 looks.
    #[error(
        "python3 finds no botocore ({0}); install it with `pip install botocore`, name one with --botocore DIR, or keep the checked-in model with --no-refresh"
    )]
    NoBotocore(String),
    /// The botocore package does not say its version.
    #[error("{0} does not state botocore's version")]
    NoVersion(PathBuf),
    /// The model refers to a shape it does not have.
    #[error("the model has no shape named {0}")]
    UnknownShape(String),
    /// The overlay names an operation that the model lacks.
    #[error("the model has no operation named {0}, which models/overlay.json lists")]
    UnknownOperation(String),
    /// Two values of an enum would get one Rust name.
    #[error("{shape}: two values would both be called {variant}")]
    VariantClash {
        /// The enum.
        shape: String,
        /// The name in question.
        variant: String,
    },
    /// The newer model lacks values that stored jobs may carry.
    #[error(
        "the newer model no longer has these values, which stored jobs may carry; list them under retired_enum_values in models/overlay.json: {0}"
    )]
    LostValues(String),
    /// The checked-in Rust is not what models/ describes.
    #[error("{0}; run `cargo xtask models --no-refresh`")]
    Stale(String),
}

/// Runs the chore from the repository's root.
pub fn run(options: &Options) -> Result<(), ModelsError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let overlay: Overlay = read_json(&root.join(OVERLAY))?;
    if !options.check && !options.no_refresh {
        refresh(&root, &overlay, options.botocore.as_deref())?;
    }
    let model: ServiceModel = read_json(&root.join(MODEL))?;
    for (directory, files) in [
        (GENERATED, generate(&model, &overlay)?),
        (COMMAND_LINE, command_line::files(&model, &overlay)?),
    ] {
        if options.check {
            check(&root, directory, &files)?;
        } else {
            write(&root, directory, &files)?;
        }
    }
    Ok(())
}

/// Replaces the checked-in model by the one that botocore carries.
fn refresh(root: &Path, overlay: &Overlay, package: Option<&Path>) -> Result<(), ModelsError> {
    let package = match package {
        Some(directory) => directory.to_path_buf(),
        None => botocore::installed()?,
    };
    let newer = botocore::service_model(&package)?;
    let path = root.join(MODEL);
    if path.exists() {
        let current: ServiceModel = read_json(&path)?;
        overlay::no_value_is_lost(&current, &newer, overlay)?;
    }
    write_file(&path, newer.to_lines().as_bytes())?;
    println!("{MODEL}: botocore {}", newer.source.botocore);
    Ok(())
}

/// Everything that is generated for `kiln-model`, by its path there.
fn generate(
    model: &ServiceModel,
    overlay: &Overlay,
) -> Result<BTreeMap<String, String>, ModelsError> {
    let mut files = types::files(model, overlay)?;
    files.extend(table::files(model)?);
    Ok(files)
}

fn check(
    root: &Path,
    generated: &str,
    files: &BTreeMap<String, String>,
) -> Result<(), ModelsError> {
    let directory = root.join(generated);
    for (name, text) in files {
        let path = directory.join(name);
        let found = fs::read_to_string(&path).unwrap_or_default();
        if let Some(line) = first_difference(&found, text) {
            return Err(ModelsError::Stale(format!(
                "{generated}/{name} is not what models/ describes from line {line} on"
            )));
        }
    }
    match stray_file(&directory, files)? {
        Some(name) => Err(ModelsError::Stale(format!(
            "{generated}/{name} is not generated from models/ any more"
        ))),
        None => Ok(()),
    }
}

/// The first line, from one, at which two texts differ.
fn first_difference(found: &str, expected: &str) -> Option<usize> {
    if found == expected {
        return None;
    }
    let same = found
        .lines()
        .zip(expected.lines())
        .take_while(|(a, b)| a == b)
        .count();
    Some(same + 1)
}

fn write(
    root: &Path,
    generated: &str,
    files: &BTreeMap<String, String>,
) -> Result<(), ModelsError> {
    let directory = root.join(generated);
    fs::create_dir_all(&directory).map_err(file_error(&directory))?;
    while let Some(name) = stray_file(&directory, files)? {
        let path = directory.join(name);
        fs::remove_file(&path).map_err(file_error(&path))?;
    }
    for (name, text) in files {
        write_file(&directory.join(name), text.as_bytes())?;
    }
    println!("{generated}: {} files", files.len());
    Ok(())
}

/// A file in the directory that the generator does not produce.
fn stray_file(
    directory: &Path,
    files: &BTreeMap<String, String>,
) -> Result<Option<String>, ModelsError> {
    for entry in fs::read_dir(directory).map_err(file_error(directory))? {
        let entry = entry.map_err(file_error(directory))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ModelsError> {
    let bytes = fs::read(path).map_err(file_error(path))?;
    serde_json::from_slice(&bytes).map_err(|source| ModelsError::Json {
        path: path.to_path_buf(),
        source,
    })
}

/// Writes only what changed, so that Cargo does not build for nothing.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ModelsError> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(file_error(path))
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ModelsError + use<> {
    let path = path.to_path_buf();
    move |source| ModelsError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_a_line_number() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("", "a\n"), Some(1));
        assert_eq!(first_difference("a\nb\n", "a\n"), Some(2));
    }
}
