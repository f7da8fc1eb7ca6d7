//! Patterns in brackets: what the columns of a row must be like. Columns are
//! divided by spaces; what is in quotation marks or brackets is one of them.

use super::PatternError;
use super::condition::{Comparison, Joined};
use super::cursor::Cursor;

/// What the columns must be like. There are as many as are named, unless an
/// ellipsis stands for any number of others.
#[derive(Debug, Clone)]
pub(in super::super) struct Columns {
    before: Vec<Column>,
    /// What comes after the ellipsis, if there is one.
    after: Option<Vec<Column>>,
}

/// What one column must be like; `None` for one that is only named.
type Column = Option<Joined<Comparison>>;

impl Columns {
    /// Reads what follows the opening bracket.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let mut columns = Self {
            before: Vec::new(),
            after: None,
        };
        while !cursor.eat("]") {
            if cursor.eat("...") {
                if columns.after.is_some() {
                    return Err(cursor.unexpected("only one ellipsis"));
                }
                columns.after = Some(Vec::new());
            } else {
                let column = column(cursor)?;
                columns
                    .after
                    .as_mut()
                    .unwrap_or(&mut columns.before)
                    .push(column);
            }
            if cursor.peek() != Some(']') {
                cursor.require(",", "a comma or a closing bracket")?;
            }
        }
        cursor.end()?;
        Ok(columns)
    }

    pub(super) fn matches(&self, line: &str) -> bool {
        let row = row(line);
        let after = self.after.as_deref().unwrap_or_default();
        let named = self.before.len() + after.len();
        let fits = match self.after {
            Some(_) => row.len() >= named,
            None => row.len() == named,
        };
        fits && are_like(&row, &self.before) && are_like(&row[row.len() - after.len()..], after)
    }
}

fn are_like(row: &[&str], columns: &[Column]) -> bool {
    let mut pairs = row.iter().zip(columns);
    pairs.all(|(value, column)| {
        let conditions = column.as_ref();
        conditions.is_none_or(|conditions| conditions.holds(&|one| one.holds(value)))
    })
}

/// Reads `name`, `name = value` or several such, joined.
fn column(cursor: &mut Cursor<'_>) -> Result<Column, PatternError> {
    name(cursor);
    if matches!(cursor.peek(), None | Some(',' | ']')) {
        return Ok(None);
    }
    let mut condition = |cursor: &mut Cursor<'_>| {
        name(cursor);
        Comparison::parse(cursor)?.ok_or_else(|| cursor.unexpected("a comparison"))
    };
    Joined::parse(cursor, &mut condition).map(Some)
}

/// Takes the name of a column, which says nothing about it.
fn name(cursor: &mut Cursor<'_>) {
    cursor.peek();
    cursor.until(|c| c.is_whitespace() || ",=!<>&|()[]{}\"%".contains(c));
}

/// Divides a line into its columns.
fn row(line: &str) -> Vec<&str> {
    let mut columns = Vec::new();
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let enclosed = match first {
            '"' => rest[1..].split_once('"'),
            '[' => rest[1..].split_once(']'),
            _ => None,
        };
        let (column, after) = enclosed
            .or_else(|| rest.split_once(char::is_whitespace))
            .unwrap_or((rest, ""));
        columns.push(column);
        rest = after.trim_start();
    }
    columns
}
