//! What the jobs of a block have of one property, in bytes: which jobs have it, the different
//! values, and for each job which of these is its own.
//!
//! A job may have several values of a property, and these together are one of the list. Each
//! says which object of a list it is of, so that nested filters find what one object has.
//! Where all jobs have a single text or number, as with most properties, these lie one behind
//! the other without more, and are compared as fast as memory gives them.
//!
//! A text that reads as a number has that number beside it, so that no search reads it again.
//!
//! The bytes are: how jobs name their values, how values are written, and how many values
//! there are; a bit for each job of the block; the names; and the values.

mod reading;
#[cfg(test)]
mod tests;
mod writing;

use std::ops::Range;

pub use self::writing::ColumnWriter;
use super::comparison::{Comparison, Test};
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
    /// How many values there are.
    count: usize,
    values: Values<'a>,
}

/// Which value each of the jobs has that have one, in their order.
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
    /// Single numbers.
    Numbers(&'a [[u8; 8]]),
    /// Single texts that read as numbers.
    Numerals(&'a [[u8; 8]], Texts<'a>),
    /// Single texts.
    Texts(Texts<'a>),
    /// Lists of anything.
    Lists(Ends<'a>, &'a [u8]),
}

/// Texts in one.
#[derive(Debug, Clone, Copy)]
struct Texts<'a> {
    ends: Ends<'a>,
    all: &'a str,
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

    /// Those of `among` that have a value which compares so.
    fn meeting(&self, comparison: &Comparison, among: &Selection) -> Result<Selection, Damaged> {
        match (self.values, comparison) {
            (Values::Numbers(numbers), _) => self.choose(among, |value| {
                let number = f64::from_le_bytes(*numbers.get(value)?);
                Some(comparison.holds_of_number(number))
            }),
            (Values::Numerals(numbers, _), Comparison::Numeral(relation, asked)) => {
                self.choose(among, |value| {
                    let number = f64::from_le_bytes(*numbers.get(value)?);
                    Some(asked.compares(*relation, number))
                })
            }
            (Values::Numerals(numbers, texts), _) => self.choose(among, |value| {
                let number = f64::from_le_bytes(*numbers.get(value)?);
                Some(comparison.holds(Scalar::Numeral(texts.get(value)?, number)))
            }),
            (Values::Texts(texts), _) => self.choose(among, |value| {
                Some(comparison.holds(Scalar::Text(texts.get(value)?)))
            }),
            (Values::Lists(..), _) => {
                let mut met = Selection::NONE;
                let any = |items: &[Item<'a>]| {
                    let mut scalars = items.iter().map(|item| item.scalar);
                    scalars.any(|scalar| comparison.holds(scalar))
                };
                self.each(among, any, |place, any| {
                    if *any {
                        met.insert(place);
                    }
                })?;
                Ok(met)
            }
        }
    }

    /// Those of `among` whose values are as wanted. A value that many have is looked at once.
    fn choose(
        &self,
        among: &Selection,
        wanted: impl Fn(usize) -> Option<bool>,
    ) -> Result<Selection, Damaged> {
        if self.is_repeated(among) {
            let verdicts: Option<Vec<bool>> = (0..self.count).map(wanted).collect();
            let verdicts = verdicts.ok_or(Damaged)?;
            return self.jobs.choose(among, |_, rank| {
                let value = self.numbers.get(rank).ok_or(Damaged)?;
                verdicts.get(value).copied().ok_or(Damaged)
            });
        }
        self.jobs.choose(among, |_, rank| {
            let value = self.numbers.get(rank);
            value.and_then(&wanted).ok_or(Damaged)
        })
    }

    /// Has something done with each job of `among` that has the property, and with what
    /// becomes of its values, which is found once where many have the same.
    pub fn each<T>(
        &self,
        among: &Selection,
        become_of: impl Fn(&[Item<'a>]) -> T,
        mut then: impl FnMut(u16, &T),
    ) -> Result<(), Damaged> {
        let mut items = Vec::new();
        let mut one = |value: usize| {
            self.values.read(value, &mut items)?;
            Ok(become_of(&items))
        };
        let known = match self.is_repeated(among) {
            true => Some(
                (0..self.count)
                    .map(&mut one)
                    .collect::<Result<Vec<T>, _>>()?,
            ),
            false => None,
        };
        let chosen = self.jobs.choose(among, |place, rank| {
            let value = self.numbers.get(rank).ok_or(Damaged)?;
            match &known {
                Some(known) => then(place, known.get(value).ok_or(Damaged)?),
                None => then(place, &one(value)?),
            }
            Ok(false)
        });
        chosen.map(drop)
    }

    /// Whether there are fewer values than jobs to look at.
    fn is_repeated(&self, among: &Selection) -> bool {
        !matches!(self.numbers, Numbers::Each) && self.count < self.jobs.and(among).count()
    }
}

impl Numbers<'_> {
    /// The value's number of the job that so many others come before.
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
    fn get(self, number: usize) -> Option<&'a str> {
        self.all.get(self.ends.stretch(number)?)
    }
}

impl Ends<'_> {
    fn stretch(self, number: usize) -> Option<Range<usize>> {
        let end = |number: usize| {
            let end = self.0.get(number)?;
            usize::try_from(u32::from_le_bytes(*end)).ok()
        };
        let start = match number.checked_sub(1) {
            None => 0,
            Some(before) => end(before)?,
        };
        Some(start..end(number)?)
    }
}
