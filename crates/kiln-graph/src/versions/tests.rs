//! Each change of an operator, by example.

use std::collections::BTreeMap;

use super::{Names, Place, modernize};
use crate::model::{Attribute, Dim, Element, Graph, Node, Tensor};
use crate::shapes::{Fact, Mismatch};

fn sized(dims: &[usize]) -> Option<Fact> {
    let dims = dims.iter().copied().map(Dim::Known).collect();
    Some(Fact::tensor(Element::F32, dims))
}

type Rewritten = (Vec<Node>, BTreeMap<String, Tensor>);

/// Nodes and constants that one node becomes.
fn rewritten(
    node: Node,
    from: i64,
    facts: &dyn Fn(&str) -> Option<Fact>,
) -> Result<Rewritten, Mismatch> {
    let mut constants = BTreeMap::new();
    let graph = Graph {
        nodes: vec![node.clone()],
        ..Graph::default()
    };
    let mut names = Names::of(&graph);
    let mut place = Place {
        names: &mut names,
        constants: &mut constants,
        facts,
    };
    let nodes = modernize(node, from, &mut place)?;
    Ok((nodes, constants))
}

/// The names of what the only node that is left takes, with each constant's numbers.
fn inputs(node: Node, from: i64) -> Vec<String> {
    let typed = |name: &str| sized(&[2, 3, 4]).filter(|_| name == "x");
    let (nodes, constants) = rewritten(node, from, &typed).unwrap();
    assert_eq!(nodes.len(), 1);
    let shown = |name: &String| match constants.get(name) {
        Some(tensor) => match (tensor.integers(), tensor.values::<f32>()) {
            (Some(numbers), _) => format!("{numbers:?}"),
            (_, numbers) => format!("{:?}", numbers.unwrap()),
        },
        None => name.clone(),
    };
    nodes[0].inputs.iter().map(shown).collect()
}

#[test]
fn attributes_become_inputs() {
    let node = |operator: &str| Node::new(operator, &["x"], &["y"]);
    for (node, from, expected) in [
        (
            node("Squeeze").with("axes", vec![0i64]),
            11,
            &["x", "[0]"][..],
        ),
        (node("Squeeze"), 11, &["x"]),
        (
            node("Unsqueeze").with("axes", vec![0i64, 3]),
            9,
            &["x", "[0, 3]"],
        ),
        (
            node("ReduceSum").with("axes", vec![1i64]),
            12,
            &["x", "[1]"],
        ),
        (
            node("Split").with("split", vec![1i64, 1]),
            2,
            &["x", "[1, 1]"],
        ),
        (node("TopK").with("k", 5), 1, &["x", "[5]"]),
        (
            node("Slice")
                .with("starts", vec![1i64])
                .with("ends", vec![2i64]),
            9,
            &["x", "[1]", "[2]"],
        ),
        (node("Clip").with("max", 6.0f32), 6, &["x", "", "[6.0]"]),
        (
            node("Pad")
                .with("pads", vec![0i64, 1])
                .with("value", 2.0f32),
            2,
            &["x", "[0, 1]", "[2.0]"],
        ),
        (
            node("Reshape").with("shape", vec![0i64, -1]),
            4,
            &["x", "[0, -1]"],
        ),
        (
            node("Upsample").with("scales", vec![1.0f32, 2.0]),
            7,
            &["x", "", "[1.0, 2.0]"],
        ),
    ] {
        let operator = node.operator.clone();
        assert_eq!(inputs(node, from), expected, "{operator}");
    }
    let resize = Node::new("Resize", &["x", "scales"], &["y"]);
    assert_eq!(inputs(resize, 10), ["x", "", "scales"]);
}

#[test]
fn rows_from_an_axis_on_are_made_and_unmade() {
    let typed = |_: &str| sized(&[2, 3, 4]);
    let softmax = |axis: i64| Node::new("Softmax", &["x"], &["y"]).with("axis", axis);
    let operators = |axis: i64| -> Vec<String> {
        let (nodes, _) = rewritten(softmax(axis), 9, &typed).unwrap();
        assert_eq!(nodes.last().unwrap().outputs, ["y"]);
        nodes.into_iter().map(|node| node.operator).collect()
    };
    assert_eq!(operators(2), ["Softmax"]);
    assert_eq!(operators(1), ["Shape", "Flatten", "Softmax", "Reshape"]);
}

#[test]
fn what_was_repeated_from_an_axis_on_gets_axes() {
    let typed = |name: &str| sized(if name == "x" { &[2, 3, 4, 5][..] } else { &[3] });
    let add = Node::new("Add", &["x", "b"], &["y"])
        .with("broadcast", 1)
        .with("axis", 1);
    let (nodes, constants) = rewritten(add, 6, &typed).unwrap();
    assert_eq!(nodes[0].operator, "Unsqueeze");
    assert_eq!(constants[&nodes[0].inputs[1]], Tensor::vector(&[1i64, 2]));
    assert_eq!(nodes[1].inputs, ["x", &nodes[0].outputs[0]]);
    assert!(nodes[1].attributes.is_empty());
    let slopes = Node::new("PRelu", &["x", "slopes"], &["y"]);
    let (nodes, constants) = rewritten(slopes, 6, &typed).unwrap();
    assert_eq!(constants[&nodes[0].inputs[1]], Tensor::vector(&[1i64, 2]));
}

#[test]
fn what_later_versions_cannot_say_is_refused() {
    let nothing = |_: &str| None;
    let node = Node::new("BatchNormalization", &["x"], &["y"]).with("spatial", 0);
    assert!(rewritten(node, 7, &nothing).is_err());
    assert!(rewritten(Node::new("Scan", &["x"], &["y"]), 8, &nothing).is_err());
    assert!(rewritten(Node::new("Upsample", &["x"], &["y"]), 7, &nothing).is_err());
}

#[test]
fn types_in_words_become_numbers() {
    let nothing = |_: &str| None;
    let cast = Node::new("Cast", &["x"], &["y"]).with("to", "INT64");
    let (nodes, _) = rewritten(cast, 5, &nothing).unwrap();
    assert_eq!(nodes[0].attributes["to"], Attribute::Int(7));
}
