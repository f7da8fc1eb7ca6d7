//! Networks that are read, and the words for those that are not.

use super::read;
use crate::foreign::ForeignError;
use crate::model::{Model, TensorType};

const CFG: &[u8] = include_bytes!("../../tests/data/darknet/everything/model.cfg");
const WEIGHTS: &[u8] = include_bytes!("../../tests/data/darknet/everything/model.weights");

fn outputs(model: &Model) -> Vec<String> {
    let shown = |value: &crate::model::Value| {
        let ty = value.ty.as_ref().map(ToString::to_string);
        format!("{} {}", value.name, ty.unwrap_or_default())
    };
    model.graph.outputs.iter().map(shown).collect()
}

#[test]
fn the_outputs_are_those_of_neo_in_its_order() {
    let model = read(CFG, bytes::Bytes::from_static(WEIGHTS), None).unwrap();
    let expected = [
        "output float[1,7,8,8]",
        "mask17 int32[1]",
        "bias17 float[6]",
        "attr17 int32[6]",
        "output10 float[1,14,4,4]",
        "mask10 int32[2]",
        "bias10 float[6]",
        "attr10 int32[6]",
    ];
    assert_eq!(outputs(&model), expected);
}

#[test]
fn the_input_may_have_other_sizes() {
    let model = read(
        CFG,
        bytes::Bytes::from_static(WEIGHTS),
        Some(&[2, 3, 32, 8]),
    )
    .unwrap();
    let input = model.graph.inputs[0].ty.as_ref().unwrap();
    let input = input.as_tensor().and_then(TensorType::known);
    assert_eq!(input, Some(vec![2, 3, 32, 8]));
    assert_eq!(outputs(&model)[0], "output float[2,7,16,4]");
    for wrong in [&[3, 16, 16][..], &[1, 16, 16, 3], &[0, 3, 16, 16]] {
        let error = read(CFG, bytes::Bytes::from_static(WEIGHTS), Some(wrong)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Input data has wrong shape in Input Shape dictionary. \
             Input shapes should be provided in NCHW format, as is [1, 3, 16, 16]."
        );
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let layer = |layer: &str| format!("[net]\nwidth=8\nheight=8\n{layer}\n");
    let cases = [
        (
            String::new(),
            "The file is not a Darknet model: its cfg does not begin with [net].",
        ),
        (
            layer(""),
            "The file is not a Darknet model: its cfg has no layers.",
        ),
        (
            layer("[local]\n[crop]\n[dropout]"),
            "Kiln cannot convert the Darknet model. \
             The following operators are not implemented: {'crop', 'local'}",
        ),
        (
            layer("[convolutional]\nfilters=x"),
            "Kiln cannot convert the Darknet model. Operator convolutional in line 4 of the cfg: \
             its option filters cannot be `x`.",
        ),
        (
            layer("[convolutional]\nfilters=1000000000"),
            "Kiln cannot convert the Darknet model. Operator convolutional in line 4 of the cfg: \
             the weights end before it has its own.",
        ),
        (
            layer("[route]\nlayers=3"),
            "Kiln cannot convert the Darknet model. Operator route in line 4 of the cfg: \
             there is no layer 3 before it.",
        ),
        (
            layer("[avgpool]"),
            "The file is not a Darknet model: its weights hold 1395 numbers more than the layers \
             of its cfg take.",
        ),
    ];
    for (cfg, expected) in cases {
        let error = read(cfg.as_bytes(), bytes::Bytes::from_static(WEIGHTS), None).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = ForeignError::malformed("Darknet", "its weights end within their header");
    assert_eq!(read(CFG, vec![0; 9].into(), None), Err(error));
}
