//! Networks that are read, and the words for those that are not.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::read;
use crate::foreign::ForeignError;
use crate::model::{Model, Value};

const SYMBOL: &[u8] = include_bytes!("../../tests/data/mxnet/network/model-symbol.json");
const PARAMS: &[u8] = include_bytes!("../../tests/data/mxnet/network/model-0000.params");

/// A file that holds nothing.
const NOTHING: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 0x12;
    bytes[1] = 1;
    bytes
};

/// An input's name and sizes.
type Given<'a> = (&'a str, &'a [usize]);

fn sizes(inputs: &[Given]) -> BTreeMap<String, Vec<usize>> {
    inputs
        .iter()
        .map(|(name, dims)| ((*name).to_owned(), dims.to_vec()))
        .collect()
}

fn network(inputs: &[Given]) -> Result<Model, ForeignError> {
    read(SYMBOL, Bytes::from_static(PARAMS), &sizes(inputs))
}

fn shown(value: &Value) -> String {
    let ty = value.ty.as_ref().map(ToString::to_string);
    format!("{} {}", value.name, ty.unwrap_or_default())
}

#[test]
fn labels_are_no_inputs() {
    let model = network(&[("data", &[4, 3, 13, 11]), ("softmax_label", &[4])]).unwrap();
    let inputs: Vec<String> = model.graph.inputs.iter().map(shown).collect();
    assert_eq!(inputs, ["data float[4,3,13,11]"]);
    assert_eq!(shown(&model.graph.outputs[0]), "softmax_output float[4,5]");
}

#[test]
fn inputs_must_be_those_of_the_network() {
    let refusals: [(&[Given], &str); 4] = [
        (
            &[],
            "Input data has wrong shape in Input Shape dictionary. \
             Input shapes should be provided for every input, in NCHW format.",
        ),
        (
            &[("data", &[1, 3, 0, 8])],
            "Input data has wrong shape in Input Shape dictionary. \
             Each size should be a positive number.",
        ),
        (
            &[("data", &[1, 3, 8, 8]), ("other", &[1])],
            "Input other has wrong shape in Input Shape dictionary. \
             The model has no input of this name.",
        ),
        (
            &[("data", &[1, 8, 8, 3])],
            "Kiln cannot convert the MXNet model. Operator Convolution `conv0`: \
             its weight of sizes [8, 3, 3, 3] does not fit input of sizes [1, 8, 8, 3].",
        ),
    ];
    for (inputs, expected) in refusals {
        assert_eq!(network(inputs).unwrap_err().to_string(), expected);
    }
}

/// A network of one node on the input `x`.
fn alone(operator: &str, attributes: &str) -> Result<Model, ForeignError> {
    let symbol = format!(
        r#"{{"nodes": [{{"op": "null", "name": "x", "inputs": []}},
           {{"op": "{operator}", "name": "y", "inputs": [[0, 0, 0]], "attrs": {{{attributes}}}}}],
           "heads": [[1, 0, 0]]}}"#
    );
    read(
        symbol.as_bytes(),
        Bytes::from_static(&NOTHING),
        &sizes(&[("x", &[1, 2, 8, 8])]),
    )
}

#[test]
fn what_cannot_be_read_is_named() {
    let of = |place: &str| format!("Kiln cannot convert the MXNet model. Operator {place}");
    let cases = [
        (
            alone("_contrib_MultiBoxPrior", ""),
            "Kiln cannot convert the MXNet model. \
             The following operators are not implemented: {'_contrib_MultiBoxPrior'}"
                .to_owned(),
        ),
        (
            alone("Pooling", r#""kernel": "(2, x)""#),
            of("Pooling `y`: its attribute kernel cannot be `x`."),
        ),
        (
            alone("Pooling", r#""kernel": "(2, 2)", "pool_type": "lp""#),
            of("Pooling `y`: its pool_type lp is not implemented."),
        ),
        (
            alone("BatchNorm", ""),
            of("BatchNorm `y`: its input 1 is missing."),
        ),
        (
            alone("tile", r#""reps": "(99999, 99999)""#),
            of("tile `y`: what it gives is too large."),
        ),
    ];
    for (model, expected) in cases {
        assert_eq!(model.unwrap_err().to_string(), expected);
    }
}
