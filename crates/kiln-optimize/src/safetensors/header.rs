//! The header of a safetensors file: its length in eight bytes, then JSON that names each
//! tensor's type, shape and place.
//!
//! Nothing that it says is believed before it fits: every byte behind the header belongs to
//! exactly one tensor, and every tensor has as many bytes as its shape needs. Allocation is
//! bounded by what the file really has.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::Fault;
use crate::Dtype;

/// Longer headers are taken for an attack. The reference implementation has the same limit.
const LONGEST: u64 = 100_000_000;

/// More dimensions than any tensor has.
const DIMENSIONS: usize = 16;

/// A tensor, as the header describes it. Offsets count from the end of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// How long the header is, if a file of `size` bytes can have such a one.
pub(super) fn length(first: [u8; 8], size: u64) -> Result<u64, Fault> {
    if first == *b"version " {
        return Err(Fault::Pointer);
    }
    let header = u64::from_le_bytes(first);
    if header > LONGEST {
        return Err(Fault::LongHeader(header));
    }
    if header + 8 > size {
        return Err(Fault::TruncatedHeader { header, file: size });
    }
    Ok(header)
}

/// The tensors in the order of their places, `data` being how many bytes follow the header.
pub(super) fn parse(header: impl Read, data: u64) -> Result<Vec<Entry>, Fault> {
    let mut json = serde_json::Deserializer::from_reader(header);
    let listed = Listing::deserialize(&mut json)
        .and_then(|listing| json.end().map(|()| listing.0))
        .map_err(|error| Fault::Json(error.to_string()))?;
    let mut entries = listed
        .into_iter()
        .map(|(name, described)| entry(name, described, data))
        .collect::<Result<Vec<_>, _>>()?;
    refuse_twins(&mut entries)?;
    entries.sort_unstable_by(|a, b| (a.begin, a.end, &a.name).cmp(&(b.begin, b.end, &b.name)));
    refuse_holes(&entries, data)?;
    Ok(entries)
}

fn entry(name: String, described: Described, data: u64) -> Result<Entry, Fault> {
    let Described {
        dtype,
        shape: Shape(shape),
        data_offsets: (begin, end),
    } = described;
    let dtype = match dtype {
        Named::Known(dtype) => dtype,
        Named::Unknown(dtype) => {
            return Err(Fault::Dtype {
                tensor: name,
                dtype,
            });
        }
    };
    let Some(needed) = bytes(dtype, &shape) else {
        return Err(Fault::Shape {
            tensor: name,
            shape,
        });
    };
    let fault = match end.checked_sub(begin) {
        None => Fault::Backwards {
            tensor: name,
            begin,
            end,
        },
        Some(found) if found != needed => Fault::Size {
            tensor: name,
            found,
            needed,
        },
        Some(_) if end > data => Fault::Truncated {
            tensor: name,
            end,
            data,
        },
        Some(_) => {
            return Ok(Entry {
                name,
                dtype,
                shape,
                begin,
                end,
            });
        }
    };
    Err(fault)
}

/// The bytes of a tensor, if they can be counted.
pub(super) fn bytes(dtype: Dtype, shape: &[usize]) -> Option<u64> {
    shape
        .iter()
        .try_fold(dtype.size() as u64, |bytes, &dimension| {
            bytes.checked_mul(dimension as u64)
        })
}

fn refuse_twins(entries: &mut [Entry]) -> Result<(), Fault> {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    match entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(Fault::Twice(pair[0].name.clone())),
        None => Ok(()),
    }
}

fn refuse_holes(entries: &[Entry], data: u64) -> Result<(), Fault> {
    let mut at = 0;
    let mut before = None::<&Entry>;
    for entry in entries {
        match (entry.begin.cmp(&at), before) {
            (std::cmp::Ordering::Less, Some(first)) => {
                return Err(Fault::Overlap {
                    first: first.name.clone(),
                    second: entry.name.clone(),
                });
            }
            (std::cmp::Ordering::Greater, _) => {
                let bytes = entry.begin - at;
                return Err(Fault::Gap { at, bytes });
            }
            _ => {}
        }
        at = entry.end;
        before = Some(entry);
    }
    match data - at {
        0 => Ok(()),
        bytes => Err(Fault::Gap { at, bytes }),
    }
}

