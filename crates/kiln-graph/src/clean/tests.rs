//! Whole networks, by example.

use super::*;
use crate::model::{Dim, Element, Graph, Node, Tensor, TensorType, Type, Value};

fn open(dims: &[&str]) -> Type {
    let each = dims.iter().map(|dim| {
        dim.parse()
            .map_or_else(|_| Dim::Named((*dim).to_owned()), Dim::Known)
    });
    Type::Tensor(TensorType {
        element: Element::F32,
        dims: Some(each.collect()),
    })
}

fn network(input: Type, nodes: Vec<Node>, constants: Vec<(&str, Tensor)>, opset: i64) -> Model {
    let constants = constants
        .into_iter()
        .map(|(name, tensor)| (name.to_owned(), tensor));
    let graph = Graph {
        name: "net".to_owned(),
        inputs: vec![Value {
            name: "x".to_owned(),
            ty: Some(input),
        }],
        outputs: vec![Value {
            name: "y".to_owned(),
            ty: None,
        }],
        nodes,
        initializers: constants.collect(),
        ..Graph::default()
    };
    Model::new(graph, opset)
}

fn sizes(name: &str, dims: &[usize]) -> Sizes {
    Sizes::from([(name.to_owned(), dims.iter().copied().map(Some).collect())])
}

fn operators(model: &Model) -> Vec<&str> {
    model
        .graph
        .nodes
        .iter()
        .map(|node| node.operator.as_str())
        .collect()
}

fn output(model: &Model) -> String {
    model.graph.outputs[0].ty.as_ref().unwrap().to_string()
}

/// What exporters write for `x.view(x.size(0), -1)`.
fn view() -> Model {
    let nodes = vec![
        Node::new("Shape", &["x"], &["s"]),
        Node::new("Gather", &["s", "zero"], &["n"]).with("axis", 0),
        Node::new("Unsqueeze", &["n"], &["u"]).with("axes", vec![0i64]),
        Node::new("Concat", &["u", "rest"], &["to"]).with("axis", 0),
        Node::new("Reshape", &["x", "to"], &["flat"]),
        Node::new("Relu", &["flat"], &["y"]),
    ];
    let constants = vec![
        ("zero", Tensor::scalar(0i64)),
        ("rest", Tensor::vector(&[-1i64])),
    ];
    network(open(&["N", "3", "4"]), nodes, constants, 11)
}

#[test]
fn shapes_are_computed_beforehand() {
    let plain = clean(view(), &sizes("x", &[5, 3, 4])).unwrap();
    assert_eq!(operators(&plain), ["Reshape", "Relu"]);
    assert_eq!(output(&plain), "float[5,12]");
    let to = &plain.graph.initializers[&plain.graph.nodes[0].inputs[1]];
    assert_eq!(to.integers(), Some(vec![5, -1]));
    assert_eq!(plain.opset(), 17);
}

#[test]
fn open_sizes_stay_open_when_asked_for() {
    let open = Sizes::from([("x".to_owned(), vec![None, Some(3), Some(4)])]);
    let plain = clean(view(), &open).unwrap();
    assert_eq!(output(&plain), "float[N,12]");
    let error = clean(view(), &Sizes::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The shape of input x, [N, 3, 4], is not fully known. Input shapes should be provided \
         in the Input Shape dictionary."
    );
}

#[test]
fn wrong_sizes_are_named() {
    for (name, dims, expected) in [
        (
            "x",
            &[1, 4, 3][..],
            "Input x has wrong shape in Input Shape dictionary: \
             the model takes [N, 3, 4], where [1, 4, 3] is given.",
        ),
        (
            "x",
            &[1, 3],
            "Input x has wrong shape in Input Shape dictionary: \
             the model takes [N, 3, 4], where [1, 3] is given.",
        ),
        (
            "data",
            &[1],
            "Input data of the Input Shape dictionary is not found in the model, \
             whose inputs are x.",
        ),
    ] {
        assert_eq!(
            clean(view(), &sizes(name, dims)).unwrap_err().to_string(),
            expected
        );
    }
}

