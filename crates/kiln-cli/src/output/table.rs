//! The table form: a box for every object, objects within objects indented.

use std::collections::BTreeSet;

use super::boxes::{Pen, Section};
use crate::failure::Failure;
use crate::python;
use crate::value::{Members, Value};

/// What the width is taken for where there is no terminal.
const USUAL_WIDTH: usize = 80;

/// Writes a value as a table with a title.
pub(super) fn write(
    out: &mut String,
    title: &str,
    value: &Value,
    colored: bool,
) -> Result<(), Failure> {
    let mut table = Table::default();
    if table.build(Some(title), value, 0)? {
        table.render(&mut Pen { out, colored });
    }
    Ok(())
}

#[derive(Default)]
struct Table {
    sections: Vec<Section>,
}

impl Table {
    fn build(
        &mut self,
        title: Option<&str>,
        value: &Value,
        indent: usize,
    ) -> Result<bool, Failure> {
        if is_empty(value) {
            return Ok(false);
        }
        if let Some(title) = title {
            self.begin(title, indent);
        }
        match value {
            Value::List(items) if matches!(items[0], Value::Map(_)) => {
                self.list_of_maps(items, title.unwrap_or_default(), indent)?;
            }
            Value::List(items) => {
                for item in items {
                    match item {
                        Value::List(cells) if cells.iter().all(Value::is_scalar) => {
                            self.row(cells.iter().map(python::text).collect())?;
                        }
                        Value::Map(members) => {
                            let names = members.iter().map(|(name, _)| name.to_owned());
                            self.row(names.collect())?;
                        }
                        Value::List(_) => {
                            self.build(None, item, 0)?;
                        }
                        scalar => self.row(vec![python::text(scalar)])?,
                    }
                }
            }
            Value::Map(members) => self.map(members, indent)?,
            _ => {}
        }
        Ok(true)
    }

    fn map(&mut self, members: &Members, indent: usize) -> Result<(), Failure> {
        let (scalars, others) = names(std::iter::once(members));
        let cell = |name: &str| members.get(name).map(python::text).unwrap_or_default();
        match scalars.len() {
            0 => {}
            1 => self.row(
                scalars
                    .iter()
                    .flat_map(|name| [(*name).to_owned(), cell(name)])
                    .collect(),
            )?,
            _ => {
                self.header(&scalars);
                self.row(scalars.iter().map(|name| cell(name)).collect())?;
            }
        }
        for name in others {
            if let Some(inner) = members.get(name) {
                self.build(Some(name), inner, indent + 1)?;
            }
        }
        Ok(())
    }

    fn list_of_maps(&mut self, items: &[Value], title: &str, indent: usize) -> Result<(), Failure> {
        let (scalars, others) = names(items.iter().filter_map(Value::as_map));
        self.header(&scalars);
        for (place, item) in items.iter().enumerate() {
            if place > 0 && !others.is_empty() {
                self.begin(title, indent);
                self.header(&scalars);
            }
            let cell = |name: &&str| item.member(name).map(python::text).unwrap_or_default();
            self.row(scalars.iter().map(cell).collect())?;
            for name in &others {
                if let Some(inner) = item.member(name) {
                    self.build(Some(name), inner, indent + 1)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, title: &str, indent: usize) {
        self.sections.push(Section {
            title: title.to_owned(),
            indent,
            ..Section::default()
        });
    }

    fn header(&mut self, names: &BTreeSet<&str>) {
        if let Some(section) = self.sections.last_mut() {
            section.headers = names.iter().map(ToString::to_string).collect();
            section.widen(&section.headers.clone());
            section.columns.get_or_insert(names.len());
        }
    }

    fn row(&mut self, cells: Vec<String>) -> Result<(), Failure> {
        let Some(section) = self.sections.last_mut() else {
            return Ok(());
        };
        let columns = *section.columns.get_or_insert(cells.len());
        if columns != cells.len() {
            return Err(Failure::General(format!(
                "Row should have {columns} elements, instead it has {}",
                cells.len()
            )));
        }
        section.widen(&cells);
        section.rows.push(cells);
        Ok(())
    }

    fn width(&self) -> usize {
        self.sections
            .iter()
            .map(Section::width)
            .max()
            .unwrap_or_default()
    }

    fn render(&mut self, pen: &mut Pen<'_>) {
        if self.width() > terminal_width() {
            self.sections.iter_mut().for_each(Section::stand_up);
        }
        let width = self.width();
        pen.write(&format!("{}\n", "-".repeat(width)));
        for section in &self.sections {
            section.render(width - section.indent * 2, pen);
        }
    }
}

/// The names of scalar members and of others, each in order.
fn names<'a>(maps: impl Iterator<Item = &'a Members>) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    let (mut scalars, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (name, value) in maps.flat_map(Members::iter) {
        let names = if value.is_scalar() {
            &mut scalars
        } else {
            &mut others
        };
        names.insert(name);
    }
    (scalars, others)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Integer(0) => true,
        Value::Float(number) => *number == 0.0,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(members) => members.is_empty(),
        Value::Bool(true) | Value::Integer(_) => false,
    }
}

fn terminal_width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout())
        .map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn table(value: &str) -> String {
        let mut out = String::new();
        write(&mut out, "Title", &json::parse(value).unwrap(), false).unwrap();
        out
    }

    #[test]
    fn objects_are_boxes_within_boxes() {
        assert_eq!(
            table(r#"{"A": 1, "B": "two", "C": [{"D": true}, {"D": false}]}"#),
            "--------------\n\
             |    Title   |\n\
             +----+-------+\n\
             |  A |   B   |\n\
             +----+-------+\n\
             |  1 |  two  |\n\
             +----+-------+\n\
             ||     C    ||\n\
             |+----------+|\n\
             ||     D    ||\n\
             |+----------+|\n\
             ||  True    ||\n\
             ||  False   ||\n\
             |+----------+|\n"
        );
    }

    #[test]
    fn nothing_is_no_table() {
        assert_eq!(table("{}"), "");
        assert_eq!(table("null"), "");
    }
}
