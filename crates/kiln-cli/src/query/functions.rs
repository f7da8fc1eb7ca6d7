//! The functions of the language.

use std::cmp::Ordering;

use super::QueryError;
use super::arguments::{Argument, Arguments, kind_of};
use super::evaluate::evaluate;
use super::order::{compare, number, same};
use crate::json;
use crate::value::{Members, Value};

const NUMBERS: &[&str] = &["array-number"];
const COMPARABLE: &[&str] = &["array-number", "array-string"];
const KEYS: &[&str] = &["number", "string"];

/// Calls a function by name.
pub(super) fn call(function: &str, given: &[Argument<'_>]) -> Result<Value, QueryError> {
    let arguments = Arguments { function, given };
    match function {
        "abs" | "avg" | "sum" | "ceil" | "floor" | "to_number" => arithmetic(&arguments),
        "contains" | "ends_with" | "starts_with" | "join" | "to_string" => texts(&arguments),
        "keys" | "values" | "merge" => objects(&arguments),
        "max" | "min" | "sort" | "max_by" | "min_by" | "sort_by" => ordered(&arguments),
        "length" | "map" | "not_null" | "reverse" | "to_array" | "type" => general(&arguments),
        _ => Err(QueryError::UnknownFunction(function.to_owned())),
    }
}

fn arithmetic(arguments: &Arguments<'_>) -> Result<Value, QueryError> {
    arguments.count(1)?;
    Ok(match arguments.function {
        "to_number" => to_number(arguments.any(0)),
        "avg" | "sum" => {
            let Value::List(items) = arguments.typed(0, NUMBERS)? else {
                return Ok(Value::Null);
            };
            let total: f64 = items.iter().filter_map(number).sum();
            match arguments.function {
                "avg" if items.is_empty() => Value::Null,
                "avg" => Value::Float(total / items.len() as f64),
                _ => sum(&items, total),
            }
        }
        one => match (one, arguments.typed(0, &["number"])?) {
            ("abs", Value::Integer(number)) => Value::Integer(number.abs()),
            ("abs", Value::Float(number)) => Value::Float(number.abs()),
            ("ceil", Value::Float(number)) => Value::Integer(number.ceil() as i128),
            ("floor", Value::Float(number)) => Value::Integer(number.floor() as i128),
            (_, other) => other,
        },
    })
}

/// The sum is whole if all numbers are.
fn sum(items: &[Value], total: f64) -> Value {
    let whole = items.iter().map(|item| match item {
        Value::Integer(number) => Some(*number),
        _ => None,
    });
    whole
        .sum::<Option<i128>>()
        .map_or(Value::Float(total), Value::Integer)
}

fn to_number(value: Value) -> Value {
    match value {
        Value::Integer(_) | Value::Float(_) => value,
        Value::Text(text) => {
            let text = text.trim();
            let whole = text.parse().map(Value::Integer);
            whole
                .or_else(|_| text.parse().map(Value::Float))
                .unwrap_or(Value::Null)
        }
        _ => Value::Null,
    }
}

fn texts(arguments: &Arguments<'_>) -> Result<Value, QueryError> {
    if arguments.function == "to_string" {
        arguments.count(1)?;
        return Ok(match arguments.any(0) {
            Value::Text(text) => Value::Text(text),
            other => Value::Text(json::compact(&other)),
        });
    }
    arguments.count(2)?;
    match arguments.function {
        "contains" => contains(arguments),
        "join" => {
            let separator = arguments.typed(0, &["string"])?;
            let Value::List(items) = arguments.typed(1, &["array-string"])? else {
                return Ok(Value::Null);
            };
            let items: Vec<&str> = items.iter().filter_map(Value::as_text).collect();
            Ok(Value::Text(
                items.join(separator.as_text().unwrap_or_default()),
            ))
        }
        side => {
            let text = arguments.typed(0, &["string"])?;
            let part = arguments.typed(1, &["string"])?;
            let (text, part) = (
                text.as_text().unwrap_or_default(),
                part.as_text().unwrap_or_default(),
            );
            Ok(Value::Bool(match side {
                "ends_with" => text.ends_with(part),
                _ => text.starts_with(part),
            }))
        }
    }
}

fn contains(arguments: &Arguments<'_>) -> Result<Value, QueryError> {
    let wanted = arguments.any(1);
    match (arguments.typed(0, &["array", "string"])?, &wanted) {
        (Value::Text(text), Value::Text(part)) => Ok(Value::Bool(text.contains(part))),
        (Value::Text(_), other) => Err(QueryError::Value(format!(
            "'in <string>' requires string as left operand, not {}",
            crate::python::type_name(other)
        ))),
        (Value::List(items), wanted) => {
            Ok(Value::Bool(items.iter().any(|item| same(item, wanted))))
        }
        _ => Ok(Value::Null),
    }
}

fn objects(arguments: &Arguments<'_>) -> Result<Value, QueryError> {
    if arguments.function == "merge" {
        arguments.at_least(1)?;
        let mut merged = Members::default();
        for place in 0..arguments.given.len() {
            if let Value::Map(members) = arguments.typed(place, &["object"])? {
                members
                    .0
                    .into_iter()
                    .for_each(|(name, value)| merged.set(name, value));
            }
        }
        return Ok(Value::Map(merged));
    }
    arguments.count(1)?;
    let Value::Map(members) = arguments.typed(0, &["object"])? else {
        return Ok(Value::Null);
    };
    let entries = members.0.into_iter();
    Ok(Value::List(match arguments.function {
        "keys" => entries.map(|(name, _)| Value::Text(name)).collect(),
        _ => entries.map(|(_, value)| value).collect(),
    }))
}

fn ordered(arguments: &Arguments<'_>) -> Result<Value, QueryError> {
    match arguments.function {
        "max" | "min" | "sort" => {
            arguments.count(1)?;
            let types = match arguments.function {
                "sort" => &["array-string", "array-number"],
                _ => COMPARABLE,
            };
            let Value::List(items) = arguments.typed(0, types)? else {
                return Ok(Value::Null);
            };
            let keyed = items.into_iter().map(|item| (item.clone(), item)).collect();
            Ok(chosen(arguments.function, keyed))
        }
        by => {
            arguments.count(2)?;
            let Value::List(items) = arguments.typed(0, &["array"])? else {
                return Ok(Value::Null);
            };
            let node = arguments.reference(1)?;
            let types = match (by, items.first()) {
                ("sort_by", Some(first)) => {
                    let key = evaluate(node, first)?;
                    sort_key_types(arguments, first, &key)?
                }
                _ => KEYS,
            };
            let mut keyed = Vec::with_capacity(items.len());
            for item in items {
                keyed.push((arguments.key(node, &item, types)?, item));
            }
            Ok(chosen(by.trim_end_matches("_by"), keyed))
        }
    }
}

/// The keys of a sort must all be of the first one's type.
fn sort_key_types(
    arguments: &Arguments<'_>,
    first: &Value,
    key: &Value,
) -> Result<&'static [&'static str], QueryError> {
    match kind_of(key) {
        "number" => Ok(&["number"]),
        "string" => Ok(&["string"]),
        other => Err(arguments.refuse(crate::python::text(first), other, &["string", "number"])),
    }
}

