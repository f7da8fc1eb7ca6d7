//! The numbers of MLIR's bytecode.

/// Bytes that grow.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A number of as many bytes as it needs. The zeros below the lowest one of the first
    /// byte say how many follow.
    pub(super) fn varint(&mut self, value: u64) {
        let significant = 64 - (value | 1).leading_zeros();
        let length = significant.div_ceil(7);
        if length > 8 {
            self.byte(0);
            return self.bytes(&value.to_le_bytes());
        }
        let shifted = (value << length) | (1 << (length - 1));
        self.bytes(&shifted.to_le_bytes()[..length as usize]);
    }

    pub(super) fn index(&mut self, index: usize) {
        self.varint(index as u64);
    }

    /// A number and a yes or no.
    pub(super) fn flagged(&mut self, value: usize, flag: bool) {
        self.varint((value as u64) << 1 | u64::from(flag));
    }

    /// Bytes after their number.
    pub(super) fn counted(&mut self, contents: &Self) {
        self.index(contents.len());
        self.bytes(&contents.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the format's documentation says that a number is read.
    fn read(bytes: &[u8]) -> (u64, usize) {
        let follow = bytes[0].trailing_zeros() as usize;
        let mut own = [0; 8];
        if follow == 8 {
            own.copy_from_slice(&bytes[1..9]);
            return (u64::from_le_bytes(own), 9);
        }
        own[..=follow].copy_from_slice(&bytes[..=follow]);
        (u64::from_le_bytes(own) >> (follow + 1), follow + 1)
    }

    fn written(value: u64) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.varint(value);
        encoder.0
    }

    #[test]
    fn small_numbers_take_a_byte() {
        assert_eq!(written(0), [1]);
        assert_eq!(written(127), [255]);
        assert_eq!(written(128), [2, 2]);
    }

    proptest! {
        #[test]
        fn numbers_come_back(value: u64, bits in 0..64_u32) {
            for value in [value, value >> bits, 1 << bits, (1 << bits) - 1] {
                let bytes = written(value);
                prop_assert_eq!(read(&bytes), (value, bytes.len()));
            }
        }
    }
}