#[test]
fn a_batch_of_one_may_be_any() {
    let relu = |dims: &[&str]| {
        network(
            open(dims),
            vec![Node::new("Relu", &["x"], &["y"])],
            vec![],
            17,
        )
    };
    let plain = clean(relu(&["1", "3"]), &sizes("x", &[8, 3])).unwrap();
    assert_eq!(output(&plain), "float[8,3]");
    assert!(clean(relu(&["2", "3"]), &sizes("x", &[8, 3])).is_err());
    assert!(clean(relu(&["1"]), &sizes("x", &[8])).is_err());
}

#[test]
fn what_does_not_fit_is_named() {
    let weight = Tensor::of(&[8, 4, 3, 3], &[0f32; 288]).unwrap();
    let mut conv = Node::new("Conv", &["x", "w"], &["y"]);
    conv.name = "conv1".to_owned();
    let model = network(
        open(&["1", "3", "9", "9"]),
        vec![conv],
        vec![("w", weight)],
        17,
    );
    assert_eq!(
        clean(model, &Sizes::new()).unwrap_err().to_string(),
        "Invalid model or input-shape mismatch. Operator Conv 'conv1' (node 0) cannot be applied: \
         its input of shape [1, 3, 9, 9] has 3 channels, where its kernel of shape [8, 4, 3, 3] \
         takes 4."
    );
    let nodes = vec![Node::new("Relu", &["nowhere"], &["y"])];
    let error = clean(network(open(&["1"]), nodes, vec![], 17), &Sizes::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid model or input-shape mismatch. Operator Relu (node 0, which gives y) cannot be \
         applied: nothing gives its input nowhere."
    );
}

#[test]
fn unknown_operators_are_named_all_at_once() {
    let mut own = Node::new("Fancy", &["a"], &["y"]);
    own.domain = "my.ops".to_owned();
    let nodes = vec![Node::new("Bessel", &["x"], &["a"]), own];
    let error = clean(network(open(&["1"]), nodes, vec![], 17), &Sizes::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The following operators are not implemented: {'Bessel', 'my.ops.Fancy'}"
    );
}

fn branch(name: &str, node: Node) -> Graph {
    let outputs = vec![Value {
        name: node.outputs[0].clone(),
        ty: None,
    }];
    Graph {
        name: name.to_owned(),
        outputs,
        nodes: vec![node],
        ..Graph::default()
    }
}

#[test]
fn a_choice_that_is_known_is_taken() {
    let choice = |condition: &str| {
        Node::new("If", &[condition], &["y"])
            .with(
                "then_branch",
                branch("yes", Node::new("Relu", &["x"], &["r"])),
            )
            .with(
                "else_branch",
                branch("no", Node::new("Neg", &["x"], &["r"])),
            )
    };
    let constants = || {
        vec![
            ("true", Tensor::scalar(true)),
            ("v", Tensor::vector(&[1f32])),
        ]
    };
    let model = network(open(&["2"]), vec![choice("true")], constants(), 17);
    let plain = clean(model, &Sizes::new()).unwrap();
    assert_eq!(operators(&plain), ["Relu", "Identity"]);
    assert_eq!(output(&plain), "float[2]");
    let nodes = vec![
        Node::new("ReduceMax", &["x"], &["m"]).with("keepdims", 0),
        Node::new("Cast", &["m"], &["c"]).with("to", 9),
        choice("c"),
    ];
    let plain = clean(network(open(&["2"]), nodes, constants(), 17), &Sizes::new()).unwrap();
    assert_eq!(operators(&plain), ["ReduceMax", "Cast", "If"]);
    assert_eq!(output(&plain), "float[2]");
}

