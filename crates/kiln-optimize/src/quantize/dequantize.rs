//! What codes stand for.

use super::frame::Frame;
use super::{Grid, QuantizeError, Quantized, Scheme};

/// Replaces what is in `into` by the weights that codes stand for, row after row.
///
/// # Errors
/// Where the scheme does not divide rows of so many columns.
pub fn dequantize(
    scheme: &Scheme,
    columns: usize,
    quantized: &Quantized,
    into: &mut Vec<f32>,
) -> Result<(), QuantizeError> {
    let rows = quantized.codes.len().checked_div(columns).unwrap_or(0);
    let frame = Frame::new(scheme.granularity, rows, columns)?;
    into.clear();
    into.reserve(quantized.codes.len());
    for row in 0..rows {
        let codes = &quantized.codes[row * columns..][..columns];
        for (index, span) in frame.scales_of_row(row).zip(frame.columns_of_spans()) {
            let zero = quantized.zeros.get(index).copied().unwrap_or(0);
            let scale = quantized.scales[index];
            into.extend(
                codes[span]
                    .iter()
                    .map(|&code| level(scheme.grid, code, zero) * scale),
            );
        }
    }
    Ok(())
}

/// What a code stands for when the scale is one.
fn level(grid: Grid, code: i8, zero: i8) -> f32 {
    match grid {
        Grid::Int { .. } => f32::from(i16::from(code) - i16::from(zero)),
        Grid::Fp8 => fp8(code as u8),
    }
}

/// The number that a byte of `F8_E4M3` is.
fn fp8(code: u8) -> f32 {
    let magnitude = u32::from(code & 0x7f);
    let shifted = f32::from_bits(magnitude << 20) * f32::from_bits((127 + 120) << 23);
    if code & 0x80 == 0 { shifted } else { -shifted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::precision;

    #[test]
    fn bytes_of_fp8_are_what_encoding_gives_them() {
        for code in (0..=0x7e).chain(0x80..=0xfe) {
            let value = fp8(code);
            assert_eq!(precision::fp8(value), (value, code as i8));
        }
        assert_eq!(fp8(0x7e), 448.0);
        assert_eq!(fp8(0x01), 2f32.powi(-9));
    }
}
