//! Rounding against the paper's definition, and what it is for.

use proptest::prelude::*;

use super::*;
use crate::calibrate::linear::gram;
use crate::quantize::Rounding;

fn noise(count: usize, seed: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|i| {
            let mixed = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ seed << 7);
            let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn scheme(group: usize) -> Scheme {
    Scheme {
        grid: Grid::Int {
            bits: 4,
            symmetric: true,
        },
        granularity: Granularity::Group(group),
        rounding: Rounding::Nearest,
        stored: crate::quantize::Stored::default(),
    }
}

#[test]
fn matrices_are_brought_into_an_order() {
    let mut matrix = vec![0.0; 9];
    for (i, j) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)] {
        matrix[i * 3 + j] = (i * 10 + j) as f32;
    }
    mirror(&mut matrix, 3);
    permute(&mut matrix, &[2, 0, 1]);
    assert_eq!(matrix, [22.0, 2.0, 12.0, 2.0, 0.0, 1.0, 12.0, 1.0, 11.0]);
}

/// GPTQ as its paper has it: from the inverse of the matrix, column by column.
fn defined(
    weight: &[f32],
    hessian: &[f64],
    n: usize,
    order: &[usize],
    scales: &[f32],
    group: usize,
) -> Vec<i8> {
    let mut codes = vec![0i8; weight.len()];
    for (row, codes) in weight
        .chunks(n)
        .zip(codes.chunks_mut(n))
        .enumerate()
        .map(|(i, x)| ((i, x.0), x.1))
    {
        let (index, row) = row;
        let mut w: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
        for (k, column) in order.iter().enumerate() {
            let scale = f64::from(scales[index * n.div_ceil(group) + column / group]);
            let code = (w[*column] / scale).round_ties_even().clamp(-8.0, 7.0);
            codes[*column] = code as i8;
            let error = w[*column] - code * scale;
            // The inverse of the matrix of what is left.
            let left = &order[k..];
            let inverse = first_column_of_inverse(hessian, n, left);
            for (other, factor) in left.iter().zip(&inverse) {
                w[*other] -= error * factor / inverse[0];
            }
        }
    }
    codes
}

