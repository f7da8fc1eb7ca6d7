//! The types of numbers.

use std::fmt;
use std::str::FromStr;

use half::{bf16, f16};

use super::ArrayError;

macro_rules! elements {
    ($($name:ident, $type:ty, $numpy:literal, $code:literal;)*) => {
        /// The type of each number of an array.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Element {
            Bool,
            Float16,
            /// The upper half of a float32, which numpy has no word for.
            Bfloat16,
            $($name,)*
        }

        impl Element {
            /// Bytes of one number.
            #[must_use]
            pub fn size(self) -> usize {
                match self {
                    Self::Bool => 1,
                    Self::Float16 | Self::Bfloat16 => 2,
                    $(Self::$name => size_of::<$type>(),)*
                }
            }

            /// As numpy names it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    Self::Bool => "bool",
                    Self::Float16 => "float16",
                    Self::Bfloat16 => "bfloat16",
                    $(Self::$name => $numpy,)*
                }
            }

            /// As numpy's files write it, after the byte order.
            pub(super) fn code(self) -> &'static str {
                match self {
                    Self::Bool => "b1",
                    Self::Float16 => "f2",
                    Self::Bfloat16 => "V2",
                    $(Self::$name => $code,)*
                }
            }

            /// All of them.
            pub const ALL: &'static [Self] = &[
                Self::Bool, Self::Float16, Self::Bfloat16, $(Self::$name,)*
            ];

            /// The number in these bytes, which are as many as its size.
            pub(super) fn value(self, bytes: &[u8]) -> f64 {
                match self {
                    Self::Bool => f64::from(u8::from(bytes.iter().any(|byte| *byte != 0))),
                    Self::Float16 => f16::from_le_bytes(first(bytes)).to_f64(),
                    Self::Bfloat16 => bf16::from_le_bytes(first(bytes)).to_f64(),
                    $(Self::$name => <$type>::from_le_bytes(first(bytes)) as f64,)*
                }
            }

            pub(super) fn push(self, value: f64, bytes: &mut Vec<u8>) {
                match self {
                    Self::Bool => bytes.push(u8::from(value != 0.0)),
                    Self::Float16 => bytes.extend(f16::from_f64(value).to_le_bytes()),
                    Self::Bfloat16 => bytes.extend(bf16::from_f64(value).to_le_bytes()),
                    $(Self::$name => bytes.extend((value as $type).to_le_bytes()),)*
                }
            }
        }
    };
}

elements! {
    Float32, f32, "float32", "f4";
    Float64, f64, "float64", "f8";
    Int8, i8, "int8", "i1";
    Int16, i16, "int16", "i2";
    Int32, i32, "int32", "i4";
    Int64, i64, "int64", "i8";
    Uint8, u8, "uint8", "u1";
    Uint16, u16, "uint16", "u2";
    Uint32, u32, "uint32", "u4";
    Uint64, u64, "uint64", "u8";
}

impl Element {
    /// Whether its numbers have fractions.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(
            self,
            Self::Float16 | Self::Bfloat16 | Self::Float32 | Self::Float64
        )
    }
}

/// The first bytes, with zeros where there are too few.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut all = [0; N];
    all.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    all
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Element {
    type Err = ArrayError;

    fn from_str(name: &str) -> Result<Self, ArrayError> {
        let found = Self::ALL.iter().find(|one| one.name() == name);
        found
            .copied()
            .ok_or_else(|| ArrayError::Element(name.to_owned()))
    }
}
