//! Whether what a request says of the inputs fits the model, and what both
//! together say of them.

mod error;
#[cfg(test)]
mod tests;

use super::{Dimension, Input, InputConfig, Shape};
use crate::framework::{Framework, Layout};

pub use error::FitError;

impl InputConfig {
    /// What this, as a request gave it, and the model's own inputs say together:
    /// in the model's order, with the model's names, in the model's layout.
    ///
    /// # Errors
    ///
    /// If they contradict each other.
    pub fn fit(&self, model: &Self, framework: Framework) -> Result<Self, FitError> {
        let inputs = pairs(self, model)?
            .into_iter()
            .map(|(given, model)| together(given, model, framework))
            .collect::<Result<_, _>>()?;
        Ok(Self { inputs })
    }
}

/// Each input of the model with what was given for it, by name or by order.
fn pairs<'a>(
    given: &'a InputConfig,
    model: &'a InputConfig,
) -> Result<Vec<(&'a Input, &'a Input)>, FitError> {
    let by_order = given.inputs.iter().any(|input| input.name.is_none());
    if by_order {
        return match given.inputs.len() == model.inputs.len() {
            true => Ok(given.inputs.iter().zip(&model.inputs).collect()),
            false => Err(FitError::Count {
                given: given.inputs.len(),
                inputs: names(model),
            }),
        };
    }
    let is_model = |input: &&Input| model.inputs.iter().any(|it| same_name(it, input));
    if let Some(unknown) = given.inputs.iter().find(|input| !is_model(input)) {
        return Err(FitError::Unknown {
            name: name(unknown),
            inputs: names(model),
        });
    }
    let given_for = |input: &'a Input| {
        let mut candidates = given.inputs.iter();
        candidates
            .find(|given| same_name(input, given))
            .map(|given| (given, input))
            .ok_or_else(|| FitError::Missing(name(input)))
    };
    model.inputs.iter().map(given_for).collect()
}

/// TensorFlow's users may write the tensor, `x:0`, or its operation, `x`.
fn same_name(left: &Input, right: &Input) -> bool {
    fn bare(input: &Input) -> Option<&str> {
        let name = input.name.as_deref()?;
        Some(name.strip_suffix(":0").unwrap_or(name))
    }
    bare(left) == bare(right)
}

fn together(given: &Input, model: &Input, framework: Framework) -> Result<Input, FitError> {
    let shape = shape_together(given, model, framework)?;
    if let (Some(wanted), Some(found)) = (given.dtype, model.dtype)
        && wanted != found
    {
        return Err(FitError::Dtype {
            name: name(model),
            given: wanted.name(),
            model: found.name(),
        });
    }
    Ok(Input {
        name: model.name.clone(),
        shape,
        default_shape: given.default_shape.clone(),
        dtype: given.dtype.or(model.dtype),
        image: given.image.clone(),
    })
}

fn shape_together(given: &Input, model: &Input, framework: Framework) -> Result<Shape, FitError> {
    let turned = given.shape.channels_last();
    if framework == Framework::Keras && turned != given.shape {
        return match (
            meet(&turned, &model.shape),
            meet(&given.shape, &model.shape),
        ) {
            (Some(shape), _) => Ok(shape),
            // A Keras model may have its channels first, too.
            (None, Some(shape)) if channels_first(&model.shape) => Ok(shape),
            _ => Err(wrong(given, model, framework)),
        };
    }
    meet(&given.shape, &model.shape).ok_or_else(|| wrong(given, model, framework))
}

/// The shape that is both, if there is one.
fn meet(given: &Shape, model: &Shape) -> Option<Shape> {
    match (given, model) {
        (Shape::One(given), Shape::One(model)) if given.len() == model.len() => {
            let dimensions = given.iter().zip(model);
            let met = dimensions.map(|(given, model)| meet_dimension(*given, *model));
            met.collect::<Option<_>>().map(Shape::One)
        }
        (Shape::Enumerated(shapes), _) => {
            let all = shapes.iter().all(|shape| model.admits(shape));
            all.then(|| given.clone())
        }
        _ => None,
    }
}

fn meet_dimension(given: Dimension, model: Dimension) -> Option<Dimension> {
    match (given, model) {
        (Dimension::Open, model) => Some(model),
        (given, Dimension::Open) => Some(given),
        (Dimension::Fixed(size), other) | (other, Dimension::Fixed(size)) => {
            other.admits(size).then_some(Dimension::Fixed(size))
        }
        (given @ Dimension::Range { .. }, Dimension::Range { .. }) => Some(given),
    }
}

/// Images have fewer channels than columns.
fn channels_first(shape: &Shape) -> bool {
    match shape {
        Shape::One(dimensions) => {
            matches!(dimensions[..], [_, first, _, last] if first.example() <= last.example())
        }
        Shape::Enumerated(_) => false,
    }
}

/// What is said depends on whether it would fit with its axes in another order.
fn wrong(given: &Input, model: &Input, framework: Framework) -> FitError {
    let (given_shape, model_shape) = (&given.shape, &model.shape);
    let turned = match framework.layout() {
        // Turned before it is compared, it should not be as the model has it.
        Layout::Nchw if framework == Framework::Keras => meet(given_shape, model_shape),
        Layout::Nchw => meet(given_shape, &model_shape.channels_last()),
        Layout::Nhwc => meet(&given_shape.channels_last(), model_shape),
    };
    match turned {
        Some(_) => FitError::Layout {
            name: name(model),
            layout: framework.layout().name(),
        },
        None => FitError::Shape {
            name: name(model),
            given: given_shape.to_string(),
            model: model_shape.to_string(),
        },
    }
}

fn name(input: &Input) -> String {
    input
        .name
        .clone()
        .unwrap_or_else(|| "without a name".to_owned())
}

fn names(config: &InputConfig) -> String {
    let names: Vec<_> = config
        .inputs
        .iter()
        .map(|input| format!("'{}'", name(input)))
        .collect();
    names.join(", ")
}
