//! What holds of every scheme, on every instruction set.

use proptest::prelude::*;

use super::*;
use crate::Dtype;

fn int(bits: u8, symmetric: bool, granularity: Granularity) -> (Grid, Granularity) {
    (Grid::Int { bits, symmetric }, granularity)
}

fn schemes() -> Vec<Scheme> {
    let kinds = [
        int(4, true, Granularity::Group(32)),
        int(4, false, Granularity::Group(32)),
        int(8, true, Granularity::Group(64)),
        int(8, false, Granularity::Group(64)),
        int(8, true, Granularity::Channel),
        (Grid::Fp8, Granularity::Channel),
        (Grid::Fp8, Granularity::Tensor),
        (Grid::Fp8, Granularity::Block(48)),
    ];
    let of = |rounding, scales| {
        kinds.map(|(grid, granularity)| Scheme {
            grid,
            granularity,
            rounding,
            stored: Stored {
                scales,
                ..Stored::default()
            },
        })
    };
    [
        of(Rounding::Nearest, None),
        of(Rounding::Searched, None),
        of(Rounding::Nearest, Some(Dtype::F16)),
        of(Rounding::Searched, Some(Dtype::F16)),
    ]
    .concat()
}

fn slab(dtype: Dtype, columns: usize, bytes: &[u8]) -> Slab<'_> {
    Slab {
        dtype,
        columns,
        bytes,
    }
}

fn bytes_of(dtype: Dtype, values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|&value| match dtype {
            Dtype::Bf16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
            Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        })
        .collect()
}

