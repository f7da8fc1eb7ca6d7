//! Little-endian weights become numbers of 32 bits.

use super::precision::Precision;

/// Fills a row with what its bytes say.
#[inline(always)]
pub(crate) fn decode(precision: Precision, bytes: &[u8], row: &mut [f32]) {
    match precision {
        Precision::Brain => each(bytes, row, |raw| {
            f32::from_bits(u32::from(u16::from_le_bytes(raw)) << 16)
        }),
        Precision::Half => each(bytes, row, half),
        Precision::Single => each(bytes, row, f32::from_le_bytes),
    }
}

#[inline(always)]
fn each<const SIZE: usize>(bytes: &[u8], row: &mut [f32], number: impl Fn([u8; SIZE]) -> f32) {
    let (raw, _) = bytes.as_chunks::<SIZE>();
    for (value, &raw) in row.iter_mut().zip(raw) {
        *value = number(raw);
    }
}

/// What half a number of 32 bits says, if it is finite.
#[inline(always)]
fn half(raw: [u8; 2]) -> f32 {
    // The exponents of halves begin so many powers of two later.
    let shift = f32::from_bits((127 + 112) << 23);
    let bits = u32::from(u16::from_le_bytes(raw));
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * shift;
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

/// Whether all that bytes say is finite.
#[inline(always)]
pub(crate) fn is_finite(precision: Precision, bytes: &[u8]) -> bool {
    match precision {
        Precision::Brain => largest_of_sixteen_bits(bytes) < 0x7f80,
        Precision::Half => largest_of_sixteen_bits(bytes) < 0x7c00,
        Precision::Single => {
            let (raw, _) = bytes.as_chunks::<4>();
            let magnitudes = raw.iter().map(|&raw| u32::from_le_bytes(raw) & 0x7fff_ffff);
            magnitudes.fold(0, u32::max) < 0x7f80_0000
        }
    }
}

#[inline(always)]
fn largest_of_sixteen_bits(bytes: &[u8]) -> u16 {
    let (raw, _) = bytes.as_chunks::<2>();
    let magnitudes = raw.iter().map(|&raw| u16::from_le_bytes(raw) & 0x7fff);
    magnitudes.fold(0, u16::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_sixteen_bits_is_read() {
        let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let mut row = vec![0.0; 65536];
        decode(Precision::Half, &all, &mut row);
        for (bits, value) in (0..=u16::MAX).zip(&row) {
            let expected = half::f16::from_bits(bits).to_f32();
            if expected.is_finite() {
                assert_eq!(value.to_bits(), expected.to_bits());
            }
        }
        decode(Precision::Brain, &all, &mut row);
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
            for (value, finite) in [
                (precision.largest(), true),
                (-precision.largest(), true),
                (f32::INFINITY, false),
                (f32::NEG_INFINITY, false),
                (f32::NAN, false),
            ] {
                let row = [bytes(1.0), bytes(value), bytes(-0.0)].concat();
                assert_eq!(is_finite(precision, &row), finite);
            }
        }
    }
}
