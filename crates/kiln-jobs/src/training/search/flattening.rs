//! Records as columns: every value that a search can name, under the name of its property.

use std::collections::HashMap;

use serde_json::Value;

use super::catalogue::{self, Kind};
use super::column::{ColumnWriter, Item};
use super::columns::EVERYBODY;
use super::property::{METRICS, TAGS};
use super::scalar::Scalar;

/// The columns of a block, while its records pass by in order.
#[derive(Debug, Default)]
pub struct BlockWriter {
    columns: HashMap<String, ColumnWriter>,
}

impl BlockWriter {
    /// Adds the record of the job at a place of the block.
    pub fn add(&mut self, place: u16, record: &Value) {
        self.push((place, 0), EVERYBODY, Scalar::Object);
        let mut name = String::new();
        for (member, value) in record.as_object().into_iter().flatten() {
            name.clear();
            name.push_str(member);
            if let Some(kind) = catalogue::kind(member) {
                self.add_value((place, 0), &mut name, kind, value);
            }
        }
        self.add_entries(place, record, ("Metrics", METRICS, "MetricName"));
        self.add_entries(place, record, (TAGS, TAGS, "Key"));
    }

    /// The columns by the names of their properties.
    pub fn finish(self) -> Vec<(String, Vec<u8>)> {
        let columns = self.columns.into_iter();
        columns
            .map(|(name, column)| (name, column.finish()))
            .collect()
    }

    /// Adds a value of a job, which is in an object of that number.
    fn add_value(&mut self, of: (u16, u16), name: &mut String, kind: Kind, value: &Value) {
        if let Value::Array(items) = value {
            for (object, item) in (0..).zip(items) {
                let of = if kind == Kind::Group {
                    (of.0, object)
                } else {
                    of
                };
                self.add_value(of, name, kind, item);
            }
            return;
        }
        let Some(scalar) = Scalar::of(value) else {
            return;
        };
        self.push(of, name, scalar);
        let members = value.as_object().into_iter().flatten();
        for (member, value) in members {
            within(name, member, |name| {
                let kind = match kind {
                    Kind::Map => Some(Kind::Text),
                    _ => catalogue::kind(name),
                };
                if let Some(kind) = kind {
                    self.add_value(of, name, kind, value);
                }
            });
        }
    }

    /// The values of the entries of a list, by the names of the entries.
    fn add_entries(&mut self, place: u16, record: &Value, of: (&str, &str, &str)) {
        let (group, list, called) = of;
        let entries = record.get(list).and_then(Value::as_array);
        for entry in entries.into_iter().flatten() {
            let scalar = entry.get("Value").and_then(Scalar::of);
            if let (Some(name), Some(scalar)) = (entry[called].as_str(), scalar) {
                self.push((place, 0), &format!("{group}.{name}"), scalar);
            }
        }
    }

    fn push(&mut self, (place, object): (u16, u16), name: &str, scalar: Scalar<'_>) {
        let item = Item { object, scalar };
        match self.columns.get_mut(name) {
            Some(column) => column.push(place, item),
            None => {
                let mut column = ColumnWriter::default();
                column.push(place, item);
                self.columns.insert(name.to_owned(), column);
            }
        }
    }
}

/// Has something done with a name that is longer by a step, and shortens it again.
fn within(name: &mut String, step: &str, then: impl FnOnce(&mut String)) {
    let length = name.len();
    name.push('.');
    name.push_str(step);
    then(name);
    name.truncate(length);
}