#[test]
fn a_loop_settles_on_what_it_carries() {
    let body = Graph {
        name: "body".to_owned(),
        inputs: ["i", "go", "v"]
            .map(|name| Value {
                name: name.to_owned(),
                ty: None,
            })
            .into(),
        outputs: ["on", "w", "each"]
            .map(|name| Value {
                name: name.to_owned(),
                ty: None,
            })
            .into(),
        nodes: vec![
            Node::new("Identity", &["go"], &["on"]),
            Node::new("Concat", &["v", "x"], &["w"]).with("axis", 0),
            Node::new("Neg", &["x"], &["each"]),
        ],
        ..Graph::default()
    };
    let nodes = vec![
        Node::new("Loop", &["times", "true", "x"], &["last", "all"]).with("body", body),
        Node::new("ReduceSum", &["last"], &["sum"]),
        Node::new("Add", &["sum", "all"], &["y"]),
    ];
    let constants = vec![
        ("times", Tensor::scalar(4i64)),
        ("true", Tensor::scalar(true)),
    ];
    let plain = clean(network(open(&["2"]), nodes, constants, 17), &Sizes::new()).unwrap();
    assert_eq!(output(&plain), "float[4,2]");
    assert_eq!(plain.graph.types["last"].to_string(), "float[?]");
}

#[test]
fn a_normalization_goes_into_its_convolution() {
    let nodes = vec![
        Node::new("Conv", &["x", "w"], &["c"]),
        Node::new("BatchNormalization", &["c", "s", "b", "m", "v"], &["n"]).with("epsilon", 0.0),
        Node::new("Relu", &["n"], &["y"]),
    ];
    let constants = vec![
        ("w", Tensor::of(&[2, 1, 1, 1], &[1f32, 2.0]).unwrap()),
        ("s", Tensor::vector(&[3f32, 1.0])),
        ("b", Tensor::vector(&[0f32, 5.0])),
        ("m", Tensor::vector(&[1f32, 0.0])),
        ("v", Tensor::vector(&[4f32, 1.0])),
    ];
    let model = network(open(&["1", "1", "3", "3"]), nodes, constants, 17);
    let plain = clean(model, &Sizes::new()).unwrap();
    assert_eq!(operators(&plain), ["Conv", "Relu"]);
    let of = |place: usize| &plain.graph.initializers[&plain.graph.nodes[0].inputs[place]];
    assert_eq!(of(1).values::<f32>(), Some(vec![1.5, 2.0]));
    assert_eq!(of(2).values::<f32>(), Some(vec![-1.5, 5.0]));
    assert_eq!(plain.graph.initializers.len(), 2);
}

#[test]
fn what_has_no_effect_goes() {
    let nodes = vec![
        Node::new("Identity", &["x"], &["a"]),
        Node::new("Dropout", &["a"], &["b", "mask"]).with("ratio", 0.3f32),
        Node::new("Cast", &["b"], &["c"]).with("to", 1),
        Node::new("Transpose", &["c"], &["d"]).with("perm", vec![0i64, 1]),
        Node::new("Exp", &["x"], &["unused"]),
        Node::new("Relu", &["d"], &["y"]),
    ];
    let mut model = network(
        open(&["2", "3"]),
        nodes,
        vec![("w", Tensor::scalar(1f32))],
        9,
    );
    let plain = clean(model.clone(), &Sizes::new()).unwrap();
    // The mask is named, but nobody wants it.
    assert_eq!(operators(&plain), ["Relu"]);
    assert_eq!(plain.graph.nodes[0].inputs, ["x"]);
    assert!(plain.graph.initializers.is_empty());
    model.graph.outputs[0].name = "d".to_owned();
    assert_eq!(
        operators(&clean(model, &Sizes::new()).unwrap()),
        ["Identity"]
    );
}

#[test]
fn a_constant_output_is_still_given() {
    let nodes = vec![
        Node::new("Shape", &["x"], &["y"]),
        Node::new("Reshape", &["x", "y"], &["z"]),
    ];
    let plain = clean(network(open(&["2", "3"]), nodes, vec![], 17), &Sizes::new()).unwrap();
    assert_eq!(operators(&plain), ["Identity"]);
    assert_eq!(output(&plain), "int64[2]");
    assert_eq!(plain.graph.initializers.len(), 1);
}
