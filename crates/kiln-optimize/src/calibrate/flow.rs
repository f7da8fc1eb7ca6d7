//! What flows through a model for many samples, step by step and batch by batch, between
//! files in the scratch directory.
//!
//! What flows into a layer is in a file that stays as it is until what flows out of it is
//! durable: a killed calibration goes on from there.

use std::borrow::Cow;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::inputs::Inputs;
use super::layer::{Layer, Plan, Step};
use super::linear::{Blend, Packed, Part, Precision, View, multiply};
use super::store::{Keeping, Store};
use crate::OptimizeError;

/// Tokens of a batch, unless a sample has more.
const BATCH: usize = 1024;

/// A linear layer that is ready to be applied.
#[derive(Debug)]
pub struct Projection<'a> {
    /// Its weight.
    pub weight: Packed,
    /// Its bias.
    pub bias: Option<&'a [f32]>,
    /// How its inputs are rounded, if they are.
    pub inputs: Option<Inputs>,
}

impl Projection<'_> {
    /// Multiplies rows of so many numbers.
    fn apply(&self, rows: &[f32], columns: usize, threads: usize) -> Vec<f32> {
        let mut rows = Cow::Borrowed(rows);
        if let Some(inputs) = &self.inputs {
            inputs.round(rows.to_mut(), columns);
        }
        let rows = View::new(&rows, rows.len() / columns, columns);
        let width = self.weight.outputs();
        let mut out = vec![0f32; rows.height() * width];
        multiply(
            rows,
            &self.weight,
            &mut out,
            width,
            Blend::Set,
            Part::All,
            threads,
        );
        if let Some(bias) = self.bias {
            for row in out.chunks_exact_mut(width) {
                for (x, bias) in row.iter_mut().zip(bias) {
                    *x += bias;
                }
            }
        }
        out
    }
}

/// Some neighbouring samples.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    rows: Range<usize>,
    lengths: Vec<usize>,
}

/// The activations of some samples.
#[derive(Debug)]
pub struct Flow<'a> {
    plan: &'a Plan<'a>,
    home: PathBuf,
    name: &'static str,
    batches: Vec<Batch>,
    tokens: usize,
    precision: Precision,
    threads: usize,
}

impl<'a> Flow<'a> {
    /// The flow of a name, in a directory, of these samples.
    #[must_use]
    pub fn new(
        plan: &'a Plan<'a>,
        home: &Path,
        name: &'static str,
        lengths: &[usize],
        precision: Precision,
        threads: usize,
    ) -> Self {
        Self {
            plan,
            home: home.to_path_buf(),
            name,
            batches: batches(lengths),
            tokens: lengths.iter().sum(),
            precision,
            threads,
        }
    }

    /// How many rows flow.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Whether what flows into a layer is there, durably.
    #[must_use]
    pub fn reaches(&self, layer: usize) -> bool {
        self.start(layer).exists()
    }

    /// Begins with the embeddings of samples' tokens.
    pub fn begin(&self, samples: &[Vec<u32>]) -> Result<(), OptimizeError> {
        let part = self.part(0);
        let store = Store::create(&part, self.plan.geometry.hidden, Keeping::Exact)?;
        let mut first = 0;
        for tokens in samples {
            store.write(first, &self.plan.embed(tokens)?)?;
            first += tokens.len();
        }
        store.sync()?;
        self.settle(0)
    }

    /// Hands over what a layer's first step multiplies.
    pub fn observe(
        &self,
        layer: &Layer,
        observer: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), OptimizeError> {
        let start = Store::open(
            &self.start(layer.index()),
            self.plan.geometry.hidden,
            Keeping::Exact,
        )?;
        for batch in &self.batches {
            let mut rows = start.read(batch.rows.clone())?;
            layer.before_attention(&mut rows);
            observer(batch.rows.start, &rows);
        }
        Ok(())
    }

