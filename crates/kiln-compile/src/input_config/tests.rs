//! Every documented form, what is said of broken ones, and the way back.

use proptest::prelude::*;

use super::*;

const PLAIN: Rules = Rules {
    list_form: false,
    core_ml: false,
};
const LISTS: Rules = Rules {
    list_form: true,
    core_ml: false,
};
const CORE_ML: Rules = Rules {
    list_form: true,
    core_ml: true,
};

fn fixed(sizes: &[u64]) -> Vec<Dimension> {
    sizes.iter().map(|size| Dimension::Fixed(*size)).collect()
}

fn named(name: &str, shape: Vec<Dimension>) -> Input {
    Input::new(Some(name.to_owned()), shape)
}

#[test]
fn documented_forms_are_read() {
    for (text, rules, inputs) in [
        (
            "{'data': [1,3,1024,1024]}",
            PLAIN,
            vec![named("data", fixed(&[1, 3, 1024, 1024]))],
        ),
        (
            r#"{"var2": [1,1,28,28], "var1":(1,1,28,28)} "#,
            PLAIN,
            vec![
                named("var2", fixed(&[1, 1, 28, 28])),
                named("var1", fixed(&[1, 1, 28, 28])),
            ],
        ),
        (
            "[[1,3,224,224], [1,10]]",
            LISTS,
            vec![
                Input::new(None, fixed(&[1, 3, 224, 224])),
                Input::new(None, fixed(&[1, 10])),
            ],
        ),
        (
            "[1,3,224,224]",
            LISTS,
            vec![Input::new(None, fixed(&[1, 3, 224, 224]))],
        ),
        ("{'scalar': []}", PLAIN, vec![named("scalar", vec![])]),
        (
            "{'a': [-1, None, '2..', '3..-1', '4', \"1..10\"]}",
            PLAIN,
            vec![named(
                "a",
                vec![
                    Dimension::Open,
                    Dimension::Open,
                    Dimension::Range {
                        least: 2,
                        most: None,
                    },
                    Dimension::Range {
                        least: 3,
                        most: None,
                    },
                    Dimension::Fixed(4),
                    Dimension::Range {
                        least: 1,
                        most: Some(10),
                    },
                ],
            )],
        ),
        (
            "{'ids': {'shape': [1, 128], 'dtype': 'long'}}",
            PLAIN,
            vec![Input {
                dtype: Some(Dtype::Int64),
                ..named("ids", fixed(&[1, 128]))
            }],
        ),
    ] {
        assert_eq!(read(text, rules), Ok(InputConfig { inputs }), "{text}");
    }
}

