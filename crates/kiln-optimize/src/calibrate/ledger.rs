//! What a calibration has made so far, durably: whoever is killed goes on from there.
//!
//! A layer is done when what flows out of it is in its place; what was made of it was put
//! in its place before.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

use super::data::Samples;
use super::made::{Figures, Linear, Made, Vector};
use crate::model::Model;
use crate::quantize::Quantized;
use crate::report::digest;
use crate::safetensors::{Reader, Tensor, TensorSpec, Writer};
use crate::{Dtype, OptimizeError};

/// The scratch directory of one calibration.
#[derive(Debug)]
pub struct Ledger {
    home: PathBuf,
}

/// Where a calibration keeps everything in a scratch directory.
#[must_use]
pub fn home(scratch: &Path) -> PathBuf {
    scratch.join("calibration")
}

impl Ledger {
    /// Opens the directory. If what is there belongs to another calibration, it is removed.
    pub fn open(scratch: &Path, identity: &str) -> Result<Self, OptimizeError> {
        let home = home(scratch);
        let path = home.join("identity");
        match fs::read_to_string(&path) {
            Ok(found) if found == identity => return Ok(Self { home }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OptimizeError::read(path)(error));
            }
            _ => {}
        }
        if home.exists() {
            fs::remove_dir_all(&home).map_err(OptimizeError::written(&home))?;
        }
        fs::create_dir_all(&home).map_err(OptimizeError::written(&home))?;
        fs::write(&path, identity).map_err(OptimizeError::written(&path))?;
        Ok(Self { home })
    }

    /// Where everything is.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Keeps what was made of a layer.
    pub fn keep(&self, layer: usize, made: &[Made]) -> Result<(), OptimizeError> {
        let path = self.path(layer);
        let part = path.with_extension("part");
        remove(&part)?;
        let parts: Vec<(TensorSpec, Vec<u8>)> = made.iter().flat_map(parts).collect();
        let specs = parts.iter().map(|(spec, _)| spec.clone()).collect();
        let writer = Writer::create(&part, specs, &BTreeMap::new())?;
        for (number, (_, bytes)) in parts.iter().enumerate() {
            writer.write_at(number, 0, bytes)?;
        }
        writer.finish()?;
        fs::rename(&part, &path).map_err(OptimizeError::written(&path))?;
        let home = File::open(&self.home).map_err(OptimizeError::read(&self.home))?;
        home.sync_all().map_err(OptimizeError::written(&self.home))
    }

    /// What was made of a layer.
    pub fn recall(&self, layer: usize) -> Result<Vec<Made>, OptimizeError> {
        let (reader, tensors) = Reader::open(&self.path(layer), 0)?;
        let found: BTreeMap<&str, &Tensor> = tensors
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect();
        let recall = Recall { reader, found };
        let mut made = Vec::new();
        for (name, tensor) in &recall.found {
            if let Some(module) = name.strip_suffix(CODES) {
                made.push(Made::Linear(recall.linear(module, tensor)?));
            } else if let Some(name) = name.strip_suffix(VECTOR) {
                made.push(Made::Vector(recall.vector(name, tensor)?));
            }
        }
        Ok(made)
    }

    fn path(&self, layer: usize) -> PathBuf {
        self.home.join(format!("made-{layer}.safetensors"))
    }
}

fn remove(path: &Path) -> Result<(), OptimizeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OptimizeError::written(path)(error))
        }
        _ => Ok(()),
    }
}

const CODES: &str = "#codes";
const SCALES: &str = "#scales";
const ZEROS: &str = "#zeros";
const FIGURES: &str = "#figures";
const VECTOR: &str = "#vector";

/// The tensors that something made is kept as.
fn parts(made: &Made) -> Vec<(TensorSpec, Vec<u8>)> {
    let part = |name: String, dtype, shape: &[usize], bytes| {
        let shape = shape.to_vec();
        (TensorSpec { name, dtype, shape }, bytes)
    };
    let singles =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let bytes = |values: &[i8]| -> Vec<u8> { values.iter().map(|x| x.cast_unsigned()).collect() };
    match made {
        Made::Vector(vector) => vec![part(
            format!("{}{VECTOR}", vector.name),
            vector.dtype,
            &[vector.values.len()],
            vector.bytes(),
        )],
        Made::Linear(linear) => {
            let Linear {
                module,
                rows,
                columns,
                quantized,
                figures,
            } = linear;
            let numbers = [
                quantized.signal,
                quantized.noise,
                figures.power,
                figures.before,
                figures.after,
                f64::from(figures.largest_input),
            ];
            let numbers: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            let mut parts = vec![
                part(
                    format!("{module}{CODES}"),
                    Dtype::I8,
                    &[*rows, *columns],
                    bytes(&quantized.codes),
                ),
                part(
                    format!("{module}{SCALES}"),
                    Dtype::F32,
                    &[quantized.scales.len()],
                    singles(&quantized.scales),
                ),
                part(format!("{module}{FIGURES}"), Dtype::F64, &[6], numbers),
            ];
            if !quantized.zeros.is_empty() {
                let zeros = bytes(&quantized.zeros);
                parts.push(part(
                    format!("{module}{ZEROS}"),
                    Dtype::I8,
                    &[zeros.len()],
                    zeros,
                ));
            }
            parts
        }
    }
}

