//! Files of ONNX, sound and broken.

use bytes::Bytes;
use prost::Message as _;

use super::{OnnxError, open, read, write};
use crate::model::{Attribute, Dim, Element, Graph, Model, Node, Tensor, TensorType, Type, Value};
use crate::proto::{
    AttributeProto, FunctionProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto,
};

fn value(name: &str, dims: &[usize]) -> Value {
    Value::new(name, TensorType::new(Element::F32, dims))
}

/// y = relu(x + bias)
fn small() -> Model {
    let graph = Graph {
        name: "small".to_owned(),
        inputs: vec![value("x", &[2, 3])],
        outputs: vec![value("y", &[2, 3])],
        nodes: vec![
            Node::new("Add", &["x", "bias"], &["sum"]),
            Node::new("Relu", &["sum"], &["y"]),
        ],
        initializers: [("bias".to_owned(), Tensor::vector(&[1.0_f32, 2.0, 3.0]))].into(),
        ..Graph::default()
    };
    Model::new(graph, 17)
}

/// A model with every kind of attribute, type and function, as a file has it.
pub(super) fn every_kind() -> ModelProto {
    let mut model = small();
    let branch = Graph {
        outputs: vec![value("z", &[2, 3])],
        nodes: vec![Node::new("Neg", &["sum"], &["z"])],
        ..Graph::default()
    };
    let kinds = Node::new("Kinds", &["sum", ""], &["", "kinds"])
        .with("float", 0.5)
        .with("int", 7)
        .with("text", "text")
        .with("tensor", Tensor::scalar(true))
        .with("graph", branch.clone())
        .with("floats", vec![0.5_f32, 2.0])
        .with("ints", vec![1_i64, -1])
        .with(
            "texts",
            Attribute::Strings(vec![b"a".to_vec(), b"b".to_vec()]),
        )
        .with(
            "tensors",
            Attribute::Tensors(vec![
                Tensor::of_strings(vec![1], vec![b"s".to_vec()]).unwrap(),
            ]),
        )
        .with("graphs", Attribute::Graphs(vec![branch]))
        .with(
            "type",
            Type::Sequence(Box::new(Type::tensor(Element::I64, &[]))),
        )
        .with(
            "types",
            Attribute::Types(vec![Type::Map {
                key: Element::String,
                value: Box::new(Type::Optional(Box::new(Type::Sparse(TensorType {
                    element: Element::Bf16,
                    dims: Some(vec![Dim::Named("n".to_owned()), Dim::Unknown]),
                })))),
            }]),
        );
    model.graph.nodes.insert(1, kinds);
    model
        .graph
        .types
        .insert("sum".to_owned(), Type::tensor(Element::F32, &[2, 3]));
    let mut proto = ModelProto::decode(Bytes::from(write(&model))).unwrap();
    define_double(&mut proto);
    proto
}

/// Adds a function that doubles, by a factor that its caller may set, and calls it last.
fn define_double(model: &mut ModelProto) {
    let node = |op_type: &str, input: &[&str], output: &[&str]| NodeProto {
        op_type: op_type.to_owned(),
        input: input.iter().map(|name| (*name).to_owned()).collect(),
        output: output.iter().map(|name| (*name).to_owned()).collect(),
        ..NodeProto::default()
    };
    let mut factor = node("Constant", &[], &["factor"]);
    factor.attribute.push(AttributeProto {
        name: "value_float".to_owned(),
        ref_attr_name: "by".to_owned(),
        r#type: 1,
        ..AttributeProto::default()
    });
    model.functions.push(FunctionProto {
        name: "Double".to_owned(),
        domain: "own".to_owned(),
        input: vec!["a".to_owned()],
        output: vec!["b".to_owned(), "a".to_owned()],
        node: vec![factor, node("Mul", &["a", "factor"], &["b"])],
        opset_import: vec![OperatorSetIdProto {
            domain: "ai.onnx".to_owned(),
            version: 17,
        }],
        attribute_proto: vec![AttributeProto {
            name: "by".to_owned(),
            f: 2.0,
            r#type: 1,
            ..AttributeProto::default()
        }],
        ..FunctionProto::default()
    });
    let mut call = node("Double", &["y"], &["doubled", "same"]);
    call.domain = "own".to_owned();
    let graph = model.graph.as_mut().unwrap();
    graph.node.push(call);
    graph.output[0].name = "doubled".to_owned();
}