/// What the header has under a tensor's name.
#[derive(Deserialize)]
struct Described {
    dtype: Named,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// A type, or the name of one that is not known. There may be a hundred thousand tensors,
/// and a name for each would take its room.
enum Named {
    Known(Dtype),
    Unknown(String),
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let named: StrDeserializer<'_, serde::de::value::Error> = name.as_str().into_deserializer();
        Ok(match Dtype::deserialize(named) {
            Ok(dtype) => Self::Known(dtype),
            Err(_) => Self::Unknown(name),
        })
    }
}

/// Dimensions, not more than there can be.
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dimensions;

        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a shape")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(dimension) = seq.next_element()? {
                    if shape.len() == DIMENSIONS {
                        return Err(A::Error::custom(format_args!(
                            "a shape of more than {DIMENSIONS} dimensions"
                        )));
                    }
                    shape.push(dimension);
                }
                Ok(Shape(shape))
            }
        }

        deserializer.deserialize_seq(Dimensions)
    }
}

/// All tensors of a header, twins included: a map of serde's would hide one.
struct Listing(Vec<(String, Described)>);

impl<'de> Deserialize<'de> for Listing {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;

        impl<'de> Visitor<'de> for Tensors {
            type Value = Listing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listing, A::Error> {
                let mut tensors = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<Option<BTreeMap<String, String>>>()?;
                    } else {
                        tensors.push((name, map.next_value()?));
                    }
                }
                Ok(Listing(tensors))
            }
        }

        deserializer.deserialize_map(Tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(json: &str, data: u64) -> Result<Vec<String>, Fault> {
        let entries = parse(json.as_bytes(), data)?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    #[test]
    fn tensors_come_in_the_order_of_their_places() {
        let json = r#"{"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
            "__metadata__":{"format":"pt"},
            "empty":{"dtype":"BF16","shape":[0,7],"data_offsets":[4,4]},
            "scalar":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}   "#;
        assert_eq!(names(json, 12).unwrap(), ["b", "empty", "scalar"]);
        assert_eq!(names("{}", 0).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (r"[", "has a header that does not describe tensors: "),
            (
                r#"{"a":3}"#,
                "has a header that does not describe tensors: ",
            ),
            (
                r"{} x",
                "has a header that does not describe tensors: trailing",
            ),
            (
                r#"{"a":{"dtype":"F6","shape":[1],"data_offsets":[0,1]}}"#,
                "has the tensor a of the type F6, which Kiln does not know",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                    "a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
                "has the tensor a twice",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
                "has the tensor a of the shape [4294967296, 4294967296], which is too large",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[3,2]}}"#,
                "has the tensor a end at 2, before it begins at 3",
            ),
            (
                r#"{"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,8]}}"#,
                "has 8 bytes for the tensor a, whose shape needs 12",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#,
                "is truncated: the tensor a ends at byte 9 of 8 bytes of data",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},
                    "b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
                "has the tensors a and b in the same place",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                    "b":{"dtype":"U8","shape":[5],"data_offsets":[3,8]}}"#,
                "has 1 bytes at 2 that belong to no tensor",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
                "has 6 bytes at 2 that belong to no tensor",
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#,
                "has a header that does not describe tensors: a shape of more than 16 dimensions",
            ),
        ];
        for (json, expected) in cases {
            let said = names(json, 8).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}\n{json}");
        }
    }

    #[test]
    fn lengths_are_those_of_a_file() {
        assert_eq!(length(10_u64.to_le_bytes(), 18), Ok(10));
        assert!(matches!(
            length(11_u64.to_le_bytes(), 18),
            Err(Fault::TruncatedHeader {
                header: 11,
                file: 18
            })
        ));
        assert_eq!(
            length(u64::MAX.to_le_bytes(), 18),
            Err(Fault::LongHeader(u64::MAX))
        );
    }
}
