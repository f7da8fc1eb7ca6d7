//! The grammar: values, lists, tuples and dictionaries.

use std::collections::HashSet;

use super::error::Problem;
use super::{Entry, Literal, LiteralError, Position, Value, number, string};

/// How deep values may nest. What requests hold needs four.
const DEPTH: usize = 32;

/// Reads a text that is one value.
///
/// # Errors
///
/// The first thing that is wrong with the text, and where.
pub fn parse(text: &str) -> Result<Literal, LiteralError> {
    let mut cursor = Cursor::new(text);
    let literal = value(&mut cursor, 0)?;
    cursor.skip_space();
    match cursor.peek() {
        None => Ok(literal),
        Some(_) => Err(cursor.unexpected("the end")),
    }
}

/// Where reading stands in the text.
pub(super) struct Cursor<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        let at = Position { line: 1, column: 1 };
        Self { rest: text, at }
    }

    pub(super) fn position(&self) -> Position {
        self.at
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        if next == '\n' {
            self.at.line += 1;
            self.at.column = 1;
        } else {
            self.at.column += 1;
        }
        Some(next)
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    /// Takes the character if it comes next.
    fn take(&mut self, wanted: char) -> bool {
        let comes = self.peek() == Some(wanted);
        if comes {
            self.next();
        }
        comes
    }

    /// Takes all characters that come next and are wanted.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let whole = self.rest;
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        &whole[..whole.len() - self.rest.len()]
    }

    pub(super) fn error(&self, problem: Problem) -> LiteralError {
        error(self.at, problem)
    }

    fn unexpected(&self, expected: &'static str) -> LiteralError {
        let found = match self.peek() {
            Some(found) if found.is_control() => format!("character {:#04x}", u32::from(found)),
            Some(found) => format!("'{found}'"),
            None => "the end".to_owned(),
        };
        self.error(Problem::Unexpected { expected, found })
    }
}

pub(super) fn error(at: Position, problem: Problem) -> LiteralError {
    LiteralError { at, problem }
}

fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Literal, LiteralError> {
    cursor.skip_space();
    if depth > DEPTH {
        return Err(cursor.error(Problem::TooDeep(DEPTH)));
    }
    let at = cursor.position();
    let value = match cursor.peek() {
        Some('{') => dictionary(cursor, depth)?,
        Some('[') => Value::List(elements(cursor, depth, ']')?.0),
        Some('(') => tuple(cursor, depth)?,
        Some('\'' | '"') => Value::Text(string::read(cursor)?),
        Some('u') if matches!(cursor.peek_second(), Some('\'' | '"')) => {
            cursor.next();
            Value::Text(string::read(cursor)?)
        }
        Some('0'..='9' | '-' | '+' | '.') => number::read(cursor)?,
        Some(letter) if letter.is_alphabetic() => word(cursor)?,
        _ => return Err(cursor.unexpected("a value")),
    };
    Ok(Literal { at, value })
}

fn word(cursor: &mut Cursor<'_>) -> Result<Value, LiteralError> {
    let at = cursor.position();
    let word = cursor.take_while(|letter| letter.is_alphanumeric() || letter == '_');
    match word {
        "null" | "None" => Ok(Value::Null),
        "true" | "True" => Ok(Value::Bool(true)),
        "false" | "False" => Ok(Value::Bool(false)),
        _ => Err(error(at, Problem::Word(word.to_owned()))),
    }
}

/// In Python it is the comma that makes a tuple: `(3)` is 3 and `(3,)` is not.
fn tuple(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, LiteralError> {
    let (mut elements, trailing_comma) = elements(cursor, depth, ')')?;
    match elements.pop() {
        Some(only) if elements.is_empty() && !trailing_comma => Ok(only.value),
        last => {
            elements.extend(last);
            Ok(Value::List(elements))
        }
    }
}

/// What stands between two brackets, and whether the last has a comma after it.
fn elements(
    cursor: &mut Cursor<'_>,
    depth: usize,
    close: char,
) -> Result<(Vec<Literal>, bool), LiteralError> {
    cursor.next();
    let mut elements = Vec::new();
    let mut comma = false;
    loop {
        cursor.skip_space();
        if cursor.take(close) {
            return Ok((elements, comma));
        }
        if !elements.is_empty() && !comma {
            return Err(cursor.unexpected("',' or the closing bracket"));
        }
        elements.push(value(cursor, depth + 1)?);
        cursor.skip_space();
        comma = cursor.take(',');
    }
}

fn dictionary(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, LiteralError> {
    cursor.next();
    let mut entries: Vec<Entry> = Vec::new();
    let mut keys = HashSet::new();
    let mut comma = false;
    loop {
        cursor.skip_space();
        if cursor.take('}') {
            return Ok(Value::Dictionary(entries));
        }
        if !entries.is_empty() && !comma {
            return Err(cursor.unexpected("',' or '}'"));
        }
        let entry = entry(cursor, depth)?;
        if !keys.insert(entry.key.clone()) {
            return Err(error(entry.at, Problem::Duplicate(entry.key)));
        }
        entries.push(entry);
        cursor.skip_space();
        comma = cursor.take(',');
    }
}

fn entry(cursor: &mut Cursor<'_>, depth: usize) -> Result<Entry, LiteralError> {
    let at = cursor.position();
    if cursor.peek() == Some('u') && matches!(cursor.peek_second(), Some('\'' | '"')) {
        cursor.next();
    }
    if !matches!(cursor.peek(), Some('\'' | '"')) {
        return Err(cursor.unexpected("a key in quotes"));
    }
    let key = string::read(cursor)?;
    cursor.skip_space();
    if !cursor.take(':') {
        return Err(cursor.unexpected("':'"));
    }
    let value = value(cursor, depth + 1)?;
    Ok(Entry { at, key, value })
}
