//! A slab is walked band by band: how far its weights reach, which scales that calls for,
//! and what codes come of it. No more than one row is held as numbers.

use std::ops::Range;

use super::frame::Frame;
use super::nearest::{self, Scale};
use super::search::{self, Trial};
use super::{Grid, QuantizeError, Quantized, Rounding, Scheme, Slab, stored_precision};
use crate::kernels::decode::decode;
use crate::kernels::encode::{self, Integers, Loss};
use crate::kernels::precision::Precision;
use crate::kernels::spread::{Spread, spread};
use crate::kernels::{Loop, fit};

/// A slab and how it is to be quantized, checked.
pub(super) struct Bands<'a> {
    scheme: &'a Scheme,
    slab: Slab<'a>,
    frame: Frame,
    /// What the arithmetic of codes is rounded to.
    arithmetic: Precision,
    stored: Precision,
    /// How much each column counts, one at most.
    importance: Option<Vec<f32>>,
}

/// Where scales come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scales {
    /// The weights themselves.
    Chosen,
    /// Whoever has seen the whole weight.
    Known(f32),
}

impl<'a> Bands<'a> {
    pub(super) fn new(
        scheme: &'a Scheme,
        slab: Slab<'a>,
        importance: Option<&[f32]>,
    ) -> Result<Self, QuantizeError> {
        if let Grid::Int { bits, .. } = scheme.grid {
            nearest::integer_range(bits)?;
        }
        let frame = Frame::new(scheme.granularity, rows_of(slab)?, slab.columns)?;
        let stored = stored_precision(scheme, slab.dtype)?;
        let arithmetic = match scheme.rounding {
            Rounding::Nearest => stored,
            Rounding::Searched => Precision::Single,
        };
        let importance = match (scheme.rounding, importance) {
            (Rounding::Searched, Some(importance)) => relative(importance, slab.columns)?,
            _ => None,
        };
        Ok(Self {
            scheme,
            slab,
            frame,
            arithmetic,
            stored,
            importance,
        })
    }

    /// The loop that does it.
    pub(super) fn work<'b>(&'b self, scales: Scales, into: &'b mut Quantized) -> Work<'a, 'b> {
        Work {
            bands: self,
            scales,
            into,
        }
    }
}

/// The whole rows of a slab.
fn rows_of(slab: Slab<'_>) -> Result<usize, QuantizeError> {
    let row = slab.columns * slab.dtype.size();
    if row == 0 && slab.bytes.is_empty() {
        return Ok(0);
    }
    if row == 0 || !slab.bytes.len().is_multiple_of(row) {
        return Err(QuantizeError::Ragged {
            bytes: slab.bytes.len(),
            columns: slab.columns,
            dtype: slab.dtype,
        });
    }
    Ok(slab.bytes.len() / row)
}

/// Importance with one as its greatest, unless all are zero and thus the same.
fn relative(importance: &[f32], columns: usize) -> Result<Option<Vec<f32>>, QuantizeError> {
    let fits = importance.len() == columns;
    if !fits
        || !importance
            .iter()
            .all(|counts| counts.is_finite() && *counts >= 0.0)
    {
        return Err(QuantizeError::Importance { columns });
    }
    let greatest = importance.iter().copied().fold(0.0, f32::max);
    Ok((greatest > 0.0).then(|| importance.iter().map(|counts| counts / greatest).collect()))
}

/// The quantization of a slab, as a loop.
pub(super) struct Work<'a, 'b> {
    bands: &'b Bands<'a>,
    scales: Scales,
    into: &'b mut Quantized,
}

impl Loop for Work<'_, '_> {
    type Output = Result<(), QuantizeError>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self {
            bands,
            scales,
            into,
        } = self;
        let mut rows = Rows::new(bands)?;
        into.codes.resize(bands.frame.rows * bands.frame.columns, 0);
        into.scales.clear();
        into.zeros.clear();
        (into.signal, into.noise) = (0.0, 0.0);
        let asymmetric = matches!(
            bands.scheme.grid,
            Grid::Int {
                symmetric: false,
                ..
            }
        );
        for band in bands.frame.bands() {
            let scales = match scales {
                Scales::Chosen => rows.scales(&band)?,
                Scales::Known(scale) => vec![Scale { scale, zero: 0 }; bands.frame.spans()],
            };
            for row in band {
                let codes = &mut into.codes[row * bands.frame.columns..][..bands.frame.columns];
                let loss = rows.encode(row, &scales, codes)?;
                into.signal += loss.signal;
                into.noise += loss.noise;
            }
            into.scales.extend(scales.iter().map(|found| found.scale));
            if asymmetric {
                into.zeros.extend(scales.iter().map(|found| found.zero));
            }
        }
        Ok(())
    }
}

/// The rows of a slab, one of them as numbers.
struct Rows<'a, 'b> {
    bands: &'b Bands<'a>,
    weights: Precision,
    row: Vec<f32>,
    held: Option<usize>,
}

impl<'a, 'b> Rows<'a, 'b> {
    fn new(bands: &'b Bands<'a>) -> Result<Self, QuantizeError> {
        let dtype = bands.slab.dtype;
        Ok(Self {
            bands,
            weights: Precision::of(dtype).ok_or(QuantizeError::Dtype { dtype })?,
            row: vec![0.0; bands.slab.columns],
            held: None,
        })
    }

