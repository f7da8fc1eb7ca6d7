//! What a network takes and gives: from the graph's terms to those of clients, of
//! requests and of the loader.

use kiln_graph::clean::Sizes;
use kiln_graph::model::{Dim, Element as GraphElement, Model, Value};

use super::error::CompileError;
use super::report::Port;
use crate::array::Element;
use crate::dlr::TensorInfo;
use crate::framework::Framework;
use crate::input_config::{Dimension, Dtype, Input, InputConfig, Shape};
use crate::neural::import::ENTRY;
use crate::neural::{Signature, Tensor};

/// The sizes that a request gives to a model's inputs, by name.
pub(super) fn sizes(
    given: Option<&InputConfig>,
    model: &Model,
    framework: Framework,
) -> Result<Sizes, CompileError> {
    let Some(given) = given else {
        return Ok(Sizes::new());
    };
    let of_model = InputConfig {
        inputs: model.graph.inputs.iter().map(typed).collect(),
    };
    let fitted = given.fit(&of_model, framework)?;
    let mut sizes = Sizes::new();
    for (input, value) in fitted.inputs.into_iter().zip(&model.graph.inputs) {
        let Shape::One(dimensions) = input.shape else {
            let message = "Several shapes for one input are for coreml only";
            return Err(CompileError::Input(message.to_owned()));
        };
        let size = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => usize::try_from(*size).ok(),
            _ => None,
        };
        let name = input.name.unwrap_or_else(|| value.name.clone());
        sizes.insert(name, dimensions.iter().map(size).collect());
    }
    Ok(sizes)
}

/// What the model itself says of an input, its type included.
fn typed(value: &Value) -> Input {
    let ty = value.ty.as_ref().and_then(|ty| ty.as_tensor());
    let element = ty.and_then(|ty| element(ty.element));
    Input {
        dtype: element.and_then(|element| Dtype::parse(element.name())),
        ..input(value)
    }
}

/// What the model itself says of an input's shape.
fn input(value: &Value) -> Input {
    let ty = value.ty.as_ref().and_then(|ty| ty.as_tensor());
    let dims = ty.and_then(|ty| ty.dims.as_deref()).unwrap_or_default();
    let dimension = |dim: &Dim| match dim {
        Dim::Known(size) => Dimension::Fixed(*size as u64),
        _ => Dimension::Open,
    };
    Input::new(
        Some(value.name.clone()),
        dims.iter().map(dimension).collect(),
    )
}

/// The model's inputs as [`derived_from`] has them.
pub(super) fn derived(model: &Model, framework: Framework) -> Option<String> {
    derived_from(model.graph.inputs.iter().map(input).collect(), framework)
}

/// The shapes of a model's inputs as a `DataInputConfig` in the layout of the framework's
/// users, if every size is known.
pub(super) fn derived_from(mut inputs: Vec<Input>, framework: Framework) -> Option<String> {
    for input in &mut inputs {
        input.dtype = None;
        if framework == Framework::Keras {
            input.shape = input.shape.channels_first();
        }
    }
    let known = inputs.iter().all(|input| input.shape.fixed().is_some());
    known.then(|| InputConfig { inputs }.render())
}

/// What the loader is told of the model.
pub(super) fn signature(model: &Model) -> Result<Signature, CompileError> {
    let tensors = |values: &[Value]| values.iter().map(tensor).collect::<Result<Vec<_>, _>>();
    Ok(Signature::new(
        ENTRY,
        tensors(&model.graph.inputs)?,
        tensors(&model.graph.outputs)?,
    ))
}

fn tensor(value: &Value) -> Result<Tensor, CompileError> {
    let refused = |what: &str| CompileError::Input(format!("The tensor '{}' {what}", value.name));
    let ty = value.ty.as_ref().and_then(|ty| ty.as_tensor());
    let ty = ty.ok_or_else(|| refused("is no tensor of known type"))?;
    let element = element(ty.element).ok_or_else(|| {
        refused(&format!(
            "is of type {}, which clients do not have",
            ty.element
        ))
    })?;
    let dims = ty.dims.as_ref();
    let dims = dims.ok_or_else(|| refused("has an unknown number of dimensions"))?;
    let size = |dim: &Dim| match dim {
        Dim::Known(size) => Some(*size as u64),
        _ => None,
    };
    Ok(Tensor {
        name: value.name.clone(),
        kind: element.name().to_owned(),
        shape: dims.iter().map(size).collect(),
    })
}

fn element(element: GraphElement) -> Option<Element> {
    Some(match element {
        GraphElement::F16 => Element::Float16,
        GraphElement::F32 => Element::Float32,
        GraphElement::F64 => Element::Float64,
        GraphElement::I8 => Element::Int8,
        GraphElement::I16 => Element::Int16,
        GraphElement::I32 => Element::Int32,
        GraphElement::I64 => Element::Int64,
        GraphElement::U8 => Element::Uint8,
        GraphElement::U16 => Element::Uint16,
        GraphElement::U32 => Element::Uint32,
        GraphElement::U64 => Element::Uint64,
        GraphElement::Bool => Element::Bool,
        _ => return None,
    })
}

/// Inputs of what is no graph, as reports show them: of several shapes, the first.
pub(super) fn described(inputs: &[Input]) -> Vec<Port> {
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => *size as i64,
        Dimension::Open | Dimension::Range { .. } => -1,
    };
    let sizes = |shape: &Shape| match shape {
        Shape::One(dimensions) => dimensions.iter().map(size).collect(),
        Shape::Enumerated(shapes) => {
            let first = shapes.first().into_iter().flatten();
            first.map(|size| *size as i64).collect()
        }
    };
    let port = |input: &Input| Port {
        name: input.name.clone().unwrap_or_default(),
        r#type: input.dtype.map(Dtype::name).unwrap_or_default().to_owned(),
        shape: sizes(&input.shape),
    };
    inputs.iter().map(port).collect()
}

/// As reports show it.
pub(super) fn ports(tensors: &[Tensor]) -> Vec<Port> {
    let port = |tensor: &Tensor| Port {
        name: tensor.name.clone(),
        r#type: tensor.kind.clone(),
        shape: shape(tensor),
    };
    tensors.iter().map(port).collect()
}

/// As clients see it.
pub(super) fn infos(tensors: &[Tensor]) -> Vec<TensorInfo> {
    let info = |tensor: &Tensor| TensorInfo {
        name: tensor.name.clone(),
        kind: tensor.kind.clone(),
        shape: shape(tensor),
    };
    tensors.iter().map(info).collect()
}

fn shape(tensor: &Tensor) -> Vec<i64> {
    let size = |size: &Option<u64>| size.map_or(-1, |size| size as i64);
    tensor.shape.iter().map(size).collect()
}
