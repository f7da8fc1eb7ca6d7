//! FlatBuffers: tables, vectors and strings at the places that a file says.
//!
//! A file may point at the same bytes from many places, and so make a reader
//! work much longer than it is large. All that is read of lists and strings is
//! therefore counted, and may be no more than a few times the file.

use std::cell::Cell;

use bytes::Bytes;

use super::FORMAT;
use crate::foreign::ForeignError;

/// How often a file's bytes may be read.
const READS: usize = 4;

/// What a small file may read beyond that.
const LEAST: usize = 1 << 16;

/// A file and how much of it may still be read.
pub(super) struct Flat<'a> {
    bytes: &'a Bytes,
    left: Cell<usize>,
}

/// A table: fields by number, each of which may be absent.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    flat: &'a Flat<'a>,
    at: usize,
    /// Where its list of fields is, and how many there are.
    fields: usize,
    count: usize,
}

/// Elements one after the other.
#[derive(Clone, Copy)]
struct Vector {
    at: usize,
    length: usize,
}

fn broken(reason: &str) -> ForeignError {
    ForeignError::malformed(FORMAT, reason)
}

impl<'a> Flat<'a> {
    /// A file with the identifier of the schema.
    pub(super) fn new(bytes: &'a Bytes) -> Result<Self, ForeignError> {
        if bytes.get(4..8) != Some(b"TFL3") {
            return Err(broken("it does not bear the identifier TFL3"));
        }
        let left = Cell::new(bytes.len().saturating_mul(READS).saturating_add(LEAST));
        Ok(Self { bytes, left })
    }

    /// The table that all else hangs from.
    pub(super) fn root(&'a self) -> Result<Table<'a>, ForeignError> {
        self.table(self.follow(0)?)
    }

    /// Bytes anywhere in the file, shared.
    pub(super) fn slice(&self, at: usize, length: usize) -> Result<Bytes, ForeignError> {
        self.get(at, length)?;
        Ok(self.bytes.slice(at..at + length))
    }

    fn get(&self, at: usize, length: usize) -> Result<&'a [u8], ForeignError> {
        let end = at.checked_add(length);
        let found = end.and_then(|end| self.bytes.get(at..end));
        found.ok_or_else(|| broken("it points beyond its end"))
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], ForeignError> {
        let mut array = [0; N];
        array.copy_from_slice(self.get(at, N)?);
        Ok(array)
    }

    /// Where an offset leads that is stored here.
    fn follow(&self, at: usize) -> Result<usize, ForeignError> {
        let offset = u32::from_le_bytes(self.array(at)?) as usize;
        let target = at.checked_add(offset).filter(|target| *target > at);
        target.ok_or_else(|| broken("it points at itself"))
    }

