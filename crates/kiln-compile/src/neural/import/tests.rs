//! Whole networks, as programs.

use kiln_graph::model::{Element, Graph, Model, Node, Tensor, TensorType, Type, Value};

use super::{ImportError, import};

fn value(name: &str, dims: &[usize]) -> Value {
    Value::new(name, TensorType::new(Element::F32, dims))
}

/// y = clip(x + bias, none, 6) where x is positive in sum, and -x otherwise.
fn branching() -> Model {
    let then = Graph {
        outputs: vec![value("clipped", &[2])],
        nodes: vec![
            Node::new("Add", &["x", "bias"], &["sum"]),
            Node::new("Clip", &["sum", "", "limit"], &["clipped"]),
        ],
        initializers: [("limit".to_owned(), Tensor::scalar(6.0_f32))].into(),
        types: [("sum".to_owned(), Type::tensor(Element::F32, &[2]))].into(),
        ..Graph::default()
    };
    let otherwise = Graph {
        outputs: vec![value("negated", &[2])],
        nodes: vec![Node::new("Neg", &["x"], &["negated"])],
        ..Graph::default()
    };
    let decide = Node::new("If", &["positive"], &["y"])
        .with("then_branch", then)
        .with("else_branch", otherwise);
    let graph = Graph {
        name: "branching".to_owned(),
        inputs: vec![
            value("x", &[2]),
            Value::new("positive", Type::tensor(Element::Bool, &[])),
        ],
        outputs: vec![value("y", &[2])],
        nodes: vec![Node {
            name: "decide".to_owned(),
            ..decide
        }],
        initializers: [("bias".to_owned(), Tensor::vector(&[1.0_f32, 2.0]))].into(),
        ..Graph::default()
    };
    Model::new(graph, 17)
}

#[test]
fn a_network_becomes_a_program() {
    let mut text = Vec::new();
    import(&branching()).unwrap().write_text(&mut text).unwrap();
    let expected = r#""builtin.module"() ({
"func.func"() ({^bb0(%0: !torch.vtensor<[2],f32>, %1: !torch.vtensor<[],i1>):
%5 = "torch.constant.none"() {} : () -> (!torch.none) loc("")
%3 = "torch.operator"() {"name" = "onnx.Constant", "torch.onnx.value" = dense_resource<w0> : tensor<2xf32>} : () -> (!torch.vtensor<[2],f32>) loc("bias")
%8 = "torch.operator"(%1) ({
%2 = "torch.operator"(%0) {"name" = "onnx.Neg"} : (!torch.vtensor<[2],f32>) -> (!torch.vtensor<[2],f32>) loc("Node 0 (Neg)")
"torch.operator_terminator"(%2) {} : (!torch.vtensor<[2],f32>) -> () loc("")
}, {
%4 = "torch.operator"(%0, %3) {"name" = "onnx.Add"} : (!torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>) -> (!torch.vtensor<[2],f32>) loc("Node 0 (Add)")
%6 = "torch.operator"() {"name" = "onnx.Constant", "torch.onnx.value" = dense_resource<w1> : tensor<f32>} : () -> (!torch.vtensor<[],f32>) loc("limit")
%7 = "torch.operator"(%4, %5, %6) {"name" = "onnx.Clip"} : (!torch.vtensor<[2],f32>, !torch.none, !torch.vtensor<[],f32>) -> (!torch.vtensor<[2],f32>) loc("Node 1 (Clip)")
"torch.operator_terminator"(%7) {} : (!torch.vtensor<[2],f32>) -> () loc("")
}) {"name" = "onnx.If"} : (!torch.vtensor<[],i1>) -> (!torch.vtensor<[2],f32>) loc("Node 0 'decide' (If)")
"func.return"(%8) {} : (!torch.vtensor<[2],f32>) -> () loc("")
}) {"sym_name" = "main", "function_type" = (!torch.vtensor<[2],f32>, !torch.vtensor<[],i1>) -> (!torch.vtensor<[2],f32>), "torch.onnx_meta.ir_version" = 8 : si64, "torch.onnx_meta.producer_name" = "", "torch.onnx_meta.producer_version" = "", "torch.onnx_meta.opset_version" = 17 : si64} : () -> () loc("branching")
}) : () -> ()
{-#
dialect_resources: {
builtin: {
w0: "0x080000000000803f00000040",
w1: "0x080000000000c040"
}
}
#-}
"#;
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn constants_lie_aligned_at_the_end_of_the_bytecode() {
    let mut bytes = Vec::new();
    import(&branching())
        .unwrap()
        .write_bytecode(&mut bytes)
        .unwrap();
    assert!(bytes.starts_with(b"ML\xEFR\x09kiln\0"));
    let last = bytes.len() - 4;
    assert_eq!(bytes[last..], 6.0_f32.to_le_bytes());
    assert_eq!(last % 8, 0);
    let bias = [1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat();
    let found = bytes.windows(8).position(|window| window == bias);
    assert_eq!(found.map(|at| at % 8), Some(0));
}

#[test]
fn what_no_program_can_hold_is_named() {
    let mut untyped = branching();
    untyped.graph.inputs[0].ty = None;
    let mut texts = branching();
    texts.graph.inputs[0].ty = Some(Type::tensor(Element::String, &[2]));
    let mut typed = branching();
    let ty = Type::tensor(Element::F32, &[]);
    typed.graph.nodes[0]
        .attributes
        .insert("type".to_owned(), ty.into());
    let cases = [
        (untyped, "The type of the value 'x' is not known."),
        (
            texts,
            "The value 'x' is of type string[2], which cannot be compiled.",
        ),
        (
            typed,
            "Node 0 'decide' (If) has an attribute 'type' that is a type, which cannot be compiled.",
        ),
    ];
    for (model, message) in cases {
        let error: ImportError = import(&model).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
