//! Cuts a model for tensor parallelism, as vLLM keeps it in memory on each of several
//! accelerators (`sharded_state`), so that each reads only what it needs.
//!
//! For each rank there are two files. `model-rank-R-part-0.safetensors` has the weights.
//! `model-rank-R-part-1.safetensors` has the attention's scales, all 1, which vLLM counts
//! as part of its state since 0.14; an older one must be told to read only part 0:
//! `--model-loader-extra-config '{"pattern": "model-rank-{rank}-part-0.safetensors"}'`.
//!
//! Every byte of the model is read once and written to the ranks that have it, then
//! everything is read again and compared.

mod limits;
mod plan;
mod scales;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::OptimizeError;
use crate::model::Model;
use crate::safetensors::{Reader, Tensor, TensorSpec, Writer};
use plan::{Destination, Plan};

/// What is done with bytes of a rank's tensor, from this one of its own on.
type Visit<'a> = dyn FnMut(usize, usize, u64, &[u8]) -> Result<(), OptimizeError> + 'a;

/// About how much is read at once.
const CHUNK: u64 = 1 << 20;

/// Writes the weights of the model for so many ranks into a directory. `advance` hears of bytes
/// and of the tensor that they belong to; in all there are twice as many as the model has.
/// Answers how many bytes each of the model's tensors has become, on all ranks together.
pub fn shard(
    model: &Model,
    ranks: usize,
    directory: &Path,
    advance: &mut dyn FnMut(u64, &str),
) -> Result<Vec<u64>, OptimizeError> {
    let plan = Plan::new(model, ranks)?;
    let path = |rank: usize| directory.join(weights_name(rank));
    let writers = plan
        .ranks
        .iter()
        .enumerate()
        .map(|(rank, tensors)| create(&path(rank), tensors))
        .collect::<Result<Vec<_>, _>>()?;
    write(model, &plan, &writers, advance)?;
    for writer in writers {
        writer.finish()?;
    }

    let shards = (0..ranks)
        .map(|rank| Shard::open(path(rank), &plan.ranks[rank]))
        .collect::<Result<Vec<_>, _>>()?;
    compare(model, &plan, &shards, advance)?;

    for rank in 0..ranks {
        let scales = directory.join(format!("model-rank-{rank}-part-1.safetensors"));
        scales::write(&scales, plan.layers)?;
    }
    let bytes = plan.destinations.iter().map(|places| bytes_of(places));
    Ok(bytes.collect())
}

/// Bytes of a tensor's parts, which may be in several places.
fn bytes_of(places: &[Destination]) -> u64 {
    let bytes = |place: &Destination| (place.rows.len() * place.columns.len()) as u64;
    places.iter().map(bytes).sum()
}

fn weights_name(rank: usize) -> String {
    format!("model-rank-{rank}-part-0.safetensors")
}

fn create(path: &Path, tensors: &[plan::Sharded]) -> Result<Writer, OptimizeError> {
    let specs = tensors.iter().map(|tensor| tensor.spec.clone()).collect();
    Writer::create(path, specs, &BTreeMap::new())
}

fn write(
    model: &Model,
    plan: &Plan,
    writers: &[Writer],
    advance: &mut dyn FnMut(u64, &str),
) -> Result<(), OptimizeError> {
    walk(model, plan, advance, &mut |rank, tensor, at, bytes| {
        writers[rank].write_at(tensor, at, bytes)
    })
}

/// What was written, to be compared with the model.
struct Shard {
    path: PathBuf,
    reader: Reader,
    /// In the order of the plan.
    tensors: Vec<Tensor>,
}