#[test]
fn the_form_for_core_ml_is_read() {
    let whole = r#"[{"shape": [[1,3,224,224], [1,3,160,160]], "default_shape": [1,3,224,224],
        "type": "Image", "bias": [-1,-1,-1], "scale": 0.007843137255}]"#;
    let input = Input {
        name: None,
        shape: Shape::Enumerated(vec![vec![1, 3, 224, 224], vec![1, 3, 160, 160]]),
        default_shape: Some(vec![1, 3, 224, 224]),
        dtype: None,
        image: Some(Image {
            bias: vec![-1.0, -1.0, -1.0],
            scale: 0.007_843_137_255,
        }),
    };
    assert_eq!(read(whole, CORE_ML).unwrap().inputs, [input]);

    let range = "{'a': {'shape': ['1..10', 3], 'default_shape': [2, 3], 'type': 'Tensor'}}";
    let read = read(range, CORE_ML).unwrap();
    assert_eq!(read.inputs[0].default_shape, Some(vec![2, 3]));
    assert_eq!(read.inputs[0].image, None);
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, rules, message) in [
        (
            "3",
            PLAIN,
            "expected a dictionary of input names and shapes but found an integer at line 1, column 1",
        ),
        (
            "[[1,3]]",
            PLAIN,
            "expected a dictionary of input names and shapes but found a list at line 1, column 1",
        ),
        (
            "'x'",
            LISTS,
            "expected a dictionary of input names and shapes, or a list of shapes, but found a string at line 1, column 1",
        ),
        ("{}", PLAIN, "it names no inputs at line 1, column 1"),
        ("[]", LISTS, "it names no inputs at line 1, column 1"),
        (
            "{'': [1]}",
            PLAIN,
            "an input has an empty name at line 1, column 2",
        ),
        (
            "{'a': 3}",
            PLAIN,
            "input 'a' needs a shape, which is a list of integers, but has an integer at line 1, column 7",
        ),
        (
            "[[1], 'a']",
            LISTS,
            "input 1 needs a shape, which is a list of integers, but has a string at line 1, column 7",
        ),
        (
            "{'a': {'dtype': 'int64'}}",
            PLAIN,
            "input 'a' has no 'shape' at line 1, column 7",
        ),
        (
            "{'a': [1, 0]}",
            PLAIN,
            "input 'a' has 0 as a dimension; a dimension is a positive integer, -1 or None where it is open, or a range such as \"1..10\" at line 1, column 11",
        ),
        (
            "{'a': [1, '5..2']}",
            PLAIN,
            "input 'a' has '5..2' as a dimension; a dimension is a positive integer, -1 or None where it is open, or a range such as \"1..10\" at line 1, column 11",
        ),
        (
            "{'a': [1, 2.5]}",
            PLAIN,
            "input 'a' has 2.5 as a dimension; a dimension is a positive integer, -1 or None where it is open, or a range such as \"1..10\" at line 1, column 11",
        ),
        (
            "{'a': [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}",
            PLAIN,
            "input 'a' has more than 16 dimensions at line 1, column 7",
        ),
        (
            "{'a': [1000000, 10000000]}",
            PLAIN,
            "input 'a' has a shape of more than 2^40 elements at line 1, column 7",
        ),
        (
            "{'a': [9223372036854775807, 3]}",
            PLAIN,
            "input 'a' has a shape of more than 2^40 elements at line 1, column 7",
        ),
        (
            "{'a': [[1, 2], [3, 4]]}",
            PLAIN,
            "input 'a' lists several shapes, which is supported for the TargetDevice coreml only at line 1, column 7",
        ),
        (
            "{'a': {'shape': [[1, 2], [3]]}}",
            CORE_ML,
            "the shapes that input 'a' lists differ in their number of dimensions at line 1, column 17",
        ),
        (
            "{'a': {'shape': [1], 'dtype': 'complex'}}",
            PLAIN,
            "input 'a' has the unknown dtype 'complex' at line 1, column 31",
        ),
        (
            "{'a': {'shape': [1], 'dtype': 3}}",
            PLAIN,
            "'dtype' of input 'a' must be a string but is an integer at line 1, column 31",
        ),
        (
            "{'a': {'shape': [1], 'dtype': 'int64', 'DTYPE': 'float'}}",
            PLAIN,
            "input 'a' has 'DTYPE' twice at line 1, column 40",
        ),
        (
            "{'a': {'shape': [1], 'shap': [1]}}",
            PLAIN,
            "input 'a' has the unknown key 'shap' at line 1, column 22",
        ),
        (
            "{'a': {'shape': [1], 'scale': 1}}",
            PLAIN,
            "input 'a' has 'scale', which is supported for the TargetDevice coreml only at line 1, column 22",
        ),
        (
            "{'a': {'shape': ['1..3'], 'default_shape': [4]}}",
            CORE_ML,
            "the default_shape of input 'a' is not one of the shapes that it can have at line 1, column 44",
        ),
        (
            "{'a': {'shape': [1], 'type': 'Text'}}",
            CORE_ML,
            "input 'a' has a type that is neither 'Image' nor 'Tensor' at line 1, column 30",
        ),
        (
            "{'a': {'shape': [1], 'type': 'Image', 'bias': [1]}}",
            CORE_ML,
            "input 'a' is an image and needs 'scale' at line 1, column 7",
        ),
        (
            "{'a': {'shape': [1], 'type': 'Image', 'scale': 1}}",
            CORE_ML,
            "input 'a' is an image and needs 'bias' at line 1, column 7",
        ),
        (
            "{'a': {'shape': [1], 'bias': [1]}}",
            CORE_ML,
            "input 'a' has 'bias' but is not an image at line 1, column 30",
        ),
        (
            "{'a': {'shape': [1], 'type': 'Image', 'bias': 1, 'scale': 1}}",
            CORE_ML,
            "'bias' of input 'a' must be a list of numbers but is an integer at line 1, column 47",
        ),
        (
            "{'a': {'shape': [1], 'type': 'Image', 'bias': [1], 'scale': 'x'}}",
            CORE_ML,
            "'scale' of input 'a' must be a number but is a string at line 1, column 61",
        ),
    ] {
        let error = read(text, rules).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("DataInputConfig is not valid: {message}"),
            "{text}"
        );
    }
    assert_eq!(
        read("{'data': [1,3", PLAIN).unwrap_err().to_string(),
        "DataInputConfig is not valid JSON: expected ',' or the closing bracket but found the end \
         at line 1, column 14"
    );
}

