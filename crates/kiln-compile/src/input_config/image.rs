//! Image inputs, which Core ML knows: pixels come in, and a bias and a scale make
//! of them what the model was trained with.

use super::{InputConfigError, Mistake};
use crate::literal::{Literal, Value};

/// How pixels become a model's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// What is added to each channel, after scaling.
    pub bias: Vec<f64>,
    /// What each pixel is multiplied by.
    pub scale: f64,
}

/// What was found of an image in the dictionary that describes an input.
#[derive(Default)]
pub(super) struct Found<'a> {
    pub(super) kind: Option<&'a Literal>,
    pub(super) bias: Option<&'a Literal>,
    pub(super) scale: Option<&'a Literal>,
}

impl Found<'_> {
    /// The image, if the input is one.
    pub(super) fn image(
        &self,
        whole: &Literal,
        input: &str,
    ) -> Result<Option<Image>, InputConfigError> {
        if !self.is_image(input)? {
            return self.expect_nothing_else(input).map(|()| None);
        }
        let needed = |key| Mistake::ImageNeeds {
            input: input.to_owned(),
            key,
        };
        let bias = self.bias.ok_or_else(|| needed("bias").at(whole.at))?;
        let scale = self.scale.ok_or_else(|| needed("scale").at(whole.at))?;
        let scale = number(scale).ok_or_else(|| wrong("scale", "a number", scale, input))?;
        let bias = vector(bias).ok_or_else(|| wrong("bias", "a list of numbers", bias, input))?;
        Ok(Some(Image { bias, scale }))
    }

    fn is_image(&self, input: &str) -> Result<bool, InputConfigError> {
        let Some(kind) = self.kind else {
            return Ok(false);
        };
        match &kind.value {
            Value::Text(text) if text.eq_ignore_ascii_case("image") => Ok(true),
            Value::Text(text) if text.eq_ignore_ascii_case("tensor") => Ok(false),
            _ => Err(Mistake::Type(input.to_owned()).at(kind.at)),
        }
    }

    fn expect_nothing_else(&self, input: &str) -> Result<(), InputConfigError> {
        for (key, found) in [("bias", self.bias), ("scale", self.scale)] {
            if let Some(found) = found {
                let input = input.to_owned();
                return Err(Mistake::NotAnImage { input, key }.at(found.at));
            }
        }
        Ok(())
    }
}

fn number(literal: &Literal) -> Option<f64> {
    match literal.value {
        #[expect(clippy::cast_precision_loss, reason = "a bias of 2^53 is no bias")]
        Value::Integer(integer) => Some(integer as f64),
        Value::Float(float) => Some(float),
        _ => None,
    }
}

fn vector(literal: &Literal) -> Option<Vec<f64>> {
    match &literal.value {
        Value::List(elements) if !elements.is_empty() => elements.iter().map(number).collect(),
        _ => None,
    }
}

fn wrong(
    key: &'static str,
    expected: &'static str,
    found: &Literal,
    input: &str,
) -> InputConfigError {
    Mistake::WrongKind {
        input: input.to_owned(),
        key,
        expected,
        found: found.kind(),
    }
    .at(found.at)
}
