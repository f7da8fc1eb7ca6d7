//! A table: aligned and with a head on a terminal, and fields between tabs, for
//! `cut` and `awk`, in a pipe.

use anstyle::Style;

use super::{STRONG, is_watched, painted, print};

/// Rows of one width.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<(String, Style)>>,
}

impl Table {
    /// A table without rows.
    pub fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: each cell's text and its style.
    pub fn row(&mut self, cells: Vec<(String, Style)>) {
        self.rows.push(cells);
    }

    /// Prints all rows.
    pub fn print(&self) -> std::io::Result<()> {
        print(&if is_watched() {
            self.aligned()
        } else {
            self.tabbed()
        })
    }

    fn aligned(&self) -> String {
        let head = self.head.iter().map(|name| ((*name).to_owned(), STRONG));
        let widths = self.widths();
        std::iter::once(head.collect())
            .chain(self.rows.iter().cloned())
            .map(|row: Vec<_>| aligned_line(&row, &widths))
            .collect()
    }

    fn tabbed(&self) -> String {
        let line = |row: &Vec<(String, Style)>| {
            let texts: Vec<&str> = row.iter().map(|(text, _)| text.as_str()).collect();
            texts.join("\t") + "\n"
        };
        self.rows.iter().map(line).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let column = |number: usize| {
            let cells = self.rows.iter().filter_map(move |row| row.get(number));
            cells.map(|(text, _)| text.chars().count())
        };
        self.head
            .iter()
            .enumerate()
            .map(|(number, name)| column(number).chain([name.len()]).max().unwrap_or(0))
            .collect()
    }
}

fn aligned_line(row: &[(String, Style)], widths: &[usize]) -> String {
    let last = row.len().saturating_sub(1);
    let cells = row.iter().zip(widths).enumerate();
    let cells = cells.map(|(number, ((text, style), width))| {
        let room = if number == last {
            0
        } else {
            width - text.chars().count() + 2
        };
        painted(*style, text) + &" ".repeat(room)
    });
    cells.collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "AGE"]);
        for (name, age) in [("a-long-name", "3s"), ("b", "12m")] {
            table.row(vec![
                (name.to_owned(), Style::new()),
                (age.to_owned(), Style::new()),
            ]);
        }
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let plain = anstream::adapter::strip_str(&table().aligned()).to_string();
        assert_eq!(
            plain,
            "NAME         AGE\na-long-name  3s\nb            12m\n"
        );
    }

    #[test]
    fn a_pipe_gets_fields_and_no_head() {
        assert_eq!(table().tabbed(), "a-long-name\t3s\nb\t12m\n");
    }
}
