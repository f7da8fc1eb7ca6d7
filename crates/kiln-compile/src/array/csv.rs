//! Tables of numbers with commas between them, one line a row. What is left out
//! is missing: a NaN. A first line of names is passed over.

use super::{Array, ArrayError, Element};

/// Reads a table.
///
/// # Errors
/// When a field is no number, or the lines are of several lengths.
pub fn read(text: &str) -> Result<Array, ArrayError> {
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .peekable();
    if lines.peek().is_some_and(|(_, line)| is_heading(line)) {
        lines.next();
    }
    let mut values = Vec::new();
    let (mut rows, mut columns) = (0, None);
    for (number, line) in lines {
        let line_number = number + 1;
        let before = values.len();
        for (column, field) in line.split(',').enumerate() {
            let value = value(field).ok_or_else(|| ArrayError::Number {
                line: line_number,
                column: column + 1,
                text: field.trim().to_owned(),
            })?;
            values.push(value);
        }
        let found = values.len() - before;
        let expected = *columns.get_or_insert(found);
        if found != expected {
            return Err(ArrayError::Columns {
                line: line_number,
                found,
                expected,
            });
        }
        rows += 1;
    }
    let columns = columns.ok_or(ArrayError::Empty)?;
    Array::of(Element::Float32, vec![rows, columns], values)
}

/// Whether no field of the line is a number.
fn is_heading(line: &str) -> bool {
    line.split(',')
        .all(|field| !field.trim().is_empty() && value(field).is_none())
}

fn value(field: &str) -> Option<f64> {
    match field.trim() {
        "" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}
