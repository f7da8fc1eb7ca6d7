//! How a column is written, job by job.

use std::collections::HashMap;

use super::Item;
use super::reading::read_items;
use crate::training::search::scalar::{Scalar, read_number};
use crate::training::search::selection::Selection;

// How jobs name their values: not at all where there is only one, or where each has its own.
pub(super) const ONE: u8 = 0;
pub(super) const EACH: u8 = 1;
pub(super) const NARROW: u8 = 2;
pub(super) const WIDE: u8 = 3;

// Whether jobs have one value each.
pub(super) const SINGLES: u8 = 0;
pub(super) const LISTS: u8 = 1;

// How values are written.
pub(super) const MIXED: u8 = 0;
pub(super) const NUMBERS: u8 = 1;
pub(super) const NUMERALS: u8 = 2;
pub(super) const TEXTS: u8 = 3;

// What one of mixed values is.
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
        put_scalar(items, numeral(scalar));
    }

    /// The column.
    pub fn finish(mut self) -> Vec<u8> {
        self.settle();
        let mut known: Vec<(Vec<u8>, u16)> = self.known.into_iter().collect();
        known.sort_unstable_by_key(|(_, number)| *number);
        let lists: Vec<Vec<Item<'_>>> = known.iter().map(|(list, _)| items(list)).collect();
        let values = lists.concat();
        let (named, names) = write_numbers(&self.numbers, lists.len());
        let (listed, outlines) = write_lists(&lists, &values);
        let scalars: Vec<Scalar<'_>> = values.iter().map(|item| item.scalar).collect();
        let (written, content) = write_values(&scalars);
        let mut bytes = vec![named, listed, written];
        put_length(&mut bytes, lists.len());
        put_length(&mut bytes, values.len());
        bytes.extend(self.jobs.write());
        bytes.extend(names);
        bytes.extend(outlines);
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

/// The items of a list that was put together here.
fn items(list: &[u8]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    // What was put together is never damaged.
    let _ = read_items(list, &mut items);
    items
}

/// Where lists end, and what their values are of, if there is anything to say.
fn write_lists(lists: &[Vec<Item<'_>>], values: &[Item<'_>]) -> (u8, Vec<u8>) {
    let is_single = |list: &Vec<Item<'_>>| matches!(list.as_slice(), [Item { object: 0, .. }]);
    let mut bytes = Vec::new();
    if lists.iter().all(is_single) {
        return (SINGLES, bytes);
    }
    put_ends(&mut bytes, lists.iter().map(Vec::len));
    bytes.extend(values.iter().flat_map(|item| item.object.to_le_bytes()));
    (LISTS, bytes)
}

fn write_values(values: &[Scalar<'_>]) -> (u8, Vec<u8>) {
    write_alike(values).unwrap_or_else(|| {
        let mut bytes = Vec::new();
        let written = values.iter().map(|value| {
            let mut bytes = Vec::new();
            put_scalar(&mut bytes, *value);
            bytes
        });
        put_all(&mut bytes, &written.collect::<Vec<_>>());
        (MIXED, bytes)
    })
}

/// Values that are all of one kind.
fn write_alike(values: &[Scalar<'_>]) -> Option<(u8, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut numbers = |number: f64| bytes.extend_from_slice(&number.to_le_bytes());
    let kind = match values.first()? {
        Scalar::Number(_) => {
            for value in values {
                numbers(value.number()?);
            }
            return Some((NUMBERS, bytes));
        }
        Scalar::Numeral(..) => {
            for value in values {
                match value {
                    Scalar::Numeral(_, number) => numbers(*number),
                    _ => return None,
                }
            }
            NUMERALS
        }
        Scalar::Text(_) => {
            let is_text = |value: &Scalar<'_>| matches!(value, Scalar::Text(_));
            values.iter().all(is_text).then_some(TEXTS)?
        }
        Scalar::Boolean(_) | Scalar::Object => return None,
    };
    let texts: Option<Vec<&str>> = values.iter().map(|value| value.text()).collect();
    put_all(&mut bytes, &texts?);
    Some((kind, bytes))
}

/// Where each part ends, and then all parts.
fn put_all(bytes: &mut Vec<u8>, parts: &[impl AsRef<[u8]>]) {
    put_ends(bytes, parts.iter().map(|part| part.as_ref().len()));
    parts
        .iter()
        .for_each(|part| bytes.extend_from_slice(part.as_ref()));
}

fn put_ends(bytes: &mut Vec<u8>, lengths: impl Iterator<Item = usize>) {
    let mut end = 0;
    for length in lengths {
        end += length;
        put_length(bytes, end);
    }
}

fn put_scalar(bytes: &mut Vec<u8>, scalar: Scalar<'_>) {
    match scalar {
        Scalar::Text(text) => {
            bytes.push(TEXT);
            put_text(bytes, text);
        }
        Scalar::Numeral(text, number) => {
            bytes.push(NUMERAL);
            bytes.extend_from_slice(&number.to_le_bytes());
            put_text(bytes, text);
        }
        Scalar::Number(number) => {
            bytes.push(NUMBER);
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        Scalar::Boolean(false) => bytes.push(NO),
        Scalar::Boolean(true) => bytes.push(YES),
        Scalar::Object => bytes.push(OBJECT),
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    // The documents of a block's jobs are far smaller together.
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
}
