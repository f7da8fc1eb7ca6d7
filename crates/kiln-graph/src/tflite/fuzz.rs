//! Fuzz targets for the reader: whatever the bytes, it answers, and what it
//! reads is a sound graph.

use bytes::Bytes;

use super::read;
use crate::onnx;

const IMAGES: &[u8] = include_bytes!("../../tests/data/tflite/images/model.tflite");
const ARRANGED: &[u8] = include_bytes!("../../tests/data/tflite/arranged/model.tflite");
const QUANTISED: &[u8] = include_bytes!("../../tests/data/tflite/quantised_int8/model.tflite");

fn check(bytes: Vec<u8>) {
    if let Ok(model) = read(bytes.into()) {
        let written = onnx::write(&model);
        let again = onnx::read(Bytes::from(written));
        assert!(again.is_ok(), "{again:?}");
    }
}

fn damaged(whole: &'static [u8]) {
    check(whole.to_vec());
    bolero::check!()
        .with_type::<Vec<(u16, u8)>>()
        .for_each(|changes| {
            let mut bytes = whole.to_vec();
            for (at, byte) in changes {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
            }
            check(bytes);
        });
}

#[test]
fn damaged_images() {
    damaged(IMAGES);
}

#[test]
fn damaged_arrangements() {
    damaged(ARRANGED);
}

#[test]
fn damaged_quantisation() {
    damaged(QUANTISED);
}

#[test]
fn any_bytes() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut whole = vec![8, 0, 0, 0];
        whole.extend_from_slice(b"TFL3");
        whole.extend_from_slice(bytes);
        check(whole);
    });
}