/// Reads what was kept of a layer.
struct Recall<'a> {
    reader: Reader,
    found: BTreeMap<&'a str, &'a Tensor>,
}

impl Recall<'_> {
    fn linear(&self, module: &str, codes: &Tensor) -> Result<Linear, OptimizeError> {
        let scales = self.bytes(&format!("{module}{SCALES}"))?;
        let numbers = self.bytes(&format!("{module}{FIGURES}"))?;
        let numbers: Vec<f64> = numbers
            .as_chunks()
            .0
            .iter()
            .map(|x| f64::from_le_bytes(*x))
            .collect();
        let &[signal, noise, power, before, after, largest_input] = numbers.as_slice() else {
            return Err(self.fault(module));
        };
        let &[rows, columns] = codes.shape.as_slice() else {
            return Err(self.fault(module));
        };
        let signed = |bytes: Vec<u8>| bytes.into_iter().map(u8::cast_signed).collect();
        Ok(Linear {
            module: module.to_owned(),
            rows,
            columns,
            quantized: Quantized {
                codes: signed(self.read(codes)?),
                scales: scales
                    .as_chunks()
                    .0
                    .iter()
                    .map(|x| f32::from_le_bytes(*x))
                    .collect(),
                zeros: signed(self.bytes(&format!("{module}{ZEROS}"))?),
                signal,
                noise,
            },
            figures: Figures {
                power,
                before,
                after,
                largest_input: largest_input as f32,
            },
        })
    }

    fn vector(&self, name: &str, tensor: &Tensor) -> Result<Vector, OptimizeError> {
        Ok(Vector {
            name: name.to_owned(),
            dtype: tensor.dtype,
            values: super::weights::decode(tensor.dtype, &self.read(tensor)?),
        })
    }

    /// The bytes of a tensor, or none if there is no such tensor.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, OptimizeError> {
        match self.found.get(name) {
            Some(tensor) => self.read(tensor),
            None => Ok(Vec::new()),
        }
    }

    fn read(&self, tensor: &Tensor) -> Result<Vec<u8>, OptimizeError> {
        let mut bytes = vec![0; usize::try_from(tensor.bytes()).unwrap_or(usize::MAX)];
        self.reader.read_at(tensor.range.start, &mut bytes)?;
        Ok(bytes)
    }

    fn fault(&self, module: &str) -> OptimizeError {
        let what = format!("what was kept of {module} is not whole");
        OptimizeError::read(self.reader.path())(io::Error::other(what))
    }
}

/// What tells one calibration from another: the model, the samples, and what is to be done.
///
/// Files count by what is in them, since those that were fetched again have other times and
/// places. They are read as a whole, as nothing less tells of every change, and the passes
/// that follow take far longer.
pub fn identity(model: &Model, samples: &Samples, purpose: &str) -> Result<String, OptimizeError> {
    let mut hash = Blake2b::<U16>::new();
    hash.update(env!("CARGO_PKG_VERSION").as_bytes());
    hash.update(purpose.as_bytes());
    let config = serde_json::to_string(&model.config().raw).unwrap_or_default();
    hash.update(config.as_bytes());
    for file in model.files() {
        let read = digest(file).map_err(OptimizeError::read(file))?;
        hash.update(read.blake2s_tree.as_bytes());
    }
    for sample in &samples.tokens {
        hash.update((sample.len() as u64).to_le_bytes());
        for token in sample {
            hash.update(token.to_le_bytes());
        }
    }
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back() {
        let scratch = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(scratch.path(), "a").unwrap();
        let linear = Linear {
            module: "a.b".to_owned(),
            rows: 2,
            columns: 2,
            quantized: Quantized {
                codes: vec![-8, 7, 0, 1],
                scales: vec![0.5, -0.25],
                zeros: vec![1, -3],
                signal: 1.5,
                noise: 0.1,
            },
            figures: Figures {
                power: 12.0,
                before: 0.3,
                after: 0.2,
                largest_input: 7.5,
            },
        };
        let vector = Vector {
            name: "a.norm.weight".to_owned(),
            dtype: Dtype::Bf16,
            values: vec![1.0, 2.5],
        };
        let made = [Made::Linear(linear), Made::Vector(vector)];
        ledger.keep(3, &made).unwrap();
        ledger.keep(3, &made).unwrap();
        let ledger = Ledger::open(scratch.path(), "a").unwrap();
        assert_eq!(ledger.recall(3).unwrap(), made);
        assert!(ledger.recall(4).is_err());
        let ledger = Ledger::open(scratch.path(), "b").unwrap();
        assert!(ledger.recall(3).is_err(), "another calibration begins anew");
    }
}
