//! What an expression makes of a value.

use std::cmp::Ordering;

use super::QueryError;
use super::arguments::Argument;
use super::functions;
use super::order::{compare, is_false, number, same};
use super::syntax::Node;
use super::token::Kind;
use crate::python::type_name;
use crate::value::{Members, Value};

/// Applies an expression to a value.
pub(super) fn evaluate(node: &Node, value: &Value) -> Result<Value, QueryError> {
    Ok(match node {
        Node::Identity => value.clone(),
        Node::Field(name) => value.member(name).cloned().unwrap_or(Value::Null),
        Node::Literal(literal) => literal.clone(),
        Node::Index(place) => index(value, *place),
        Node::Slice(parts) => slice(value, *parts)?,
        Node::Chain(steps) => {
            let mut result = value.clone();
            for step in steps {
                result = evaluate(step, &result)?;
            }
            result
        }
        Node::Projection(base, each) => match evaluate(base, value)? {
            Value::List(items) => project(&items, each)?,
            _ => Value::Null,
        },
        Node::ValueProjection(base, each) => match evaluate(base, value)? {
            Value::Map(members) => {
                let values: Vec<Value> = members.0.into_iter().map(|(_, value)| value).collect();
                project(&values, each)?
            }
            _ => Value::Null,
        },
        Node::FilterProjection {
            base,
            each,
            condition,
        } => match evaluate(base, value)? {
            Value::List(items) => project(&kept(items, condition)?, each)?,
            _ => Value::Null,
        },
        Node::Flatten(base) => match evaluate(base, value)? {
            Value::List(items) => flatten(items),
            _ => Value::Null,
        },
        Node::Comparison(kind, left, right) => {
            comparison(*kind, &evaluate(left, value)?, &evaluate(right, value)?)?
        }
        Node::Or(left, right) => {
            let left = evaluate(left, value)?;
            if is_false(&left) {
                evaluate(right, value)?
            } else {
                left
            }
        }
        Node::And(left, right) => {
            let left = evaluate(left, value)?;
            if is_false(&left) {
                left
            } else {
                evaluate(right, value)?
            }
        }
        Node::Not(inner) => {
            let inner = evaluate(inner, value)?;
            Value::Bool(is_false(&inner))
        }
        Node::List(_) | Node::Map(_) if *value == Value::Null => Value::Null,
        Node::List(nodes) => {
            let items = nodes.iter().map(|node| evaluate(node, value));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Node::Map(pairs) => {
            let mut members = Members::default();
            for (name, node) in pairs {
                members.set(name, evaluate(node, value)?);
            }
            Value::Map(members)
        }
        Node::Call(name, arguments) => {
            let arguments: Vec<Argument<'_>> = arguments
                .iter()
                .map(|argument| match argument {
                    Node::Reference(inner) => Ok(Argument::Reference(inner)),
                    other => evaluate(other, value).map(Argument::Value),
                })
                .collect::<Result<_, _>>()?;
            functions::call(name, &arguments)?
        }
        // Outside of a call a reference is of no use, and says nothing.
        Node::Reference(_) => Value::Null,
    })
}

fn project(items: &[Value], each: &Node) -> Result<Value, QueryError> {
    let mut collected = Vec::new();
    for item in items {
        let result = evaluate(each, item)?;
        if result != Value::Null {
            collected.push(result);
        }
    }
    Ok(Value::List(collected))
}

fn kept(items: Vec<Value>, condition: &Node) -> Result<Vec<Value>, QueryError> {
    let mut kept = Vec::new();
    for item in items {
        if !is_false(&evaluate(condition, &item)?) {
            kept.push(item);
        }
    }
    Ok(kept)
}

fn flatten(items: Vec<Value>) -> Value {
    let mut flat = Vec::new();
    for item in items {
        match item {
            Value::List(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    Value::List(flat)
}

fn index(value: &Value, place: i128) -> Value {
    let Value::List(items) = value else {
        return Value::Null;
    };
    let length = items.len() as i128;
    let place = if place < 0 {
        length.saturating_add(place)
    } else {
        place
    };
    let item = usize::try_from(place)
        .ok()
        .and_then(|place| items.get(place));
    item.cloned().unwrap_or(Value::Null)
}

/// Python's `items[start:end:step]`.
fn slice(value: &Value, [start, end, step]: [Option<i128>; 3]) -> Result<Value, QueryError> {
    let Value::List(items) = value else {
        return Ok(Value::Null);
    };
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(QueryError::Value("slice step cannot be zero".to_owned()));
    }
    let length = items.len() as i128;
    let (lowest, highest) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let within = |place: i128| {
        let place = if place < 0 {
            place.saturating_add(length)
        } else {
            place
        };
        place.clamp(lowest, highest)
    };
    let (first, last) = if step > 0 {
        (0, length)
    } else {
        (length - 1, -1)
    };
    let mut place = start.map_or(first, within);
    let end = end.map_or(last, within);
    let mut taken = Vec::new();
    while (step > 0 && place < end) || (step < 0 && place > end) {
        let item = usize::try_from(place)
            .ok()
            .and_then(|place| items.get(place));
        taken.extend(item.cloned());
        place = place.saturating_add(step);
    }
    Ok(Value::List(taken))
}

fn comparison(kind: Kind, left: &Value, right: &Value) -> Result<Value, QueryError> {
    match kind {
        Kind::Equal => return Ok(Value::Bool(same(left, right))),
        Kind::Unequal => return Ok(Value::Bool(!same(left, right))),
        _ => {}
    }
    let comparable = |value: &Value| number(value).is_some() || value.as_text().is_some();
    if !comparable(left) || !comparable(right) {
        return Ok(Value::Null);
    }
    let Some(order) = compare(left, right) else {
        return Err(QueryError::Value(format!(
            "'{}' not supported between instances of '{}' and '{}'",
            sign(kind),
            type_name(left),
            type_name(right)
        )));
    };
    Ok(Value::Bool(match kind {
        Kind::Less => order == Ordering::Less,
        Kind::AtMost => order != Ordering::Greater,
        Kind::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

fn sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Less => "<",
        Kind::AtMost => "<=",
        Kind::Greater => ">",
        _ => ">=",
    }
}
