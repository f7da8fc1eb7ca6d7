//! ONNX files: read into a [`Model`] that is sound, and written again.
//!
//! Whatever the bytes, reading ends in a model or an error. In a model that was
//! read every name is defined once and before it is used, every tensor has as many
//! elements as its sizes say, and functions that the file defined are gone: their
//! nodes stand where they were called.

mod check;
mod error;
mod external;
mod functions;
#[cfg(test)]
mod fuzz;
mod read;
mod tensor;
#[cfg(test)]
mod tests;
mod types;
mod write;

use std::path::Path;

use bytes::Bytes;
use prost::Message as _;

pub use error::{NodePlace, OnnxError};
use external::Folder;

use crate::model::Model;
use crate::proto::ModelProto;

/// Reads a model whose tensors are all in the file itself. They stay in the
/// given bytes; nothing is copied.
///
/// # Errors
/// If the bytes are not a sound model.
pub fn read(bytes: Bytes) -> Result<Model, OnnxError> {
    read_beside(bytes, &mut Folder::none())
}

/// Reads a model from a file, and its large tensors from files beside it. The
/// files are mapped: they must not change while the model lives.
///
/// # Errors
/// If a file cannot be read or is not a sound model.
pub fn open(path: &Path) -> Result<Model, OnnxError> {
    let bytes = external::map(path).map_err(|source| OnnxError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    read_beside(bytes, &mut Folder::at(folder))
}

/// A model's bytes as an ONNX file has them.
#[must_use]
pub fn write(model: &Model) -> Vec<u8> {
    write::model(model).encode_to_vec()
}

fn read_beside(bytes: Bytes, folder: &mut Folder) -> Result<Model, OnnxError> {
    let mut proto =
        ModelProto::decode(bytes).map_err(|error| OnnxError::Malformed(error.to_string()))?;
    functions::inline(&mut proto)?;
    let model = read::model(proto, folder)?;
    check::model(&model)?;
    Ok(model)
}
