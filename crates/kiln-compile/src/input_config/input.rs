//! One input: a bare shape, or a dictionary that says more.

use super::image::Found;
use super::{Dtype, Input, InputConfigError, Mistake, Rules, shape};
use crate::literal::{Entry, Literal, Value};

/// Reads what describes one input. `subject` is how messages call it.
pub(super) fn read(
    name: Option<String>,
    subject: &str,
    literal: &Literal,
    rules: Rules,
) -> Result<Input, InputConfigError> {
    let Value::Dictionary(entries) = &literal.value else {
        return Ok(Input {
            name,
            shape: shape::read(literal, subject, false)?,
            default_shape: None,
            dtype: None,
            image: None,
        });
    };
    Extended::sort(entries, subject, rules)?.input(name, subject, literal, rules)
}

/// The entries of the extended form, each in its place.
#[derive(Default)]
struct Extended<'a> {
    shape: Option<&'a Literal>,
    default_shape: Option<&'a Literal>,
    dtype: Option<&'a Literal>,
    image: Found<'a>,
}

impl<'a> Extended<'a> {
    fn sort(entries: &'a [Entry], subject: &str, rules: Rules) -> Result<Self, InputConfigError> {
        let mut sorted = Self::default();
        for entry in entries {
            let (place, for_core_ml) = match entry.key.as_str() {
                "shape" => (&mut sorted.shape, false),
                "dtype" | "DTYPE" => (&mut sorted.dtype, false),
                "default_shape" => (&mut sorted.default_shape, true),
                "type" => (&mut sorted.image.kind, true),
                "bias" => (&mut sorted.image.bias, true),
                "scale" => (&mut sorted.image.scale, true),
                _ => {
                    let (input, key) = (subject.to_owned(), entry.key.clone());
                    return Err(Mistake::UnknownKey { input, key }.at(entry.at));
                }
            };
            if for_core_ml && !rules.core_ml {
                let (input, key) = (subject.to_owned(), entry.key.clone());
                return Err(Mistake::CoreMlOnly { input, key }.at(entry.at));
            }
            if place.replace(&entry.value).is_some() {
                let (input, key) = (subject.to_owned(), entry.key.clone());
                return Err(Mistake::Twice { input, key }.at(entry.at));
            }
        }
        Ok(sorted)
    }

    fn input(
        &self,
        name: Option<String>,
        subject: &str,
        whole: &Literal,
        rules: Rules,
    ) -> Result<Input, InputConfigError> {
        let Some(given) = self.shape else {
            return Err(Mistake::NoShape(subject.to_owned()).at(whole.at));
        };
        let shape = shape::read(given, subject, rules.core_ml)?;
        let default_shape = match self.default_shape {
            None => None,
            Some(given) => {
                let sizes = shape::read_fixed(given, subject)?;
                if !shape.admits(&sizes) {
                    return Err(Mistake::DefaultShape(subject.to_owned()).at(given.at));
                }
                Some(sizes)
            }
        };
        Ok(Input {
            name,
            shape,
            default_shape,
            dtype: self.dtype.map(|given| dtype(given, subject)).transpose()?,
            image: self.image.image(whole, subject)?,
        })
    }
}

fn dtype(literal: &Literal, subject: &str) -> Result<Dtype, InputConfigError> {
    let input = subject.to_owned();
    let mistake = match &literal.value {
        Value::Text(name) => match Dtype::parse(name) {
            Some(dtype) => return Ok(dtype),
            None => Mistake::Dtype {
                input,
                dtype: name.clone(),
            },
        },
        _ => Mistake::WrongKind {
            input,
            key: "dtype",
            expected: "a string",
            found: literal.kind(),
        },
    };
    Err(mistake.at(literal.at))
}
