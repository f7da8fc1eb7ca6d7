//! How a column is written, job by job.

use std::collections::HashMap;

use super::reading::read_items;
use super::{Damaged, Item};
use crate::training::search::scalar::{Scalar, read_number};
use crate::training::search::selection::Selection;

// How jobs name their values: not at all where there is only one, or where each has its own.
pub(super) const ONE: u8 = 0;
pub(super) const EACH: u8 = 1;
pub(super) const NARROW: u8 = 2;
pub(super) const WIDE: u8 = 3;

// How values are written.
pub(super) const LISTS: u8 = 0;
pub(super) const NUMBERS: u8 = 1;
pub(super) const NUMERALS: u8 = 2;
pub(super) const TEXTS: u8 = 3;

// What an item of a list is.
pub(super) const TEXT: u8 = 0;
pub(super) const NUMBER: u8 = 1;
pub(super) const NO: u8 = 2;
pub(super) const YES: u8 = 3;
pub(super) const OBJECT: u8 = 4;
pub(super) const NUMERAL: u8 = 5;

/// Writes a column, job by job in the order of their places.
#[derive(Debug)]
pub struct ColumnWriter {
    /// The numbers of the values there are, as lists.
    known: HashMap<Vec<u8>, u16>,
    jobs: Selection,
    /// The number of each job's value.
    numbers: Vec<u16>,
    /// The job that is being written, and what it has so far.
    place: u16,
    items: Vec<u8>,
}

impl Default for ColumnWriter {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            jobs: Selection::NONE,
            numbers: Vec::new(),
            place: 0,
            items: Vec::new(),
        }
    }
}

impl ColumnWriter {
    /// Adds a value of the job at a place.
    pub fn push(&mut self, place: u16, Item { object, scalar }: Item<'_>) {
        if place != self.place {
            self.settle();
            self.place = place;
        }
        let items = &mut self.items;
        items.extend_from_slice(&object.to_le_bytes());
        match numeral(scalar) {
            Scalar::Text(text) => {
                items.push(TEXT);
                put_text(items, text);
            }
            Scalar::Numeral(text, number) => {
                items.push(NUMERAL);
                items.extend_from_slice(&number.to_le_bytes());
                put_text(items, text);
            }
            Scalar::Number(number) => {
                items.push(NUMBER);
                items.extend_from_slice(&number.to_le_bytes());
            }
            Scalar::Boolean(false) => items.push(NO),
            Scalar::Boolean(true) => items.push(YES),
            Scalar::Object => items.push(OBJECT),
        }
    }

    /// The column.
    pub fn finish(mut self) -> Vec<u8> {
        self.settle();
        let mut values: Vec<(Vec<u8>, u16)> = self.known.into_iter().collect();
        values.sort_unstable_by_key(|(_, number)| *number);
        let values: Vec<Vec<u8>> = values.into_iter().map(|(value, _)| value).collect();
        let (written, content) = write_values(&values);
        let (named, names) = write_numbers(&self.numbers, values.len());
        let mut bytes = vec![named, written];
        put_length(&mut bytes, values.len());
        bytes.extend(self.jobs.write());
        bytes.extend(names);
        bytes.extend(content);
        bytes
    }

    fn settle(&mut self) {
        if self.items.is_empty() {
            return;
        }
        // There are no more values than jobs in a block.
        let next = self.known.len() as u16;
        let items = std::mem::take(&mut self.items);
        self.jobs.insert(self.place);
        self.numbers.push(*self.known.entry(items).or_insert(next));
    }
}

/// A text that reads as a number, with that number.
fn numeral(scalar: Scalar<'_>) -> Scalar<'_> {
    match scalar {
        Scalar::Text(text) => match read_number(text) {
            Some(number) => Scalar::Numeral(text, number),
            None => scalar,
        },
        _ => scalar,
    }
}

fn write_numbers(numbers: &[u16], values: usize) -> (u8, Vec<u8>) {
    // Values are numbered as they come, so that the numbers of different ones are 0, 1, 2...
    if values == numbers.len() {
        return (EACH, Vec::new());
    }
    match values {
        1 => (ONE, Vec::new()),
        2..=256 => (NARROW, numbers.iter().map(|n| *n as u8).collect()),
        _ => (WIDE, numbers.iter().flat_map(|n| n.to_le_bytes()).collect()),
    }
}

fn write_values(lists: &[Vec<u8>]) -> (u8, Vec<u8>) {
    let singles: Option<Vec<Scalar<'_>>> = lists.iter().map(|list| single(list)).collect();
    let plain = singles.and_then(|singles| write_singles(&singles));
    plain.unwrap_or_else(|| {
        let mut bytes = Vec::new();
        put_all(&mut bytes, lists.iter().map(Vec::as_slice));
        (LISTS, bytes)
    })
}

/// The only item of a list, if it is in no list of objects.
fn single(list: &[u8]) -> Option<Scalar<'_>> {
    let mut items = Vec::new();
    let read: Result<(), Damaged> = read_items(list, &mut items);
    match items.as_slice() {
        [Item { object: 0, scalar }] if read.is_ok() => Some(*scalar),
        _ => None,
    }
}

/// Scalars that are all of one kind.
fn write_singles(scalars: &[Scalar<'_>]) -> Option<(u8, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut numbers = |number: f64| bytes.extend_from_slice(&number.to_le_bytes());
    let kind = match scalars.first()? {
        Scalar::Number(_) => {
            for scalar in scalars {
                numbers(scalar.number()?);
            }
            return Some((NUMBERS, bytes));
        }
        Scalar::Numeral(..) => {
            for scalar in scalars {
                match scalar {
                    Scalar::Numeral(_, number) => numbers(*number),
                    _ => return None,
                }
            }
            NUMERALS
        }
        Scalar::Text(_) => {
            let is_text = |scalar: &Scalar<'_>| matches!(scalar, Scalar::Text(_));
            scalars.iter().all(is_text).then_some(TEXTS)?
        }
        Scalar::Boolean(_) | Scalar::Object => return None,
    };
    let texts: Option<Vec<&str>> = scalars.iter().map(|scalar| scalar.text()).collect();
    put_all(&mut bytes, texts?.into_iter().map(str::as_bytes));
    Some((kind, bytes))
}

/// Where each part ends, and then all parts.
fn put_all<'a>(bytes: &mut Vec<u8>, parts: impl Iterator<Item = &'a [u8]> + Clone) {
    let mut end = 0;
    for part in parts.clone() {
        end += part.len();
        put_length(bytes, end);
    }
    parts.for_each(|part| bytes.extend_from_slice(part));
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    // The documents of a block's jobs are far smaller together.
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
}
