//! What the jobs of a block have of one property, in bytes: a list of the different values,
//! and for each job that has the property, which of these is its own.
//!
//! A job may have several values of a property, and these together are one of the list. A
//! search compares and sorts each different value once, however many jobs have it.
//!
//! A text that reads as a number has that number beside it, so that no search reads it again.
//!
//! The bytes are two counts, of jobs and of values; for each job, in order, its place in the
//! block and the number of its value; and for each value its length and its scalars.

use std::collections::HashMap;

use super::scalar::{Scalar, read_number};

const TEXT: u8 = 0;
const NUMBER: u8 = 1;
const NO: u8 = 2;
const YES: u8 = 3;
const OBJECT: u8 = 4;
const NUMERAL: u8 = 5;

/// Writes a column, job by job in the order of their places.
#[derive(Debug, Default)]
pub struct ColumnWriter {
    /// The numbers of the values there are.
    known: HashMap<Vec<u8>, u16>,
    jobs: Vec<u8>,
    values: Vec<u8>,
    /// The job that is being written, and what it has so far.
    place: u16,
    scalars: Vec<u8>,
}

impl ColumnWriter {
    /// Adds a value of the job at a place.
    pub fn push(&mut self, place: u16, scalar: Scalar<'_>) {
        if place != self.place {
            self.settle();
            self.place = place;
        }
        match scalar {
            Scalar::Text(text) => match read_number(text) {
                Some(number) => self.push_numeral(text, number),
                None => {
                    self.scalars.push(TEXT);
                    self.push_text(text);
                }
            },
            Scalar::Numeral(text, number) => self.push_numeral(text, number),
            Scalar::Number(number) => {
                self.scalars.push(NUMBER);
                self.scalars.extend_from_slice(&number.to_le_bytes());
            }
            Scalar::Boolean(false) => self.scalars.push(NO),
            Scalar::Boolean(true) => self.scalars.push(YES),
            Scalar::Object => self.scalars.push(OBJECT),
        }
    }

    /// The column.
    pub fn finish(mut self) -> Vec<u8> {
        self.settle();
        let mut bytes = Vec::with_capacity(8 + self.jobs.len() + self.values.len());
        put_length(&mut bytes, self.jobs.len() / 4);
        put_length(&mut bytes, self.known.len());
        bytes.append(&mut self.jobs);
        bytes.append(&mut self.values);
        bytes
    }

    fn push_numeral(&mut self, text: &str, number: f64) {
        self.scalars.push(NUMERAL);
        self.scalars.extend_from_slice(&number.to_le_bytes());
        self.push_text(text);
    }

    fn push_text(&mut self, text: &str) {
        put_length(&mut self.scalars, text.len());
        self.scalars.extend_from_slice(text.as_bytes());
    }

    fn settle(&mut self) {
        if self.scalars.is_empty() {
            return;
        }
        let scalars = std::mem::take(&mut self.scalars);
        // There are no more values than jobs in a block.
        let next = self.known.len() as u16;
        self.jobs.extend_from_slice(&self.place.to_le_bytes());
        match self.known.get(&scalars) {
            Some(value) => self.jobs.extend_from_slice(&value.to_le_bytes()),
            None => {
                self.jobs.extend_from_slice(&next.to_le_bytes());
                put_length(&mut self.values, scalars.len());
                self.values.extend_from_slice(&scalars);
                self.known.insert(scalars, next);
            }
        }
    }
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    // A document of a job is far smaller.
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
}

/// A column that was written.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    jobs: &'a [u8],
    count: usize,
    values: &'a [u8],
}

/// The bytes are no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a column of the search index is damaged")]
pub struct Damaged;

impl<'a> Column<'a> {
    /// Reads the outline of a column.
    pub fn read(mut bytes: &'a [u8]) -> Result<Self, Damaged> {
        let jobs = take_length(&mut bytes)?;
        let count = take_length(&mut bytes)?;
        let jobs = take(&mut bytes, jobs.checked_mul(4).ok_or(Damaged)?)?;
        Ok(Self {
            jobs,
            count,
            values: bytes,
        })
    }

