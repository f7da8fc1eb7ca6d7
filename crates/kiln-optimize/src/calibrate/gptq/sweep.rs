//! Going over rounded weights again: one code after another, and the scale of each group,
//! becomes what is best beside all others as they have become.
//!
//! The first rounding makes an error good only in the columns after it. Here all columns
//! know of each other, and what the inputs make of the error never grows.

use std::ops::Range;

use super::{BLOCK, Levels, Strip};
use crate::calibrate::linear::{Blend, Packed, Part, Precision, View, multiply};
use crate::kernels::precision::Precision as Stored;
use crate::kernels::{Instructions, Loop};

/// How often all codes are gone over. The first time finds most of what there is.
const SWEEPS: usize = 2;

/// What errors of columns have in common, for all weights that multiply the same rows.
#[derive(Debug)]
pub(super) struct Sweep {
    columns: usize,
    blocks: Vec<Block>,
}

/// Some neighbouring columns.
#[derive(Debug)]
struct Block {
    start: usize,
    size: usize,
    /// What errors of all columns mean for these.
    all: Packed,
    /// What errors of these columns mean for each other, row after row.
    within: Vec<f32>,
    /// These columns, the most important first.
    order: Vec<usize>,
}

impl Sweep {
    /// Understands a symmetric matrix of which no row is missing.
    pub(super) fn new(gram: &[f32], columns: usize) -> Self {
        let starts = (0..columns).step_by(BLOCK);
        Self {
            columns,
            blocks: starts
                .map(|start| Block::new(gram, columns, start))
                .collect(),
        }
    }

    /// Betters the codes and scales of some rows, and returns the sum of their squared
    /// errors.
    pub(super) fn run(&self, levels: Levels, stored: Stored, strip: &mut Strip) -> f64 {
        let columns = self.columns;
        let rows = strip.weight.len() / columns;
        let mut errors = errors(levels, strip, columns);
        let mut gradients = vec![0f32; rows * BLOCK];
        for _ in 0..SWEEPS {
            for block in &self.blocks {
                let gradients = &mut gradients[..rows * block.size];
                let given = View::new(&errors, rows, columns);
                multiply(
                    given,
                    &block.all,
                    gradients,
                    block.size,
                    Blend::Set,
                    Part::All,
                    1,
                );
                Instructions::best().run(Better {
                    block,
                    levels,
                    stored,
                    columns,
                    gradients,
                    errors: &mut errors,
                    strip,
                });
            }
        }
        errors.iter().map(|error| f64::from(*error).powi(2)).sum()
    }
}

impl Block {
    fn new(gram: &[f32], columns: usize, start: usize) -> Self {
        let size = BLOCK.min(columns - start);
        let rows = &gram[start * columns..][..size * columns];
        let within: Vec<f32> = rows
            .chunks_exact(columns)
            .flat_map(|row| &row[start..start + size])
            .copied()
            .collect();
        let mut order: Vec<usize> = (0..size).collect();
        let own = |column: &usize| within[column * size + column];
        order.sort_by(|a, b| own(b).total_cmp(&own(a)).then(a.cmp(b)));
        Self {
            start,
            size,
            all: Packed::new(View::new(rows, size, columns), Precision::Full),
            within,
            order,
        }
    }
}

/// Betters the columns of a block in some rows.
struct Better<'a, 'b> {
    block: &'a Block,
    levels: Levels,
    stored: Stored,
    columns: usize,
    gradients: &'a mut [f32],
    errors: &'a mut [f32],
    strip: &'a mut Strip<'b>,
}

impl Loop for Better<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Block { start, size, .. } = *self.block;
        let Levels { group, groups, .. } = self.levels;
        // A scale can be bettered where all that it stands for is at hand.
        let has_groups = group <= BLOCK && BLOCK.is_multiple_of(group);
        let step = if has_groups { group } else { size };
        for (row, gradient) in self.gradients.chunks_exact_mut(size).enumerate() {
            let at = row * self.columns + start;
            for first in (0..size).step_by(step) {
                let place = row * groups + (start + first) / group;
                let zero = self.strip.zero(place);
                let mut ours = Row {
                    block: self.block,
                    span: first..size.min(first + step),
                    level: [0.0; BLOCK],
                    scale: self.strip.scales[place],
                    gradient,
                    errors: &mut self.errors[at..][..size],
                };
                let codes = &mut self.strip.codes[at..][..size];
                for k in ours.span.clone() {
                    ours.level[k] = f32::from(codes[k]) - zero;
                }
                if has_groups {
                    ours.rescale(self.stored);
                }
                ours.recode(self.levels, zero);
                if has_groups {
                    ours.rescale(self.stored);
                }
                for k in ours.span.clone() {
                    codes[k] = (ours.level[k] + zero) as i8;
                }
                self.strip.scales[place] = ours.scale;
            }
        }
    }
}

/// A row's part in a block, of which the columns of a span have one scale.
struct Row<'a> {
    block: &'a Block,
    span: Range<usize>,
    /// What the span's codes stand for, in parts of the scale.
    level: [f32; BLOCK],
    scale: f32,
    /// What would be gained by a larger value in each column, by half.
    gradient: &'a mut [f32],
    errors: &'a mut [f32],
}

impl Row<'_> {
    /// Takes the scale that is best for the codes, among those that can be stored.
    #[inline(always)]
    fn rescale(&mut self, stored: Stored) {
        let size = self.block.size;
        let mut meant = [0f32; BLOCK];
        let (mut along, mut square) = (0f32, 0f32);
        for k in self.span.clone() {
            let factors = &self.block.within[k * size..][..size];
            add(&mut meant[..size], self.level[k], factors);
            along += self.gradient[k] * self.level[k];
        }
        for k in self.span.clone() {
            square += meant[k] * self.level[k];
        }
        let found = stored.round(self.scale + along / square);
        let change = found - self.scale;
        let gain = change * (2.0 * along - change * square);
        // A scale that vanishes or turns would make nonsense of the codes to come. Nothing
        // is gained where there are no codes.
        let is_sound = found.is_finite() && found / self.scale > 0.5;
        if !(is_sound && gain > 0.0) {
            return;
        }
        self.scale = found;
        for k in self.span.clone() {
            self.errors[k] -= change * self.level[k];
        }
        add(&mut self.gradient[..size], -change, &meant[..size]);
    }

    /// Takes the best code for each column of the span.
    #[inline(always)]
    fn recode(&mut self, levels: Levels, zero: f32) {
        let size = self.block.size;
        for &k in &self.block.order {
            if !self.span.contains(&k) {
                continue;
            }
            let factors = &self.block.within[k * size..][..size];
            let wanted = self.level[k] + self.gradient[k] / (factors[k] * self.scale);
            let found = levels.nearest(zero, wanted);
            if found == self.level[k] {
                continue;
            }
            let change = (found - self.level[k]) * self.scale;
            self.level[k] = found;
            self.errors[k] -= change;
            add(&mut self.gradient[..size], -change, factors);
        }
    }
}

/// What rounded weights are away from the weights.
fn errors(levels: Levels, strip: &Strip, columns: usize) -> Vec<f32> {
    let made = strip.codes.iter().enumerate().map(|(at, code)| {
        let (scale, zero) = strip.scale(levels, at / columns, at % columns);
        (f32::from(*code) - zero) * scale
    });
    strip
        .weight
        .iter()
        .zip(made)
        .map(|(weight, made)| weight - made)
        .collect()
}

/// Adds a multiple.
#[inline(always)]
fn add(to: &mut [f32], factor: f32, what: &[f32]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += factor * what;
    }
}
