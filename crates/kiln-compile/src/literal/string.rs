//! Strings in either quotes, with the escape sequences of JSON and of Python.

use super::LiteralError;
use super::error::Problem;
use super::parser::{Cursor, error};

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<String, LiteralError> {
    let start = cursor.position();
    let Some(quote) = cursor.next() else {
        return Ok(String::new());
    };
    let mut text = String::new();
    loop {
        let at = cursor.position();
        match cursor.next() {
            None => return Err(error(start, Problem::Unclosed(quote))),
            Some(end) if end == quote => return Ok(text),
            Some('\\') => text.push(escape(cursor).map_err(|problem| error(at, problem))?),
            Some(control) if control < ' ' && control != '\t' => {
                return Err(error(at, Problem::Control));
            }
            Some(other) => text.push(other),
        }
    }
}

fn escape(cursor: &mut Cursor<'_>) -> Result<char, Problem> {
    let Some(letter) = cursor.next() else {
        return Err(Problem::Escape(String::new()));
    };
    Ok(match letter {
        '"' | '\'' | '\\' | '/' => letter,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'x' => coded(cursor, 'x', 2)?,
        'u' => coded(cursor, 'u', 4)?,
        'U' => coded(cursor, 'U', 8)?,
        other => return Err(Problem::Escape(other.to_string())),
    })
}

fn coded(cursor: &mut Cursor<'_>, letter: char, digits: usize) -> Result<char, Problem> {
    let high = code(cursor, letter, digits)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).ok_or(Problem::Escape(format!("{letter}{high:x}")));
    }
    // JSON writes what lies beyond 16 bits as two halves.
    let broken = || Problem::Escape(format!("{letter}{high:x}"));
    if cursor.next() != Some('\\') || cursor.next() != Some('u') {
        return Err(broken());
    }
    let low = code(cursor, 'u', 4)?;
    if !(0xdc00..0xe000).contains(&low) {
        return Err(broken());
    }
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(broken)
}

fn code(cursor: &mut Cursor<'_>, letter: char, digits: usize) -> Result<u32, Problem> {
    let mut written = String::from(letter);
    let mut code = 0;
    for _ in 0..digits {
        let Some(digit) = cursor.peek().and_then(|digit| digit.to_digit(16)) else {
            return Err(Problem::Escape(written));
        };
        written.extend(cursor.next());
        code = code << 4 | digit;
    }
    Ok(code)
}