fn first_column_of_inverse(hessian: &[f64], n: usize, left: &[usize]) -> Vec<f64> {
    let m = left.len();
    let mut a: Vec<Vec<f64>> = left
        .iter()
        .enumerate()
        .map(|(i, r)| {
            let row = left.iter().map(|c| hessian[r.min(c) * n + r.max(c)]);
            row.chain([f64::from(u8::from(i == 0))]).collect()
        })
        .collect();
    for i in 0..m {
        let pivot = a[i][i];
        let row: Vec<f64> = a[i].iter().map(|x| x / pivot).collect();
        for (other, target) in a.iter_mut().enumerate() {
            if other != i {
                let factor = target[i];
                for (x, y) in target.iter_mut().zip(&row) {
                    *x -= factor * y;
                }
            }
        }
        a[i] = row;
    }
    a.iter().map(|row| row[m]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn codes_are_those_of_the_paper(n in 2usize..24, rows in 1usize..5, seed: u64) {
        let inputs = noise(n * 2 * n, seed);
        let weight = noise(rows * n, !seed);
        let mut sums = vec![0f32; n * n];
        gram(View::new(&inputs, 2 * n, n), &mut sums, Precision::Full, 1);
        let group = n.div_ceil(2);
        let scales = vec![0.13f32; rows * n.div_ceil(group)];
        let mean = (0..n).map(|i| f64::from(sums[i * n + i])).sum::<f64>() / n as f64;
        let mut hessian: Vec<f64> = sums.iter().map(|x| f64::from(*x)).collect();
        for i in 0..n {
            hessian[i * n + i] += f64::from((mean * DAMPING) as f32);
        }
        let feedback = Feedback::new(sums, n, Rounding::Nearest, 1).unwrap();
        let expected = defined(&weight, &hessian, n, &feedback.order, &scales, group);
        let mut quantized = Quantized { scales, ..Quantized::default() };
        feedback.round(&weight, &scheme(group), Stored::Single, &mut quantized);
        let differing = quantized.codes.iter().zip(&expected).filter(|(a, b)| a != b).count();
        // Ties may fall either way.
        prop_assert!(differing <= expected.len() / 20, "{differing} of {}", expected.len());
    }
}

#[test]
fn what_multiplies_the_rows_loses_less_and_bits_do_not_depend_on_threads() {
    let (n, rows, tokens) = (300, 200, 500);
    let mut inputs = noise(tokens * n, 1);
    for row in inputs.chunks_mut(n) {
        for i in 1..n {
            row[i] = 0.7 * row[i - 1] + 0.3 * row[i];
        }
    }
    let weight = noise(rows * n, 2);
    let mut sums = vec![0f32; n * n];
    gram(View::new(&inputs, tokens, n), &mut sums, Precision::Full, 1);
    let scales = vec![1.0 / 7.5; rows * 3];
    let lost = |codes: &[i8], scales: &[f32], group: usize| -> f64 {
        let made = codes.iter().enumerate().map(|(at, code)| {
            let place = at / n * n.div_ceil(group) + at % n / group;
            f32::from(*code) * scales[place]
        });
        let packed: Vec<f32> = weight.iter().zip(made).map(|(w, made)| w - made).collect();
        let packed = Packed::new(View::new(&packed, rows, n), Precision::Full);
        let mut out = vec![0f32; tokens * rows];
        multiply(
            View::new(&inputs, tokens, n),
            &packed,
            &mut out,
            rows,
            Blend::Set,
            Part::All,
            1,
        );
        out.iter().map(|x| f64::from(x * x)).sum()
    };
    let nearest: Vec<i8> = weight
        .iter()
        .map(|w| (w * 7.5).round().clamp(-8.0, 7.0) as i8)
        .collect();
    let rounded = |rounding, group: usize, threads| {
        let mut quantized = Quantized {
            scales: vec![1.0 / 7.5; rows * n.div_ceil(group)],
            ..Quantized::default()
        };
        let feedback = Feedback::new(sums.clone(), n, rounding, threads).unwrap();
        feedback.round(&weight, &scheme(group), Stored::Brain, &mut quantized);
        quantized
    };
    let nearest_loss = lost(&nearest, &scales, 100);
    let once = rounded(Rounding::Nearest, 100, 1);
    let ours = lost(&once.codes, &once.scales, 100);
    assert!(ours < 0.7 * nearest_loss, "{ours} of {nearest_loss}");
    assert_eq!(once.scales, scales);
    assert_eq!(once, rounded(Rounding::Nearest, 100, 2));
    let again = rounded(Rounding::Searched, 100, 1);
    let better = lost(&again.codes, &again.scales, 100);
    assert!(better < 0.97 * ours, "{better} of {ours}");
    assert_eq!(
        again.scales, scales,
        "where groups are not all of a block's columns"
    );
    let rescaled = rounded(Rounding::Searched, 64, 1);
    let best = lost(&rescaled.codes, &rescaled.scales, 64);
    assert!(best < 0.98 * better, "{best} of {better}");
    assert!(
        rescaled
            .scales
            .iter()
            .all(|scale| Stored::Brain.round(*scale) == *scale || *scale == 1.0 / 7.5)
    );
    assert_eq!(rescaled, rounded(Rounding::Searched, 64, 2));
}

#[test]
fn inputs_that_are_always_zero_round_to_the_nearest() {
    let feedback = Feedback::new(vec![0.0; 4], 2, Rounding::Nearest, 1).unwrap();
    let mut quantized = Quantized {
        scales: vec![0.1],
        ..Quantized::default()
    };
    feedback.round(&[0.26, -0.9], &scheme(2), Stored::Single, &mut quantized);
    assert_eq!(quantized.codes, [3, -8]);
    assert!(Feedback::new(vec![f32::NAN; 4], 2, Rounding::Nearest, 1).is_none());
}
