//! Reading and writing JSON as Python's `json` module does, messages included.

use crate::value::Value;

/// Whether letters beyond ASCII are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Plain,
    Ascii,
}

/// The form of the AWS CLI's output: indented by four, with letters as they are.
pub(crate) fn indented(value: &Value) -> String {
    let mut out = String::new();
    write_indented(&mut out, value, 0);
    out
}

/// The form without any spaces, in ASCII.
pub(crate) fn compact(value: &Value) -> String {
    let mut out = String::new();
    write_compact(&mut out, value);
    out
}

fn write_indented(out: &mut String, value: &Value, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth * 4));
    };
    match value {
        Value::List(items) if !items.is_empty() => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                line(out, depth + 1);
                write_indented(out, item, depth + 1);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Map(members) if !members.is_empty() => {
            out.push('{');
            for (place, (name, item)) in members.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                line(out, depth + 1);
                write_text(out, name, Letters::Plain);
                out.push_str(": ");
                write_indented(out, item, depth + 1);
            }
            line(out, depth);
            out.push('}');
        }
        simple => write_simple(out, simple, Letters::Plain),
    }
}

fn write_compact(out: &mut String, value: &Value) {
    match value {
        Value::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                write_compact(out, item);
            }
            out.push(']');
        }
        Value::Map(members) => {
            out.push('{');
            for (place, (name, item)) in members.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                write_text(out, name, Letters::Ascii);
                out.push(':');
                write_compact(out, item);
            }
            out.push('}');
        }
        simple => write_simple(out, simple, Letters::Ascii),
    }
}

fn write_simple(out: &mut String, value: &Value, letters: Letters) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&crate::python::float(*number)),
        Value::Text(text) => write_text(out, text, letters),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
    }
}

fn write_text(out: &mut String, text: &str, letters: Letters) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            _ if (letter as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", letter as u32)),
            _ if letters == Letters::Ascii && (!letter.is_ascii() || letter == '\u{7f}') => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// Reads a JSON text.
///
/// # Errors
/// When it is none, in Python's words.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| complaint(text, &error))
}

/// Python's words for what is wrong with a JSON text, where Rust's reader says
/// the like at the same place.
fn complaint(text: &str, error: &serde_json::Error) -> String {
    let place = byte_offset(text, error.line(), error.column());
    let after_spaces = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.len() - rest.trim_start().len()
    };
    let said = error.to_string();
    if said.starts_with("recursion limit exceeded") {
        return "maximum recursion depth exceeded".to_owned();
    }
    let (reason, place) = if said.starts_with("EOF while parsing a string") {
        let start = text.rfind('"').unwrap_or_default();
        ("Unterminated string starting at", start)
    } else if said.starts_with("EOF while parsing a list")
        || said.starts_with("EOF while parsing an object")
    {
        end_of_container(text)
    } else if said.starts_with("EOF") {
        ("Expecting value", after_spaces(text.len()))
    } else if said.starts_with("expected `,`") {
        ("Expecting ',' delimiter", place.saturating_sub(1))
    } else if said.starts_with("expected `:`") {
        ("Expecting ':' delimiter", place.saturating_sub(1))
    } else if said.starts_with("key must be a string") {
        let place = place.saturating_sub(1);
        ("Expecting property name enclosed in double quotes", place)
    } else if said.starts_with("trailing characters") {
        ("Extra data", place.saturating_sub(1))
    } else if said.starts_with("trailing comma") && text.as_bytes()[..place].ends_with(b"}") {
        let place = place.saturating_sub(1);
        ("Expecting property name enclosed in double quotes", place)
    } else {
        ("Expecting value", word_start(text, place.saturating_sub(1)))
    };
    located(text, reason, place)
}

/// What is missing at the end of an unclosed list or object.
fn end_of_container(text: &str) -> (&'static str, usize) {
    let end = text.len();
    let start_of_spaces = text.trim_end().len();
    match text.trim_end().chars().last() {
        Some('{') => (
            "Expecting property name enclosed in double quotes",
            end.max(start_of_spaces),
        ),
        Some('[' | ',' | ':') => ("Expecting value", end),
        _ => ("Expecting ',' delimiter", end),
    }
}

/// Where a misspelt word begins.
fn word_start(text: &str, place: usize) -> usize {
    let before = text.as_bytes().get(..place).unwrap_or_default();
    let letters = before
        .iter()
        .rev()
        .take_while(|letter| letter.is_ascii_alphanumeric())
        .count();
    place - letters
}

fn located(text: &str, reason: &str, place: usize) -> String {
    let before = text.get(..place).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let offset = before.chars().count();
    let in_line = before.rsplit('\n').next().unwrap_or(before);
    let column = in_line.chars().count() + 1;
    format!("{reason}: line {line} column {column} (char {offset})")
}

fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_containers_stay_on_their_line() {
        let value = parse(r#"{"a": [], "b": {}, "c": [1, "ü\u0001"]}"#).unwrap();
        assert_eq!(
            indented(&value),
            "{\n    \"a\": [],\n    \"b\": {},\n    \"c\": [\n        1,\n        \"ü\\u0001\"\n    ]\n}"
        );
        assert_eq!(compact(&value), r#"{"a":[],"b":{},"c":[1,"\u00fc\u0001"]}"#);
    }

    #[test]
    fn complaints_are_pythons() {
        for (text, expected) in [
            (r#"{"a":"#, "Expecting value: line 1 column 6 (char 5)"),
            (
                r#"{"TrainingJobName": 5"#,
                "Expecting ',' delimiter: line 1 column 22 (char 21)",
            ),
            ("{\"a\": 1}\nx", "Extra data: line 2 column 1 (char 9)"),
            ("nope", "Expecting value: line 1 column 1 (char 0)"),
            ("", "Expecting value: line 1 column 1 (char 0)"),
            (
                "{a: 1}",
                "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            ),
            (
                r#"{"a" 1}"#,
                "Expecting ':' delimiter: line 1 column 6 (char 5)",
            ),
            (
                r#"{"a": "b"#,
                "Unterminated string starting at: line 1 column 7 (char 6)",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
    }
}
