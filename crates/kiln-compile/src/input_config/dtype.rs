//! The element types that a request can give to inputs.

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 16-bit floating point.
    Float16,
    /// 32-bit floating point.
    Float32,
    /// 64-bit floating point.
    Float64,
    /// 8-bit integers.
    Int8,
    /// 16-bit integers.
    Int16,
    /// 32-bit integers.
    Int32,
    /// 64-bit integers.
    Int64,
    /// 8-bit integers without sign.
    Uint8,
    /// Truth values.
    Bool,
}

impl Dtype {
    /// The type of that name, as requests write it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "float16" | "half" => Self::Float16,
            "float32" | "float" => Self::Float32,
            "float64" | "double" => Self::Float64,
            "int8" => Self::Int8,
            "int16" | "short" => Self::Int16,
            "int32" | "int" => Self::Int32,
            "int64" | "long" => Self::Int64,
            "uint8" => Self::Uint8,
            "bool" => Self::Bool,
            _ => return None,
        })
    }

    /// The type's name, as NumPy and the frameworks write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Bool => "bool",
        }
    }
}
