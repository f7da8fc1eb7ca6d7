//! What operators become, by example.

use std::collections::BTreeMap;

use super::lowered;
use crate::model::{Dim, Element, Graph, Node};
use crate::shapes::Fact;
use crate::versions::{Names, Place};

/// The operators that a sampling becomes, or why it becomes none.
fn sampled(node: Node, image: &[Dim], grid: &[Dim]) -> Result<Vec<String>, String> {
    let facts = |name: &str| {
        let dims = if name == "image" { image } else { grid };
        Some(Fact::tensor(Element::F32, dims.to_vec()))
    };
    let graph = Graph {
        nodes: vec![node.clone()],
        ..Graph::default()
    };
    let mut place = Place {
        names: &mut Names::of(&graph),
        constants: &mut BTreeMap::new(),
        facts: &facts,
    };
    let nodes = lowered(&node, &mut place).map_err(|why| why.0)?.unwrap();
    assert_eq!(nodes.last().unwrap().outputs, node.outputs);
    Ok(nodes.into_iter().map(|node| node.operator).collect())
}

fn sized(sizes: &[usize]) -> Vec<Dim> {
    sizes.iter().copied().map(Dim::Known).collect()
}

fn sampling() -> Node {
    Node::new("GridSample", &["image", "grid"], &["out"])
}

#[test]
fn what_lies_outside_is_selected_away() {
    let (image, grid) = (sized(&[1, 3, 5, 4]), sized(&[1, 6, 7, 2]));
    for (mode, padding, takes) in [
        ("bilinear", "zeros", &["Gather", "Where", "ReduceSum"][..]),
        ("bicubic", "border", &["Gather", "Clip", "ReduceSum"]),
        ("nearest", "reflection", &["Gather", "Round", "Neg"]),
    ] {
        let node = sampling().with("mode", mode).with("padding_mode", padding);
        let operators = sampled(node, &image, &grid).unwrap();
        assert!(!operators.contains(&"GridSample".to_owned()));
        for one in takes {
            assert!(
                operators.contains(&(*one).to_owned()),
                "{mode} {padding}: {one}"
            );
        }
    }
}

#[test]
fn what_cannot_be_sampled_is_refused() {
    let image = sized(&[2, 3, 5, 4]);
    let grid = sized(&[2, 6, 7, 2]);
    let open = [Dim::Known(2), Dim::Known(3), Dim::Unknown, Dim::Known(4)];
    for (node, image, grid, expected) in [
        (
            sampling().with("mode", "quintic"),
            &image[..],
            &grid[..],
            "its mode quintic is none",
        ),
        (
            sampling().with("padding_mode", "mirror"),
            &image,
            &grid,
            "its padding_mode mirror is none",
        ),
        (
            sampling(),
            &image,
            &image,
            "a grid of [2, 3, 5, 4] is none for an image of [2, 3, 5, 4]",
        ),
        (
            sampling(),
            &open,
            &grid,
            "the sizes of its image are not known",
        ),
        (
            sampling(),
            &sized(&[2, 3, 0, 4]),
            &grid,
            "its image is empty",
        ),
        (sampling(), &sized(&[1; 7]), &grid, "its image has 5 axes"),
    ] {
        assert_eq!(sampled(node, image, grid).unwrap_err(), expected);
    }
}

#[test]
fn other_operators_stay() {
    let facts = |_: &str| None;
    let mut place = Place {
        names: &mut Names::of(&Graph::default()),
        constants: &mut BTreeMap::new(),
        facts: &facts,
    };
    let mut other = sampling();
    other.domain = "com.microsoft".to_owned();
    assert!(lowered(&other, &mut place).unwrap().is_none());
    assert!(
        lowered(&Node::new("Relu", &["x"], &["y"]), &mut place)
            .unwrap()
            .is_none()
    );
}
