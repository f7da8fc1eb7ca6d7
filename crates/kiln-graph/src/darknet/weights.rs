//! The `.weights` file: a header, then numbers of 32 bits in the order in which
//! the layers ask for them.

use bytes::Bytes;

use super::FORMAT;
use crate::foreign::ForeignError;
use crate::model::{Element, Tensor};

/// What is left of the numbers.
pub(super) struct Weights {
    rest: Bytes,
    /// Whether the matrices of `connected` layers are stored the other way round.
    pub(super) transposed: bool,
}

impl Weights {
    /// Reads the header: the version in three numbers, and how many images the
    /// network has seen, which took 64 bits from version 0.2 on.
    pub(super) fn new(mut bytes: Bytes) -> Result<Self, ForeignError> {
        let short = || ForeignError::malformed(FORMAT, "its weights end within their header");
        let version = bytes.first_chunk::<12>().ok_or_else(short)?;
        let [major, minor] = [0, 4].map(|at| {
            let number = [
                version[at],
                version[at + 1],
                version[at + 2],
                version[at + 3],
            ];
            i64::from(i32::from_le_bytes(number))
        });
        let is_long = major * 10 + minor >= 2 && major < 1000 && minor < 1000;
        let header = if is_long { 20 } else { 16 };
        if bytes.len() < header {
            return Err(short());
        }
        Ok(Self {
            rest: bytes.split_off(header),
            transposed: major > 1000 || minor > 1000,
        })
    }

    /// The next numbers, as a tensor of these sizes.
    pub(super) fn take(&mut self, dims: &[usize]) -> Result<Tensor, String> {
        let length = dims
            .iter()
            .try_fold(4_usize, |all, size| all.checked_mul(*size));
        let length = length.filter(|length| *length <= self.rest.len());
        let length = length.ok_or("the weights end before it has its own")?;
        let bytes = self.rest.split_to(length);
        Tensor::new(Element::F32, dims.to_vec(), bytes).map_err(|error| error.to_string())
    }

    /// How many numbers nobody has asked for.
    pub(super) fn left(&self) -> usize {
        self.rest.len() / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(major: i32, minor: i32, seen: usize) -> Vec<u8> {
        let version = [major, minor, 0].map(i32::to_le_bytes);
        [version.concat(), vec![0; seen]].concat()
    }

    #[test]
    fn the_header_has_two_lengths() {
        for (major, minor, seen, transposed) in [
            (0, 1, 4, false),
            (0, 2, 8, false),
            (1, 0, 8, false),
            (0, 1001, 4, true),
        ] {
            let mut bytes = header(major, minor, seen);
            bytes.extend(7.0_f32.to_le_bytes());
            let mut weights = Weights::new(bytes.into()).unwrap();
            assert_eq!(weights.transposed, transposed);
            assert_eq!(weights.take(&[1]).unwrap().values(), Some(vec![7.0_f32]));
            assert_eq!(weights.left(), 0);
            assert!(weights.take(&[1]).is_err());
        }
        assert!(Weights::new(header(0, 2, 4).into()).is_err());
    }
}
