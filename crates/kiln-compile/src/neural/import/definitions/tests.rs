//! Definitions in place: what they leave, and where they leave things alone. Their numbers
//! are compared by the node tests of the onnx package.

use kiln_graph::model::{Dim, Element, Graph, Model, Node, TensorType, Type, Value};

use super::expand;

fn value(name: &str, dims: &[usize]) -> Value {
    Value::new(name, TensorType::new(Element::F32, dims))
}

fn normalization() -> Node {
    Node::new("RMSNormalization", &["x", "scale"], &["y"])
}

fn model(nodes: Vec<Node>) -> Model {
    let graph = Graph {
        inputs: vec![value("x", &[2, 3]), value("scale", &[3])],
        outputs: vec![value("y", &[2, 3])],
        nodes,
        ..Graph::default()
    };
    Model::new(graph, 23)
}

fn operators(graph: &Graph) -> Vec<&str> {
    graph
        .nodes
        .iter()
        .map(|node| node.operator.as_str())
        .collect()
}

#[test]
fn an_operation_gives_way_to_its_definition() {
    let model = model(vec![normalization()]);
    let expanded = expand(&model);
    let expected = ["Mul", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Identity"];
    assert_eq!(operators(&expanded.graph), expected);
    let names = expanded.graph.nodes.iter().flat_map(|node| &node.outputs);
    assert!(
        names
            .into_iter()
            .all(|name| expanded.graph.type_of(name).is_some())
    );
    let mean = &expanded.graph.nodes[1].outputs[0];
    assert_eq!(
        expanded.graph.type_of(mean),
        Some(Type::tensor(Element::F32, &[2, 1]))
    );
}

#[test]
fn so_does_one_within_a_branch_of_values_around_it() {
    let branch = Graph {
        outputs: vec![value("y", &[2, 3])],
        nodes: vec![normalization()],
        ..Graph::default()
    };
    let model = model(vec![
        Node::new("If", &["c"], &["y"]).with("then_branch", branch),
    ]);
    let expanded = expand(&model);
    let branch = expanded.graph.nodes[0].graph("then_branch").unwrap();
    assert_eq!(operators(branch).len(), 7);
}

#[test]
fn what_is_of_unknown_size_stays() {
    let mut model = model(vec![normalization()]);
    let dims = Some(vec![Dim::Unknown, Dim::Known(3)]);
    model.graph.inputs[0].ty = Some(
        TensorType {
            element: Element::F32,
            dims,
        }
        .into(),
    );
    assert_eq!(operators(&expand(&model).graph), ["RMSNormalization"]);
}
