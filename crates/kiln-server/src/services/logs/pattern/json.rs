//! Patterns in braces: what the members of a JSON object must be like.

use std::borrow::Cow;

use serde_json::Value;

use super::PatternError;
use super::condition::{Comparison, Joined};
use super::cursor::Cursor;

/// What the members must be like.
#[derive(Debug, Clone)]
pub(in super::super) struct Members {
    conditions: Joined<Condition>,
}

/// What the values at one place must be like, if there are any.
#[derive(Debug, Clone)]
struct Condition {
    place: Vec<Step>,
    test: Test,
}

#[derive(Debug, Clone)]
enum Step {
    Member(String),
    Item(usize),
    /// Every item or member.
    Each,
}

#[derive(Debug, Clone)]
enum Test {
    Compares(Comparison),
    Is(Value),
    Missing,
}

impl Members {
    /// Reads what follows the opening brace.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let conditions = Joined::parse(cursor, &mut condition)?;
        cursor.require("}", "a closing brace")?;
        cursor.end()?;
        Ok(Self { conditions })
    }

    pub(super) fn matches(&self, line: &str) -> bool {
        if !line.trim_start().starts_with('{') {
            return false;
        }
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return false;
        };
        self.conditions.holds(&|condition| condition.holds(&event))
    }
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Condition, PatternError> {
    cursor.require("$", "a selector that begins with $")?;
    let place = place(cursor)?;
    let test = test(cursor)?;
    Ok(Condition { place, test })
}

/// Reads `.name`, `[0]`, `[*]`, `['a name']` and the like, one after another.
fn place(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, PatternError> {
    let mut place = Vec::new();
    loop {
        if cursor.eat_here(".") {
            let name = cursor.until(|c| c.is_whitespace() || ".[]=!<>&|(){}\"%".contains(c));
            match name {
                // As in `$.['a name']`.
                "" => {}
                "*" => place.push(Step::Each),
                name => place.push(Step::Member(name.to_owned())),
            }
        } else if cursor.eat_here("[") {
            place.push(bracketed(cursor)?);
        } else {
            break;
        }
    }
    if place.is_empty() {
        return Err(cursor.unexpected("the name of a member"));
    }
    Ok(place)
}

/// Reads what follows the opening bracket of a selector.
fn bracketed(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    let step = if cursor.eat("*") {
        Step::Each
    } else if cursor.eat("'") {
        let name = cursor.until(|c| c == '\'').to_owned();
        cursor.require("'", "a closing quotation mark")?;
        Step::Member(name)
    } else if let Some(name) = cursor.phrase()? {
        Step::Member(name)
    } else {
        let digits = cursor.until(|c| !c.is_ascii_digit());
        Step::Item(digits.parse().map_err(|_| cursor.unexpected("an index"))?)
    };
    cursor.require("]", "a closing bracket")?;
    Ok(step)
}

fn test(cursor: &mut Cursor<'_>) -> Result<Test, PatternError> {
    if let Some(comparison) = Comparison::parse(cursor)? {
        return Ok(Test::Compares(comparison));
    }
    if cursor.eat_word("NOT") && cursor.eat_word("EXISTS") {
        return Ok(Test::Missing);
    }
    if cursor.eat_word("IS") {
        let named = [
            ("NULL", Value::Null),
            ("TRUE", Value::Bool(true)),
            ("FALSE", Value::Bool(false)),
        ];
        for (name, value) in named {
            if cursor.eat_word(name) {
                return Ok(Test::Is(value));
            }
        }
    }
    Err(cursor.unexpected("a comparison"))
}

impl Condition {
    fn holds(&self, event: &Value) -> bool {
        match &self.test {
            Test::Missing => !any(event, &self.place, &|_| true),
            Test::Is(wanted) => any(event, &self.place, &|value| value == wanted),
            Test::Compares(comparison) => any(event, &self.place, &|value| {
                comparison.takes_anything()
                    || text(value).is_some_and(|text| comparison.holds(&text))
            }),
        }
    }
}

/// Whether one of the values at the place is like that.
fn any(value: &Value, place: &[Step], holds: &impl Fn(&Value) -> bool) -> bool {
    let Some((step, rest)) = place.split_first() else {
        return holds(value);
    };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => members
            .get(name)
            .is_some_and(|member| any(member, rest, holds)),
        (Step::Item(index), Value::Array(items)) => {
            items.get(*index).is_some_and(|item| any(item, rest, holds))
        }
        (Step::Each, Value::Array(items)) => items.iter().any(|item| any(item, rest, holds)),
        (Step::Each, Value::Object(members)) => {
            members.values().any(|member| any(member, rest, holds))
        }
        _ => false,
    }
}

/// A value as it is compared; what holds other values is not.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