impl Shard {
    fn open(path: PathBuf, planned: &[plan::Sharded]) -> Result<Self, OptimizeError> {
        let (reader, found) = Reader::open(&path, 0)?;
        let mut found: BTreeMap<String, Tensor> = found
            .into_iter()
            .map(|tensor| (tensor.name.clone(), tensor))
            .collect();
        let tensors = planned
            .iter()
            .map(|planned| match found.remove(&planned.spec.name) {
                Some(tensor) if tensor.shape == planned.spec.shape => Ok(tensor),
                _ => Err(differs(&planned.spec, &path)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            path,
            reader,
            tensors,
        })
    }

    fn holds(&self, tensor: usize, at: u64, expected: &[u8]) -> Result<bool, OptimizeError> {
        let mut found = vec![0; expected.len()];
        let start = self.tensors[tensor].range.start;
        self.reader.read_at(start + at, &mut found)?;
        Ok(found == expected)
    }
}

fn differs(spec: &TensorSpec, path: &Path) -> OptimizeError {
    OptimizeError::Differs {
        tensor: spec.name.clone(),
        file: path.to_path_buf(),
    }
}

/// Puts the model together again from the files, in the places that it was cut from.
fn compare(
    model: &Model,
    plan: &Plan,
    shards: &[Shard],
    advance: &mut dyn FnMut(u64, &str),
) -> Result<(), OptimizeError> {
    walk(model, plan, advance, &mut |rank, tensor, at, bytes| {
        let shard = &shards[rank];
        match shard.holds(tensor, at, bytes)? {
            true => Ok(()),
            false => Err(differs(&plan.ranks[rank][tensor].spec, &shard.path)),
        }
    })
}

/// Reads the model once from its beginning to its end, and hands every part to each place
/// that it belongs to, with where in the place's tensor it goes; then the zeros that fill
/// up tensors.
fn walk(
    model: &Model,
    plan: &Plan,
    advance: &mut dyn FnMut(u64, &str),
    visit: &mut Visit<'_>,
) -> Result<(), OptimizeError> {
    let mut buffer = Vec::new();
    let mut narrow = Vec::new();
    for (tensor, places) in model.tensors().iter().zip(&plan.destinations) {
        let width = row_bytes(tensor);
        let rows = tensor.shape.first().copied().unwrap_or(1);
        let at_once = usize::try_from((CHUNK / width.max(1)).max(1)).unwrap_or(1);
        for first in (0..rows).step_by(at_once) {
            let chunk = first..rows.min(first + at_once);
            let bytes = chunk.start as u64 * width..chunk.end as u64 * width;
            let length = bytes.end - bytes.start;
            model.read(tensor, bytes, &mut buffer)?;
            for place in places {
                deliver(place, &chunk, width, &buffer, &mut narrow, visit)?;
            }
            advance(length, &tensor.name);
        }
    }
    fill(plan, visit)
}

fn fill(plan: &Plan, visit: &mut Visit<'_>) -> Result<(), OptimizeError> {
    let zeros = vec![0; CHUNK as usize];
    for (rank, tensors) in plan.ranks.iter().enumerate() {
        for (number, tensor) in tensors.iter().enumerate() {
            for part in parts(tensor.padding.clone()) {
                let length = (part.end - part.start) as usize;
                visit(rank, number, part.start, &zeros[..length])?;
            }
        }
    }
    Ok(())
}

fn parts(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    range
        .step_by(CHUNK as usize)
        .map(move |start| start..end.min(start + CHUNK))
}

fn row_bytes(tensor: &Tensor) -> u64 {
    let columns: usize = tensor.shape.iter().skip(1).product();
    (columns * tensor.dtype.size()) as u64
}

/// Hands over what a place wants of some rows.
fn deliver(
    place: &Destination,
    chunk: &Range<usize>,
    width: u64,
    buffer: &[u8],
    narrow: &mut Vec<u8>,
    visit: &mut Visit<'_>,
) -> Result<(), OptimizeError> {
    let rows = chunk.start.max(place.rows.start)..chunk.end.min(place.rows.end);
    if rows.is_empty() {
        return Ok(());
    }
    let width = width as usize;
    let wanted = (rows.start - chunk.start) * width..(rows.end - chunk.start) * width;
    let wanted = &buffer[wanted];
    let columns = &place.columns;
    let at = place.at + ((rows.start - place.rows.start) * columns.len()) as u64;
    if columns.len() == width {
        return visit(place.rank, place.tensor, at, wanted);
    }
    narrow.clear();
    for row in wanted.chunks_exact(width) {
        narrow.extend_from_slice(&row[columns.clone()]);
    }
    visit(place.rank, place.tensor, at, narrow)
}
