//! A network's inputs and outputs as its loader is told of them, and what else the
//! engine asks about it.

use kiln_graph::model::{Dim, Element, Graph, Model, Type, Value};

use super::{ENTRY, ImportError};
use crate::neural::{Signature, Tensor};

/// The inputs and outputs of a network's program, in its order.
///
/// # Errors
/// If one is no tensor, or nothing is known of its type.
pub fn signature(model: &Model) -> Result<Signature, ImportError> {
    let all = |values: &[Value]| values.iter().map(tensor).collect::<Result<_, _>>();
    Ok(Signature::new(
        ENTRY,
        all(&model.graph.inputs)?,
        all(&model.graph.outputs)?,
    ))
}

fn tensor(value: &Value) -> Result<Tensor, ImportError> {
    let ty = value
        .ty
        .as_ref()
        .ok_or_else(|| ImportError::Type(value.name.clone()))?;
    let unsupported = || ImportError::Unsupported {
        name: value.name.clone(),
        ty: ty.to_string(),
    };
    let tensor = Type::as_tensor(ty).ok_or_else(unsupported)?;
    let dims = tensor.dims.as_ref().ok_or_else(unsupported)?;
    let known = dims.iter().map(Dim::known);
    Ok(Tensor {
        name: value.name.clone(),
        kind: numpy(tensor.element).ok_or_else(unsupported)?,
        shape: known.map(|size| size.map(|size| size as u64)).collect(),
    })
}

/// An element type as numpy names it.
fn numpy(element: Element) -> Option<String> {
    Some(match element {
        Element::F32 => "float32".to_owned(),
        Element::F64 => "float64".to_owned(),
        Element::String | Element::U4 | Element::I4 | Element::F4E2M1 => return None,
        other => other.to_string(),
    })
}

/// Whether a network has convolutions, in whatever branch.
#[must_use]
pub fn convolutions(model: &Model) -> bool {
    fn any(graph: &Graph) -> bool {
        graph.nodes.iter().any(|node| {
            let mut inside = node
                .attributes
                .values()
                .flat_map(|attribute| attribute.graphs());
            matches!(
                node.operator.as_str(),
                "Conv" | "ConvTranspose" | "ConvInteger" | "QLinearConv"
            ) || inside.any(any)
        })
    }
    any(&model.graph)
}
