//! What a weight of some shape becomes in a format: the tensors, and the bytes of rows.

use super::{Layout, LayoutError, Packed, along_columns, along_rows};
use crate::Dtype;
use crate::quantize::{Granularity, Grid, Quantized, Scheme};

/// A tensor that a weight becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The end of its name, after the module's name and a dot.
    pub suffix: &'static str,
    /// What its elements are.
    pub dtype: Dtype,
    /// How many elements it has in each dimension.
    pub shape: Vec<usize>,
}

/// What a weight becomes.
#[derive(Debug, Clone)]
pub struct Form {
    pub(super) layout: Layout,
    pub(super) scheme: Scheme,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) parts: Vec<Part>,
}

impl Form {
    /// What a weight of type `dtype` with so many rows and columns becomes.
    ///
    /// # Errors
    /// Where the format has no such thing.
    pub fn new(
        layout: Layout,
        scheme: &Scheme,
        dtype: Dtype,
        [rows, columns]: [usize; 2],
    ) -> Result<Self, LayoutError> {
        let mut form = Self {
            layout,
            scheme: *scheme,
            rows,
            columns,
            parts: Vec::new(),
        };
        form.check()?;
        let scales = scheme.stored.scales.unwrap_or(dtype);
        form.parts = if form.is_transposed() {
            along_columns::parts(&form, scales)
        } else {
            along_rows::parts(&form, scales)
        };
        Ok(form)
    }

    /// The tensors that the weight becomes.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Slabs begin at multiples of this many rows, since so many share a word or a scale.
    #[must_use]
    pub fn rows_together(&self) -> usize {
        let in_words = match (self.layout, self.scheme.grid) {
            (
                Layout::PackQuantized,
                Grid::Int {
                    symmetric: true, ..
                },
            )
            | (Layout::IntQuantized | Layout::FloatQuantized, _) => 1,
            _ => self.in_word(),
        };
        match self.scheme.granularity {
            Granularity::Block(side) => side,
            _ => in_words,
        }
    }

    /// Adds what does not depend on the weights. It is written once.
    pub fn constants(&self, into: &mut Packed) {
        match self.layout {
            Layout::PackQuantized => along_rows::shape(self, into),
            Layout::Gptq => along_columns::group_of_columns(self, into),
            _ => {}
        }
    }

    /// Replaces what is in `into` by the bytes of the rows from `first` on.
    ///
    /// With [`Granularity::Tensor`] the scale is written with row zero.
    pub fn pack(&self, first: usize, rows: &Quantized, into: &mut Packed) {
        into.clear();
        if self.is_transposed() {
            along_columns::pack(self, first, rows, into);
        } else {
            along_rows::pack(self, first, rows, into);
        }
    }

    /// Codes that one word of 32 bits holds.
    pub(super) fn in_word(&self) -> usize {
        match self.scheme.grid {
            Grid::Int { bits, .. } => 32 / usize::from(bits),
            Grid::Fp8 => 4,
        }
    }

    /// Scales that a row has, or some rows share.
    pub(super) fn spans(&self) -> usize {
        match self.scheme.granularity {
            Granularity::Group(side) | Granularity::Block(side) => self.columns.div_ceil(side),
            Granularity::Channel | Granularity::Tensor => 1,
        }
    }

    /// Whether the weight's rows become columns.
    #[must_use]
    pub fn is_transposed(&self) -> bool {
        matches!(self.layout, Layout::Awq | Layout::Gptq)
    }

    fn check(&self) -> Result<(), LayoutError> {
        let Scheme {
            grid, granularity, ..
        } = self.scheme;
        let (is_integer, is_byte) = match grid {
            Grid::Int { bits, symmetric } => (matches!(bits, 4 | 8), bits == 8 && symmetric),
            Grid::Fp8 => (false, false),
        };
        let is_group = matches!(granularity, Granularity::Group(1..));
        let is_channel = granularity == Granularity::Channel;
        let known = match self.layout {
            Layout::PackQuantized => is_integer && (is_group || is_channel),
            Layout::IntQuantized => is_byte && is_channel,
            Layout::FloatQuantized => grid == Grid::Fp8 && !is_group,
            Layout::Awq => is_integer && is_group && self.in_word() == 8,
            Layout::Gptq => is_integer && is_group,
        };
        if !known || self.scheme.stored != self.layout.stored(grid) {
            let scheme = format!(
                "{:?} by {:?} with {:?}",
                grid, granularity, self.scheme.stored
            );
            let layout = self.layout;
            return Err(LayoutError::Scheme { layout, scheme });
        }
        if let Granularity::Group(group) = granularity {
            self.divides("columns", self.columns, group)?;
        }
        if self.is_transposed() {
            self.divides("rows", self.rows, self.in_word())?;
        }
        if self.layout == Layout::Gptq {
            self.divides("columns", self.columns, self.in_word())?;
        }
        Ok(())
    }

    fn divides(
        &self,
        what: &'static str,
        count: usize,
        multiple: usize,
    ) -> Result<(), LayoutError> {
        if count.is_multiple_of(multiple) {
            return Ok(());
        }
        Err(LayoutError::Shape {
            layout: self.layout,
            what,
            count,
            multiple,
        })
    }
}
