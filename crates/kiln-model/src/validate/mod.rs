//! Checks a request against the constraint table and answers in AWS's words.
//!
//! AWS does this in two steps, and so do we: a value of the wrong JSON type
//! ends the reading of the request at once ([`Mismatch`]); what could be read
//! is then checked as a whole, and all that violates a constraint is reported
//! in one message ([`Violations`]).

mod constraint;
mod mismatch;
mod violation;

use serde_json::{Map, Value};

use crate::table::{Member, Operation, Shape, shape};
pub use mismatch::Mismatch;
use violation::Segment;
pub use violation::{Violation, Violations};

/// Why a request is refused before anyone looks at what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// A value has the wrong JSON type.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Values violate constraints.
    #[error(transparent)]
    Violations(#[from] Violations),
}

impl InvalidRequest {
    /// AWS's code for the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Mismatch(_) => "SerializationException",
            Self::Violations(_) => "ValidationException",
        }
    }
}

/// Checks the input of an operation. Members that are null count as absent,
/// and members that the operation does not know are ignored.
pub fn validate(operation: &Operation, input: &Value) -> Result<(), InvalidRequest> {
    let mut walk = Walk::default();
    let nothing = Value::Object(Map::new());
    let input = if input.is_null() { &nothing } else { input };
    walk.value(operation.input(), input)?;
    Ok(Violations::none_of(walk.violations)?)
}

/// The way through a request, depth first and in the order of the model.
#[derive(Default)]
struct Walk<'v> {
    path: Vec<Segment<'v>>,
    violations: Vec<Violation>,
}

impl<'v> Walk<'v> {
    fn value(&mut self, shape: &'static Shape, value: &'v Value) -> Result<(), Mismatch> {
        match (shape, value) {
            (Shape::Structure(members), Value::Object(object)) => self.structure(members, object),
            (Shape::Union(members), Value::Object(object)) => {
                self.union(shape, members, object, value)
            }
            (Shape::List { member, .. }, Value::Array(items)) => {
                self.list(shape, *member, items, value)
            }
            (
                Shape::Map {
                    key, value: inner, ..
                },
                Value::Object(entries),
            ) => self.map(shape, [*key, *inner], entries, value),
            _ => self.scalar(shape, value),
        }
    }

    fn structure(
        &mut self,
        members: &'static [Member],
        object: &'v Map<String, Value>,
    ) -> Result<(), Mismatch> {
        for member in members {
            self.path.push(Segment::Member(member.name()));
            match set(object, *member) {
                Some(value) => self.value(member.shape(), value)?,
                None if member.is_required() => {
                    self.violates(None, constraint::NOT_NULL.to_owned())
                }
                None => {}
            }
            self.path.pop();
        }
        Ok(())
    }

    fn union(
        &mut self,
        shape: &'static Shape,
        members: &'static [Member],
        object: &'v Map<String, Value>,
        value: &'v Value,
    ) -> Result<(), Mismatch> {
        let set = members
            .iter()
            .filter(|member| set(object, **member).is_some());
        if set.count() != 1 {
            self.violates_all(value, constraint::of(shape));
        }
        self.structure(members, object)
    }

    fn list(
        &mut self,
        list: &'static Shape,
        member: u16,
        items: &'v [Value],
        value: &'v Value,
    ) -> Result<(), Mismatch> {
        self.violates_all(value, constraint::violated(list, value));
        let member = shape(member);
        if constraint::is_simple(member) {
            return self.simple_elements(member, items.iter(), value, "Member must");
        }
        for (place, item) in (1..).zip(items) {
            self.path.push(Segment::Item(place));
            self.element(member, item)?;
            self.path.pop();
        }
        Ok(())
    }

    fn map(
        &mut self,
        map: &'static Shape,
        [key, inner]: [u16; 2],
        entries: &'v Map<String, Value>,
        value: &'v Value,
    ) -> Result<(), Mismatch> {
        self.violates_all(value, constraint::violated(map, value));
        let (key, inner) = (shape(key), shape(inner));
        if entries
            .keys()
            .any(|entry| !constraint::admits_text(key, entry))
        {
            self.violates(
                Some(value),
                constraint::of_elements("Map keys must", key, false),
            );
        }
        if constraint::is_simple(inner) {
            return self.simple_elements(inner, entries.values(), value, "Map value must");
        }
        for (name, entry) in entries {
            self.path.push(Segment::Key(name));
            self.element(inner, entry)?;
            self.path.pop();
        }
        Ok(())
    }

    /// AWS reports texts and numbers in a list or map once, for all of it.
    fn simple_elements(
        &mut self,
        element: &'static Shape,
        elements: impl Iterator<Item = &'v Value>,
        whole: &'v Value,
        subject: &str,
    ) -> Result<(), Mismatch> {
        let (mut any_violated, mut any_null) = (false, false);
        for value in elements {
            if value.is_null() {
                any_null = true;
                continue;
            }
            mismatch::check(element, value)?;
            any_violated |= !constraint::violated(element, value).is_empty();
        }
        if any_violated || any_null {
            self.violates(
                Some(whole),
                constraint::of_elements(subject, element, any_null),
            );
        }
        Ok(())
    }

    fn element(&mut self, shape: &'static Shape, value: &'v Value) -> Result<(), Mismatch> {
        if value.is_null() {
            self.violates(None, constraint::NOT_NULL.to_owned());
            return Ok(());
        }
        self.value(shape, value)
    }

    fn scalar(&mut self, shape: &'static Shape, value: &'v Value) -> Result<(), Mismatch> {
        mismatch::check(shape, value)?;
        let shown = if constraint::is_sensitive(shape) {
            None
        } else {
            Some(value)
        };
        for constraint in constraint::violated(shape, value) {
            self.violations.push(match shown {
                Some(value) => Violation::of(value, &self.path, constraint),
                None => Violation::of_secret(&self.path, constraint),
            });
        }
        Ok(())
    }

    fn violates_all(&mut self, value: &'v Value, constraints: Vec<String>) {
        for constraint in constraints {
            self.violates(Some(value), constraint);
        }
    }

    fn violates(&mut self, value: Option<&'v Value>, constraint: String) {
        let value = value.unwrap_or(&Value::Null);
        self.violations
            .push(Violation::of(value, &self.path, constraint));
    }
}

/// The value of a member, if it has one.
fn set(object: &Map<String, Value>, member: Member) -> Option<&Value> {
    object.get(member.name()).filter(|value| !value.is_null())
}
