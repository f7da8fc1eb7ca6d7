//! Little-endian weights become numbers of 32 bits.

use super::precision::Precision;

/// Fills a row with what its bytes say. Says whether all of it is finite.
#[inline(always)]
pub(crate) fn decode(precision: Precision, bytes: &[u8], row: &mut [f32]) -> bool {
    match precision {
        Precision::Brain => brains(bytes, row),
        Precision::Half => halves(bytes, row),
        Precision::Single => singles(bytes, row),
    }
}

#[inline(always)]
fn brains(bytes: &[u8], row: &mut [f32]) -> bool {
    let (raw, _) = bytes.as_chunks::<2>();
    let mut largest = 0;
    for (value, &raw) in row.iter_mut().zip(raw) {
        let bits = u16::from_le_bytes(raw);
        largest = largest.max(bits & 0x7fff);
        *value = f32::from_bits(u32::from(bits) << 16);
    }
    largest < 0x7f80
}

#[inline(always)]
fn halves(bytes: &[u8], row: &mut [f32]) -> bool {
    // The exponents of halves begin so many powers of two later.
    let shift = f32::from_bits((127 + 112) << 23);
    let (raw, _) = bytes.as_chunks::<2>();
    let mut largest = 0;
    for (value, &raw) in row.iter_mut().zip(raw) {
        let bits = u16::from_le_bytes(raw);
        largest = largest.max(bits & 0x7fff);
        let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * shift;
        let sign = u32::from(bits & 0x8000) << 16;
        *value = f32::from_bits(magnitude.to_bits() | sign);
    }
    largest < 0x7c00
}

#[inline(always)]
fn singles(bytes: &[u8], row: &mut [f32]) -> bool {
    let (raw, _) = bytes.as_chunks::<4>();
    let mut largest = 0;
    for (value, &raw) in row.iter_mut().zip(raw) {
        let bits = u32::from_le_bytes(raw);
        largest = largest.max(bits & 0x7fff_ffff);
        *value = f32::from_bits(bits);
    }
    largest < 0x7f80_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_sixteen_bits_is_read() {
        let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let mut row = vec![0.0; 65536];
        assert!(!decode(Precision::Half, &all, &mut row));
        for (bits, value) in (0..=u16::MAX).zip(&row) {
            let expected = half::f16::from_bits(bits).to_f32();
            if expected.is_finite() {
                assert_eq!(value.to_bits(), expected.to_bits());
            }
        }
        assert!(!decode(Precision::Brain, &all, &mut row));
        for (bits, value) in (0..=u16::MAX).zip(&row) {
            assert_eq!(value.to_bits(), u32::from(bits) << 16);
        }
    }

    #[test]
    fn only_what_is_finite_is_said_to_be_so() {
        for precision in [Precision::Brain, Precision::Half, Precision::Single] {
            let bytes = |value: f32| match precision {
                Precision::Brain => half::bf16::from_f32(value).to_le_bytes().to_vec(),
                Precision::Half => half::f16::from_f32(value).to_le_bytes().to_vec(),
                Precision::Single => value.to_le_bytes().to_vec(),
            };
            let mut row = [0.0; 3];
            for (value, finite) in [
                (precision.largest(), true),
                (-precision.largest(), true),
                (f32::INFINITY, false),
                (f32::NEG_INFINITY, false),
                (f32::NAN, false),
            ] {
                let row_bytes = [bytes(1.0), bytes(value), bytes(-0.0)].concat();
                assert_eq!(decode(precision, &row_bytes, &mut row), finite);
            }
        }
    }
}