    fn table(&'a self, at: usize) -> Result<Table<'a>, ForeignError> {
        self.charge(4)?;
        let back = i64::from(i32::from_le_bytes(self.array(at)?));
        let fields = usize::try_from(at as i64 - back);
        let fields = fields.map_err(|_| broken("it points before its beginning"))?;
        let size = usize::from(u16::from_le_bytes(self.array(fields)?));
        self.get(fields, size.max(4))?;
        let count = size.saturating_sub(4) / 2;
        Ok(Table {
            flat: self,
            at,
            fields,
            count,
        })
    }

    fn charge(&self, bytes: usize) -> Result<(), ForeignError> {
        let left = self.left.get().checked_sub(bytes);
        let left = left.ok_or_else(|| broken("it points at the same bytes again and again"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'a> Table<'a> {
    fn field(&self, number: usize) -> Result<Option<usize>, ForeignError> {
        if number >= self.count {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(self.flat.array(self.fields + 4 + 2 * number)?);
        Ok((offset != 0).then(|| self.at + usize::from(offset)))
    }

    fn scalar<const N: usize>(&self, number: usize) -> Result<Option<[u8; N]>, ForeignError> {
        self.field(number)?
            .map(|at| self.flat.array(at))
            .transpose()
    }

    /// A field of one byte, as a number without a sign.
    pub(super) fn u8(&self, number: usize) -> Result<u8, ForeignError> {
        Ok(self.scalar::<1>(number)?.map_or(0, |[byte]| byte))
    }

    /// A field that is true or false.
    pub(super) fn flag(&self, number: usize) -> Result<bool, ForeignError> {
        Ok(self.u8(number)? != 0)
    }

    /// A field of 32 bits with a sign.
    pub(super) fn i32(&self, number: usize, otherwise: i32) -> Result<i32, ForeignError> {
        Ok(self.scalar(number)?.map_or(otherwise, i32::from_le_bytes))
    }

    /// A field of 32 bits without a sign.
    pub(super) fn u32(&self, number: usize) -> Result<u32, ForeignError> {
        Ok(self.scalar(number)?.map_or(0, u32::from_le_bytes))
    }

    /// A field of 64 bits without a sign.
    pub(super) fn u64(&self, number: usize) -> Result<u64, ForeignError> {
        Ok(self.scalar(number)?.map_or(0, u64::from_le_bytes))
    }

    /// A field that is a number with a fraction.
    pub(super) fn f32(&self, number: usize) -> Result<f32, ForeignError> {
        Ok(self.scalar(number)?.map_or(0.0, f32::from_le_bytes))
    }

    /// A field that is another table.
    pub(super) fn table(&self, number: usize) -> Result<Option<Table<'a>>, ForeignError> {
        let at = self
            .field(number)?
            .map(|at| self.flat.follow(at))
            .transpose()?;
        at.map(|at| self.flat.table(at)).transpose()
    }

    /// A field that is a list of elements of `size` bytes.
    fn vector(&self, number: usize, size: usize) -> Result<Option<Vector>, ForeignError> {
        let Some(at) = self.field(number)? else {
            return Ok(None);
        };
        let at = self.flat.follow(at)?;
        let length = u32::from_le_bytes(self.flat.array(at)?) as usize;
        let at = at + 4;
        self.flat.get(at, length.saturating_mul(size))?;
        Ok(Some(Vector { at, length }))
    }

    fn list<const N: usize, T>(
        &self,
        number: usize,
        read: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, ForeignError> {
        let Some(vector) = self.vector(number, N)? else {
            return Ok(Vec::new());
        };
        let bytes = self.flat.get(vector.at, vector.length * N)?;
        self.flat.charge(bytes.len())?;
        let (elements, _) = bytes.as_chunks::<N>();
        Ok(elements.iter().map(|element| read(*element)).collect())
    }

    /// A field that is a list of numbers of 32 bits; an empty one if it is absent.
    pub(super) fn i32s(&self, number: usize) -> Result<Vec<i32>, ForeignError> {
        self.list(number, i32::from_le_bytes)
    }

    /// A field that is a list of numbers of 64 bits.
    pub(super) fn i64s(&self, number: usize) -> Result<Vec<i64>, ForeignError> {
        self.list(number, i64::from_le_bytes)
    }

    /// A field that is a list of numbers with fractions.
    pub(super) fn f32s(&self, number: usize) -> Result<Vec<f32>, ForeignError> {
        self.list(number, f32::from_le_bytes)
    }

    /// A field that is a list of tables.
    pub(super) fn tables(&self, number: usize) -> Result<Vec<Table<'a>>, ForeignError> {
        let Some(vector) = self.vector(number, 4)? else {
            return Ok(Vec::new());
        };
        self.flat.charge(vector.length * 4)?;
        let places = (0..vector.length).map(|place| vector.at + 4 * place);
        places
            .map(|at| self.flat.table(self.flat.follow(at)?))
            .collect()
    }

    /// A field that is bytes, shared with the file.
    pub(super) fn bytes(&self, number: usize) -> Result<Bytes, ForeignError> {
        match self.vector(number, 1)? {
            Some(vector) => self.flat.slice(vector.at, vector.length),
            None => Ok(Bytes::new()),
        }
    }

    /// A field that is text.
    pub(super) fn text(&self, number: usize) -> Result<&'a str, ForeignError> {
        let Some(vector) = self.vector(number, 1)? else {
            return Ok("");
        };
        self.flat.charge(vector.length)?;
        let bytes = self.flat.get(vector.at, vector.length)?;
        std::str::from_utf8(bytes).map_err(|_| broken("a name in it is not text"))
    }
}
