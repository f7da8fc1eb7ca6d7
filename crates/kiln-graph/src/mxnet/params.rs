//! The `*.params` file: tensors, then their names. The form of a tensor has
//! changed several times; all are read, but only those that hold every element.

use std::collections::HashMap;

use bytes::Bytes;
use half::f16;

use super::FORMAT;
use crate::foreign::ForeignError;
use crate::model::{Element, RANK_LIMIT, Tensor};

/// What the file begins with.
const MAGIC: u64 = 0x112;

/// What a tensor begins with, from its second form on.
const SECOND: u32 = 0xF993_FAC8;
const THIRD: u32 = 0xF993_FAC9;
/// In this one, a tensor without dimensions is a number; it was none before.
const FOURTH: u32 = 0xF993_FACA;

/// Reads all tensors, by their names without what says their kind.
pub(super) fn read(bytes: Bytes) -> Result<HashMap<String, Tensor>, ForeignError> {
    let mut cursor = Cursor { bytes, at: 0 };
    tensors(&mut cursor)
        .map_err(|reason| ForeignError::malformed(FORMAT, format!("its params file: {reason}")))
}

fn tensors(cursor: &mut Cursor) -> Result<HashMap<String, Tensor>, String> {
    if cursor.u64()? != MAGIC {
        return Err("it does not begin as such files do".to_owned());
    }
    cursor.u64()?;
    let count = cursor.u64()?;
    let mut found = Vec::new();
    for place in 0..count {
        let tensor = tensor(cursor).map_err(|reason| format!("tensor {place}: {reason}"))?;
        found.push(tensor);
    }
    if cursor.u64()? != count {
        return Err("it has other than one name for each tensor".to_owned());
    }
    let mut named = HashMap::new();
    for tensor in found {
        let length = cursor.size()?;
        let name = cursor.take(length)?;
        let name = std::str::from_utf8(&name).map_err(|_| "a name in it is not text")?;
        let plain = name
            .strip_prefix("arg:")
            .or_else(|| name.strip_prefix("aux:"));
        named.extend(tensor.map(|tensor| (plain.unwrap_or(name).to_owned(), tensor)));
    }
    Ok(named)
}

/// The next tensor, if it is more than a place without contents.
fn tensor(cursor: &mut Cursor) -> Result<Option<Tensor>, String> {
    let magic = cursor.u32()?;
    let dims = match magic {
        THIRD | FOURTH => {
            if cursor.u32()? != 0 {
                return Err("it is sparse, which is not implemented".to_owned());
            }
            let rank = cursor.u32()?;
            // -1 says that nothing is known of it.
            if rank == u32::MAX || (rank == 0 && magic == THIRD) {
                return Ok(None);
            }
            cursor.dims(rank, Cursor::u64)?
        }
        SECOND => match cursor.u32()? {
            0 => return Ok(None),
            rank => cursor.dims(rank, Cursor::u64)?,
        },
        0 => return Ok(None),
        rank => cursor.dims(rank, |cursor| cursor.u32().map(u64::from))?,
    };
    // Where it was when it was stored.
    cursor.take(8)?;
    let kind = cursor.u32()?;
    let size = *[4, 8, 2, 1, 4, 1, 8, 1]
        .get(kind as usize)
        .ok_or("it is of an unknown type")?;
    let length = dims
        .iter()
        .try_fold(size, |all: usize, size| all.checked_mul(*size));
    let bytes = cursor.take(length.ok_or("it is too large")?)?;
    let tensor = match kind {
        0 => Tensor::new(Element::F32, dims, bytes),
        _ => Tensor::of(&dims, &numbers(kind, &bytes)),
    };
    tensor.map(Some).map_err(|error| error.to_string())
}

/// Elements of other types in the one that all is computed in.
fn numbers(kind: u32, bytes: &[u8]) -> Vec<f32> {
    fn each<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f32) -> Vec<f32> {
        bytes
            .as_chunks::<N>()
            .0
            .iter()
            .map(|element| read(*element))
            .collect()
    }
    match kind {
        1 => each(bytes, |element| f64::from_le_bytes(element) as f32),
        2 => each(bytes, |element| f16::from_le_bytes(element).to_f32()),
        4 => each(bytes, |element| i32::from_le_bytes(element) as f32),
        5 => each(bytes, |element| f32::from(i8::from_le_bytes(element))),
        6 => each(bytes, |element| i64::from_le_bytes(element) as f32),
        _ => each(bytes, |[element]| f32::from(element)),
    }
}

/// A place in the file.
struct Cursor {
    bytes: Bytes,
    at: usize,
}

impl Cursor {
    fn take(&mut self, length: usize) -> Result<Bytes, String> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("it ends too early")?;
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(&self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn size(&mut self) -> Result<usize, String> {
        usize::try_from(self.u64()?).map_err(|_| "it ends too early".to_owned())
    }

    fn dims(
        &mut self,
        rank: u32,
        read: fn(&mut Self) -> Result<u64, String>,
    ) -> Result<Vec<usize>, String> {
        if rank as usize > RANK_LIMIT {
            return Err("it has too many dimensions".to_owned());
        }
        let dims = (0..rank).map(|_| read(self));
        let dims =
            dims.map(|size| usize::try_from(size?).map_err(|_| "it is too large".to_owned()));
        dims.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one tensor, from the tensor's beginning up to its type.
    fn file(head: &[u8], kind: u32, data: &[u8]) -> Bytes {
        let mut bytes = [MAGIC, 0, 1].map(u64::to_le_bytes).concat();
        bytes.extend(head);
        bytes.extend([0; 8]);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(data);
        bytes.extend([1, 5].map(u64::to_le_bytes).concat());
        bytes.extend(b"arg:w");
        bytes.into()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn tensors_of_every_age_are_read() {
        let forms = [
            words(&[1, 2]),
            words(&[SECOND, 1, 2, 0]),
            words(&[THIRD, 0, 1, 2, 0]),
            words(&[FOURTH, 0, 1, 2, 0]),
        ];
        for head in forms {
            let data = [1.5_f32, -2.0].map(f32::to_le_bytes).concat();
            let found = read(file(&head, 0, &data)).unwrap();
            assert_eq!(found["w"].values(), Some(vec![1.5_f32, -2.0]));
        }
    }

    #[test]
    fn other_types_become_numbers_of_32_bits() {
        let head = words(&[1, 1]);
        let cases: [(u32, &[u8]); 4] = [
            (1, &3.0_f64.to_le_bytes()),
            (2, &f16::from_f32(3.0).to_le_bytes()),
            (3, &[3]),
            (6, &3_i64.to_le_bytes()),
        ];
        for (kind, data) in cases {
            assert_eq!(
                read(file(&head, kind, data)).unwrap()["w"].values(),
                Some(vec![3.0_f32])
            );
        }
    }

    #[test]
    fn sparse_and_short_ones_are_refused() {
        let refusal = |head: &[u32]| read(file(&words(head), 0, &[])).unwrap_err().to_string();
        let says =
            |what| format!("The file is not a MXNet model: its params file: tensor 0: {what}.");
        assert_eq!(
            refusal(&[THIRD, 1, 1]),
            says("it is sparse, which is not implemented")
        );
        assert_eq!(refusal(&[1, u32::MAX]), says("it ends too early"));
        assert_eq!(refusal(&[65]), says("it has too many dimensions"));
    }
}