#[test]
fn images_are_turned_to_channels_last() {
    let shape = Shape::One(fixed(&[1, 3, 224, 200]));
    assert_eq!(shape.channels_last(), Shape::One(fixed(&[1, 224, 200, 3])));
    assert_eq!(shape.channels_last().channels_first(), shape);
    let no_image = Shape::One(fixed(&[1, 10]));
    assert_eq!(no_image.channels_last(), no_image);
    let several = Shape::Enumerated(vec![vec![1, 3, 8, 9]]);
    assert_eq!(
        several.channels_last(),
        Shape::Enumerated(vec![vec![1, 8, 9, 3]])
    );
}

#[test]
fn shapes_know_what_they_admit() {
    let shape = Shape::One(vec![
        Dimension::Open,
        Dimension::Fixed(3),
        Dimension::Range {
            least: 2,
            most: Some(4),
        },
    ]);
    assert!(shape.admits(&[7, 3, 4]));
    assert!(!shape.admits(&[7, 3, 5]));
    assert!(!shape.admits(&[7, 3]));
    assert_eq!(shape.fixed(), None);
    assert_eq!(Shape::One(fixed(&[2, 3])).fixed(), Some(vec![2, 3]));
}

#[test]
fn what_was_derived_is_written_in_order() {
    let config = InputConfig {
        inputs: vec![
            named("z", vec![Dimension::Open, Dimension::Fixed(3)]),
            Input {
                dtype: Some(Dtype::Int64),
                ..named("a", fixed(&[1]))
            },
        ],
    };
    assert_eq!(
        config.render(),
        r#"{"z": [-1,3], "a": {"dtype":"int64","shape":[1]}}"#
    );
    let list = InputConfig {
        inputs: vec![Input::new(None, fixed(&[1, 3]))],
    };
    assert_eq!(list.render(), "[[1,3]]");
}

fn dimensions() -> impl Strategy<Value = Vec<Dimension>> {
    let dimension = prop_oneof![
        (1..1000_u64).prop_map(Dimension::Fixed),
        Just(Dimension::Open),
        (1..10_u64, prop::option::of(10..99_u64))
            .prop_map(|(least, most)| Dimension::Range { least, most }),
    ];
    prop::collection::vec(dimension, 0..4)
}

fn inputs() -> impl Strategy<Value = Input> {
    let shape = prop_oneof![
        dimensions().prop_map(Shape::One),
        prop::collection::vec([1..9_u64, 1..9_u64], 1..4)
            .prop_map(|shapes| { Shape::Enumerated(shapes.into_iter().map(Vec::from).collect()) }),
    ];
    let image = prop::option::of((prop::collection::vec(-9.0..9.0, 1..4), 0.0..9.0));
    (shape, prop::option::of(Just(Dtype::Uint8)), image).prop_map(|(shape, dtype, image)| Input {
        name: None,
        shape,
        default_shape: None,
        dtype,
        image: image.map(|(bias, scale)| Image { bias, scale }),
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        names in prop::collection::hash_set(".+", 1..4),
        inputs in prop::collection::vec(inputs(), 4),
        with_names in any::<bool>(),
    ) {
        let inputs = names
            .into_iter()
            .zip(inputs)
            .map(|(name, input)| Input { name: with_names.then_some(name), ..input })
            .collect();
        let config = InputConfig { inputs };
        prop_assert_eq!(read(&config.render(), CORE_ML).unwrap(), config);
    }

    #[test]
    fn nothing_panics(text in "[\\[\\]{}'\",:.0-9a-z-]{0,64}") {
        let _ = read(&text, CORE_ML);
    }
}
