//! Requests and models that agree, and what is said of those that do not.

use super::super::{Rules, read};
use crate::framework::Framework;

const RULES: Rules = Rules {
    list_form: true,
    core_ml: true,
};

#[test]
fn requests_and_models_are_brought_together() {
    use Framework::{Keras, Onnx, Pytorch, Tensorflow, Tflite};
    let layout = |name, layout| {
        format!(
            "ClientError: InputConfiguration: Input {name} has wrong shape in Input Shape \
             dictionary. Input shapes should be provided in {layout} format."
        )
    };
    for (framework, given, model, expected) in [
        (
            Onnx,
            "{'x': [1, 3]}",
            "{'x': [-1, 3]}",
            r#"{"x": [1,3]}"#.to_owned(),
        ),
        (
            Onnx,
            "{'x': [-1, 3]}",
            "{'x': [-1, 3]}",
            r#"{"x": [-1,3]}"#.to_owned(),
        ),
        (
            Onnx,
            "{'b': [1], 'a': [2]}",
            "{'a': [2], 'b': [-1]}",
            r#"{"a": [2], "b": [1]}"#.to_owned(),
        ),
        (
            Pytorch,
            "[[2], [1]]",
            "{'a': [2], 'b': [-1]}",
            r#"{"a": [2], "b": [1]}"#.to_owned(),
        ),
        (
            Tensorflow,
            "{'x:0': [1]}",
            "{'x': [1]}",
            r#"{"x": [1]}"#.to_owned(),
        ),
        (
            Onnx,
            "{'x': {'shape': [[1, 3], [2, 3]]}}",
            "{'x': [-1, 3]}",
            r#"{"x": {"shape":[[1,3],[2,3]]}}"#.to_owned(),
        ),
        (
            Onnx,
            "{'x': {'shape': ['1..4', 3], 'dtype': 'float'}}",
            "{'x': {'shape': [-1, 3], 'dtype': 'int64'}}",
            "ClientError: InputConfiguration: Input x has wrong dtype in DataInputConfig. It is \
             float32, but the model's is int64."
                .to_owned(),
        ),
        (
            Onnx,
            "{'x': {'shape': ['1..4', 3], 'dtype': 'float'}}",
            "{'x': [-1, 3]}",
            r#"{"x": {"dtype":"float32","shape":["1..4",3]}}"#.to_owned(),
        ),
        (
            Keras,
            "{'x': [1, 3, 8, 9]}",
            "{'x': [-1, 8, 9, 3]}",
            r#"{"x": [1,8,9,3]}"#.to_owned(),
        ),
        (
            Keras,
            "{'x': [1, 3, 8, 9]}",
            "{'x': [-1, 3, 8, 9]}",
            r#"{"x": [1,3,8,9]}"#.to_owned(),
        ),
        (
            Keras,
            "{'x': [1, 3, 8, 8]}",
            "{'x': [-1, -1, -1, 3]}",
            r#"{"x": [1,8,8,3]}"#.to_owned(),
        ),
        (
            Keras,
            "{'x': [1, 10]}",
            "{'x': [-1, 10]}",
            r#"{"x": [1,10]}"#.to_owned(),
        ),
        (
            Keras,
            "{'x': [1, 8, 9, 3]}",
            "{'x': [-1, 8, 9, 3]}",
            layout("x", "NCHW"),
        ),
        (
            Onnx,
            "{'x': [1, 8, 9, 3]}",
            "{'x': [-1, 3, 8, 9]}",
            layout("x", "NCHW"),
        ),
        (
            Tflite,
            "{'x': [1, 3, 8, 9]}",
            "{'x': [1, 8, 9, 3]}",
            layout("x", "NHWC"),
        ),
        (
            Onnx,
            "{'x': [1, 3]}",
            "{'x': [-1, 4]}",
            "ClientError: InputConfiguration: Input x has wrong shape in Input Shape \
             dictionary. It is [1, 3], but the model's is [-1, 4]."
                .to_owned(),
        ),
        (
            Onnx,
            "{'y': [1]}",
            "{'x': [1], 'z': [1]}",
            "ClientError: InputConfiguration: The model has no input 'y'. Its inputs are 'x', \
             'z'"
            .to_owned(),
        ),
        (
            Onnx,
            "{'x': [1]}",
            "{'x': [1], 'z': [1]}",
            "ClientError: InputConfiguration: Input 'z' of the model is missing in \
             DataInputConfig"
                .to_owned(),
        ),
        (
            Pytorch,
            "[[1]]",
            "{'x': [1], 'z': [1]}",
            "ClientError: InputConfiguration: DataInputConfig lists 1 inputs, but the model \
             has 'x', 'z'"
                .to_owned(),
        ),
    ] {
        let read = |text| read(text, RULES).unwrap();
        let found = match read(given).fit(&read(model), framework) {
            Ok(config) => config.render(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{given} {model}");
    }
}
