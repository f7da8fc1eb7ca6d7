//! Printing answers in the form that was asked for.

mod boxes;
mod table;
mod text;

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;
use crate::globals::{Color, Globals, Output};
use crate::paginate::Pages;
use crate::query::set_member;
use crate::value::{Members, Value};
use crate::{json, yaml};

/// An answer, whole or in pages.
pub(crate) enum Answer {
    Whole(Members),
    Pages(Pages),
}

/// Prints an answer to an operation.
pub(crate) fn print(
    operation: &str,
    answer: Answer,
    form: Output,
    globals: &Globals,
) -> Result<(), Failure> {
    let mut text = String::new();
    let written = match form {
        Output::Text => write_texts(&mut text, answer, globals),
        Output::YamlStream => write_stream(&mut text, answer, globals),
        _ => write_whole(&mut text, operation, answer, form, globals),
    };
    // What was written before something failed is printed all the same.
    put(&text);
    written
}

/// Writes to standard output. Whoever has closed the other end wants no more.
pub(crate) fn put(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn write_whole(
    text: &mut String,
    operation: &str,
    answer: Answer,
    form: Output,
    globals: &Globals,
) -> Result<(), Failure> {
    let members = match answer {
        Answer::Whole(members) => members,
        Answer::Pages(pages) => pages.joined(),
    };
    let value = queried(Value::Map(members), globals)?;
    if is_nothing(&value) {
        return Ok(());
    }
    match form {
        Output::Table => table::write(text, operation, &value, colored(globals.color))?,
        Output::Yaml => text.push_str(&yaml::write(&value)),
        _ => {
            text.push_str(&json::indented(&value));
            text.push('\n');
        }
    }
    Ok(())
}

/// Text is written page by page, and a query is applied to each.
fn write_texts(text: &mut String, answer: Answer, globals: &Globals) -> Result<(), Failure> {
    let pages = match answer {
        Answer::Whole(members) => {
            text::write(text, &queried(Value::Map(members), globals)?);
            return Ok(());
        }
        Answer::Pages(pages) => pages,
    };
    let mut whole = Value::Map(pages.whole);
    for mut answered in pages.pages {
        let mut page = std::mem::replace(&mut whole, Value::Map(Members::default()));
        let items = answered.remove(pages.key);
        set_member(&mut page, pages.key, items.unwrap_or(Value::Null));
        text::write(text, &queried(page, globals)?);
    }
    if let Some(token) = pages.resume {
        let mut inner = Value::Null;
        set_member(&mut inner, "NextToken", Value::Text(token));
        let mut outer = Value::Null;
        set_member(&mut outer, "NextToken", inner);
        text::write(text, &queried(outer, globals)?);
    }
    Ok(())
}

/// A stream is a list with one item for each page, which is as the service sent it: it
/// has the service's token, and none of this program's.
fn write_stream(text: &mut String, answer: Answer, globals: &Globals) -> Result<(), Failure> {
    let pages = match answer {
        Answer::Whole(members) => {
            let value = queried(Value::Map(members), globals)?;
            if !is_nothing(&value) {
                text.push_str(&yaml::write(&Value::List(vec![value])));
            }
            return Ok(());
        }
        Answer::Pages(pages) => pages.pages,
    };
    for page in pages {
        let page = Value::List(vec![queried(Value::Map(page), globals)?]);
        text.push_str(&yaml::write(&page));
    }
    Ok(())
}

/// Whether an operation had nothing to answer.
fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Map(members) if members.is_empty())
}

fn queried(value: Value, globals: &Globals) -> Result<Value, Failure> {
    match &globals.query {
        Some(query) => Ok(query.search(&value)?),
        None => Ok(value),
    }
}

fn colored(color: Color) -> bool {
    match color {
        Color::On => true,
        Color::Off => false,
        Color::Auto => io::stdout().is_terminal(),
    }
}
