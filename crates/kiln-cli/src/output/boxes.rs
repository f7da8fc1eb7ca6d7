//! The boxes that a table is drawn with.

use std::mem;

use icu_properties::CodePointMapData;
use icu_properties::props::EastAsianWidth;

/// The space around a cell.
const PADDING: usize = 4;
const ROW_STYLE: &str = "\x1b[1m\x1b[34m";
const INDENTATION_STYLE: &str = "\x1b[2m\x1b[33m";
const RESET: &str = "\x1b[0m";

/// A box: a title, a header and rows.
#[derive(Default)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) headers: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) indent: usize,
    pub(super) columns: Option<usize>,
    pub(super) widths: Vec<usize>,
}

impl Section {
    pub(super) fn widen(&mut self, cells: &[String]) {
        if self.widths.is_empty() {
            self.widths = cells.iter().map(|cell| width(cell)).collect();
        } else {
            for (widest, cell) in self.widths.iter_mut().zip(cells) {
                *widest = (*widest).max(width(cell));
            }
        }
    }

    pub(super) fn width(&self) -> usize {
        let cells: usize = self.widths.iter().map(|width| width + PADDING).sum();
        let border = 2 + self.indent * 2;
        (width(&self.title) + border).max(cells + border)
    }

    /// Makes of a header and its only row a row for each.
    pub(super) fn stand_up(&mut self) {
        if self.rows.len() != 1 || self.headers.is_empty() {
            return;
        }
        let headers = mem::take(&mut self.headers);
        let cells = self.rows.remove(0);
        self.widths.clear();
        for row in headers.into_iter().zip(cells) {
            let row = [row.0, row.1];
            self.widen(&row);
            self.rows.push(row.to_vec());
        }
    }

    /// The widths of the columns, stretched so that they fill the table.
    fn columns(&self, table: usize) -> Vec<usize> {
        let wanted: Vec<usize> = self.widths.iter().map(|width| width + PADDING).collect();
        let sum: usize = wanted.iter().sum();
        let factor = table as f64 / sum as f64;
        let stretched = wanted.iter().map(|width| factor * *width as f64);
        let mut columns: Vec<usize> = stretched
            .map(|width| width.round_ties_even() as usize)
            .collect();
        let count = columns.len();
        let mut sum: usize = columns.iter().sum();
        while sum != table && count > 0 {
            for step in 0..count {
                if sum > table {
                    columns[step] -= 1;
                    sum -= 1;
                } else if sum < table {
                    columns[count - 1 - step] += 1;
                    sum += 1;
                }
            }
        }
        columns
    }

    pub(super) fn render(&self, table: usize, pen: &mut Pen<'_>) {
        if !self.title.is_empty() {
            pen.line(self.indent, &centered(&self.title, table, "|"));
            if self.headers.is_empty() && self.rows.is_empty() {
                pen.line(self.indent, &format!("+{}+", "-".repeat(table - 2)));
            }
        }
        let columns = self.columns(table);
        if !self.headers.is_empty() {
            pen.line(self.indent, &rule(&columns));
            let cells = columns.iter().zip(&self.headers).enumerate();
            let cells = cells.map(|(place, (width, header))| centered(header, *width, edge(place)));
            pen.line(self.indent, &cells.collect::<String>());
        }
        if self.rows.is_empty() || columns.is_empty() {
            return;
        }
        pen.line(self.indent, &rule(&columns));
        for row in &self.rows {
            let cells = columns.iter().zip(row).enumerate();
            let cells =
                cells.map(|(place, (width, cell))| left(cell, *width, edge(place), pen.colored));
            pen.line(self.indent, &cells.collect::<String>());
        }
        pen.line(self.indent, &rule(&columns));
    }
}

/// Writes pieces. In colour every piece ends with a reset, as the AWS CLI's do.
pub(super) struct Pen<'a> {
    pub(super) out: &'a mut String,
    pub(super) colored: bool,
}

impl Pen<'_> {
    pub(super) fn write(&mut self, piece: &str) {
        self.out.push_str(piece);
        if self.colored {
            self.out.push_str(RESET);
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        let bar = if self.colored {
            format!("{INDENTATION_STYLE}|{RESET}")
        } else {
            "|".to_owned()
        };
        let bars = bar.repeat(indent);
        for piece in [&bars, text, &bars, "\n"] {
            self.write(piece);
        }
    }
}

fn edge(place: usize) -> &'static str {
    if place == 0 { "|" } else { "" }
}

fn rule(columns: &[usize]) -> String {
    let parts = columns
        .iter()
        .enumerate()
        .map(|(place, width)| match place {
            0 => format!("+{}+", "-".repeat(width.saturating_sub(2))),
            _ => format!("{}+", "-".repeat(width.saturating_sub(1))),
        });
    parts.collect()
}

fn centered(text: &str, length: usize, left_edge: &str) -> String {
    let wide = width(text);
    let before = (length / 2).saturating_sub(wide / 2 + 1);
    let so_far = left_edge.len() + before + wide;
    let after = length.saturating_sub(1 + so_far);
    format!(
        "{left_edge}{}{text}{}|",
        " ".repeat(before),
        " ".repeat(after)
    )
}

fn left(text: &str, length: usize, left_edge: &str, colored: bool) -> String {
    let wide = width(text);
    let needed = wide + 2 + left_edge.len() + 1;
    let padding = if length >= needed { 2 } else { 0 };
    let after = length.saturating_sub(left_edge.len() + padding + wide + 1);
    let text = if colored {
        format!("{ROW_STYLE}{text}{RESET}")
    } else {
        text.to_owned()
    };
    format!(
        "{left_edge}{}{text}{}|",
        " ".repeat(padding),
        " ".repeat(after)
    )
}

/// The columns that a text takes; letters that are wide in the East alone count
/// as wide.
fn width(text: &str) -> usize {
    use EastAsianWidth as Width;
    let widths = CodePointMapData::<Width>::new();
    let columns = |letter| match widths.get(letter) {
        Width::Wide | Width::Fullwidth | Width::Ambiguous => 2,
        _ => 1,
    };
    text.chars().map(columns).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_take_two_columns() {
        for (text, expected) in [("abc", 3), ("ö", 1), ("ß", 2), ("😀", 2), ("\t", 1)] {
            assert_eq!(width(text), expected, "{text}");
        }
    }
}
