//! From the model in memory to ONNX's messages. Elements are shared with it, not copied.

use super::types;
use crate::model::{Attribute, Graph, Model, Node, Tensor, Type, Value};
use crate::proto::{
    AttributeProto, AttributeType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, ValueInfoProto,
};

pub(super) fn model(model: &Model) -> ModelProto {
    let opsets = model
        .opsets
        .iter()
        .map(|(domain, version)| OperatorSetIdProto {
            domain: domain.clone(),
            version: *version,
        });
    ModelProto {
        ir_version: model.ir_version,
        producer_name: model.producer.clone(),
        producer_version: model.producer_version.clone(),
        graph: Some(graph(&model.graph)),
        opset_import: opsets.collect(),
        ..ModelProto::default()
    }
}

fn graph(graph: &Graph) -> GraphProto {
    let constants = graph.initializers.iter();
    let types = graph.types.iter().map(|(name, ty)| info(name, Some(ty)));
    GraphProto {
        name: graph.name.clone(),
        node: graph.nodes.iter().map(node).collect(),
        initializer: constants.map(|(name, value)| tensor(name, value)).collect(),
        input: values(&graph.inputs),
        output: values(&graph.outputs),
        value_info: types.collect(),
        ..GraphProto::default()
    }
}

fn values(values: &[Value]) -> Vec<ValueInfoProto> {
    let values = values.iter();
    values
        .map(|value| info(&value.name, value.ty.as_ref()))
        .collect()
}

fn info(name: &str, ty: Option<&Type>) -> ValueInfoProto {
    ValueInfoProto {
        name: name.to_owned(),
        r#type: ty.map(types::write),
    }
}

fn node(node: &Node) -> NodeProto {
    let attributes = node.attributes.iter();
    NodeProto {
        name: node.name.clone(),
        domain: node.domain.clone(),
        op_type: node.operator.clone(),
        input: node.inputs.clone(),
        output: node.outputs.clone(),
        attribute: attributes
            .map(|(name, value)| attribute(name, value))
            .collect(),
        ..NodeProto::default()
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto {
        name: name.to_owned(),
        ..AttributeProto::default()
    };
    let kind = match value.clone() {
        Attribute::Float(value) => {
            proto.f = value;
            AttributeType::Float
        }
        Attribute::Int(value) => {
            proto.i = value;
            AttributeType::Int
        }
        Attribute::String(text) => {
            proto.s = text;
            AttributeType::String
        }
        Attribute::Tensor(value) => {
            proto.t = Some(tensor("", &value));
            AttributeType::Tensor
        }
        Attribute::Graph(value) => {
            proto.g = Some(graph(&value));
            AttributeType::Graph
        }
        Attribute::Floats(values) => {
            proto.floats = values;
            AttributeType::Floats
        }
        Attribute::Ints(values) => {
            proto.ints = values;
            AttributeType::Ints
        }
        Attribute::Strings(texts) => {
            proto.strings = texts;
            AttributeType::Strings
        }
        Attribute::Tensors(values) => {
            proto.tensors = values.iter().map(|value| tensor("", value)).collect();
            AttributeType::Tensors
        }
        Attribute::Graphs(values) => {
            proto.graphs = values.iter().map(graph).collect();
            AttributeType::Graphs
        }
        Attribute::Type(ty) => {
            proto.tp = Some(types::write(&ty));
            AttributeType::TypeProto
        }
        Attribute::Types(values) => {
            proto.type_protos = values.iter().map(types::write).collect();
            AttributeType::TypeProtos
        }
    };
    proto.r#type = kind as i32;
    proto
}

fn tensor(name: &str, tensor: &Tensor) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: tensor.dims().iter().map(|size| *size as i64).collect(),
        data_type: tensor.element().to_onnx() as i32,
        raw_data: tensor.bytes().cloned().unwrap_or_default(),
        string_data: tensor.strings().map(<[_]>::to_vec).unwrap_or_default(),
        ..TensorProto::default()
    }
}
