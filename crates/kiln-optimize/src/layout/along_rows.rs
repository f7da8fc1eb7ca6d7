//! The formats of compressed-tensors, in which a row's codes follow each other.

use super::form::{Form, Part};
use super::{Layout, Packed, push_scale};
use crate::Dtype;
use crate::kernels::Instructions;
use crate::kernels::pack::PackRows;
use crate::quantize::{Granularity, Grid, Quantized};

/// Where the parts are.
const WEIGHT: usize = 0;
const SCALE: usize = 1;
const SHAPE: usize = 2;
const ZERO_POINT: usize = 3;

pub(super) fn parts(form: &Form, scales: Dtype) -> Vec<Part> {
    let (rows, columns) = (form.rows, form.columns);
    let spans = form.spans();
    let (suffix, dtype, width) = match form.layout {
        Layout::FloatQuantized => ("weight", Dtype::F8E4M3, columns),
        Layout::IntQuantized => ("weight", Dtype::I8, columns),
        _ => ("weight_packed", Dtype::I32, words(form)),
    };
    let scales_of = match form.scheme.granularity {
        Granularity::Tensor => vec![1],
        Granularity::Block(side) => vec![rows.div_ceil(side), spans],
        _ => vec![rows, spans],
    };
    let part = |suffix, dtype, shape| Part {
        suffix,
        dtype,
        shape,
    };
    let mut parts = vec![
        part(suffix, dtype, vec![rows, width]),
        part("weight_scale", scales, scales_of),
    ];
    if form.layout == Layout::PackQuantized {
        parts.push(part("weight_shape", Dtype::I64, vec![2]));
        if is_asymmetric(form) {
            let shape = vec![rows.div_ceil(form.in_word()), spans];
            parts.push(part("weight_zero_point", Dtype::I32, shape));
        }
    }
    parts
}

/// The shape that the weight had.
pub(super) fn shape(form: &Form, into: &mut Packed) {
    into.add(SHAPE, 0, |bytes| {
        bytes.extend((form.rows as i64).to_le_bytes());
        bytes.extend((form.columns as i64).to_le_bytes());
    });
}

pub(super) fn pack(form: &Form, first: usize, rows: &Quantized, into: &mut Packed) {
    if form.layout == Layout::PackQuantized {
        let width = words(form) * 4;
        let count = rows.codes.len().checked_div(form.columns).unwrap_or(0);
        into.add_strided((WEIGHT, first * width), (count, width, width), |room| {
            pack_codes(form, &rows.codes, room);
        });
    } else {
        into.add(WEIGHT, first * form.columns, |bytes| {
            bytes.extend(rows.codes.iter().map(|&code| code as u8));
        });
    }
    scales(form, first, rows, into);
    if is_asymmetric(form) {
        zero_points(form, first, rows, into);
    }
}

/// Codes in the bits of words, shifted up so that none is negative.
fn pack_codes(form: &Form, codes: &[i8], room: &mut [u8]) {
    Instructions::best().run(PackRows {
        in_word: form.in_word(),
        columns: form.columns,
        codes,
        room,
    });
}

fn scales(form: &Form, first: usize, rows: &Quantized, into: &mut Packed) {
    let before = match form.scheme.granularity {
        Granularity::Tensor if first > 0 => return,
        Granularity::Tensor => 0,
        Granularity::Block(side) => first / side * form.spans(),
        _ => first * form.spans(),
    };
    let dtype = form.parts[SCALE].dtype;
    into.add(SCALE, before * dtype.size(), |bytes| {
        for &scale in &rows.scales {
            push_scale(bytes, dtype, scale);
        }
    });
}

/// Zero points share words with those of the rows below.
fn zero_points(form: &Form, first: usize, rows: &Quantized, into: &mut Packed) {
    let (in_word, spans) = (form.in_word(), form.spans());
    into.add(ZERO_POINT, first / in_word * spans * 4, |bytes| {
        for together in rows.zeros.chunks(in_word * spans) {
            for span in 0..spans {
                let zeros = together.iter().skip(span).step_by(spans);
                bytes.extend(word(zeros.copied(), in_word).to_le_bytes());
            }
        }
    });
}

/// Codes in a word, the first lowest.
fn word(codes: impl Iterator<Item = i8>, in_word: usize) -> u32 {
    let bits = 32 / in_word;
    let (half, mask) = (1i32 << (bits - 1), (1u32 << bits) - 1);
    codes.enumerate().fold(0, |word, (place, code)| {
        word | (((i32::from(code) + half) as u32 & mask) << (place * bits))
    })
}

fn words(form: &Form) -> usize {
    form.columns.div_ceil(form.in_word())
}

fn is_asymmetric(form: &Form) -> bool {
    matches!(
        form.scheme.grid,
        Grid::Int {
            symmetric: false,
            ..
        }
    )
}