    /// The place of each job that has the property, in order, with the number of its value.
    pub fn jobs(self) -> impl DoubleEndedIterator<Item = (u16, usize)> + 'a {
        self.jobs.chunks_exact(4).map(|job| {
            let place = u16::from_le_bytes([job[0], job[1]]);
            let value = u16::from_le_bytes([job[2], job[3]]);
            (place, usize::from(value))
        })
    }

    /// What becomes of each different value, by its number.
    pub fn map<T>(self, mut become_of: impl FnMut(&[Scalar<'a>]) -> T) -> Result<Vec<T>, Damaged> {
        let mut rest = self.values;
        let mut scalars = Vec::new();
        // No more than the bytes have room for.
        let mut all = Vec::with_capacity(self.count.min(self.values.len()));
        for _ in 0..self.count {
            let length = take_length(&mut rest)?;
            let mut value = take(&mut rest, length)?;
            scalars.clear();
            while !value.is_empty() {
                scalars.push(take_scalar(&mut value)?);
            }
            all.push(become_of(&scalars));
        }
        Ok(all)
    }
}

fn take_scalar<'a>(bytes: &mut &'a [u8]) -> Result<Scalar<'a>, Damaged> {
    let kind = take(bytes, 1)?[0];
    Ok(match kind {
        TEXT => Scalar::Text(take_text(bytes)?),
        NUMERAL => {
            let number = f64::from_le_bytes(take_array(bytes)?);
            Scalar::Numeral(take_text(bytes)?, number)
        }
        NUMBER => Scalar::Number(f64::from_le_bytes(take_array(bytes)?)),
        NO => Scalar::Boolean(false),
        YES => Scalar::Boolean(true),
        OBJECT => Scalar::Object,
        _ => return Err(Damaged),
    })
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Damaged> {
    let length = take_length(bytes)?;
    std::str::from_utf8(take(bytes, length)?).map_err(|_| Damaged)
}

fn take_length(bytes: &mut &[u8]) -> Result<usize, Damaged> {
    let length = u32::from_le_bytes(take_array(bytes)?);
    usize::try_from(length).map_err(|_| Damaged)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Damaged> {
    take(bytes, N)?.try_into().map_err(|_| Damaged)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Damaged> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(Damaged)?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    enum Owned {
        Text(String),
        Number(f64),
        Boolean(bool),
        Object,
    }

    impl Owned {
        fn of(scalar: Scalar<'_>) -> Self {
            match scalar {
                Scalar::Text(text) => Self::Text(text.to_owned()),
                Scalar::Numeral(text, number) => {
                    assert_eq!(read_number(text), Some(number));
                    Self::Text(text.to_owned())
                }
                Scalar::Number(number) => Self::Number(number),
                Scalar::Boolean(value) => Self::Boolean(value),
                Scalar::Object => Self::Object,
            }
        }

        fn scalar(&self) -> Scalar<'_> {
            match self {
                Self::Text(text) => Scalar::Text(text),
                Self::Number(number) => Scalar::Number(*number),
                Self::Boolean(value) => Scalar::Boolean(*value),
                Self::Object => Scalar::Object,
            }
        }
    }

    fn owned() -> impl Strategy<Value = Owned> {
        prop_oneof![
            ".{0,5}".prop_map(Owned::Text),
            "-?[0-9]{1,3}(\\.[0-9])?".prop_map(Owned::Text),
            (-3..3_i32).prop_map(|number| Owned::Number(f64::from(number) / 2.0)),
            any::<bool>().prop_map(Owned::Boolean),
            Just(Owned::Object),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            jobs in prop::collection::btree_map(
                0..1024_u16,
                prop::collection::vec(owned(), 1..4),
                0..20,
            ),
        ) {
            let mut writer = ColumnWriter::default();
            for (place, values) in &jobs {
                for value in values {
                    writer.push(*place, value.scalar());
                }
            }
            let bytes = writer.finish();
            let column = Column::read(&bytes).unwrap();
            let values = column
                .map(|scalars| scalars.iter().copied().map(Owned::of).collect::<Vec<_>>())
                .unwrap();
            let read = column.jobs().map(|(place, value)| (place, values[value].clone()));
            prop_assert_eq!(read.collect::<Vec<_>>(), jobs.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_a_column_or_damaged(bytes in prop::collection::vec(0..7_u8, 0..60)) {
            if let Ok(column) = Column::read(&bytes) {
                let _ = column.map(<[Scalar<'_>]>::len);
                let _ = column.jobs().count();
            }
        }
    }

    #[test]
    fn a_value_that_many_have_is_kept_once() {
        let mut writer = ColumnWriter::default();
        for place in 0..1000 {
            writer.push(place, Scalar::Text("the same"));
        }
        let column = writer.finish();
        assert!(column.len() < 1000 * 4 + 50, "{}", column.len());
    }
}
