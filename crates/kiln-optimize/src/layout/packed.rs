//! Bytes that are ready to be written, and where each run of them goes.

use std::ops::Range;

/// Bytes that follow each other in a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a> {
    /// Which of the form's parts.
    pub part: usize,
    /// The first byte's place in that tensor.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// What some rows become. It can be used again, with the memory that it has.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where some of the bytes go.
#[derive(Debug, Clone)]
struct Place {
    part: usize,
    offset: usize,
    bytes: Range<usize>,
}

impl Packed {
    /// All runs.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        self.places.iter().map(|place| Run {
            part: place.part,
            offset: place.offset as u64,
            bytes: &self.bytes[place.bytes.clone()],
        })
    }

    /// Replaces all by bytes that are one run of the first part. What it had is left in
    /// their stead, for its memory.
    pub fn take(&mut self, offset: u64, bytes: &mut Vec<u8>) {
        std::mem::swap(&mut self.bytes, bytes);
        self.places.clear();
        self.places.push(Place {
            part: 0,
            offset: offset as usize,
            bytes: 0..self.bytes.len(),
        });
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    /// Adds the bytes that `fill` appends, which go to a place in a part.
    pub(super) fn add(&mut self, part: usize, offset: usize, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        fill(&mut self.bytes);
        self.places.push(Place {
            part,
            offset,
            bytes: start..self.bytes.len(),
        });
    }

    /// Adds `count` runs of `length` bytes that are filled together: they go `stride`
    /// apart, and are one run where nothing is between them.
    pub(super) fn add_strided(
        &mut self,
        (part, offset): (usize, usize),
        (count, length, stride): (usize, usize, usize),
        fill: impl FnOnce(&mut [u8]),
    ) {
        let start = self.bytes.len();
        self.bytes.resize(start + count * length, 0);
        fill(&mut self.bytes[start..]);
        let (count, length) = if length == stride {
            (1, count * length)
        } else {
            (count, length)
        };
        self.places.extend((0..count).map(|run| Place {
            part,
            offset: offset + run * stride,
            bytes: start + run * length..start + (run + 1) * length,
        }));
    }
}
