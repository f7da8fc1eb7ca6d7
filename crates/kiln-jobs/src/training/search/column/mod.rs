//! What the jobs of a block have of one property, in bytes: which jobs have it, the different
//! values, and for each job which of these is its own.
//!
//! A job may have several values of a property, and these together are one of the list. Each
//! says which object of a list it is of, so that nested filters find what one object has.
//! Where all jobs have a single text or number, as with most properties, these lie one behind
//! the other without more, and are compared as fast as memory gives them. Where there are
//! lists, their items lie so, and where each list ends and the objects of its items before.
//!
//! A text that reads as a number has that number beside it, so that no search reads it again.
//!
//! The bytes are: how jobs name what they have, whether that is lists, how values are written,
//! and how many lists and values there are; a bit for each job of the block; the names; the
//! lists, if there are any; and the values.

mod reading;
#[cfg(test)]
mod tests;
mod verdicts;
mod writing;

use std::ops::Range;

pub use self::writing::ColumnWriter;
use super::bits::Bits;
use super::comparison::Test;
use super::interval::Interval;
use super::scalar::Scalar;
use super::selection::Selection;

/// One value, and which object of the list that it is in has it; 0 where there is no list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item<'a> {
    /// The number of the object.
    pub object: u16,
    /// The value.
    pub scalar: Scalar<'a>,
}

/// A column that was written.
#[derive(Debug, Clone)]
pub struct Column<'a> {
    jobs: Selection,
    numbers: Numbers<'a>,
    /// What the numbers mean; values, where there are no lists.
    lists: Option<Lists<'a>>,
    /// How many values there are.
    count: usize,
    values: Values<'a>,
}

/// Values that a job has together.
#[derive(Debug, Clone, Copy)]
struct Lists<'a> {
    /// How many of the values are in each list and those before.
    ends: Ends<'a>,
    /// The object that has each value.
    objects: &'a [[u8; 2]],
}

/// Which value or list each of the jobs has that have one, in their order.
#[derive(Debug, Clone, Copy)]
enum Numbers<'a> {
    /// All have the only one.
    One,
    /// Each has its own.
    Each,
    /// What is written, as bytes.
    Narrow(&'a [u8]),
    /// What is written, as pairs of bytes.
    Wide(&'a [[u8; 2]]),
}

/// The values, one behind the other.
#[derive(Debug, Clone, Copy)]
enum Values<'a> {
    /// Numbers.
    Numbers(&'a [[u8; 8]]),
    /// Texts that read as numbers.
    Numerals(&'a [[u8; 8]], Texts<'a>),
    /// Texts that do not.
    Texts(Texts<'a>),
    /// Anything.
    Mixed(Ends<'a>, &'a [u8]),
}

/// Texts in one.
#[derive(Debug, Clone, Copy)]
struct Texts<'a> {
    ends: Ends<'a>,
    all: &'a [u8],
}

/// Where each of several stretches ends, and the next begins.
#[derive(Debug, Clone, Copy)]
struct Ends<'a>(&'a [[u8; 4]]);

/// The bytes are no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a column of the search index is damaged")]
pub struct Damaged;

impl<'a> Column<'a> {
    /// The jobs that have the property.
    pub fn jobs(&self) -> &Selection {
        &self.jobs
    }

    /// Those of `among` that pass a test; all of them have the block's other properties.
    pub fn passing(&self, test: &Test, among: &Selection) -> Result<Selection, Damaged> {
        let (comparison, wanted) = test.parts();
        let met = match comparison {
            None => self.jobs.and(among),
            Some(comparison) => self.meeting(comparison, among)?,
        };
        Ok(match wanted {
            true => met,
            false => among.without(&met),
        })
    }

    /// The numbers of the values of the job that so many others come before.
    fn values_of(&self, rank: usize) -> Option<Range<usize>> {
        let list = self.numbers.get(rank)?;
        match self.lists {
            None => Some(list..list + 1),
            Some(lists) => lists.ends.stretch(list),
        }
    }

    /// The object that has a value.
    fn object(&self, value: usize) -> Option<u16> {
        match self.lists {
            None => Some(0),
            Some(lists) => lists.objects.get(value).copied().map(u16::from_le_bytes),
        }
    }

    /// Has something done with each job of `among` that has the property, and with what
    /// becomes of its values, which is found once for several that have the same and follow each other.
    pub fn each<T>(
        &self,
        among: &Selection,
        become_of: impl Fn(&[Item<'a>]) -> T,
        mut then: impl FnMut(u16, &T),
    ) -> Result<(), Damaged> {
        let mut items = Vec::new();
        let mut last = None;
        let chosen = self.jobs.choose(among, |place, rank| {
            let number = self.numbers.get(rank).ok_or(Damaged)?;
            let become_of = match last.take() {
                Some((before, become_of)) if before == number => become_of,
                _ => {
                    self.read_items(rank, &mut items)?;
                    become_of(&items)
                }
            };
            then(place, &become_of);
            last = Some((number, become_of));
            Ok(false)
        });
        chosen.map(drop)
    }

    /// Those of `among` whose only value may be in an interval: all of them, unless the values
    /// are numbers, or texts that read as numbers where these count.
    pub fn perhaps_within(
        &self,
        interval: Interval,
        numerals: bool,
        among: &Selection,
    ) -> Selection {
        let within = match (self.lists, self.values) {
            (None, Values::Numbers(numbers)) => interval.has_each(numbers),
            (None, Values::Numerals(numbers, _)) if numerals => interval.has_each(numbers),
            _ => return self.jobs.and(among),
        };
        self.having(&within).and(among)
    }

    /// Those with one of these values, or of these lists where there are some.
    fn having(&self, values: &Bits) -> Selection {
        let ranked = |ranks| self.jobs.ranked(ranks);
        match self.numbers {
            Numbers::One if values.has(0) => self.jobs.clone(),
            Numbers::One => Selection::NONE,
            Numbers::Each => ranked(values),
            Numbers::Narrow(numbers) => {
                ranked(&Bits::of(numbers, |one| values.has(usize::from(*one))))
            }
            Numbers::Wide(numbers) => ranked(&Bits::of(numbers, |one| {
                values.has(usize::from(u16::from_le_bytes(*one)))
            })),
        }
    }
}

impl Numbers<'_> {
    /// The number of the value or list of the job that so many others come before.
    fn get(self, rank: usize) -> Option<usize> {
        match self {
            Self::One => Some(0),
            Self::Each => Some(rank),
            Self::Narrow(numbers) => numbers.get(rank).copied().map(usize::from),
            Self::Wide(numbers) => {
                let number = numbers.get(rank)?;
                Some(usize::from(u16::from_le_bytes(*number)))
            }
        }
    }
}

impl<'a> Texts<'a> {
    fn bytes(self, number: usize) -> Result<&'a [u8], Damaged> {
        let stretch = self.ends.stretch(number).ok_or(Damaged)?;
        self.all.get(stretch).ok_or(Damaged)
    }

    fn text(self, number: usize) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.bytes(number)?).map_err(|_| Damaged)
    }
}

impl Ends<'_> {
    fn end(self, number: usize) -> Option<usize> {
        let end = self.0.get(number)?;
        usize::try_from(u32::from_le_bytes(*end)).ok()
    }

    fn stretch(self, number: usize) -> Option<Range<usize>> {
        let start = match number.checked_sub(1) {
            None => 0,
            Some(before) => self.end(before)?,
        };
        Some(start..self.end(number)?)
    }
}
