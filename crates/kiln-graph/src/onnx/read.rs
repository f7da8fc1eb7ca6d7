//! From ONNX's messages to the model in memory.

use std::collections::BTreeMap;

use super::external::Folder;
use super::{OnnxError, tensor, types};
use crate::model::{Attribute, Graph, Model, Node, Type, Value};
use crate::proto::{
    AttributeProto, AttributeType, GraphProto, ModelProto, NodeProto, TypeProto, ValueInfoProto,
};

pub(super) fn model(proto: ModelProto, folder: &mut Folder) -> Result<Model, OnnxError> {
    let graph = proto
        .graph
        .ok_or_else(|| OnnxError::Malformed("it has no graph".to_owned()))?;
    let opsets = proto.opset_import.iter();
    let mut opsets: BTreeMap<_, _> = opsets
        .map(|set| (domain(&set.domain).to_owned(), set.version))
        .collect();
    if opsets.is_empty() {
        // Files of before there were versions are of the first.
        opsets.insert(String::new(), 1);
    }
    Ok(Model {
        ir_version: proto.ir_version,
        opsets,
        producer: proto.producer_name,
        producer_version: proto.producer_version,
        graph: self::graph(graph, folder, Within::Model)?,
    })
}

/// ONNX's own domain has two names.
pub(super) fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

/// What a graph is part of.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Model,
    Node,
}

fn graph(proto: GraphProto, folder: &mut Folder, within: Within) -> Result<Graph, OnnxError> {
    if !proto.sparse_initializer.is_empty() {
        return Err(OnnxError::Unsupported("sparse initializers".to_owned()));
    }
    let mut graph = Graph {
        name: proto.name,
        ..Graph::default()
    };
    for initializer in &proto.initializer {
        let value = tensor::read(initializer, folder)?;
        if graph
            .initializers
            .insert(initializer.name.clone(), value)
            .is_some()
        {
            return Err(OnnxError::value(&initializer.name, "it is defined twice"));
        }
    }
    graph.inputs = values(&proto.input)?;
    if within == Within::Model {
        // Old files list what has a value among the inputs too.
        graph
            .inputs
            .retain(|input| !graph.initializers.contains_key(&input.name));
    }
    graph.outputs = values(&proto.output)?;
    for info in &proto.value_info {
        if let Some(ty) = value_type(&info.name, info.r#type.as_ref())? {
            graph.types.insert(info.name.clone(), ty);
        }
    }
    for (index, proto) in proto.node.into_iter().enumerate() {
        graph.nodes.push(node(index, proto, folder)?);
    }
    Ok(graph)
}

fn values(infos: &[ValueInfoProto]) -> Result<Vec<Value>, OnnxError> {
    let values = infos.iter().map(|info| {
        let ty = value_type(&info.name, info.r#type.as_ref())?;
        Ok(Value {
            name: info.name.clone(),
            ty,
        })
    });
    values.collect()
}

fn value_type(name: &str, proto: Option<&TypeProto>) -> Result<Option<Type>, OnnxError> {
    let ty = proto.map(types::read).transpose();
    ty.map(Option::flatten)
        .map_err(|reason| OnnxError::value(name, reason))
}

fn node(index: usize, proto: NodeProto, folder: &mut Folder) -> Result<Node, OnnxError> {
    let mut node = Node {
        name: proto.name,
        domain: domain(&proto.domain).to_owned(),
        operator: proto.op_type,
        inputs: proto.input,
        outputs: proto.output,
        attributes: BTreeMap::new(),
    };
    for proto in proto.attribute {
        let name = proto.name.clone();
        let attribute = match attribute(proto, folder) {
            Ok(attribute) => attribute,
            Err(Fault::Inside(error)) => return Err(error),
            Err(Fault::Here(reason)) => {
                let reason = format!("its attribute '{name}' {reason}");
                return Err(OnnxError::node(index, &node, reason));
            }
        };
        if node.attributes.insert(name.clone(), attribute).is_some() {
            let reason = format!("it has two attributes '{name}'");
            return Err(OnnxError::node(index, &node, reason));
        }
    }
    Ok(node)
}

/// What is wrong with an attribute: with itself, as the end of a sentence, or
/// with what it holds.
enum Fault {
    Here(String),
    Inside(OnnxError),
}

impl From<OnnxError> for Fault {
    fn from(error: OnnxError) -> Self {
        Self::Inside(error)
    }
}

fn attribute(proto: AttributeProto, folder: &mut Folder) -> Result<Attribute, Fault> {
    if !proto.ref_attr_name.is_empty() {
        return Err(Fault::Here(
            "refers to a function's, and there is none".to_owned(),
        ));
    }
    let empty = || Fault::Here("is empty".to_owned());
    Ok(match kind(&proto) {
        AttributeType::Undefined => return Err(empty()),
        AttributeType::Float => Attribute::Float(proto.f),
        AttributeType::Int => Attribute::Int(proto.i),
        AttributeType::String => Attribute::String(proto.s),
        AttributeType::Tensor => {
            Attribute::Tensor(tensor::read(&proto.t.ok_or_else(empty)?, folder)?)
        }
        AttributeType::Graph => graph(proto.g.ok_or_else(empty)?, folder, Within::Node)?.into(),
        AttributeType::Floats => Attribute::Floats(proto.floats),
        AttributeType::Ints => Attribute::Ints(proto.ints),
        AttributeType::Strings => Attribute::Strings(proto.strings),
        AttributeType::Tensors => {
            let tensors = proto
                .tensors
                .iter()
                .map(|proto| tensor::read(proto, folder));
            Attribute::Tensors(tensors.collect::<Result<_, _>>()?)
        }
        AttributeType::Graphs => {
            let graphs = proto
                .graphs
                .into_iter()
                .map(|proto| graph(proto, folder, Within::Node));
            Attribute::Graphs(graphs.collect::<Result<_, _>>()?)
        }
        AttributeType::TypeProto => Attribute::Type(one_type(&proto.tp.ok_or_else(empty)?)?),
        AttributeType::TypeProtos => {
            let types = proto.type_protos.iter().map(one_type);
            Attribute::Types(types.collect::<Result<_, _>>()?)
        }
        AttributeType::SparseTensor | AttributeType::SparseTensors => {
            return Err(OnnxError::Unsupported("sparse tensors".to_owned()).into());
        }
    })
}

fn one_type(proto: &TypeProto) -> Result<Type, Fault> {
    let ty = types::read(proto).map_err(|reason| Fault::Here(format!("is of a type: {reason}")))?;
    ty.ok_or_else(|| Fault::Here("is of no type".to_owned()))
}

/// What an attribute holds. The oldest files do not say, but have only one thing set.
fn kind(proto: &AttributeProto) -> AttributeType {
    match AttributeType::try_from(proto.r#type) {
        Ok(AttributeType::Undefined) | Err(_) => {}
        Ok(kind) => return kind,
    }
    if proto.t.is_some() {
        AttributeType::Tensor
    } else if proto.g.is_some() {
        AttributeType::Graph
    } else if !proto.ints.is_empty() {
        AttributeType::Ints
    } else if !proto.floats.is_empty() {
        AttributeType::Floats
    } else if !proto.strings.is_empty() {
        AttributeType::Strings
    } else if !proto.s.is_empty() {
        AttributeType::String
    } else if proto.f != 0.0 {
        AttributeType::Float
    } else {
        AttributeType::Int
    }
}
