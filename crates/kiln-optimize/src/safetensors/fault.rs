//! What can be wrong with a safetensors file, each as the end of a sentence that begins
//! with the file's name.

/// What is wrong with a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Too short for the length of a header.
    #[error("has {0} bytes, too few for a safetensors file")]
    Short(u64),

    /// What Git keeps of a large file.
    #[error("is a pointer of Git LFS and not the file itself, which 'git lfs pull' fetches")]
    Pointer,

    /// A header that is longer than any that is written.
    #[error("has a header of {0} bytes; more than 100000000 are not read")]
    LongHeader(u64),

    /// The header does not fit into the file.
    #[error("is truncated: its header has {header} bytes and the file {file}")]
    TruncatedHeader {
        /// As the file says.
        header: u64,
        /// As the file is.
        file: u64,
    },

    /// The header is not the JSON that it should be.
    #[error("has a header that does not describe tensors: {0}")]
    Json(String),

    /// A type that is not known.
    #[error("has the tensor {tensor} of the type {dtype}, which Kiln does not know")]
    Dtype {
        /// The tensor.
        tensor: String,
        /// The type's name.
        dtype: String,
    },

    /// Two tensors of one name.
    #[error("has the tensor {0} twice")]
    Twice(String),

    /// Elements that cannot be counted.
    #[error("has the tensor {tensor} of the shape {shape:?}, which is too large")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },

    /// Offsets that run backwards.
    #[error("has the tensor {tensor} end at {end}, before it begins at {begin}")]
    Backwards {
        /// The tensor.
        tensor: String,
        /// Its first byte.
        begin: u64,
        /// The byte behind its last.
        end: u64,
    },

    /// Bytes that are not those of the shape.
    #[error("has {found} bytes for the tensor {tensor}, whose shape needs {needed}")]
    Size {
        /// The tensor.
        tensor: String,
        /// As the offsets say.
        found: u64,
        /// As shape and type say.
        needed: u64,
    },

    /// The file ends before the tensor.
    #[error("is truncated: the tensor {tensor} ends at byte {end} of {data} bytes of data")]
    Truncated {
        /// The tensor.
        tensor: String,
        /// Where it ends.
        end: u64,
        /// How much there is.
        data: u64,
    },

    /// Two tensors in one place.
    #[error("has the tensors {first} and {second} in the same place")]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The other.
        second: String,
    },

    /// Bytes that belong to no tensor.
    #[error("has {bytes} bytes at {at} that belong to no tensor")]
    Gap {
        /// Where in the data.
        at: u64,
        /// How many.
        bytes: u64,
    },
}
