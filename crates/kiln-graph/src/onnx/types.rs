//! The types of values, from ONNX's messages and back.

use crate::model::{Dim, Element, TensorType, Type};
use crate::proto::{
    DimensionProto, DimensionValue, ElementTypeProto, MapTypeProto, TensorShapeProto,
    TensorTypeProto, TypeProto, TypeValue,
};

/// What a message says of a value, if it says enough to be of use; for
/// what it says wrongly, the end of a sentence.
pub(super) fn read(proto: &TypeProto) -> Result<Option<Type>, String> {
    let ty = match &proto.value {
        None => None,
        Some(TypeValue::TensorType(tensor)) => read_tensor(tensor)?.map(Type::Tensor),
        Some(TypeValue::SparseTensorType(tensor)) => read_tensor(tensor)?.map(Type::Sparse),
        Some(TypeValue::SequenceType(inner)) => {
            within(inner.elem_type.as_deref())?.map(Type::Sequence)
        }
        Some(TypeValue::OptionalType(inner)) => {
            within(inner.elem_type.as_deref())?.map(Type::Optional)
        }
        Some(TypeValue::MapType(map)) => {
            let key = element(map.key_type)?;
            let value = within(map.value_type.as_deref())?;
            key.zip(value).map(|(key, value)| Type::Map { key, value })
        }
    };
    Ok(ty)
}

fn within(proto: Option<&TypeProto>) -> Result<Option<Box<Type>>, String> {
    let ty = proto.map(read).transpose()?;
    Ok(ty.flatten().map(Box::new))
}

fn element(number: i32) -> Result<Option<Element>, String> {
    match (number, Element::from_onnx(number)) {
        (0, _) => Ok(None),
        (_, None) => Err(format!("its element type {number} is unknown")),
        (_, found) => Ok(found),
    }
}

fn read_tensor(proto: &TensorTypeProto) -> Result<Option<TensorType>, String> {
    let Some(element) = element(proto.elem_type)? else {
        return Ok(None);
    };
    let dims = proto
        .shape
        .as_ref()
        .map(|shape| shape.dim.iter().map(read_dim).collect());
    Ok(Some(TensorType { element, dims }))
}

fn read_dim(proto: &DimensionProto) -> Dim {
    match &proto.value {
        // Exporters write -1 for what they do not know.
        Some(DimensionValue::DimValue(size)) => {
            usize::try_from(*size).map_or(Dim::Unknown, Dim::Known)
        }
        Some(DimensionValue::DimParam(name)) if !name.is_empty() => Dim::Named(name.clone()),
        Some(DimensionValue::DimParam(_)) | None => Dim::Unknown,
    }
}

pub(super) fn write(ty: &Type) -> TypeProto {
    let value = match ty {
        Type::Tensor(tensor) => TypeValue::TensorType(write_tensor(tensor)),
        Type::Sparse(tensor) => TypeValue::SparseTensorType(write_tensor(tensor)),
        Type::Sequence(inner) => TypeValue::SequenceType(write_within(inner)),
        Type::Optional(inner) => TypeValue::OptionalType(write_within(inner)),
        Type::Map { key, value } => TypeValue::MapType(Box::new(MapTypeProto {
            key_type: key.to_onnx() as i32,
            value_type: Some(Box::new(write(value))),
        })),
    };
    TypeProto {
        value: Some(value),
        ..TypeProto::default()
    }
}

fn write_within(inner: &Type) -> Box<ElementTypeProto> {
    let elem_type = Some(Box::new(write(inner)));
    Box::new(ElementTypeProto { elem_type })
}

fn write_tensor(tensor: &TensorType) -> TensorTypeProto {
    let shape = tensor.dims.as_ref().map(|dims| TensorShapeProto {
        dim: dims.iter().map(write_dim).collect(),
    });
    let elem_type = tensor.element.to_onnx() as i32;
    TensorTypeProto { elem_type, shape }
}

fn write_dim(dim: &Dim) -> DimensionProto {
    let value = match dim {
        Dim::Known(size) => Some(DimensionValue::DimValue(*size as i64)),
        Dim::Named(name) => Some(DimensionValue::DimParam(name.clone())),
        Dim::Unknown => None,
    };
    DimensionProto {
        value,
        ..DimensionProto::default()
    }
}
