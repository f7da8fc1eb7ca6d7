//! Which weights share a scale, in a slab of so many rows and columns.

use std::ops::Range;

use super::{Granularity, QuantizeError};

/// A slab divided into what shares a scale: bands of rows, and spans of columns in them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Rows of a band, the last one's excepted.
    band: usize,
    /// Columns of a span, the last one's excepted.
    span: usize,
}

impl Frame {
    pub(super) fn new(
        granularity: Granularity,
        rows: usize,
        columns: usize,
    ) -> Result<Self, QuantizeError> {
        let (band, span) = match granularity {
            Granularity::Group(group) => {
                if group == 0 || !columns.is_multiple_of(group) {
                    return Err(QuantizeError::Groups { columns, group });
                }
                (1, group)
            }
            Granularity::Channel => (1, columns),
            Granularity::Tensor => (rows, columns),
            Granularity::Block(side) => (side, side),
        };
        Ok(Self {
            rows,
            columns,
            band: band.max(1),
            span: span.max(1),
        })
    }

    /// Scales of one band.
    pub(super) fn spans(&self) -> usize {
        self.columns.div_ceil(self.span)
    }

    /// The columns of each span.
    pub(super) fn columns_of_spans(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.columns)
            .step_by(self.span)
            .map(move |first| first..(first + self.span).min(self.columns))
    }

    /// The rows of each band.
    pub(super) fn bands(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.rows)
            .step_by(self.band)
            .map(move |first| first..(first + self.band).min(self.rows))
    }

    /// Where the scales of a row are, among all.
    pub(super) fn scales_of_row(&self, row: usize) -> Range<usize> {
        let first = row / self.band * self.spans();
        first..first + self.spans()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_a_scale() {
        for (granularity, bands, spans) in [
            (Granularity::Group(4), vec![0, 1, 2], vec![0, 4]),
            (Granularity::Channel, vec![0, 1, 2], vec![0]),
            (Granularity::Tensor, vec![0], vec![0]),
            (Granularity::Block(2), vec![0, 2], vec![0, 2, 4, 6]),
            (Granularity::Block(5), vec![0], vec![0, 5]),
        ] {
            let frame = Frame::new(granularity, 3, 8).unwrap();
            assert_eq!(starts(frame.bands(), 3), bands, "{granularity:?}");
            assert_eq!(
                starts(frame.columns_of_spans(), 8),
                spans,
                "{granularity:?}"
            );
            assert_eq!(frame.spans(), spans.len());
        }
    }

    /// Where ranges start that follow each other up to `end`.
    fn starts(ranges: impl Iterator<Item = Range<usize>>, end: usize) -> Vec<usize> {
        let mut next = 0;
        let mut starts = Vec::new();
        for range in ranges {
            assert_eq!(range.start, next);
            starts.push(range.start);
            next = range.end;
        }
        assert_eq!(next, end);
        starts
    }

    #[test]
    fn groups_divide_rows() {
        assert_eq!(
            Frame::new(Granularity::Group(3), 3, 8),
            Err(QuantizeError::Groups {
                columns: 8,
                group: 3
            })
        );
    }
}
