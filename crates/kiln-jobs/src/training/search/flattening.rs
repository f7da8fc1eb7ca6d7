//! Records as columns: every value that a search can name, under the name of its property.

use std::collections::HashMap;

use serde_json::Value;

use super::catalogue::{self, Kind};
use super::column::ColumnWriter;
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
        let mut name = String::new();
        for (member, value) in record.as_object().into_iter().flatten() {
            name.clear();
            name.push_str(member);
            match catalogue::kind(member) {
                // What nested filters ask must be met by one object, so these are kept whole.
                Some(Kind::Group) if any_object(value) => {
                    self.push(place, member, Scalar::Text(&value.to_string()));
                    self.add_within(place, &mut name, value);
                }
                Some(Kind::Group) | None => {}
                Some(kind) => self.add_value(place, &mut name, kind, value),
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

    fn add_value(&mut self, place: u16, name: &mut String, kind: Kind, value: &Value) {
        if let Value::Array(items) = value {
            for item in items {
                self.add_value(place, name, kind, item);
            }
            return;
        }
        let Some(scalar) = Scalar::of(value) else {
            return;
        };
        self.push(place, name, scalar);
        match kind {
            Kind::Group => self.add_within(place, name, value),
            Kind::Map => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    within(name, key, |name| {
                        self.add_value(place, name, Kind::Text, value);
                    });
                }
            }
            _ => {}
        }
    }

    /// The members of an object, or of all objects of a list.
    fn add_within(&mut self, place: u16, name: &mut String, value: &Value) {
        if let Value::Array(items) = value {
            for item in items {
                self.add_within(place, name, item);
            }
        }
        for (member, value) in value.as_object().into_iter().flatten() {
            within(name, member, |name| {
                if let Some(kind) = catalogue::kind(name) {
                    self.add_value(place, name, kind, value);
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
                self.push(place, &format!("{group}.{name}"), scalar);
            }
        }
    }

    fn push(&mut self, place: u16, name: &str, scalar: Scalar<'_>) {
        match self.columns.get_mut(name) {
            Some(column) => column.push(place, scalar),
            None => {
                let mut column = ColumnWriter::default();
                column.push(place, scalar);
                self.columns.insert(name.to_owned(), column);
            }
        }
    }
}

fn any_object(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(any_object),
        value => value.is_object(),
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
