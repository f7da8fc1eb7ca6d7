//! Layers that vLLM makes one of, and so reads only where all of them are quantized or none.

use std::collections::BTreeSet;

use super::selection::Selection;
use crate::model::Model;

/// What vLLM calls such a layer, and its parts.
const FUSED: [(&str, &[&str]); 2] = [
    ("qkv_proj", &["q_proj", "k_proj", "v_proj"]),
    ("gate_up_proj", &["gate_proj", "up_proj"]),
];

/// The layers that vLLM makes of layers that are all ignored: it looks for the one name.
pub fn wholly_ignored(ignored: &[String]) -> impl Iterator<Item = String> {
    let whole = |name: &str, (whole, parts): (&str, &[&str])| {
        let stem = name.strip_suffix(parts[0])?;
        let is_ignored = |part: &&str| ignored.contains(&format!("{stem}{part}"));
        (stem.ends_with('.') && parts.iter().all(is_ignored)).then(|| format!("{stem}{whole}"))
    };
    let each = ignored.iter();
    each.flat_map(move |name| {
        FUSED
            .into_iter()
            .filter_map(move |fused| whole(name, fused))
    })
}

/// That vLLM refuses the result, where some parts of such layers are quantized and others not.
pub fn remark(model: &Model, selection: &Selection) -> Option<String> {
    let quantized = selection.quantized.iter();
    let quantized = quantized.map(|number| model.tensors()[*number].name.as_str());
    let quantized: BTreeSet<&str> = quantized
        .filter_map(|name| name.strip_suffix(".weight"))
        .collect();
    let mut torn = selection.ignored.iter().filter_map(|ignored| {
        let (stem, part) = ignored.rsplit_once('.')?;
        let (_, parts) = FUSED.iter().find(|(_, parts)| parts.contains(&part))?;
        let kept = |part: &&&str| quantized.contains(format!("{stem}.{part}").as_str());
        let kept = parts.iter().find(kept)?;
        Some((ignored, format!("{stem}.{kept}"), parts.join(", ")))
    });
    let (ignored, kept, parts) = torn.next()?;
    Some(format!(
        "vLLM does not read this result: it makes one layer of {parts}, and {ignored} is ignored \
         where {kept} is not. Have all parts of such a layer ignored, or none"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::selection::select;
    use super::*;
    use crate::model::sample;
    use crate::options::quantization_of;

    const PARTS: [&str; 6] = [
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
    ];

    /// What is said of a layer of which these are ignored.
    fn said(ignored: &str) -> Option<String> {
        let home = tempfile::tempdir().unwrap();
        let shapes = PARTS.iter().map(|part| {
            let name = format!("model.layers.0.{part}.weight");
            (name, vec![128, 128])
        });
        let shapes: BTreeMap<_, _> = shapes.collect();
        sample::write(home.path(), &sample::config("llama"), &shapes);
        let model = Model::open(home.path()).unwrap();
        let asked = quantization_of(&[("QUANTIZE", "gptq"), ("IGNORE", ignored)]);
        remark(&model, &select(&model, &asked).unwrap())
    }

    #[test]
    fn layers_that_are_ignored_wholly_have_one_name() {
        for (ignored, expected) in [
            (&["a.q_proj", "a.k_proj"][..], &[][..]),
            (&["a.k_proj", "a.q_proj", "a.v_proj"], &["a.qkv_proj"]),
            (
                &["a.gate_proj", "a.up_proj", "b.gate_proj", "lm_head"],
                &["a.gate_up_proj"],
            ),
        ] {
            let names: Vec<String> = ignored.iter().map(|name| (*name).to_owned()).collect();
            let found: Vec<_> = wholly_ignored(&names).collect();
            assert_eq!(found, expected, "{ignored:?}");
        }
    }

    #[test]
    fn a_layer_of_which_only_parts_are_ignored_is_told_of() {
        for (ignored, layers) in [
            ("lm_head", None),
            ("o_proj", None),
            ("q_proj,k_proj,v_proj", None),
            ("mlp.gate_proj,up_proj", None),
            ("v_proj", Some(("self_attn.v_proj", "self_attn.q_proj"))),
            (
                "q_proj,k_proj",
                Some(("self_attn.k_proj", "self_attn.v_proj")),
            ),
            ("up_proj", Some(("mlp.up_proj", "mlp.gate_proj"))),
        ] {
            let found = said(ignored);
            let expected = layers.map(|(one, other)| {
                format!("model.layers.0.{one} is ignored where model.layers.0.{other} is not")
            });
            match (&found, expected) {
                (Some(found), Some(expected)) => assert!(found.contains(&expected), "{found}"),
                (found, expected) => assert_eq!(*found, expected, "{ignored}"),
            }
        }
    }
}
