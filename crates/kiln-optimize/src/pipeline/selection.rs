//! Which tensors of a model are quantized, and which linear layers its new `config.json`
//! says are not.

use serde_json::Value;

use crate::OptimizeError;
use crate::layout::Layout;
use crate::model::{Model, module};
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
    model.expect_unquantized("be quantized again")?;
    let is_static = quantization.activations == Activations::Static;
    let mut selection = Selection::default();
    let shared = shared_head(model);
    for linear in model.linears() {
        let tensor = &model.tensors()[linear.tensor];
        let module = module(tensor);
        if Some(module) == shared {
            // It is the embeddings' weight again, which readers take in its place.
            continue;
        }
        // Fixed scales of activations are found by running the layers, and heads are in none.
        let cannot_be_run = is_static && linear.layer.is_none();
        if cannot_be_run || quantization.ignore.matches(module) {
            continue;
        }
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
    if let Some(head) = shared
        && model.find(&format!("{head}.weight")).is_none()
    {
        // Readers make a linear layer of it nonetheless.
        selection.ignored.push(head.to_owned());
    }
    Ok(selection)
}

/// The layer that makes logits in most decoders.
const HEAD: &str = "lm_head";

/// The layers that make logits in encoders, each behind what else is in their heads, and
/// without which there is none.
const HEADS_OF_ENCODERS: [(&str, &str); 3] = [
    ("cls.predictions.", "cls.predictions.decoder"),
    ("lm_head.dense.", "lm_head.decoder"),
    ("vocab_projector.", "vocab_projector"),
];

/// The layer that makes logits, if its weight is that of the embeddings.
fn shared_head(model: &Model) -> Option<&'static str> {
    let begins = |start: &str| {
        let mut tensors = model.tensors().iter();
        tensors.any(|tensor| tensor.name.starts_with(start))
    };
    let encoders = HEADS_OF_ENCODERS.into_iter();
    let encoders = encoders.filter_map(|(start, head)| begins(start).then_some((head, true)));
    // Encoders share it unless they say that they do not, and decoders if they say so.
    let is_encoder = model.config().family.is_encoder();
    let none = (!is_encoder).then_some((HEAD, false));
    let (head, by_default) = encoders.chain(none).next()?;
    let said = model.config().raw.get("tie_word_embeddings");
    let is_tied = said.and_then(Value::as_bool).unwrap_or(by_default);
    let is_there = model.find(&format!("{head}.weight")).is_some();
    (is_tied || !is_there).then_some(head)
}

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::model::sample;
    use crate::options::quantization_of;

    /// A family, tensors beside a layer, what is said of them, and what is quantized and
    /// ignored of them.
    type Case = (
        &'static str,
        &'static [&'static str],
        Option<bool>,
        &'static [&'static str],
        &'static [&'static str],
    );

    #[test]
    fn heads_that_share_the_embeddings_stay_as_they_are() {
        let cases: [Case; 7] = [
            ("llama", &["lm_head.weight"], None, &["lm_head.weight"], &[]),
            ("llama", &["lm_head.weight"], Some(true), &[], &["lm_head"]),
            ("llama", &[], None, &[], &["lm_head"]),
            ("bert", &[], None, &[], &[]),
            (
                "bert",
                &["cls.predictions.bias"],
                None,
                &[],
                &["cls.predictions.decoder"],
            ),
            (
                "bert",
                &["cls.predictions.bias", "cls.predictions.decoder.weight"],
                None,
                &[],
                &["cls.predictions.decoder"],
            ),
            (
                "bert",
                &["cls.predictions.bias", "cls.predictions.decoder.weight"],
                Some(false),
                &["cls.predictions.decoder.weight"],
                &[],
            ),
        ];
        for (kind, more, tied, quantized, ignored) in cases {
            let home = tempfile::tempdir().unwrap();
            let mut config = sample::config(kind);
            if let Some(tied) = tied {
                config["tie_word_embeddings"] = json!(tied);
            }
            let layer = match kind {
                "bert" => "encoder.layer.0.attention.self.query.weight",
                _ => "model.layers.0.self_attn.q_proj.weight",
            };
            let names = more.iter().copied().chain([layer]);
            let tensors = names.map(|name| {
                let shape = if name.ends_with("bias") {
                    vec![64]
                } else {
                    vec![64, 64]
                };
                (name.to_owned(), shape)
            });
            let tensors = tensors.collect::<BTreeMap<_, _>>();
            sample::write(home.path(), &config, &tensors);
            let model = Model::open(home.path()).unwrap();
            let asked = [("QUANTIZE", "int8"), ("IGNORE", "nothing")];
            let found = select(&model, &quantization_of(&asked)).unwrap();
            let names = found.quantized.iter();
            let names = names.map(|number| model.tensors()[*number].name.as_str());
            let heads: Vec<&str> = names.filter(|name| more.contains(name)).collect();
            assert_eq!(heads, quantized, "{kind} {more:?} {tied:?}");
            assert_eq!(found.ignored, ignored, "{kind} {more:?} {tied:?}");
        }
    }
}
