//! How the bytes of a column are taken apart.

use super::writing::{
    EACH, LISTS, MIXED, NARROW, NO, NUMBER, NUMBERS, NUMERAL, NUMERALS, OBJECT, ONE, SINGLES, TEXT,
    TEXTS, WIDE, YES,
};
use super::{Column, Damaged, Ends, Item, Lists, Numbers, Texts, Values};
use crate::training::search::scalar::Scalar;
use crate::training::search::selection::{self, Selection};

impl<'a> Column<'a> {
    /// Reads the outline of a column.
    pub fn read(mut bytes: &'a [u8]) -> Result<Self, Damaged> {
        let [named, listed, written] = take_array(&mut bytes)?;
        let list_count = take_length(&mut bytes)?;
        let count = take_length(&mut bytes)?;
        let jobs = Selection::read(&take_array::<{ selection::BYTES }>(&mut bytes)?);
        let numbers = match named {
            ONE => Numbers::One,
            EACH => Numbers::Each,
            NARROW => Numbers::Narrow(take(&mut bytes, jobs.count())?),
            WIDE => Numbers::Wide(take_arrays(&mut bytes, jobs.count())?),
            _ => return Err(Damaged),
        };
        let lists = match listed {
            SINGLES => None,
            LISTS => Some(Lists {
                ends: Ends(take_arrays(&mut bytes, list_count)?),
                objects: take_arrays(&mut bytes, count)?,
            }),
            _ => return Err(Damaged),
        };
        let values = match written {
            NUMBERS => Values::Numbers(take_arrays(&mut bytes, count)?),
            NUMERALS => {
                let numbers = take_arrays(&mut bytes, count)?;
                Values::Numerals(numbers, take_texts(&mut bytes, count)?)
            }
            TEXTS => Values::Texts(take_texts(&mut bytes, count)?),
            MIXED => {
                let ends = Ends(take_arrays(&mut bytes, count)?);
                Values::Mixed(ends, bytes)
            }
            _ => return Err(Damaged),
        };
        Ok(Self {
            jobs,
            numbers,
            lists,
            count,
            values,
        })
    }

    /// Reads what the job has that so many others come before, in place of what was read last.
    pub(super) fn read_items(&self, rank: usize, items: &mut Vec<Item<'a>>) -> Result<(), Damaged> {
        items.clear();
        for value in self.values_of(rank).ok_or(Damaged)? {
            items.push(Item {
                object: self.object(value).ok_or(Damaged)?,
                scalar: self.values.scalar(value)?,
            });
        }
        Ok(())
    }
}

impl<'a> Values<'a> {
    /// The value of a number.
    pub(super) fn scalar(self, number: usize) -> Result<Scalar<'a>, Damaged> {
        let float = |numbers: &[[u8; 8]]| {
            let number = numbers.get(number).ok_or(Damaged)?;
            Ok(f64::from_le_bytes(*number))
        };
        Ok(match self {
            Self::Numbers(numbers) => Scalar::Number(float(numbers)?),
            Self::Numerals(numbers, texts) => Scalar::Numeral(texts.text(number)?, float(numbers)?),
            Self::Texts(texts) => Scalar::Text(texts.text(number)?),
            Self::Mixed(ends, bytes) => {
                let stretch = ends.stretch(number).ok_or(Damaged)?;
                take_scalar(&mut bytes.get(stretch).ok_or(Damaged)?)?
            }
        })
    }
}

/// Adds the items of a list as the writer keeps it.
pub(super) fn read_items<'a>(
    mut bytes: &'a [u8],
    items: &mut Vec<Item<'a>>,
) -> Result<(), Damaged> {
    while !bytes.is_empty() {
        let object = u16::from_le_bytes(take_array(&mut bytes)?);
        let scalar = take_scalar(&mut bytes)?;
        items.push(Item { object, scalar });
    }
    Ok(())
}

fn take_scalar<'a>(bytes: &mut &'a [u8]) -> Result<Scalar<'a>, Damaged> {
    let [kind] = take_array(bytes)?;
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

fn take_texts<'a>(bytes: &mut &'a [u8], count: usize) -> Result<Texts<'a>, Damaged> {
    let ends = Ends(take_arrays(bytes, count)?);
    let all = std::mem::take(bytes);
    Ok(Texts { ends, all })
}

fn take_length(bytes: &mut &[u8]) -> Result<usize, Damaged> {
    let length = u32::from_le_bytes(take_array(bytes)?);
    usize::try_from(length).map_err(|_| Damaged)
}

fn take_arrays<'a, const N: usize>(
    bytes: &mut &'a [u8],
    count: usize,
) -> Result<&'a [[u8; N]], Damaged> {
    let taken = take(bytes, count.checked_mul(N).ok_or(Damaged)?)?;
    Ok(taken.as_chunks().0)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Damaged> {
    take(bytes, N)?.try_into().map_err(|_| Damaged)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Damaged> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(Damaged)?;
    *bytes = rest;
    Ok(taken)
}
