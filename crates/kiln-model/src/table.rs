//! The form of the constraint table, and how an operation is found in it. The
//! table itself is generated.

use crate::generated::operations::OPERATIONS;
use crate::generated::patterns::PATTERNS;
use crate::generated::shapes::SHAPES;
use crate::pattern::Pattern;

/// An operation of the service, whether Kiln serves it or not.
#[derive(Debug)]
pub struct Operation {
    pub(crate) name: &'static str,
    pub(crate) input: u16,
}

impl Operation {
    /// The operation's name, as in `X-Amz-Target` after the dot.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn input(&self) -> &'static Shape {
        shape(self.input)
    }
}

/// Finds an operation by name.
pub fn operation(name: &str) -> Option<&'static Operation> {
    let place = OPERATIONS.binary_search_by(|operation| operation.name.cmp(name));
    place.ok().map(|place| &OPERATIONS[place])
}

/// Every operation of the service, by name.
pub fn operations() -> &'static [Operation] {
    &OPERATIONS
}

/// The shape with a number.
pub(crate) fn shape(number: u16) -> &'static Shape {
    &SHAPES[usize::from(number)]
}

/// The pattern with a number.
pub(crate) fn pattern(number: u16) -> &'static Pattern {
    &PATTERNS[usize::from(number)]
}

/// What a value of a request may be. Shapes and patterns are mentioned by number.
#[derive(Debug)]
pub(crate) enum Shape {
    Structure(&'static [Member]),
    /// A structure of which exactly one member is set.
    Union(&'static [Member]),
    List {
        member: u16,
        length: Bounds<u64>,
    },
    Map {
        key: u16,
        value: u16,
        length: Bounds<u64>,
    },
    String {
        length: Bounds<u64>,
        pattern: Option<u16>,
        sensitive: bool,
    },
    Enum(&'static [&'static str]),
    Integer(Bounds<i64>),
    Long(Bounds<i64>),
    Float(Bounds<f64>),
    Double(Bounds<f64>),
    Boolean,
    Timestamp,
}

/// A structure's member: its name on the wire and its shape.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member {
    Required(&'static str, u16),
    Optional(&'static str, u16),
}

impl Member {
    pub(crate) const fn name(self) -> &'static str {
        let (Self::Required(name, _) | Self::Optional(name, _)) = self;
        name
    }

    pub(crate) fn shape(self) -> &'static Shape {
        let (Self::Required(_, number) | Self::Optional(_, number)) = self;
        shape(number)
    }

    pub(crate) const fn is_required(self) -> bool {
        matches!(self, Self::Required(..))
    }
}

/// The least and greatest length or value, both inclusive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<T> {
    pub(crate) min: Option<T>,
    pub(crate) max: Option<T>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_their_exact_name() {
        for known in operations() {
            assert_eq!(operation(known.name()).unwrap().name(), known.name());
        }
        assert!(operations().len() > 390);
        for unknown in ["", "MakeTea", "createTrainingJob", "CreateTrainingJob "] {
            assert!(operation(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn every_mention_is_of_something() {
        for operation in operations() {
            assert!(matches!(operation.input(), Shape::Structure(_)));
        }
        for entry in &SHAPES {
            match entry {
                Shape::Structure(members) | Shape::Union(members) => {
                    for member in *members {
                        let _ = member.shape();
                    }
                }
                Shape::List { member, .. } => {
                    let _ = shape(*member);
                }
                Shape::Map { key, value, .. } => {
                    let _ = (shape(*key), shape(*value));
                }
                Shape::String {
                    pattern: number, ..
                } => {
                    let _ = number.map(pattern);
                }
                _ => {}
            }
        }
    }
}
