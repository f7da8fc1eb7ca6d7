//! What an exporter is told: `order.json`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Export, ExportError};
use crate::archive::ModelFiles;
use crate::input_config::{Dimension, Image, Input, Shape, channels_last};

#[derive(Serialize)]
struct Order<'a> {
    format: &'static str,
    model: &'a Path,
    inputs: Option<Vec<Described<'a>>>,
    dtype: Option<&'static str>,
    signature: Option<&'a str>,
    outputs: &'a [String],
    samples: &'a [PathBuf],
    labels: Option<&'a Path>,
}

/// An input as the request describes it.
#[derive(Serialize)]
struct Described<'a> {
    name: Option<&'a str>,
    dtype: Option<&'static str>,
    #[serde(flatten)]
    sizes: Sizes,
    /// The same sizes with the channels last, which Keras's models want first.
    turned: Option<Sizes>,
    image: Option<Value>,
}

/// The sizes of an input.
#[derive(Serialize)]
struct Sizes {
    /// Those that are known, whichever shape it is.
    shape: Vec<Value>,
    /// All shapes, where there are several.
    enumerated: Option<Vec<Vec<u64>>>,
    /// The shape to use where a caller gives none.
    default_shape: Option<Vec<u64>>,
}

/// Writes the order into the exporter's folder.
pub(super) fn write(export: &Export<'_>, folder: &Path) -> Result<(), ExportError> {
    let text = serde_json::to_vec(&order(export)?)?;
    std::fs::write(folder.join("order.json"), text)
        .map_err(ExportError::io("writing the exporter's order"))
}

fn order<'a>(export: &Export<'a>) -> Result<Order<'a>, ExportError> {
    let (format, model) = match export.files {
        ModelFiles::TorchScript(path) => ("torchscript", path),
        ModelFiles::ExportedProgram(path) => ("exported-program", path),
        ModelFiles::SavedModel(path) => ("saved-model", path),
        ModelFiles::FrozenGraph(path) => ("frozen-graph", path),
        ModelFiles::Keras(path) => ("keras", path),
        other => return Err(ExportError::Unknown(format!("{other:?}"))),
    };
    let signature = export.options.signature_def_key.as_deref();
    if let (Some(_), ModelFiles::FrozenGraph(_)) = (signature, export.files) {
        let reason = "CompilerOptions 'signature_def_key' is not supported for frozen graphs, \
                      which have no signatures. It goes with a SavedModel";
        return Err(ExportError::Refused(reason.to_owned()));
    }
    let turns = matches!(export.files, ModelFiles::Keras(_));
    let described = |input| described(input, turns);
    Ok(Order {
        format,
        model,
        inputs: export
            .inputs
            .map(|config| config.inputs.iter().map(described).collect()),
        dtype: export.options.dtype.map(|dtype| dtype.name()),
        signature,
        outputs: &export.options.output_names,
        samples: export.samples,
        labels: export.class_labels,
    })
}

fn described(input: &Input, turns: bool) -> Described<'_> {
    Described {
        name: input.name.as_deref(),
        dtype: input.dtype.map(|dtype| dtype.name()),
        sizes: sizes(&input.shape, input.default_shape.clone()),
        turned: turns.then(|| {
            let usual = input.default_shape.as_deref().map(channels_last);
            sizes(&input.shape.channels_last(), usual)
        }),
        image: input.image.as_ref().map(pixels),
    }
}

fn pixels(image: &Image) -> Value {
    json!({"bias": image.bias, "scale": image.scale})
}

fn sizes(shape: &Shape, default_shape: Option<Vec<u64>>) -> Sizes {
    let (shape, enumerated) = match shape {
        Shape::One(dimensions) => (dimensions.iter().map(size).collect(), None),
        Shape::Enumerated(shapes) => (common(shapes), Some(shapes.clone())),
    };
    Sizes {
        shape,
        enumerated,
        default_shape,
    }
}

/// The sizes that several shapes have in common.
fn common(shapes: &[Vec<u64>]) -> Vec<Value> {
    let first = shapes.first().into_iter().flatten().enumerate();
    let alike = |place: usize, size| shapes.iter().all(|shape| shape.get(place) == Some(size));
    let sizes = first.map(|(place, size)| match alike(place, size) {
        true => json!(size),
        false => Value::Null,
    });
    sizes.collect()
}

fn size(dimension: &Dimension) -> Value {
    match dimension {
        Dimension::Fixed(size) => json!(size),
        Dimension::Open => Value::Null,
        Dimension::Range { least, most } => json!([least, most]),
    }
}
