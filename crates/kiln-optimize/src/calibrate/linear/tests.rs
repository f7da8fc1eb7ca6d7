//! Products and factors against their definitions.

use proptest::prelude::*;

use super::{Blend, Packed, Part, Precision, View, factor, gram, multiply};

/// Numbers between -1 and 1 that look random.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn defined(left: &[f32], right: &[f32], m: usize, n: usize, k: usize) -> Vec<f64> {
    let mut out = vec![0f64; m * n];
    for i in 0..m {
        for j in 0..n {
            out[i * n + j] = (0..k)
                .map(|l| f64::from(left[i * k + l]) * f64::from(right[j * k + l]))
                .sum();
        }
    }
    out
}

fn precisions() -> Vec<(Precision, f64)> {
    let mut all = vec![(Precision::Full, 1e-5)];
    if Precision::for_bf16() == Precision::Half {
        all.push((Precision::Half, 8e-3));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn products_are_what_they_are_defined_to_be(
        m in 1usize..130, n in 1usize..100, k in 1usize..600, threads in 1usize..4, seed: u32,
    ) {
        let (left, right) = (noise(m * k, seed), noise(n * k, !seed));
        let expected = defined(&left, &right, m, n, k);
        for (precision, tolerance) in precisions() {
            let packed = Packed::new(View::new(&right, n, k), precision);
            let mut out = vec![1f32; m * n];
            multiply(View::new(&left, m, k), &packed, &mut out, n, Blend::Add, Part::All, threads);
            multiply(View::new(&left, m, k), &packed, &mut out, n, Blend::Subtract, Part::All, 1);
            prop_assert!(out.iter().all(|x| (x - 1.0).abs() < 1e-3));
            multiply(View::new(&left, m, k), &packed, &mut out, n, Blend::Set, Part::All, threads);
            let scale = (k as f64).sqrt();
            for (x, y) in out.iter().zip(&expected) {
                prop_assert!((f64::from(*x) - y).abs() <= tolerance * scale, "{x} is not {y}");
            }
        }
    }

    #[test]
    fn transposes_are_packed_alike(n in 1usize..80, k in 1usize..80, seed: u32) {
        let rows = noise(n * k, seed);
        let columns: Vec<f32> = (0..k * n).map(|i| rows[i % n * k + i / n]).collect();
        let left = noise(k * 3, seed);
        for (precision, _) in precisions() {
            let mut results = [vec![0f32; 3 * n], vec![0f32; 3 * n]];
            for (view, out) in [View::new(&rows, n, k), View::new(&columns, k, n).transposed()]
                .into_iter()
                .zip(&mut results)
            {
                let packed = Packed::new(view, precision);
                multiply(View::new(&left, 3, k), &packed, out, n, Blend::Set, Part::All, 1);
            }
            prop_assert_eq!(&results[0], &results[1]);
        }
    }

    #[test]
    fn a_factor_times_its_transpose_is_the_matrix(n in 1usize..300, threads in 1usize..3, seed: u32) {
        let tokens = 2 * n + 3;
        let rows = noise(tokens * n, seed);
        let mut sums = vec![0f32; n * n];
        gram(View::new(&rows, tokens, n), &mut sums, Precision::Full, threads);
        for i in 0..n {
            sums[i * n + i] += 1.0;
        }
        let original = sums.clone();
        prop_assert!(factor(&mut sums, n, threads));
        for i in 0..n {
            for j in i..n {
                let product: f64 = (j..n)
                    .map(|k| f64::from(sums[i * n + k]) * f64::from(sums[j * n + k]))
                    .sum();
                let expected = f64::from(original[i * n + j]);
                prop_assert!((product - expected).abs() < 1e-4 * tokens as f64, "{i},{j}");
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let n = 200;
    let rows = noise(1000 * n, 7);
    let results: Vec<Vec<u32>> = [1, 2, 3]
        .into_iter()
        .map(|threads| {
            let mut sums = vec![0f32; n * n];
            gram(
                View::new(&rows, 1000, n),
                &mut sums,
                Precision::for_bf16(),
                threads,
            );
            assert!(factor(&mut sums, n, threads));
            (0..n)
                .flat_map(|i| sums[i * n + i..(i + 1) * n].to_vec())
                .map(f32::to_bits)
                .collect()
        })
        .collect();
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_matrix_that_is_not_positive_is_said_so() {
    let mut matrix = vec![1.0, 2.0, 2.0, 1.0];
    assert!(!factor(&mut matrix, 2, 1));
    let mut matrix = vec![f32::NAN; 4];
    assert!(!factor(&mut matrix, 2, 1));
}