/// Rows of weights of very different sizes.
fn weights() -> impl Strategy<Value = Vec<f32>> {
    let row = (-12i32..4, proptest::collection::vec(-1.0f32..1.0, 64));
    proptest::collection::vec(row, 1..6).prop_map(|rows| {
        rows.into_iter()
            .flat_map(|(size, row)| row.into_iter().map(move |value| value * 2f32.powi(size)))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn instruction_sets_agree_to_the_bit(
        values in weights(),
        importance in proptest::collection::vec(0.0f32..3.0, 64),
        weighted in any::<bool>(),
    ) {
        let importance = weighted.then_some(importance.as_slice());
        for scheme in schemes() {
            for dtype in [Dtype::Bf16, Dtype::F16, Dtype::F32] {
                let bytes = bytes_of(dtype, &values);
                let mut answers = Instructions::all().into_iter().map(|instructions| {
                    let mut into = Quantized::default();
                    quantize_by(instructions, &scheme, slab(dtype, 64, &bytes), importance, &mut into)
                        .unwrap();
                    into
                });
                let plain = answers.next().unwrap();
                for other in answers {
                    prop_assert_eq!(&plain, &other, "{:?} {:?}", scheme, dtype);
                }
            }
        }
    }

    #[test]
    fn instruction_sets_agree_on_rows_of_any_length(
        values in proptest::collection::vec(-1.0f32..1.0, 1..1400),
        rows in 1usize..4,
    ) {
        let columns = values.len() / rows;
        prop_assume!(columns > 0);
        let bytes = bytes_of(Dtype::Bf16, &values[..columns * rows]);
        let whole = |scheme: &Scheme| !matches!(scheme.granularity, Granularity::Group(_));
        for scheme in schemes().into_iter().filter(whole) {
            let mut answers = Instructions::all().into_iter().map(|instructions| {
                let mut into = Quantized::default();
                quantize_by(instructions, &scheme, slab(Dtype::Bf16, columns, &bytes), None, &mut into)
                    .unwrap();
                into
            });
            let plain = answers.next().unwrap();
            for other in answers {
                prop_assert_eq!(&plain, &other, "{:?}", scheme);
            }
        }
    }

    #[test]
    fn a_search_never_loses_more(values in weights()) {
        let bytes = bytes_of(Dtype::F16, &values);
        let slab = slab(Dtype::F16, 64, &bytes);
        let (mut nearest, mut searched) = (Quantized::default(), Quantized::default());
        for scheme in schemes() {
            let with = |rounding| Scheme { rounding, ..scheme };
            quantize(&with(Rounding::Nearest), slab, None, &mut nearest).unwrap();
            quantize(&with(Rounding::Searched), slab, None, &mut searched).unwrap();
            // What a candidate gains is summed up in single precision.
            let alike = 1e-4 * nearest.noise + 1e-6 * nearest.signal;
            prop_assert!(searched.noise <= nearest.noise + alike, "{:?}", scheme);
        }
    }

    #[test]
    fn noise_is_what_dequantizing_shows(values in weights()) {
        let bytes = bytes_of(Dtype::F32, &values);
        let mut quantized = Quantized::default();
        let mut back = Vec::new();
        for scheme in schemes().into_iter().filter(|scheme| scheme.stored.scales.is_none()) {
            quantize(&scheme, slab(Dtype::F32, 64, &bytes), None, &mut quantized).unwrap();
            dequantize(&scheme, 64, &quantized, &mut back).unwrap();
            let squares = |pairs: &mut dyn Iterator<Item = (f32, f32)>| -> f64 {
                pairs.map(|(one, other)| f64::from(one - other).powi(2)).sum()
            };
            let noise = squares(&mut values.iter().copied().zip(back.iter().copied()));
            let signal = squares(&mut values.iter().map(|&value| (value, 0.0)));
            prop_assert!((noise - quantized.noise).abs() <= 1e-9 * noise, "{:?}", scheme);
            prop_assert!((signal - quantized.signal).abs() <= 1e-9 * signal);
        }
    }
}

/// The error of each weight by its column's importance.
fn weighted_noise(columns: usize, importance: &[f32], values: &[f32], back: &[f32]) -> f64 {
    let errors = values.iter().zip(back).enumerate();
    let weighted = errors.map(|(at, (one, other))| {
        f64::from(importance[at % columns]) * f64::from(one - other).powi(2)
    });
    weighted.sum()
}

#[test]
fn importance_moves_error_to_where_it_counts_less() {
    let bell = |at: usize| ((at * 7919 % 1009) as f32 / 1009.0 - 0.5).powi(3);
    let values: Vec<f32> = (0..64 * 64).map(bell).collect();
    let importance: Vec<f32> = (0..64).map(|column| (column % 7) as f32).collect();
    let bytes = bytes_of(Dtype::F32, &values);
    for scheme in schemes()
        .into_iter()
        .filter(|scheme| scheme.rounding == Rounding::Searched)
    {
        let noise = |importance_of: Option<&[f32]>| {
            let (mut quantized, mut back) = (Quantized::default(), Vec::new());
            let slab = slab(Dtype::F32, 64, &bytes);
            quantize(&scheme, slab, importance_of, &mut quantized).unwrap();
            dequantize(&scheme, 64, &quantized, &mut back).unwrap();
            weighted_noise(64, &importance, &values, &back)
        };
        assert!(
            noise(Some(&importance)) <= noise(None) * 1.001,
            "{scheme:?}"
        );
    }
}

#[test]
fn importance_is_checked() {
    let scheme = schemes()[8];
    let bytes = vec![0; 128];
    for importance in [vec![1.0; 63], vec![-1.0; 64], vec![f32::NAN; 64]] {
        let mut into = Quantized::default();
        let result = quantize(
            &scheme,
            slab(Dtype::Bf16, 64, &bytes),
            Some(&importance),
            &mut into,
        );
        assert_eq!(result, Err(QuantizeError::Importance { columns: 64 }));
    }
}

#[test]
fn extremes_are_quantized_and_infinities_refused() {
    for scheme in schemes() {
        for dtype in [Dtype::Bf16, Dtype::F16, Dtype::F32] {
            for value in [
                0.0,
                -0.0,
                1e-45,
                1e-40,
                6e-8,
                1e-20,
                60000.0,
                f32::INFINITY,
                f32::NAN,
            ] {
                let mut values = vec![0.0; 128];
                values[70] = value;
                let bytes = bytes_of(dtype, &values);
                let mut into = Quantized::default();
                let result = quantize(&scheme, slab(dtype, 64, &bytes), None, &mut into);
                if value.is_finite() {
                    result.unwrap();
                    assert!(
                        into.scales
                            .iter()
                            .all(|scale| scale.is_normal() || *scale != 0.0)
                    );
                    assert!(into.noise.is_finite());
                } else {
                    let error = result.unwrap_err();
                    assert!(
                        matches!(
                            error,
                            QuantizeError::NotFinite {
                                row: 1,
                                column: 6,
                                ..
                            }
                        ),
                        "{error}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_is_found() {
    let bytes = bytes_of(Dtype::F16, &[1.0, -2.5, 0.0, 2.0]);
    assert_eq!(check(slab(Dtype::F16, 2, &bytes)), Ok(()));
    let bytes = bytes_of(Dtype::F16, &[1.0, 2.0, 0.0, f32::NEG_INFINITY]);
    let error = check(slab(Dtype::F16, 2, &bytes)).unwrap_err();
    assert_eq!(error, QuantizeError::NotFinite { row: 1, column: 1 });
}

#[test]
fn what_does_not_divide_is_said() {
    let scheme = schemes()[0];
    for (columns, bytes, expected) in [
        (48, 96, "48 columns are not a whole number of groups of 32"),
        (
            32,
            70,
            "70 bytes are not whole rows of 32 columns of type Bf16",
        ),
    ] {
        let bytes = vec![0; bytes];
        let error = quantize(
            &scheme,
            slab(Dtype::Bf16, columns, &bytes),
            None,
            &mut Quantized::default(),
        );
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}