    /// Does a step of a layer, and hands over what the next one multiplies.
    pub fn advance(
        &self,
        layer: &Layer,
        step: Step,
        projections: &[Projection],
        observer: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), OptimizeError> {
        let hidden = self.plan.geometry.hidden;
        let heads = self.plan.geometry.heads * self.plan.geometry.head_dim;
        let wide = self.plan.geometry.intermediate;
        let rounded = Keeping::of(self.precision);
        let start = self.start(layer.index());
        let [attended, middle, widened] =
            ["attended", "middle", "widened"].map(|name| self.file(name));
        let threads = self.threads;
        match step {
            Step::Attend => {
                let from = Store::open(&start, hidden, Keeping::Exact)?;
                let into = Store::create(&attended, heads, rounded)?;
                self.each(|batch| {
                    let mut rows = from.read(batch.rows.clone())?;
                    layer.before_attention(&mut rows);
                    let projected = self.apply(projections, &rows, hidden);
                    let seen = layer.attend(&batch.lengths, projected, threads);
                    observer(batch.rows.start, &seen);
                    into.write(batch.rows.start, &seen)
                })
            }
            Step::Project => {
                let flowing = Store::open(&start, hidden, Keeping::Exact)?;
                let from = Store::open(&attended, heads, rounded)?;
                let into = Store::create(&middle, hidden, Keeping::Exact)?;
                self.each(|batch| {
                    let rows = from.read(batch.rows.clone())?;
                    let mut flowing = flowing.read(batch.rows.clone())?;
                    for output in self.apply(projections, &rows, heads) {
                        layer.after_projection(&mut flowing, &output);
                    }
                    into.write(batch.rows.start, &flowing)?;
                    layer.before_widening(&mut flowing);
                    observer(batch.rows.start, &flowing);
                    Ok(())
                })
            }
            Step::Widen => {
                let from = Store::open(&middle, hidden, Keeping::Exact)?;
                let into = Store::create(&widened, wide, rounded)?;
                self.each(|batch| {
                    let mut rows = from.read(batch.rows.clone())?;
                    layer.before_widening(&mut rows);
                    let bent = layer.bend(self.apply(projections, &rows, hidden));
                    observer(batch.rows.start, &bent);
                    into.write(batch.rows.start, &bent)
                })
            }
            Step::Narrow => {
                let flowing = Store::open(&middle, hidden, Keeping::Exact)?;
                let from = Store::open(&widened, wide, rounded)?;
                let into = Store::create(&self.part(layer.index() + 1), hidden, Keeping::Exact)?;
                self.each(|batch| {
                    let rows = from.read(batch.rows.clone())?;
                    let mut flowing = flowing.read(batch.rows.clone())?;
                    for output in self.apply(projections, &rows, wide) {
                        layer.after_narrowing(&mut flowing, &output);
                    }
                    into.write(batch.rows.start, &flowing)
                })?;
                into.sync()
            }
        }
    }

    /// Makes what flows into a layer the beginning of what comes, once it is on the disk.
    pub fn settle(&self, layer: usize) -> Result<(), OptimizeError> {
        let start = self.start(layer);
        fs::rename(self.part(layer), &start).map_err(OptimizeError::written(&start))?;
        let home = File::open(&self.home).map_err(OptimizeError::read(&self.home))?;
        home.sync_all().map_err(OptimizeError::written(&self.home))
    }

    /// Removes what flowed into a layer.
    pub fn forget(&self, layer: usize) -> Result<(), OptimizeError> {
        let start = self.start(layer);
        match fs::remove_file(&start) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(OptimizeError::written(start)(error))
            }
            _ => Ok(()),
        }
    }

    /// What flows out of the last layer, sample by sample.
    pub fn finish(
        &self,
        samples: Range<usize>,
        take: &mut dyn FnMut(&[f32]),
    ) -> Result<(), OptimizeError> {
        let hidden = self.plan.geometry.hidden;
        let end = Store::open(
            &self.start(self.plan.geometry.layers),
            hidden,
            Keeping::Exact,
        )?;
        let lengths = self.batches.iter().flat_map(|batch| &batch.lengths);
        let mut first = 0;
        for (sample, length) in lengths.enumerate() {
            if samples.contains(&sample) {
                let mut rows = end.read(first..first + length)?;
                self.plan.finish(&mut rows)?;
                take(&rows);
            }
            first += length;
        }
        Ok(())
    }

    fn each(
        &self,
        mut work: impl FnMut(&Batch) -> Result<(), OptimizeError>,
    ) -> Result<(), OptimizeError> {
        self.batches.iter().try_for_each(&mut work)
    }

    fn apply(&self, projections: &[Projection], rows: &[f32], width: usize) -> Vec<Vec<f32>> {
        let each = projections.iter();
        each.map(|projection| projection.apply(rows, width, self.threads))
            .collect()
    }

    fn start(&self, layer: usize) -> PathBuf {
        self.file(&layer.to_string())
    }

    fn part(&self, layer: usize) -> PathBuf {
        self.file(&format!("{layer}.part"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.join(format!("{}-{name}", self.name))
    }
}

fn batches(lengths: &[usize]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut first = 0;
    for length in lengths {
        let rows = first..first + length;
        match batches.last_mut() {
            Some(last) if rows.end - last.rows.start <= BATCH => {
                last.rows.end = rows.end;
                last.lengths.push(*length);
            }
            _ => batches.push(Batch {
                rows,
                lengths: vec![*length],
            }),
        }
        first += length;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_put_together_up_to_a_size() {
        let found = batches(&[600, 424, 1, 3000, 5]);
        let rows: Vec<_> = found.iter().map(|batch| batch.rows.clone()).collect();
        assert_eq!(rows, [0..1024, 1024..1025, 1025..4025, 4025..4030]);
        assert_eq!(found[0].lengths, [600, 424]);
    }
}
