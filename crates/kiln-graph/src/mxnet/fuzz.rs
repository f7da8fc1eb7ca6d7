//! Fuzz targets for the reader: whatever the bytes, it answers, and what it
//! reads is a sound graph.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::read;
use crate::onnx;

const SYMBOL: &[u8] = include_bytes!("../../tests/data/mxnet/arranged/model-symbol.json");
const PARAMS: &[u8] = include_bytes!("../../tests/data/mxnet/arranged/model-0000.params");
const LAYERS: &[u8] = include_bytes!("../../tests/data/mxnet/layers/model-symbol.json");
const WEIGHTS: &[u8] = include_bytes!("../../tests/data/mxnet/layers/model-0000.params");

fn check(symbol: &[u8], params: Bytes, (name, dims): (&str, &[usize])) -> bool {
    let inputs = BTreeMap::from([(name.to_owned(), dims.to_vec())]);
    let read = read(symbol, params, &inputs);
    if let Ok(model) = &read {
        let again = onnx::read(Bytes::from(onnx::write(model)));
        assert!(again.is_ok(), "{again:?}");
    }
    read.is_ok()
}

/// The text with single bytes changed.
fn damaged(whole: &[u8], changes: &[(u16, u8)]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for (at, byte) in changes {
        let at = usize::from(*at) % bytes.len();
        bytes[at] = *byte;
    }
    bytes
}

#[test]
fn damaged_arrangements() {
    let (params, input) = (Bytes::from_static(PARAMS), ("x", &[2, 3, 4][..]));
    assert!(check(SYMBOL, params.clone(), input));
    bolero::check!()
        .with_type::<Vec<(u16, u8)>>()
        .for_each(|changes| {
            check(&damaged(SYMBOL, changes), params.clone(), input);
        });
}

#[test]
fn other_digits_in_layers() {
    let (params, input) = (Bytes::from_static(WEIGHTS), ("data", &[1, 4, 9, 4][..]));
    assert!(check(LAYERS, params.clone(), input));
    let digits: Vec<usize> = (0..LAYERS.len())
        .filter(|at| LAYERS[*at].is_ascii_digit())
        .collect();
    bolero::check!()
        .with_type::<Vec<(u16, u8)>>()
        .for_each(|changes| {
            let mut text = LAYERS.to_vec();
            for (at, digit) in changes {
                text[digits[usize::from(*at) % digits.len()]] = b'0' + digit % 10;
            }
            check(&text, params.clone(), input);
        });
}

#[test]
fn damaged_params() {
    bolero::check!()
        .with_type::<Vec<(u16, u8)>>()
        .for_each(|changes| {
            let params = damaged(PARAMS, changes).into();
            check(SYMBOL, params, ("x", &[2, 3, 4]));
        });
}

#[test]
fn any_sizes() {
    bolero::check!().with_type::<Vec<u32>>().for_each(|dims| {
        let dims: Vec<usize> = dims.iter().map(|size| *size as usize).collect();
        check(SYMBOL, Bytes::from_static(PARAMS), ("x", &dims));
        check(LAYERS, Bytes::from_static(WEIGHTS), ("data", &dims));
    });
}
