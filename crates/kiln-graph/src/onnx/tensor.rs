//! A tensor of an ONNX file, whose elements stand in one of seven places.

use bytes::Bytes;

use super::OnnxError;
use super::external::Folder;
use crate::model::{Element, Number, Tensor};
use crate::proto::TensorProto;

/// What [`TensorProto::data_location`] says of elements in another file.
const EXTERNAL: i32 = 1;

pub(super) fn read(proto: &TensorProto, folder: &mut Folder) -> Result<Tensor, OnnxError> {
    let name = proto.name.as_str();
    let element = Element::from_onnx(proto.data_type).ok_or_else(|| {
        OnnxError::tensor(
            name,
            format!("its element type {} is unknown", proto.data_type),
        )
    })?;
    let dims = sizes(proto)?;
    let tensor = if element == Element::String {
        Tensor::of_strings(dims, proto.string_data.clone())
    } else if proto.data_location == EXTERNAL {
        Tensor::new(element, dims, folder.elements(proto)?)
    } else if proto.raw_data.is_empty() {
        Tensor::new(element, dims, listed(proto, element))
    } else {
        Tensor::new(element, dims, proto.raw_data.clone())
    };
    tensor.map_err(|error| OnnxError::sizes(name, &error))
}

fn sizes(proto: &TensorProto) -> Result<Vec<usize>, OnnxError> {
    let sizes = proto.dims.iter().map(|size| usize::try_from(*size));
    sizes
        .collect::<Result<_, _>>()
        .map_err(|_| OnnxError::tensor(&proto.name, format!("its sizes are {:?}", proto.dims)))
}

/// The elements out of the list that ONNX keeps such elements in.
fn listed(proto: &TensorProto, element: Element) -> Bytes {
    use Element as E;
    match element {
        E::F32 | E::Complex64 => bytes_of(&proto.float_data, |value| value),
        E::F64 | E::Complex128 => bytes_of(&proto.double_data, |value| value),
        E::I64 => bytes_of(&proto.int64_data, |value| value),
        E::U64 => bytes_of(&proto.uint64_data, |value| value),
        E::U32 => bytes_of(&proto.uint64_data, |value| value as u32),
        E::I32 => bytes_of(&proto.int32_data, |value| value),
        E::U16 | E::I16 | E::F16 | E::Bf16 => bytes_of(&proto.int32_data, |value| value as u16),
        // Those of half a byte come in pairs.
        _ => bytes_of(&proto.int32_data, |value| value as u8),
    }
}

fn bytes_of<From: Copy, To: Number>(values: &[From], as_stored: fn(From) -> To) -> Bytes {
    let mut bytes = Vec::with_capacity(values.len() * size_of::<To>());
    values
        .iter()
        .for_each(|value| as_stored(*value).write(&mut bytes));
    bytes.into()
}