/// The first of the greatest or least, or all in order.
fn chosen(how: &str, mut keyed: Vec<(Value, Value)>) -> Value {
    let order =
        |a: &(Value, Value), b: &(Value, Value)| compare(&a.0, &b.0).unwrap_or(Ordering::Equal);
    match how {
        "sort" => {
            keyed.sort_by(order);
            Value::List(keyed.into_iter().map(|(_, item)| item).collect())
        }
        // Of several that are greatest Python takes the first, Rust the last.
        "max" => keyed
            .into_iter()
            .rev()
            .max_by(order)
            .map_or(Value::Null, |(_, item)| item),
        _ => keyed
            .into_iter()
            .min_by(order)
            .map_or(Value::Null, |(_, item)| item),
    }
}

fn general(arguments: &Arguments<'_>) -> Result<Value, QueryError> {
    match arguments.function {
        "not_null" => {
            arguments.at_least(1)?;
            let all = (0..arguments.given.len()).map(|place| arguments.any(place));
            Ok(all
                .into_iter()
                .find(|value| *value != Value::Null)
                .unwrap_or(Value::Null))
        }
        "map" => {
            arguments.count(2)?;
            let node = arguments.reference(0)?;
            let Value::List(items) = arguments.typed(1, &["array"])? else {
                return Ok(Value::Null);
            };
            let mapped = items.iter().map(|item| evaluate(node, item));
            Ok(Value::List(mapped.collect::<Result<_, _>>()?))
        }
        "length" => {
            arguments.count(1)?;
            let length = match arguments.typed(0, &["string", "array", "object"])? {
                Value::Text(text) => text.chars().count(),
                Value::List(items) => items.len(),
                Value::Map(members) => members.len(),
                _ => 0,
            };
            Ok(Value::Integer(length as i128))
        }
        "reverse" => {
            arguments.count(1)?;
            Ok(match arguments.typed(0, &["array", "string"])? {
                Value::Text(text) => Value::Text(text.chars().rev().collect()),
                Value::List(items) => Value::List(items.into_iter().rev().collect()),
                other => other,
            })
        }
        one => {
            arguments.count(1)?;
            let value = arguments.any(0);
            Ok(match (one, value) {
                ("type", value) => Value::text(kind_of(&value)),
                (_, Value::List(items)) => Value::List(items),
                (_, other) => Value::List(vec![other]),
            })
        }
    }
}
