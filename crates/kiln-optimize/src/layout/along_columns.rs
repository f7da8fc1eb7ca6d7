//! The formats of AutoAWQ and GPTQ, in which the weight is transposed: what a slab of rows
//! becomes is scattered in runs.

use super::form::{Form, Part};
use super::{Layout, Packed, push_scale};
use crate::Dtype;
use crate::kernels::Instructions;
use crate::kernels::pack::{PackAcross, PackDown};
use crate::quantize::Quantized;

/// Where the parts are.
const WEIGHT: usize = 0;
const ZERO_POINT: usize = 1;
const SCALE: usize = 2;
const GROUP: usize = 3;

/// Which of eight rows each nibble of a word is from, in AutoAWQ.
const INTERLEAVED: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];

/// The order of the rows in a word, in GPTQ.
const IN_ORDER: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

pub(super) fn parts(form: &Form, scales: Dtype) -> Vec<Part> {
    let (rows, columns) = (form.rows, form.columns);
    let (in_word, groups) = (form.in_word(), form.spans());
    let weight = match form.layout {
        Layout::Gptq => vec![columns / in_word, rows],
        _ => vec![columns, rows / in_word],
    };
    let part = |suffix, dtype, shape| Part {
        suffix,
        dtype,
        shape,
    };
    let mut parts = vec![
        part("qweight", Dtype::I32, weight),
        part("qzeros", Dtype::I32, vec![groups, rows / in_word]),
        part("scales", scales, vec![groups, rows]),
    ];
    if form.layout == Layout::Gptq {
        parts.push(part("g_idx", Dtype::I32, vec![columns]));
    }
    parts
}

/// Which group each column is in.
pub(super) fn group_of_columns(form: &Form, into: &mut Packed) {
    let group = form.columns / form.spans().max(1);
    into.add(GROUP, 0, |bytes| {
        for column in 0..form.columns {
            bytes.extend(((column / group) as i32).to_le_bytes());
        }
    });
}

pub(super) fn pack(form: &Form, first: usize, rows: &Quantized, into: &mut Packed) {
    let count = rows.codes.len().checked_div(form.columns).unwrap_or(0);
    let (in_word, groups) = (form.in_word(), form.spans());
    let (order, less) = match form.layout {
        Layout::Gptq => (&IN_ORDER[..in_word], 1),
        _ => (&INTERLEAVED[..in_word], 0),
    };
    match form.layout {
        Layout::Gptq => {
            let strided = (form.columns / in_word, count * 4, form.rows * 4);
            into.add_strided((WEIGHT, first * 4), strided, |room| {
                Instructions::best().run(PackDown {
                    in_word,
                    columns: form.columns,
                    codes: &rows.codes,
                    room,
                });
            });
        }
        _ => {
            let run = count / in_word * 4;
            let strided = (form.columns, run, form.rows / in_word * 4);
            into.add_strided((WEIGHT, first / in_word * 4), strided, |room| {
                Instructions::best().run(PackAcross {
                    order,
                    less: 0,
                    columns: form.columns,
                    codes: &rows.codes,
                    room,
                });
            });
        }
    }
    let symmetric = [0];
    let zeros = if rows.zeros.is_empty() {
        symmetric.repeat(count * groups)
    } else {
        rows.zeros.clone()
    };
    let strided = (groups, count / in_word * 4, form.rows / in_word * 4);
    into.add_strided((ZERO_POINT, first / in_word * 4), strided, |room| {
        Instructions::best().run(PackAcross {
            order,
            less,
            columns: groups,
            codes: &zeros,
            room,
        });
    });
    scales(form, first, rows, into);
}

fn scales(form: &Form, first: usize, rows: &Quantized, into: &mut Packed) {
    let groups = form.spans();
    let dtype = form.parts[SCALE].dtype;
    for group in 0..groups {
        let offset = (group * form.rows + first) * dtype.size();
        into.add(SCALE, offset, |bytes| {
            for &scale in rows.scales.iter().skip(group).step_by(groups) {
                push_scale(bytes, dtype, scale);
            }
        });
    }
}
