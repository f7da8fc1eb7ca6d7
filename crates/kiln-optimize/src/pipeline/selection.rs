//! Which tensors of a model are quantized, and which linear layers its new `config.json`
//! says are not.

use serde_json::Value;

use crate::OptimizeError;
use crate::layout::Layout;
use crate::model::Model;
use crate::options::{Activations, Quantization};
use crate::quantize::Granularity;
use crate::safetensors::Tensor;

/// AWQ and GPTQ put so many outputs into a word.
const OUTPUTS_IN_A_WORD: usize = 8;

/// What is quantized.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The numbers of the tensors that are.
    pub quantized: Vec<usize>,
    /// The names of the layers that are not, though a reader might think so.
    pub ignored: Vec<String>,
}

/// Chooses the weights of linear layers that are not ignored, and makes sure that they
/// can be quantized.
pub fn select(model: &Model, quantization: &Quantization) -> Result<Selection, OptimizeError> {
    if let Some(method) = model.config().quantized() {
        return Err(OptimizeError::Unsupported(format!(
            "the model is quantized already, by {method}, and a quantized model cannot be \
             quantized again"
        )));
    }
    let is_static = quantization.activations == Activations::Static;
    let mut selection = Selection::default();
    let is_tied = model.config().raw.get("tie_word_embeddings") == Some(&Value::Bool(true));
    for linear in model.linears() {
        if is_tied && linear.module == HEAD {
            // It is the embeddings' weight again, which readers take in its place.
            continue;
        }
        // Fixed scales of activations are found by running the layers, and heads are in none.
        let cannot_be_run = is_static && linear.layer.is_none();
        if cannot_be_run || quantization.ignore.matches(&linear.module) {
            continue;
        }
        let tensor = &model.tensors()[linear.tensor];
        check_shape(tensor, quantization).map_err(OptimizeError::Unsupported)?;
        selection.quantized.push(linear.tensor);
    }
    if selection.quantized.is_empty() {
        return Err(OptimizeError::Unsupported(format!(
            "the model has no linear layer to quantize but those that are ignored ({})",
            quantization.ignore.words()
        )));
    }
    let others = model.tensors().iter().enumerate();
    let others = others.filter(|(number, _)| selection.quantized.binary_search(number).is_err());
    let others = others.filter_map(|(_, tensor)| linear_to_readers(tensor));
    selection.ignored = others.map(str::to_owned).collect();
    if model.find(&format!("{HEAD}.weight")).is_none() {
        // Where the head shares the embeddings' weight, readers make a linear layer of it.
        selection.ignored.push(HEAD.to_owned());
    }
    Ok(selection)
}

/// The layer that makes logits.
const HEAD: &str = "lm_head";

/// The layer whose weight this is, if a reader might take it for a linear one: all but
/// embeddings have two dimensions for no other reason.
fn linear_to_readers(tensor: &Tensor) -> Option<&str> {
    let module = tensor.name.strip_suffix(".weight")?;
    let last = module.rsplit('.').next().unwrap_or(module);
    let is_embedding = last.contains("embed") || matches!(last, "wte" | "wpe");
    (tensor.shape.len() == 2 && !is_embedding).then_some(module)
}

/// That a weight's shape goes into the layout.
fn check_shape(tensor: &Tensor, quantization: &Quantization) -> Result<(), String> {
    let (outputs, inputs) = (tensor.shape[0], tensor.shape[1]);
    if let Granularity::Group(size) = quantization.scheme.granularity
        && inputs % size != 0
    {
        return Err(format!(
            "{} has {inputs} inputs, which groups of {size} do not divide; choose smaller groups, \
             or have the layer ignored",
            tensor.name
        ));
    }
    let transposed = matches!(quantization.layout, Layout::Awq | Layout::Gptq);
    if transposed && outputs % OUTPUTS_IN_A_WORD != 0 {
        return Err(format!(
            "{} has {outputs} outputs, and the layout of {} takes multiples of \
             {OUTPUTS_IN_A_WORD}; choose another method, or have the layer ignored",
            tensor.name, quantization.method
        ));
    }
    Ok(())
}