    /// Holds a row as numbers.
    #[inline(always)]
    fn hold(&mut self, row: usize) -> Result<(), QuantizeError> {
        if self.held == Some(row) {
            return Ok(());
        }
        let slab = &self.bands.slab;
        let width = slab.columns * slab.dtype.size();
        if !decode(
            self.weights,
            &slab.bytes[row * width..][..width],
            &mut self.row,
        ) {
            return Err(not_finite(row, self.weights, &self.row));
        }
        if self.bands.arithmetic != Precision::Single && self.bands.arithmetic != self.weights {
            self.narrow();
        }
        self.held = Some(row);
        Ok(())
    }

    /// Rounds the held row to the type of scales, as if the model had been of that type.
    fn narrow(&mut self) {
        for value in &mut self.row {
            *value = self.bands.arithmetic.round(*value);
        }
    }

    /// The scales of a band.
    #[inline(always)]
    fn scales(&mut self, band: &Range<usize>) -> Result<Vec<Scale>, QuantizeError> {
        let frame = self.bands.frame;
        let mut spreads = vec![Spread::default(); frame.spans()];
        for row in band.clone() {
            self.hold(row)?;
            for (reach, span) in spreads.iter_mut().zip(frame.columns_of_spans()) {
                *reach = reach.and(spread(&self.row[span]));
            }
        }
        let mut scales = Vec::with_capacity(spreads.len());
        for &reach in &spreads {
            let found = nearest::scale(self.bands.scheme, self.bands.stored, reach);
            scales.push(found.map_err(|error| error.in_row(band.start))?);
        }
        match self.bands.scheme.rounding {
            Rounding::Nearest => Ok(scales),
            Rounding::Searched => self.search(band, &spreads, &scales),
        }
    }

    /// Better scales than those that the extremes call for.
    #[inline(always)]
    fn search(
        &mut self,
        band: &Range<usize>,
        spreads: &[Spread],
        extremes: &[Scale],
    ) -> Result<Vec<Scale>, QuantizeError> {
        let Bands {
            scheme,
            stored,
            importance,
            ..
        } = self.bands;
        let mut trials = Vec::new();
        for &reach in spreads {
            trials.extend(search::starts(scheme, reach, importance.is_some())?);
        }
        let starts = trials.len() / spreads.len().max(1);
        self.try_all(band, starts, &mut trials)?;
        let mut neighbours = Vec::with_capacity(spreads.len());
        for (index, &extremes) in extremes.iter().enumerate() {
            let centre = search::best_multiple(&trials[index * starts..][..starts]);
            neighbours.push(search::neighbours(scheme, *stored, extremes, centre)?);
        }
        self.try_all(band, 1, &mut neighbours)?;
        Ok(neighbours.iter().map(Trial::least_loss).collect())
    }

    /// Sums what comes of all candidates, of which each span has so many trials.
    #[inline(always)]
    fn try_all(
        &mut self,
        band: &Range<usize>,
        each: usize,
        trials: &mut [Trial],
    ) -> Result<(), QuantizeError> {
        if each == 0 {
            return Ok(());
        }
        let frame = self.bands.frame;
        for row in band.clone() {
            self.hold(row)?;
            for (trials, span) in trials.chunks_mut(each).zip(frame.columns_of_spans()) {
                let weights = &self.row[span.clone()];
                let importance = self.bands.importance.as_ref().map(|all| &all[span]);
                for Trial { ladder, fit, .. } in trials {
                    match self.bands.scheme.grid {
                        Grid::Int { .. } => fit::integers(ladder, weights, importance, fit),
                        Grid::Fp8 => fit::fp8(ladder, weights, importance, fit),
                    }
                }
            }
        }
        Ok(())
    }

    /// Encodes a row.
    #[inline(always)]
    fn encode(
        &mut self,
        row: usize,
        scales: &[Scale],
        codes: &mut [i8],
    ) -> Result<Loss, QuantizeError> {
        self.hold(row)?;
        let range = match self.bands.scheme.grid {
            Grid::Fp8 => None,
            Grid::Int { bits, .. } => Some(nearest::integer_range(bits)?),
        };
        let mut all = Loss::default();
        for (found, span) in scales.iter().zip(self.bands.frame.columns_of_spans()) {
            let (weights, codes) = (&self.row[span.clone()], &mut codes[span]);
            let loss = match range {
                None => encode::fp8(self.bands.arithmetic, found.scale, weights, codes),
                Some((low, high)) => {
                    let range = Integers {
                        low: f32::from(low),
                        high: f32::from(high),
                    };
                    let scale = (found.scale, f32::from(found.zero));
                    encode::integers(self.bands.arithmetic, range, scale, weights, codes)
                }
            };
            all.signal += loss.signal;
            all.noise += loss.noise;
        }
        Ok(all)
    }
}

/// The greatest magnitude of a slab, as a loop.
pub(super) struct Peak<'a> {
    pub(super) slab: Slab<'a>,
}

impl Loop for Peak<'_> {
    type Output = Result<f32, QuantizeError>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let dtype = self.slab.dtype;
        let precision = Precision::of(dtype).ok_or(QuantizeError::Dtype { dtype })?;
        let mut values = vec![0.0; self.slab.columns];
        let mut all = Spread::default();
        let width = self.slab.columns * dtype.size();
        for row in 0..rows_of(self.slab)? {
            if !decode(
                precision,
                &self.slab.bytes[row * width..][..width],
                &mut values,
            ) {
                return Err(not_finite(row, precision, &values));
            }
            all = all.and(spread(&values));
        }
        Ok(all.peak())
    }
}

/// Which weight of a row it is that is not finite.
#[cold]
fn not_finite(row: usize, precision: Precision, values: &[f32]) -> QuantizeError {
    let finite = |value: &f32| value.abs() <= precision.largest();
    let column = values.iter().position(|value| !finite(value));
    QuantizeError::NotFinite {
        row,
        column: column.unwrap_or_default(),
    }
}
