//! UBJSON, as far as XGBoost writes it: a serde deserializer over bytes.
//!
//! Memory stays in proportion to the input, since every element of every
//! container takes at least a byte of it; nesting is bounded.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// As deep as serde_json goes.
const DEEPEST: u32 = 128;

/// Why bytes are no UBJSON, or not the document that was wanted.
#[derive(Debug, thiserror::Error)]
pub(super) enum UbjsonError {
    #[error("it ends too early")]
    TooShort,
    #[error("{kind:?} at byte {at} begins no value")]
    Marker { kind: char, at: usize },
    #[error("a length at byte {at} is not one")]
    Length { at: usize },
    #[error("the text at byte {at} is not UTF-8")]
    Text { at: usize },
    #[error("it is nested too deeply")]
    TooDeep,
    #[error("{0}")]
    Mismatch(String),
}

impl de::Error for UbjsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Mismatch(message.to_string())
    }
}

/// Reads the value that the bytes begin with.
pub(super) fn read<'de, T: de::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, UbjsonError> {
    let mut reader = Reader {
        bytes,
        at: 0,
        depth: 0,
    };
    let kind = reader.byte()?;
    T::deserialize(Value {
        kind,
        reader: &mut reader,
    })
}

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: u32,
}

impl<'de> Reader<'de> {
    fn take(&mut self, length: usize) -> Result<&'de [u8], UbjsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(UbjsonError::TooShort)?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], UbjsonError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, UbjsonError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, wanted: u8) -> bool {
        let met = self.peek() == Some(wanted);
        self.at += usize::from(met);
        met
    }

    fn whole(&mut self, kind: u8) -> Result<Option<i64>, UbjsonError> {
        Ok(Some(match kind {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    fn length(&mut self) -> Result<usize, UbjsonError> {
        let at = self.at;
        let kind = self.byte()?;
        let length = self
            .whole(kind)?
            .and_then(|length| usize::try_from(length).ok());
        length.ok_or(UbjsonError::Length { at })
    }

    fn text(&mut self) -> Result<&'de str, UbjsonError> {
        let at = self.at;
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| UbjsonError::Text { at })
    }

    fn enter(&mut self) -> Result<(), UbjsonError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(UbjsonError::TooDeep);
        }
        Ok(())
    }
}

/// The value that a marker has announced.
struct Value<'a, 'de> {
    kind: u8,
    reader: &'a mut Reader<'de>,
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = UbjsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, UbjsonError> {
        let reader = self.reader;
        if let Some(whole) = reader.whole(self.kind)? {
            return visitor.visit_i64(whole);
        }
        match self.kind {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'd' => visitor.visit_f64(f64::from(f32::from_be_bytes(reader.array()?))),
            b'D' => visitor.visit_f64(f64::from_be_bytes(reader.array()?)),
            b'S' => visitor.visit_borrowed_str(reader.text()?),
            b'[' => {
                reader.enter()?;
                visitor.visit_seq(List::open(reader)?)
            }
            b'{' => {
                reader.enter()?;
                visitor.visit_map(Members { reader })
            }
            kind => Err(UbjsonError::Marker {
                kind: char::from(kind),
                at: reader.at.saturating_sub(1),
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, UbjsonError> {
        match self.kind {
            b'Z' => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// The elements of an array.
struct List<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// The one kind that all elements have, if they do.
    kind: Option<u8>,
    /// How many follow; without it a bracket ends them.
    left: Option<usize>,
}

impl<'a, 'de> List<'a, 'de> {
    fn open(reader: &'a mut Reader<'de>) -> Result<Self, UbjsonError> {
        let mut kind = None;
        if reader.skip(b'$') {
            let announced = reader.byte()?;
            // Kinds without bytes would make much of little.
            if !matches!(announced, b'i' | b'U' | b'I' | b'l' | b'L' | b'd' | b'D') {
                return Err(UbjsonError::Marker {
                    kind: char::from(announced),
                    at: reader.at - 1,
                });
            }
            kind = Some(announced);
        }
        let mut left = None;
        if reader.skip(b'#') {
            left = Some(reader.length()?);
        } else if kind.is_some() {
            return Err(UbjsonError::Length { at: reader.at });
        }
        Ok(Self { reader, kind, left })
    }

    fn at_end(&mut self) -> bool {
        match &mut self.left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => self.reader.skip(b']'),
        }
    }
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = UbjsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, UbjsonError> {
        if self.at_end() {
            self.reader.depth -= 1;
            return Ok(None);
        }
        let kind = match self.kind {
            Some(kind) => kind,
            None => self.reader.byte()?,
        };
        let reader = &mut *self.reader;
        seed.deserialize(Value { kind, reader }).map(Some)
    }
}

/// The members of an object.
struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = UbjsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, UbjsonError> {
        if self.reader.skip(b'}') {
            self.reader.depth -= 1;
            return Ok(None);
        }
        let key = StrDeserializer::new(self.reader.text()?);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, UbjsonError> {
        let kind = self.reader.byte()?;
        let reader = &mut *self.reader;
        seed.deserialize(Value { kind, reader })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn values_are_read() {
        let numbers: Vec<f64> = read(b"[i\x01U\xffI\xff\xfed\x3f\x00\x00\x00]").unwrap();
        assert_eq!(numbers, [1.0, 255.0, -2.0, 0.5]);
        let typed: Vec<f32> = read(b"[$d#L\0\0\0\0\0\0\0\x02\x3f\0\0\0\x40\0\0\0").unwrap();
        assert_eq!(typed, [0.5, 2.0]);
        let members: BTreeMap<String, Vec<String>> =
            read(b"{i\x01a[#i\x02Si\x01xSi\x00i\x01b[]}").unwrap();
        assert_eq!(members["a"], ["x", ""]);
        assert!(members["b"].is_empty());
        let flags: (bool, Option<i64>, bool) = read(b"[TZF]").unwrap();
        assert_eq!(flags, (true, None, false));
    }

    #[test]
    fn what_is_no_ubjson_is_refused() {
        let deep = vec![b'['; 1000];
        let cases: [(&[u8], &str); 7] = [
            (b"", "it ends too early"),
            (b"[i", "it ends too early"),
            (b"?", "'?' at byte 0 begins no value"),
            (b"[$Z#i\x7f", "'Z' at byte 2 begins no value"),
            (b"[$d]", "a length at byte 3 is not one"),
            (b"Si\xff", "a length at byte 1 is not one"),
            (&deep, "it is nested too deeply"),
        ];
        for (bytes, expected) in cases {
            let error = read::<serde_json::Value>(bytes).unwrap_err().to_string();
            assert_eq!(error, expected);
        }
    }
}
