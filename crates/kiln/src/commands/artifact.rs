//! Compiled artifacts on the command line, and the inputs they are given.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use kiln_compile::array::{Array, read_csv, read_npy, read_npz};
use kiln_compile::predict::Artifact;

use super::Failure;

/// A compiled artifact, and what it is given.
#[derive(Debug, Args)]
pub struct Given {
    /// The artifact of a compilation job: its .tar.gz, or the folder that is packed in it.
    model: PathBuf,
    /// What the model is given: a .npy or .csv file, NAME=FILE for a model with several
    /// inputs, or a .npz file that has them all.
    #[arg(long = "input", value_name = "[NAME=]FILE")]
    inputs: Vec<Source>,
}

/// A file, and the input that it is for.
#[derive(Debug, Clone)]
struct Source {
    name: Option<String>,
    path: PathBuf,
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = text.split_once('=').filter(|_| !Path::new(text).exists());
        Ok(match named {
            Some((name, path)) => Self {
                name: Some(name.to_owned()),
                path: path.into(),
            },
            None => Self {
                name: None,
                path: text.into(),
            },
        })
    }
}

impl Given {
    /// Opens the artifact.
    pub fn open(&self) -> Result<Artifact, Failure> {
        Ok(Artifact::open(&self.model)?)
    }

    /// Reads what the model is given, in the order of its inputs; `None` where nothing
    /// is.
    pub fn read(&self, artifact: &Artifact) -> Result<Option<Vec<Array>>, Failure> {
        if self.inputs.is_empty() {
            return Ok(None);
        }
        let mut given = Vec::new();
        for source in &self.inputs {
            given.extend(source.read()?);
        }
        let names: Vec<_> = artifact.inputs().iter().map(|input| &input.name).collect();
        if let ([(None, array)], [_]) = (given.as_slice(), names.as_slice()) {
            return Ok(Some(vec![array.clone()]));
        }
        if let Some((Some(unknown), _)) = given
            .iter()
            .find(|(name, _)| name.as_ref().is_none_or(|name| !names.contains(&name)))
        {
            return Err(format!("the model has no input {unknown:?}; it has {names:?}").into());
        }
        let array = |name: &&String| {
            let found = given
                .iter()
                .find(|(given, _)| given.as_ref() == Some(*name));
            found.map(|(_, array)| array.clone()).ok_or_else(|| {
                format!("the model takes {names:?}: give each with --input NAME=FILE").into()
            })
        };
        names
            .iter()
            .map(array)
            .collect::<Result<_, Failure>>()
            .map(Some)
    }
}

impl Source {
    /// The arrays of the file, each with the input that it is for if that is told.
    fn read(&self) -> Result<Vec<(Option<String>, Array)>, Failure> {
        let named = |error: String| format!("{}: {error}", self.path.display());
        let bytes = std::fs::read(&self.path).map_err(|error| named(error.to_string()))?;
        let extension = self
            .path
            .extension()
            .and_then(|extension| extension.to_str());
        let wrong = |error: kiln_compile::array::ArrayError| named(error.to_string());
        let array = match extension {
            Some("npz") => {
                let arrays = read_npz(&bytes).map_err(wrong)?.into_iter();
                return Ok(arrays.map(|(name, array)| (Some(name), array)).collect());
            }
            Some("npy") => read_npy(&bytes).map_err(wrong)?,
            Some("csv") => read_csv(&String::from_utf8_lossy(&bytes)).map_err(wrong)?,
            _ => return Err(named("inputs are .npy, .npz or .csv files".to_owned()).into()),
        };
        Ok(vec![(self.name.clone(), array)])
    }
}