fn read_proto(proto: &ModelProto) -> Result<Model, OnnxError> {
    read(proto.encode_to_vec().into())
}

fn refusal(proto: &ModelProto) -> String {
    read_proto(proto).unwrap_err().to_string()
}

fn small_proto() -> ModelProto {
    ModelProto::decode(Bytes::from(write(&small()))).unwrap()
}

#[test]
fn a_model_that_is_written_reads_as_the_same() {
    assert_eq!(read(write(&small()).into()).unwrap(), small());
    let whole = read_proto(&every_kind()).unwrap();
    assert_eq!(read(write(&whole).into()).unwrap(), whole);
}

#[test]
fn weights_stay_in_the_files_bytes() {
    let bytes = Bytes::from(write(&small()));
    let model = read(bytes.clone()).unwrap();
    let weights = model.graph.initializers["bias"].bytes().unwrap();
    assert!(bytes.as_ptr_range().contains(&weights.as_ptr()));
}

#[test]
fn functions_give_way_to_their_nodes() {
    let model = read_proto(&every_kind()).unwrap();
    let last: Vec<_> = model.graph.nodes.iter().rev().take(3).rev().collect();
    assert_eq!(last[0].operator, "Constant");
    assert_eq!(last[0].float("value_float"), Some(2.0));
    assert_eq!(last[1].inputs, ["y", last[0].outputs[0].as_str()]);
    assert_eq!(last[1].outputs, ["doubled"]);
    assert_eq!(
        (last[2].operator.as_str(), &last[2].inputs[0]),
        ("Identity", &"y".to_owned())
    );
    assert_eq!(last[2].outputs, ["same"]);
}

#[test]
fn functions_that_never_end_are_refused() {
    let mut model = every_kind();
    let call = NodeProto {
        domain: "own".to_owned(),
        op_type: "Double".to_owned(),
        input: vec!["a".to_owned()],
        output: vec!["b".to_owned()],
        ..NodeProto::default()
    };
    model.functions[0].node = vec![call.clone()];
    assert!(refusal(&model).contains("call each other without end"));
    model.functions[0].node = vec![call.clone(), call];
    assert!(refusal(&model).contains("cannot be compiled"));
}

#[test]
fn initializers_among_the_inputs_are_not_inputs() {
    let mut model = small_proto();
    let graph = model.graph.as_mut().unwrap();
    let mut bias = graph.input[0].clone();
    bias.name = "bias".to_owned();
    graph.input.push(bias);
    assert_eq!(read_proto(&model).unwrap(), small());
}

