//! Models that are read, and the words for those that are not.

use bytes::Bytes;

use super::read;
use crate::foreign::ForeignError;
use crate::model::{Model, Value};

const IMAGES: &[u8] = include_bytes!("../../tests/data/tflite/images/model.tflite");
const QUANTISED: &[u8] = include_bytes!("../../tests/data/tflite/quantised_int8/model.tflite");

fn shown(value: &Value) -> String {
    let ty = value.ty.as_ref().map(ToString::to_string);
    format!("{} {}", value.name, ty.unwrap_or_default())
}

fn count(model: &Model, operator: &str) -> usize {
    model
        .graph
        .nodes
        .iter()
        .filter(|node| node.is(operator))
        .count()
}

#[test]
fn names_and_layouts_are_kept() {
    let model = read(Bytes::from_static(IMAGES)).unwrap();
    assert_eq!(shown(&model.graph.inputs[0]), "image float[1,9,8,4]");
    assert_eq!(shown(&model.graph.outputs[0]), "conv_same float[1,5,4,6]");
}

#[test]
fn quantised_tensors_stay_quantised() {
    let model = read(Bytes::from_static(QUANTISED)).unwrap();
    assert_eq!(shown(&model.graph.inputs[0]), "image int8[1,8,8,3]");
    assert_eq!(shown(&model.graph.outputs[0]), "conv int8[1,4,4,6]");
    // One for each of the operators but DEQUANTIZE, whose output is plain.
    assert_eq!(count(&model, "QuantizeLinear"), 10);
}

/// The model with the number of an operator replaced in the list of operators.
fn with_operator(whole: &[u8], old: i32, new: i32) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let (old, new) = (old.to_le_bytes(), new.to_le_bytes());
    // The list stands at the end of the file: the last place is the one.
    let at = bytes.windows(4).rposition(|window| window == old).unwrap();
    bytes[at..at + 4].copy_from_slice(&new);
    bytes
}

#[test]
fn operators_that_are_not_translated_are_named() {
    let bytes = with_operator(IMAGES, 100, 120);
    assert_eq!(
        read(bytes.into()).unwrap_err().to_string(),
        "Kiln cannot convert the TFLite model. \
         The following operators are not implemented: {'NON_MAX_SUPPRESSION_V4'}"
    );
}

#[test]
fn what_is_no_such_file_is_refused() {
    let malformed = |reason| Err(ForeignError::malformed("TFLite", reason));
    let read = |bytes: &[u8]| read(bytes.to_vec().into());
    assert_eq!(read(b""), malformed("it does not bear the identifier TFL3"));
    assert_eq!(
        read(b"\x08\0\0\0TFL3"),
        malformed("it points beyond its end")
    );
    assert_eq!(read(b"\0\0\0\0TFL3"), malformed("it points at itself"));
    assert_eq!(
        read(&IMAGES[..IMAGES.len() / 2]),
        malformed("it points beyond its end")
    );
}
