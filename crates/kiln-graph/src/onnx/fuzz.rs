//! Fuzz targets for the reader: whatever the bytes, a model that was read can be
//! written, and reads as the same model again.

use bytes::Bytes;
use prost::Message as _;

use super::{read, tests, write};

fn comes_back(bytes: &[u8]) {
    let Ok(model) = read(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let written = write(&model);
    // What is not a number is not equal to itself, so bytes are compared.
    let again = read(written.clone().into()).map(|model| write(&model));
    assert_eq!(again.ok(), Some(written));
}

#[test]
fn onnx_of_any_bytes() {
    bolero::check!().for_each(comes_back);
}

#[test]
fn onnx_damaged() {
    let whole = tests::every_kind().encode_to_vec();
    comes_back(&whole);
    bolero::check!()
        .with_type::<(u16, Vec<u8>, bool)>()
        .for_each(|(at, other, cut)| comes_back(&damaged(&whole, *at, other, *cut)));
}

/// A real model, with a part of it overwritten or cut off.
fn damaged(whole: &[u8], at: u16, other: &[u8], cut: bool) -> Vec<u8> {
    let mut damaged = whole.to_vec();
    let at = usize::from(at) % whole.len();
    let end = (at + other.len()).min(whole.len());
    damaged[at..end].copy_from_slice(&other[..end - at]);
    if cut {
        damaged.truncate(end);
    }
    damaged
}
