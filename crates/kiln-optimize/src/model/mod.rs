//! A model as Hugging Face lays it out: a directory with `config.json`, weights in one or
//! many safetensors files, and files of its tokenizer.
//!
//! It is opened once and checked as a whole, so that what is wrong is said before anything
//! is written. Pickles are never loaded.

mod config;
mod expect;
mod family;
mod files;
#[cfg(test)]
mod fuzz;
mod index;
mod linear;
mod parts;
mod rope;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::OptimizeError;
use crate::safetensors::{Reader, Tensor};

pub use config::{Config, Geometry};
pub use family::Family;
pub use files::LeftOut;
pub use linear::{Linear, module};
pub use rope::{Rope, Scaling};

/// A model's directory, opened.
#[derive(Debug)]
pub struct Model {
    directory: PathBuf,
    config: Config,
    files: Vec<Reader>,
    tensors: Vec<Tensor>,
    linears: Vec<Linear>,
    prefix: String,
    carried: Vec<PathBuf>,
    left_out: Vec<LeftOut>,
}

impl Model {
    /// Opens the model in a directory, and checks it.
    pub fn open(directory: &Path) -> Result<Self, OptimizeError> {
        let listed = files::list(directory)?;
        let config = Config::read(&directory.join("config.json"))?;
        let index = match &listed.index {
            Some(name) => Some(index::read(&directory.join(name))?),
            None => None,
        };
        let index_name = listed.index.clone();
        let chosen = files::choose(listed, index.as_ref())?;

        let mut files = Vec::new();
        let mut tensors = Vec::new();
        for (number, name) in chosen.weights.iter().enumerate() {
            let (reader, found) = Reader::open(&directory.join(name), number)?;
            files.push(reader);
            tensors.extend(found);
        }
        // There may be a hundred thousand.
        tensors.shrink_to_fit();
        tensors.sort_unstable_by(|a, b| (&a.name, a.file).cmp(&(&b.name, b.file)));
        index::refuse_twins(&tensors, &chosen.weights)?;
        if let (Some(index), Some(name)) = (&index, &index_name) {
            index::check(index, name, &tensors, &chosen.weights)?;
        }
        if tensors.is_empty() {
            return Err(OptimizeError::Model(format!(
                "{} has no tensors",
                chosen.weights.join(", ")
            )));
        }

        Ok(Self {
            directory: directory.to_path_buf(),
            linears: linear::find(&config, &tensors),
            prefix: family::prefix(config.family, &tensors),
            config,
            files,
            tensors,
            carried: chosen.carried,
            left_out: chosen.left_out,
        })
    }

    /// Where the model is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What `config.json` says.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All tensors by their names.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The files that the tensors are in, by the numbers that tensors have.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(Reader::path)
    }

    /// How many bytes all tensors have together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().map(Tensor::bytes).sum()
    }

    /// The tensor of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        let found = self
            .tensors
            .binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        found.ok().map(|at| &self.tensors[at])
    }

    /// Reads a part of a tensor's bytes; the buffer then holds just them.
    pub fn read(
        &self,
        tensor: &Tensor,
        part: Range<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), OptimizeError> {
        debug_assert!(part.start <= part.end && part.end <= tensor.bytes());
        let length = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
        buffer.resize(length, 0);
        self.files[tensor.file].read_at(tensor.range.start + part.start, buffer)
    }

    /// The weights of linear layers by their names, those of the heads included.
    #[must_use]
    pub fn linears(&self) -> &[Linear] {
        &self.linears
    }

    /// What stands before the names of the tensors of a known family: `model.`, `bert.`, or
    /// nothing.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What the names of all tensors of a layer begin with, in a known family.
    #[must_use]
    pub fn layer_prefix(&self, layer: usize) -> String {
        format!("{}{}{layer}.", self.prefix, self.config.family.layers())
    }

    /// Files that belong to the optimized model as they are: all but weights, their index
    /// and `config.json`. Relative to the directory.
    #[must_use]
    pub fn carried(&self) -> &[PathBuf] {
        &self.carried
    }

    /// Files that do not belong to the optimized model, and why.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Makes sure that the model is not quantized. `purpose` ends the sentence that begins with
    /// what cannot be done, as in "be sharded".
    pub fn expect_unquantized(&self, purpose: &str) -> Result<(), OptimizeError> {
        expect::unquantized(self, purpose)
    }

    /// Makes sure that a model of a known family that numbers its layers has weights of as many
    /// as `config.json` says: a file of its weights may be missing where no index names it.
    pub fn expect_layers(&self) -> Result<(), OptimizeError> {
        expect::layers(self)
    }

    /// Makes sure that the model is a decoder or encoder of a known family, not quantized,
    /// with all the tensors and shapes that `config.json` says, for the same kind of purpose.
    pub fn expect(&self, families: &[Family], purpose: &str) -> Result<&Geometry, OptimizeError> {
        expect::expect(self, families, purpose)
    }
}
