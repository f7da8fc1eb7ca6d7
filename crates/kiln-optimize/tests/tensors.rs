//! Tensors are those that compressed-tensors, AutoAWQ and AutoGPTQ write, to the byte:
//! against digests of what they, or their formulas, made of the same codes. However a weight
//! is cut into slabs, each byte is written once.

#![allow(clippy::unwrap_used)]

mod recorded;

use std::collections::BTreeMap;

use kiln_optimize::Dtype;
use kiln_optimize::layout::{Form, Layout, Packed, scale_bytes};
use kiln_optimize::quantize::{Granularity, Grid, Quantized, Rounding, Scheme};
use recorded::{Tensor, digest, recorded};

#[test]
fn tensors_are_those_of_compressed_tensors() {
    for case in recorded().cases {
        let form = Form::new(case.layout(), &case.scheme(), case.dtype, case.shape).unwrap();
        let quantized = case.quantized(Rounding::Nearest);
        for cut in [usize::MAX, 7 * form.rows_together()] {
            let written = write(&form, &case.scheme(), case.shape, &quantized, cut);
            compare(&case.name(), &form, &written, &case.tensors);
        }
    }
}

#[test]
fn tensors_are_those_of_autoawq_and_autogptq() {
    for case in recorded().transposed {
        let form = Form::new(case.layout(), &case.scheme(), Dtype::Bf16, case.shape).unwrap();
        let quantized = case.quantized();
        for cut in [usize::MAX, form.rows_together(), 3 * form.rows_together()] {
            let written = write(&form, &case.scheme(), case.shape, &quantized, cut);
            compare(&case.name(), &form, &written, &case.tensors);
        }
    }
}

fn compare(name: &str, form: &Form, written: &[Vec<u8>], expected: &BTreeMap<String, Tensor>) {
    let suffixes: Vec<_> = form.parts().iter().map(|part| part.suffix).collect();
    assert_eq!(suffixes.len(), expected.len(), "{name}: {suffixes:?}");
    for (part, bytes) in form.parts().iter().zip(written) {
        let tensor = &expected[part.suffix];
        assert_eq!(part.shape, tensor.shape, "{} of {name}", part.suffix);
        assert_eq!(
            digest(bytes.iter().copied()),
            tensor.digest,
            "{} of {name}",
            part.suffix
        );
    }
}

/// What all runs come to, when the weight is cut into slabs of so many rows.
fn write(
    form: &Form,
    scheme: &Scheme,
    [rows, columns]: [usize; 2],
    whole: &Quantized,
    cut: usize,
) -> Vec<Vec<u8>> {
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let room =
        |part: &kiln_optimize::layout::Part| vec![None; size(&part.shape) * part.dtype.size()];
    let mut tensors: Vec<Vec<Option<u8>>> = form.parts().iter().map(room).collect();
    let mut packed = Packed::default();
    form.constants(&mut packed);
    put(&packed, &mut tensors);
    for first in (0..rows).step_by(cut.min(rows)) {
        let count = cut.min(rows - first);
        form.pack(
            first,
            &part(scheme, columns, whole, first, count),
            &mut packed,
        );
        put(&packed, &mut tensors);
    }
    let whole = |bytes: Vec<Option<u8>>| bytes.into_iter().map(Option::unwrap).collect();
    tensors.into_iter().map(whole).collect()
}

fn put(packed: &Packed, tensors: &mut [Vec<Option<u8>>]) {
    for run in packed.runs() {
        for (at, &byte) in (run.offset as usize..).zip(run.bytes) {
            assert_eq!(tensors[run.part][at].replace(byte), None, "written twice");
        }
    }
}

/// The codes and scales of some rows.
fn part(
    scheme: &Scheme,
    columns: usize,
    whole: &Quantized,
    first: usize,
    count: usize,
) -> Quantized {
    let (spans, side) = match scheme.granularity {
        Granularity::Group(group) => (columns / group, 1),
        Granularity::Channel => (1, 1),
        Granularity::Tensor => (1, usize::MAX),
        Granularity::Block(side) => (columns.div_ceil(side), side),
    };
    let scales = first / side * spans..(first + count).div_ceil(side) * spans;
    Quantized {
        codes: whole.codes[first * columns..][..count * columns].to_vec(),
        scales: whole.scales[scales.clone()].to_vec(),
        zeros: whole.zeros.get(scales).unwrap_or_default().to_vec(),
        ..Quantized::default()
    }
}

#[test]
fn what_formats_do_not_have_is_refused() {
    let four = Grid::Int {
        bits: 4,
        symmetric: true,
    };
    for (layout, grid, granularity, shape, expected) in [
        (
            Layout::Awq,
            four,
            Granularity::Group(32),
            [12, 64],
            "needs a multiple of 8 rows",
        ),
        (
            Layout::Gptq,
            four,
            Granularity::Group(4),
            [16, 12],
            "needs a multiple of 8 columns",
        ),
        (
            Layout::PackQuantized,
            four,
            Granularity::Group(64),
            [8, 96],
            "multiple of 64 columns",
        ),
        (
            Layout::Awq,
            Grid::Fp8,
            Granularity::Channel,
            [8, 64],
            "Awq has no Fp8 by Channel",
        ),
        (
            Layout::IntQuantized,
            four,
            Granularity::Channel,
            [8, 64],
            "IntQuantized has no",
        ),
    ] {
        let scheme = Scheme {
            grid,
            granularity,
            rounding: Rounding::Nearest,
            stored: layout.stored(grid),
        };
        let error = Form::new(layout, &scheme, Dtype::Bf16, shape)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn scales_have_their_types() {
    assert_eq!(scale_bytes(Dtype::Bf16, 1.0), [0x80, 0x3f]);
    assert_eq!(scale_bytes(Dtype::F16, 1.0), [0x00, 0x3c]);
    assert_eq!(scale_bytes(Dtype::F32, 1.0), [0x00, 0x00, 0x80, 0x3f]);
}
