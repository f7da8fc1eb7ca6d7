//! Converts a model to GGUF, the one file that llama.cpp and its kin run on processors
//! without an accelerator.
//!
//! Names, metadata, the order of rows and the bytes of blocks are those of llama.cpp's own
//! converter. Weights go to the type that is asked for, norms and biases stay as exact as
//! they are. With `Q4_0` the last layer has `Q8_0`, since it suffers most. A row that does
//! not divide into blocks of 32 becomes `F16`.

mod blocks;
mod file;
mod metadata;
mod names;
#[cfg(test)]
mod tests;
mod tokenizer;

use std::path::Path;

use crate::OptimizeError;
use crate::model::{Family, Model};
use crate::places::Places;
use crate::safetensors::Tensor;
use blocks::{BLOCK, Encoding};
use names::Target;

/// About how much is read at once.
const CHUNK: u64 = 1 << 20;

/// What the weights become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GgufType {
    /// Floating point of 16 bits.
    F16,
    /// Eight bits, and a scale for every 32 weights.
    Q8_0,
    /// Four bits, and a scale for every 32 weights.
    Q4_0,
}

/// A tensor that was converted.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted<'a> {
    /// What it was in the model.
    pub source: &'a Tensor,
    /// Its name in the file.
    pub name: String,
    /// Its type in the file.
    pub encoding: &'static str,
    /// Its bytes in the file.
    pub after: u64,
    /// The sum of its squares.
    pub signal: f64,
    /// The sum of the squared differences between what it was and what it became.
    pub noise: f64,
}

/// What a conversion made.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion<'a> {
    /// The tensors in the order of the file.
    pub tensors: Vec<Converted<'a>>,
    /// How many tokens the tokenizer in the file has. A model with neither `tokenizer.json`
    /// nor `tokenizer.model` has none.
    pub tokenizer: Option<usize>,
}

/// Converts the model into a file. `advance` hears of bytes that were read, and of the
/// tensor that they belong to.
pub fn convert<'a>(
    model: &'a Model,
    kind: GgufType,
    path: &Path,
    advance: &mut dyn FnMut(u64, &str),
) -> Result<Conversion<'a>, OptimizeError> {
    let geometry = model.expect(Family::DECODERS, "be converted to GGUF")?;
    let targets = names::targets(model, geometry, kind)?;
    let tokenizer = tokenizer::read(model, geometry.vocabulary)?;
    let metadata = metadata::describe(model, geometry, kind, tokenizer.as_ref())?;
    let frequencies = metadata::frequencies(geometry);

    let mut entries: Vec<file::Entry> = targets.iter().map(entry).collect();
    entries.extend(frequencies.as_ref().map(|values| file::Entry {
        name: "rope_freqs.weight".to_owned(),
        shape: vec![values.len()],
        encoding: Encoding::F32,
    }));
    let writer = file::create(path, &metadata, &entries)?;
    let mut tensors = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        tensors.push(transfer(model, target, &writer, number, advance)?);
    }
    if let Some(values) = frequencies {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        writer.write_at(targets.len(), 0, &bytes)?;
    }
    writer.finish()?;
    Ok(Conversion {
        tensors,
        tokenizer: tokenizer.map(|tokenizer| tokenizer.size()),
    })
}

fn entry(target: &Target<'_>) -> file::Entry {
    file::Entry {
        name: target.name.clone(),
        shape: target.tensor.shape.clone(),
        encoding: target.encoding,
    }
}

/// Moves a tensor in parts of whole rows, and where rows change places, of whole heads.
fn transfer<'a>(
    model: &Model,
    target: &Target<'a>,
    writer: &Places,
    number: usize,
    advance: &mut dyn FnMut(u64, &str),
) -> Result<Converted<'a>, OptimizeError> {
    let tensor = target.tensor;
    let (rows, columns) = dimensions(tensor);
    let width = (columns * tensor.dtype.size()) as u64;
    let unit = target.head.unwrap_or(1);
    let units = usize::try_from(CHUNK / (width * unit as u64).max(1)).unwrap_or(1);
    let at_once = units.max(1) * unit;

    let mut measured = blocks::Error::default();
    let (mut bytes, mut values, mut encoded) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0;
    for first in (0..rows).step_by(at_once) {
        let end = rows.min(first + at_once);
        model.read(tensor, first as u64 * width..end as u64 * width, &mut bytes)?;
        decode(tensor, &bytes, &mut values)?;
        if let Some(head) = target.head {
            interleave(&mut values, head, columns);
        }
        encoded.clear();
        measured += blocks::encode(target.encoding, &values, &mut encoded);
        refuse_overflow(target, &measured)?;
        writer.write_at(number, at, &encoded)?;
        at += encoded.len() as u64;
        advance(bytes.len() as u64, &tensor.name);
    }
    Ok(Converted {
        source: tensor,
        name: target.name.clone(),
        encoding: target.encoding.name(),
        after: at,
        signal: measured.signal,
        noise: measured.noise,
    })
}

/// Rows and their elements. Each element of a vector is a row, so that those that change
/// places with the rows of a matrix can.
fn dimensions(tensor: &Tensor) -> (usize, usize) {
    match tensor.shape.as_slice() {
        [rows, rest @ ..] if !rest.is_empty() => (*rows, rest.iter().product()),
        [length] => (*length, 1),
        _ => (1, 1),
    }
}

fn decode(tensor: &Tensor, bytes: &[u8], values: &mut Vec<f32>) -> Result<(), OptimizeError> {
    values.clear();
    tensor.dtype.decode(bytes, values);
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(OptimizeError::Model(format!(
            "the tensor {} has a weight that is not a finite number",
            tensor.name
        ))),
    }
}

/// Puts the two halves of each head's rows one between the other, which is how llama.cpp
/// rotates positions.
fn interleave(values: &mut [f32], head: usize, columns: usize) {
    let mut swapped = Vec::with_capacity(head * columns);
    for rows in values.chunks_exact_mut(head * columns) {
        swapped.clear();
        for pair in 0..head / 2 {
            for half in [0, head / 2] {
                let row = (half + pair) * columns;
                swapped.extend_from_slice(&rows[row..row + columns]);
            }
        }
        rows.copy_from_slice(&swapped);
    }
}

fn refuse_overflow(target: &Target<'_>, measured: &blocks::Error) -> Result<(), OptimizeError> {
    match measured.noise.is_finite() {
        true => Ok(()),
        false => Err(OptimizeError::Unsupported(format!(
            "the tensor {} has a weight that is too large for {}",
            target.tensor.name,
            target.encoding.name()
        ))),
    }
}

/// What a matrix with rows of so many elements becomes.
fn encoding(kind: GgufType, columns: usize, is_head: bool) -> Encoding {
    match kind {
        GgufType::F16 => Encoding::F16,
        _ if !columns.is_multiple_of(BLOCK) => Encoding::F16,
        GgufType::Q4_0 if !is_head => Encoding::Q4_0,
        GgufType::Q4_0 | GgufType::Q8_0 => Encoding::Q8_0,
    }
}