/// Something done to a sound model, and what is then said of it.
type Case = (fn(&mut ModelProto), &'static str);

#[test]
fn what_contradicts_itself_is_named() {
    let cases: [Case; 9] = [
        (
            |model| model.graph = None,
            "The file is not an ONNX model: it has no graph.",
        ),
        (
            |model| model.graph.as_mut().unwrap().node[1].input[0] = "sun".to_owned(),
            "Node 1 (Relu) of the ONNX model is broken: its input 'sun' is not defined before it.",
        ),
        (
            |model| model.graph.as_mut().unwrap().node.swap(0, 1),
            "Node 0 (Relu) of the ONNX model is broken: its input 'sum' is not defined before it.",
        ),
        (
            |model| model.graph.as_mut().unwrap().node[1].output[0] = "x".to_owned(),
            "Node 1 (Relu) of the ONNX model is broken: its output 'x' is defined already.",
        ),
        (
            |model| model.graph.as_mut().unwrap().output[0].name = "yy".to_owned(),
            "The value 'yy' of the ONNX model is broken: it is an output that no node gives.",
        ),
        (
            |model| model.graph.as_mut().unwrap().initializer[0].dims = vec![4],
            "The tensor 'bias' of the ONNX model is broken: its sizes [4] of float call for 16 bytes or strings, not 12.",
        ),
        (
            |model| model.graph.as_mut().unwrap().initializer[0].dims = vec![-3],
            "The tensor 'bias' of the ONNX model is broken: its sizes are [-3].",
        ),
        (
            |model| model.graph.as_mut().unwrap().initializer[0].data_type = 77,
            "The tensor 'bias' of the ONNX model is broken: its element type 77 is unknown.",
        ),
        (
            |model| {
                let node = &mut model.graph.as_mut().unwrap().node[1];
                (node.name, node.domain) = ("last".to_owned(), "own".to_owned());
            },
            "Node 1 'last' (Relu) of the ONNX model is broken: the model has no version of the operator set 'own'.",
        ),
    ];
    for (spoil, message) in cases {
        let mut model = small_proto();
        spoil(&mut model);
        assert_eq!(refusal(&model), message);
    }
}

#[test]
fn elements_in_lists_are_read() {
    let tensor = |data_type, fill: fn(&mut TensorProto)| {
        let mut tensor = TensorProto {
            data_type,
            dims: vec![2],
            ..TensorProto::default()
        };
        fill(&mut tensor);
        super::tensor::read(&tensor, &mut super::Folder::none()).unwrap()
    };
    let floats = tensor(1, |tensor| tensor.float_data = vec![1.0, 2.0]);
    assert_eq!(floats.values::<f32>(), Some(vec![1.0, 2.0]));
    let unsigned = tensor(12, |tensor| tensor.uint64_data = vec![1, 4_000_000_000]);
    assert_eq!(unsigned.values::<u32>(), Some(vec![1, 4_000_000_000]));
    let small = tensor(3, |tensor| tensor.int32_data = vec![-1, 2]);
    assert_eq!(small.values::<i8>(), Some(vec![-1, 2]));
    let half = tensor(10, |tensor| tensor.int32_data = vec![0x3c00, 0x4000]);
    assert_eq!(half.values::<half::f16>().unwrap()[1].to_f32(), 2.0);
    let pair = tensor(22, |tensor| tensor.int32_data = vec![0x21]);
    assert_eq!(pair.bytes().unwrap().as_ref(), [0x21]);
}

fn beside(location: &str, offset: &str, length: &str) -> ModelProto {
    let mut model = small_proto();
    let bias = &mut model.graph.as_mut().unwrap().initializer[0];
    bias.raw_data = Bytes::new();
    bias.data_location = 1;
    let entries = [
        ("location", location),
        ("offset", offset),
        ("length", length),
    ];
    bias.external_data = entries
        .map(|(key, value)| StringStringEntryProto {
            key: key.to_owned(),
            value: value.to_owned(),
        })
        .to_vec();
    model
}

#[test]
fn elements_in_another_file_are_read_from_the_same_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let weights: Vec<u8> = [9.0_f32, 1.0, 2.0, 3.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    std::fs::write(folder.path().join("weights.bin"), weights).unwrap();
    std::os::unix::fs::symlink("weights.bin", folder.path().join("link.bin")).unwrap();
    let open_with = |proto: ModelProto| {
        std::fs::write(&path, proto.encode_to_vec()).unwrap();
        open(&path)
    };
    assert_eq!(
        open_with(beside("weights.bin", "4", "12")).unwrap(),
        small()
    );
    let cases = [
        ("weights.bin", "8", "12", "has only 16 bytes"),
        (
            "weights.bin",
            "99999999999999999999",
            "12",
            "offset '99999999999999999999'",
        ),
        (
            "weights.bin",
            "18446744073709551615",
            "12",
            "has only 16 bytes",
        ),
        ("link.bin", "4", "12", "is a link"),
        (
            "../weights.bin",
            "4",
            "12",
            "leads out of the model's folder",
        ),
        ("/etc/passwd", "4", "12", "leads out of the model's folder"),
        ("missing.bin", "4", "12", "is not part of the model"),
        (".", "4", "12", "leads out"),
        ("", "4", "12", "is not a file"),
    ];
    for (location, offset, length, reason) in cases {
        let error = open_with(beside(location, offset, length))
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{location}: {error}");
    }
    let without = read_proto(&beside("weights.bin", "4", "12"))
        .unwrap_err()
        .to_string();
    assert!(without.contains("is not part of the model"), "{without}");
}
