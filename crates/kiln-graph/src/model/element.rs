//! What the elements of a tensor are.

use std::fmt;

use crate::proto::DataType;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Element {
    F32,
    U8,
    I8,
    U16,
    I16,
    I32,
    I64,
    String,
    Bool,
    F16,
    F64,
    U32,
    U64,
    Complex64,
    Complex128,
    Bf16,
    F8E4M3Fn,
    F8E4M3FnUz,
    F8E5M2,
    F8E5M2FnUz,
    U4,
    I4,
    F4E2M1,
    F8E8M0,
}

use Element as E;

/// Each element type, its number in ONNX's files, its width in bits and its name
/// in ONNX's documentation. A string has no width.
const TABLE: [(Element, DataType, usize, &str); 24] = [
    (E::F32, DataType::Float, 32, "float"),
    (E::U8, DataType::Uint8, 8, "uint8"),
    (E::I8, DataType::Int8, 8, "int8"),
    (E::U16, DataType::Uint16, 16, "uint16"),
    (E::I16, DataType::Int16, 16, "int16"),
    (E::I32, DataType::Int32, 32, "int32"),
    (E::I64, DataType::Int64, 64, "int64"),
    (E::String, DataType::String, 0, "string"),
    (E::Bool, DataType::Bool, 8, "bool"),
    (E::F16, DataType::Float16, 16, "float16"),
    (E::F64, DataType::Double, 64, "double"),
    (E::U32, DataType::Uint32, 32, "uint32"),
    (E::U64, DataType::Uint64, 64, "uint64"),
    (E::Complex64, DataType::Complex64, 64, "complex64"),
    (E::Complex128, DataType::Complex128, 128, "complex128"),
    (E::Bf16, DataType::Bfloat16, 16, "bfloat16"),
    (E::F8E4M3Fn, DataType::Float8e4m3fn, 8, "float8e4m3fn"),
    (E::F8E4M3FnUz, DataType::Float8e4m3fnuz, 8, "float8e4m3fnuz"),
    (E::F8E5M2, DataType::Float8e5m2, 8, "float8e5m2"),
    (E::F8E5M2FnUz, DataType::Float8e5m2fnuz, 8, "float8e5m2fnuz"),
    (E::U4, DataType::Uint4, 4, "uint4"),
    (E::I4, DataType::Int4, 4, "int4"),
    (E::F4E2M1, DataType::Float4e2m1, 4, "float4e2m1"),
    (E::F8E8M0, DataType::Float8e8m0, 8, "float8e8m0"),
];

impl Element {
    /// The element type of a number in ONNX's files, if it is one.
    #[must_use]
    pub fn from_onnx(number: i32) -> Option<Self> {
        let found = TABLE.iter().find(|(_, data, ..)| *data as i32 == number);
        found.map(|(element, ..)| *element)
    }

    /// Its number in ONNX's files.
    #[must_use]
    pub fn to_onnx(self) -> DataType {
        TABLE[self as usize].1
    }

    /// How many bits an element takes; 0 for strings.
    #[must_use]
    pub fn bits(self) -> usize {
        TABLE[self as usize].2
    }

    /// Whether it is a binary floating-point number of any width.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, E::F32 | E::F16 | E::F64 | E::Bf16) || self.is_small_float()
    }

    /// Whether it is a floating-point number of 8 bits or fewer.
    #[must_use]
    pub fn is_small_float(self) -> bool {
        matches!(
            self,
            E::F8E4M3Fn | E::F8E4M3FnUz | E::F8E5M2 | E::F8E5M2FnUz | E::F4E2M1 | E::F8E8M0
        )
    }

    /// Whether it is a whole number, signed or not; `Bool` is none.
    #[must_use]
    pub fn is_integer(self) -> bool {
        self.is_signed_integer() || self.is_unsigned_integer()
    }

    /// Whether it is a whole number with a sign.
    #[must_use]
    pub fn is_signed_integer(self) -> bool {
        matches!(self, E::I8 | E::I16 | E::I32 | E::I64 | E::I4)
    }

    /// Whether it is a whole number without a sign.
    #[must_use]
    pub fn is_unsigned_integer(self) -> bool {
        matches!(self, E::U8 | E::U16 | E::U32 | E::U64 | E::U4)
    }

    /// How many bytes so many elements take; none for strings and beyond what can be.
    #[must_use]
    pub fn bytes_of(self, count: usize) -> Option<usize> {
        match self {
            E::String => None,
            _ => count.checked_mul(self.bits()).map(|bits| bits.div_ceil(8)),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TABLE[*self as usize].3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_types() {
        for (place, (element, data, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*element as usize, place);
            assert_eq!(Element::from_onnx(*data as i32), Some(*element));
        }
        assert_eq!(Element::from_onnx(0), None);
        assert_eq!(Element::from_onnx(99), None);
    }

    #[test]
    fn elements_of_half_a_byte_share_it() {
        assert_eq!(Element::I4.bytes_of(3), Some(2));
        assert_eq!(Element::F32.bytes_of(3), Some(12));
        assert_eq!(Element::F32.bytes_of(usize::MAX), None);
    }
}
