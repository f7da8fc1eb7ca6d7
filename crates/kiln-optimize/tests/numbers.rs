//! Codes, scales and zero points are those of llm-compressor, to the bit: against digests of
//! what it made of the same weights.

#![allow(clippy::unwrap_used)]

mod recorded;

use std::collections::BTreeMap;

use kiln_optimize::quantize::Rounding;
use recorded::{digest, recorded};

#[test]
fn codes_are_those_of_llm_compressor() {
    let mut different = BTreeMap::new();
    for case in recorded().cases {
        assert_eq!(digest(case.weights()), case.weights, "{}", case.name());
        let quantized = case.quantized(Rounding::Nearest);
        let scales = quantized
            .scales
            .iter()
            .flat_map(|scale| scale.to_le_bytes());
        let zeros = (!quantized.zeros.is_empty()).then(|| digest(bytes_of(&quantized.zeros)));
        let found = (digest(bytes_of(&quantized.codes)), digest(scales), zeros);
        if found != (case.codes.clone(), case.scales.clone(), case.zeros.clone()) {
            let equal = (
                found.0 == case.codes,
                found.1 == case.scales,
                found.2 == case.zeros,
            );
            different.insert(case.name(), equal);
        }
    }
    assert!(
        different.is_empty(),
        "(codes, scales, zeros) that agree: {different:#?}"
    );
}

/// The digest was computed with AVX-512. It is not of another program's making: it tells
/// whether another processor, or a change, gives other bits.
#[test]
fn searched_codes_are_the_same_on_all_processors() {
    let mut all = Vec::new();
    let cases = recorded().cases.into_iter();
    for case in cases.filter(|case| case.is_of(&["bell", "any"])) {
        let quantized = case.quantized(Rounding::Searched);
        all.extend(bytes_of(&quantized.codes));
        all.extend(
            quantized
                .scales
                .iter()
                .flat_map(|scale| scale.to_le_bytes()),
        );
        all.extend(bytes_of(&quantized.zeros));
        all.extend(quantized.noise.to_le_bytes());
    }
    assert_eq!(digest(all), "565cf55266a61de3");
}

fn bytes_of(codes: &[i8]) -> impl Iterator<Item = u8> {
    codes.iter().map(|&code| code as u8)
}
