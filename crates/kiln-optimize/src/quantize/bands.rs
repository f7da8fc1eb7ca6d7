//! A slab is walked band by band: how far its weights reach, which scales that calls for,
//! and what codes come of it. No more than one row is held as numbers.

use std::ops::Range;

use super::frame::Frame;
use super::nearest::{self, Scale};
use super::search::{self, Candidates, Trial};
use super::{Grid, QuantizeError, Quantized, Rounding, Scheme, Slab, stored_precision};
use crate::kernels::decode::{decode, is_finite};
use crate::kernels::encode::{self, Sums};
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
    /// The least and the greatest level.
    range: (f32, f32),
    /// What a search tries.
    candidates: Candidates,
    /// How much each column counts, one at most.
    importance: Option<Vec<f32>>,
}

impl<'a> Bands<'a> {
    pub(super) fn new(
        scheme: &'a Scheme,
        slab: Slab<'a>,
        importance: Option<&[f32]>,
    ) -> Result<Self, QuantizeError> {
        let range = match scheme.grid {
            Grid::Fp8 => (-448.0, 448.0),
            Grid::Int { bits, .. } => {
                let (low, high) = nearest::integer_range(bits)?;
                (f32::from(low), f32::from(high))
            }
        };
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
            range,
            candidates: Candidates::new(scheme, range, stored, importance.is_some()),
            importance,
        })
    }

    /// The loop that does it.
    pub(super) fn work<'b>(&'b self, into: &'b mut Quantized) -> Work<'a, 'b> {
        Work { bands: self, into }
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
    into: &'b mut Quantized,
}

impl Loop for Work<'_, '_> {
    type Output = Result<(), QuantizeError>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { bands, into } = self;
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
            let scales = rows.scales(&band)?;
            for row in band {
                let codes = &mut into.codes[row * bands.frame.columns..][..bands.frame.columns];
                let mut sums = Sums::default();
                rows.encode(row, &scales, codes, &mut sums)?;
                into.signal += sums.signal();
                into.noise += sums.noise();
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
        let bytes = &slab.bytes[row * width..][..width];
        if !is_finite(self.weights, bytes) {
            return Err(not_finite(row, self.weights, bytes));
        }
        decode(self.weights, bytes, &mut self.row);
        if self.bands.arithmetic != self.weights {
            // As if the model had been of the type of scales.
            self.bands.arithmetic.round_all(&mut self.row);
        }
        self.held = Some(row);
        Ok(())
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
            candidates, stored, ..
        } = *self.bands;
        let each = candidates.trials();
        let mut trials = Vec::with_capacity(each * spreads.len());
        for (&reach, &extremes) in spreads.iter().zip(extremes) {
            candidates.push(reach, extremes, &mut trials);
        }
        self.try_all(band, each, &mut trials)?;
        let mut found = Vec::with_capacity(spreads.len());
        for trials in trials.chunks(each) {
            found.extend(search::best(trials, stored));
        }
        Ok(found)
    }

    /// Sums what comes of all candidates, of which each span has so many trials.
    #[inline(always)]
    fn try_all(
        &mut self,
        band: &Range<usize>,
        each: usize,
        trials: &mut [Trial],
    ) -> Result<(), QuantizeError> {
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
        sums: &mut Sums,
    ) -> Result<(), QuantizeError> {
        self.hold(row)?;
        let Bands {
            arithmetic, range, ..
        } = *self.bands;
        for (found, span) in scales.iter().zip(self.bands.frame.columns_of_spans()) {
            let (weights, codes) = (&self.row[span.clone()], &mut codes[span]);
            let scale = (found.scale, f32::from(found.zero));
            match self.bands.scheme.grid {
                Grid::Fp8 => encode::fp8(arithmetic, found.scale, weights, codes, sums),
                Grid::Int { .. } => {
                    encode::integers(arithmetic, range, scale, weights, codes, sums);
                }
            }
        }
        Ok(())
    }
}

/// The search for what is not finite in a slab, as a loop.
pub(super) struct Check<'a> {
    pub(super) slab: Slab<'a>,
}

impl Loop for Check<'_> {
    type Output = Result<(), QuantizeError>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let dtype = self.slab.dtype;
        let precision = Precision::of(dtype).ok_or(QuantizeError::Dtype { dtype })?;
        let width = self.slab.columns * dtype.size();
        for row in 0..rows_of(self.slab)? {
            let bytes = &self.slab.bytes[row * width..][..width];
            if !is_finite(precision, bytes) {
                return Err(not_finite(row, precision, bytes));
            }
        }
        Ok(())
    }
}

/// Which weight of a row it is that is not finite.
#[cold]
fn not_finite(row: usize, precision: Precision, bytes: &[u8]) -> QuantizeError {
    let mut weights = bytes.chunks(precision.dtype().size());
    let column = weights.position(|weight| !is_finite(precision, weight));
    QuantizeError::NotFinite {
        row,
        column: column.unwrap_or_default(),
    }
}
