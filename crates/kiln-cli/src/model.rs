//! The form of the table of operations and shapes, and how it is read. The table
//! itself is generated, and nothing of it is built at start.

use crate::generated::operations::OPERATIONS;
use crate::generated::shapes::SHAPES;

/// An operation that Kiln serves.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) input: u16,
    pub(crate) output: Option<u16>,
}

/// What a value may be. Shapes are mentioned by number.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The least length or value.
    pub(crate) min: Option<f64>,
}

/// The kinds of value.
#[derive(Debug)]
pub(crate) enum Kind {
    Structure {
        members: &'static [(&'static str, u16)],
        required: &'static [&'static str],
        /// Whether exactly one member is set.
        union: bool,
    },
    List(u16),
    Map {
        key: u16,
        value: u16,
    },
    /// Text, with its values if it is an enum.
    String(&'static [&'static str]),
    Integer,
    Long,
    Float,
    Boolean,
    Timestamp,
}

/// A member of a structure.
pub(crate) type Member = (&'static str, u16);

/// Finds an operation by the name that the command line gives it.
pub(crate) fn by_command(command: &str) -> Option<&'static Operation> {
    OPERATIONS
        .iter()
        .find(|operation| hyphenated(operation.name) == command)
}

/// Finds an operation by its name.
pub(crate) fn by_name(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// The shape with a number.
pub(crate) fn shape(number: u16) -> &'static Shape {
    &SHAPES[usize::from(number)]
}

impl Operation {
    /// The members of the request, in the order of the model.
    pub(crate) fn members(&self) -> &'static [Member] {
        shape(self.input).members()
    }

    /// The members that a request must have.
    pub(crate) fn required(&self) -> &'static [&'static str] {
        match &shape(self.input).kind {
            Kind::Structure { required, .. } => required,
            _ => &[],
        }
    }
}

impl Shape {
    /// The members of a structure; none of anything else.
    pub(crate) fn members(&self) -> &'static [Member] {
        match &self.kind {
            Kind::Structure { members, .. } => members,
            _ => &[],
        }
    }

    /// The shape of a member of a structure.
    pub(crate) fn member(&self, name: &str) -> Option<&'static Shape> {
        self.member_number(name).map(shape)
    }

    /// The number of that shape.
    pub(crate) fn member_number(&self, name: &str) -> Option<u16> {
        let found = self.members().iter().find(|(member, _)| *member == name);
        found.map(|(_, number)| *number)
    }

    /// Whether values are made of further values.
    pub(crate) fn is_complex(&self) -> bool {
        matches!(
            self.kind,
            Kind::Structure { .. } | Kind::List(_) | Kind::Map { .. }
        )
    }
}

/// `CreateAIBenchmarkJob` as `create-ai-benchmark-job`: a word begins at a capital
/// after which comes a small letter, and at a capital after a small letter or digit.
pub(crate) fn hyphenated(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 8);
    for (place, &letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(place + 1);
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before != '-'
                    && (!before.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase))
            });
        if begins {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hyphenated_as_the_aws_cli_does() {
        for (name, expected) in [
            ("CreateTrainingJob", "create-training-job"),
            ("CreateAIBenchmarkJob", "create-ai-benchmark-job"),
            ("CreateAutoMLJobV2", "create-auto-ml-job-v2"),
            ("TrainingPlanArnEquals", "training-plan-arn-equals"),
            ("S3OutputPath", "s3-output-path"),
        ] {
            assert_eq!(hyphenated(name), expected);
        }
    }

    #[test]
    fn every_mention_is_of_something() {
        for operation in &OPERATIONS {
            assert!(by_command(&hyphenated(operation.name)).is_some());
            for required in operation.required() {
                assert!(shape(operation.input).member(required).is_some());
            }
        }
        for entry in &SHAPES {
            for (_, number) in entry.members() {
                let _ = shape(*number);
            }
            match entry.kind {
                Kind::List(item) => drop(shape(item)),
                Kind::Map { key, value } => drop((shape(key), shape(value))),
                _ => {}
            }
        }
    }
}
