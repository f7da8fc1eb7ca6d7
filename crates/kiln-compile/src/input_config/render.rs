//! Writes what was derived from a model as a `DataInputConfig`, so that it can be
//! given to another job.

use serde_json::{Map, Value, json};

use super::{Dimension, Input, InputConfig, Shape};

impl InputConfig {
    /// The inputs as JSON: a dictionary of shapes, or a list of them if an input
    /// has no name.
    #[must_use]
    pub fn render(&self) -> String {
        // The order of the inputs matters, which a map of values would forget.
        let named: Option<Vec<_>> = self
            .inputs
            .iter()
            .map(|input| {
                let name = json!(input.name.as_ref()?);
                Some(format!("{name}: {}", description(input)))
            })
            .collect();
        match named {
            Some(named) => format!("{{{}}}", named.join(", ")),
            None => Value::Array(self.inputs.iter().map(description).collect()).to_string(),
        }
    }
}

fn description(input: &Input) -> Value {
    let Input {
        name: _,
        shape,
        default_shape,
        dtype,
        image,
    } = input;
    let mut description = Map::new();
    description.insert("shape".to_owned(), self::shape(shape));
    if let Some(default) = default_shape {
        description.insert("default_shape".to_owned(), json!(default));
    }
    if let Some(dtype) = dtype {
        description.insert("dtype".to_owned(), json!(dtype.name()));
    }
    if let Some(image) = image {
        description.insert("type".to_owned(), json!("Image"));
        description.insert("bias".to_owned(), json!(image.bias));
        description.insert("scale".to_owned(), json!(image.scale));
    }
    // A shape alone is written in the short form, which more readers know.
    match (description.len(), shape) {
        (1, Shape::One(_)) => self::shape(shape),
        _ => Value::Object(description),
    }
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::One(dimensions) => dimensions.iter().map(dimension).collect(),
        Shape::Enumerated(shapes) => json!(shapes),
    }
}

fn dimension(dimension: &Dimension) -> Value {
    match dimension {
        Dimension::Fixed(size) => json!(size),
        Dimension::Open => json!(-1),
        Dimension::Range { .. } => json!(dimension.to_string()),
    }
}
