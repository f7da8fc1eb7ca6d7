//! The `config.json` of a quantized model: the model's own, and how to read its weights.

use serde_json::{Map, Value, json};

use super::fused;
use crate::layout::Layout;
use crate::options::{Activations, Calibration, Quantization};
use crate::quantize::{Granularity, Grid, Rounding};

/// The release of compressed-tensors whose format is written.
const COMPRESSED_TENSORS: &str = "0.19.0";

/// What describes the weights in a `config.json`.
pub const KEY: &str = "quantization_config";

/// The model's configuration with a description of its quantized weights. `ignored`
/// are the linear layers that were left as they are.
pub fn quantized(
    config: &Map<String, Value>,
    quantization: &Quantization,
    ignored: &[String],
) -> Map<String, Value> {
    let mut config = config.clone();
    let described = match quantization.layout {
        Layout::Awq => awq(quantization, ignored),
        Layout::Gptq => gptq(quantization, ignored),
        Layout::PackQuantized | Layout::IntQuantized | Layout::FloatQuantized => {
            compressed_tensors(quantization, ignored)
        }
    };
    config.insert(KEY.to_owned(), described);
    config
}

fn awq(quantization: &Quantization, ignored: &[String]) -> Value {
    let not_converted = (!ignored.is_empty()).then_some(ignored);
    let mut described = json!({
        "quant_method": "awq",
        "bits": quantization.bits(),
        "group_size": group_size(quantization),
        "zero_point": !is_symmetric(quantization),
        "version": "gemm",
        "modules_to_not_convert": not_converted,
    });
    if is_head_quantized(ignored) {
        // AutoAWQ never quantizes heads, and vLLM looks for a quantized one only if told.
        described["lm_head"] = json!(true);
    }
    described
}

fn gptq(quantization: &Quantization, ignored: &[String]) -> Value {
    // gptqmodel and vLLM take patterns here: `-:` leaves out what matches.
    let left_out = ignored.iter().filter(|name| *name != "lm_head").cloned();
    let left_out: Map<String, Value> = left_out
        .chain(fused::wholly_ignored(ignored))
        .map(|name| (format!("-:^{}$", name.replace('.', "\\.")), json!({})))
        .collect();
    let mut described = json!({
        "quant_method": "gptq",
        "bits": quantization.bits(),
        "group_size": group_size(quantization),
        "desc_act": false,
        "sym": is_symmetric(quantization),
        "checkpoint_format": "gptq",
        "lm_head": is_head_quantized(ignored),
    });
    if !left_out.is_empty() {
        described["dynamic"] = Value::Object(left_out);
    }
    described
}

fn compressed_tensors(quantization: &Quantization, ignored: &[String]) -> Value {
    let format = match quantization.layout {
        Layout::IntQuantized => "int-quantized",
        Layout::FloatQuantized => "float-quantized",
        _ => "pack-quantized",
    };
    // vLLM's heads are no linear layers to it: only their name says that one is quantized.
    let targets: &[&str] = match is_head_quantized(ignored) {
        true => &["Linear", "lm_head"],
        false => &["Linear"],
    };
    json!({
        "quant_method": "compressed-tensors",
        "quantization_status": "compressed",
        "version": COMPRESSED_TENSORS,
        "format": format,
        "ignore": ignored,
        "kv_cache_scheme": null,
        "global_compression_ratio": null,
        "sparsity_config": {},
        "transform_config": {},
        "config_groups": {
            "group_0": {
                "targets": targets,
                "format": format,
                "input_activations": activations(quantization),
                "output_activations": null,
                "weights": weights(quantization),
            },
        },
    })
}

fn weights(quantization: &Quantization) -> Value {
    let (strategy, group, block) = match quantization.scheme.granularity {
        Granularity::Group(size) => ("group", json!(size), Value::Null),
        Granularity::Channel => ("channel", Value::Null, Value::Null),
        Granularity::Tensor => ("tensor", Value::Null, Value::Null),
        Granularity::Block(size) => ("block", Value::Null, json!([size, size])),
    };
    let observer = match quantization.scheme.rounding {
        Rounding::Nearest => "memoryless_minmax",
        Rounding::Searched => "memoryless_mse",
    };
    let mut weights = arguments(quantization, strategy, group, is_symmetric(quantization));
    weights["block_structure"] = block;
    weights["observer"] = json!(observer);
    if quantization.calibration == Calibration::Gptq {
        // The order in which columns were taken is no matter of who reads them.
        weights["actorder"] = json!("static");
    }
    if !is_symmetric(quantization) {
        weights["zp_dtype"] = json!("torch.int8");
    }
    weights
}

fn activations(quantization: &Quantization) -> Value {
    let (strategy, group, dynamic) = match quantization.activations {
        Activations::Untouched => return Value::Null,
        Activations::PerToken => ("token", Value::Null, true),
        Activations::PerGroup(size) => ("group", json!(size), true),
        Activations::Static => ("tensor", Value::Null, false),
    };
    let mut activations = arguments(quantization, strategy, group, true);
    activations["dynamic"] = json!(dynamic);
    if !dynamic {
        activations["observer"] = json!("static_minmax");
    }
    activations
}

/// What is said of weights and of activations alike.
fn arguments(quantization: &Quantization, strategy: &str, group: Value, symmetric: bool) -> Value {
    let kind = match quantization.scheme.grid {
        Grid::Int { .. } => "int",
        Grid::Fp8 => "float",
    };
    json!({
        "num_bits": quantization.bits(),
        "type": kind,
        "symmetric": symmetric,
        "strategy": strategy,
        "group_size": group,
        "block_structure": null,
        "dynamic": false,
        "actorder": null,
        "observer": null,
        "observer_kwargs": {},
        "scale_dtype": null,
        "zp_dtype": null,
    })
}

fn is_head_quantized(ignored: &[String]) -> bool {
    !ignored.iter().any(|name| name == "lm_head")
}

fn is_symmetric(quantization: &Quantization) -> bool {
    match quantization.scheme.grid {
        Grid::Int { symmetric, .. } => symmetric,
        Grid::Fp8 => true,
    }
}

fn group_size(quantization: &Quantization) -> usize {
    match quantization.scheme.granularity {
        Granularity::Group(size) => size,
        Granularity::Channel | Granularity::Tensor | Granularity::Block(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::options::{Plan, Properties, plan};
    use crate::{Order, Technique};

    fn described(options: &[(&str, &str)], has_data: bool, ignored: &[&str]) -> Value {
        let options = options.iter();
        let environment = options.map(|(name, value)| (format!("OPTION_{name}"), (*value).into()));
        let order = Order {
            technique: Technique::Quantization,
            environment: environment.collect::<BTreeMap<String, String>>(),
            deployment: "ml.p5.48xlarge".to_owned(),
        };
        let planned = plan(&order, &Properties::default(), has_data).unwrap();
        let Plan::Quantize(quantization) = planned.plan else {
            panic!("{planned:?}");
        };
        let ignored: Vec<String> = ignored.iter().map(|name| (*name).to_owned()).collect();
        quantized(&Map::new(), &quantization, &ignored)[KEY].clone()
    }

    #[test]
    fn weights_are_described_as_compressed_tensors_does() {
        for (method, more, format, weights, activations) in [
            (
                "w4a16",
                ("SYMMETRIC", "true"),
                "pack-quantized",
                "group",
                Value::Null,
            ),
            (
                "int8",
                ("ROUNDING", "nearest"),
                "int-quantized",
                "channel",
                json!("token"),
            ),
            (
                "fp8",
                ("FP8_SCHEME", "FP8_DYNAMIC"),
                "float-quantized",
                "channel",
                json!("token"),
            ),
            (
                "fp8",
                ("FP8_SCHEME", "FP8_BLOCK"),
                "float-quantized",
                "block",
                json!("group"),
            ),
            (
                "fp8",
                ("FP8_SCHEME", "FP8"),
                "float-quantized",
                "tensor",
                json!("tensor"),
            ),
        ] {
            let found = described(&[("QUANTIZE", method), more], true, &["lm_head"]);
            assert_eq!(found["format"], format);
            assert_eq!(found["ignore"], json!(["lm_head"]));
            let group = &found["config_groups"]["group_0"];
            assert_eq!(group["weights"]["strategy"], weights, "{method}");
            let strategy = &group["input_activations"]["strategy"];
            assert_eq!(strategy, &activations, "{method}");
        }
    }

    #[test]
    fn a_quantized_head_is_named() {
        let found = |method, ignored| {
            let options = [("QUANTIZE", method)];
            described(&options, false, ignored)
        };
        for (ignored, targets, told) in [
            (&["lm_head"][..], json!(["Linear"]), Value::Null),
            (&["a.b"][..], json!(["Linear", "lm_head"]), json!(true)),
        ] {
            let group = &found("w4a16", ignored)["config_groups"]["group_0"];
            assert_eq!(group["targets"], targets);
            assert_eq!(found("awq", ignored)["lm_head"], told);
        }
    }

    #[test]
    fn other_layouts_are_described_as_their_readers_expect() {
        let awq = json!({
            "quant_method": "awq", "bits": 4, "group_size": 64, "zero_point": true,
            "version": "gemm", "modules_to_not_convert": ["lm_head"],
        });
        assert_eq!(
            described(&[("AWQ_BLOCK_SIZE", "64")], false, &["lm_head"]),
            awq
        );
        let gptq = json!({
            "quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false, "sym": true,
            "checkpoint_format": "gptq", "lm_head": false, "dynamic": {"-:^a\\.b$": {}},
        });
        let options = [("QUANTIZE", "gptq")];
        assert_eq!(described(&options, false, &["a.b", "lm_head"]), gptq);
    }

    #[test]
    fn layers_that_vllm_fuses_are_left_out_by_its_names() {
        let found = described(
            &[("QUANTIZE", "gptq")],
            false,
            &["a.gate_proj", "a.up_proj"],
        );
        let patterns = [
            "-:^a\\.gate_proj$",
            "-:^a\\.gate_up_proj$",
            "-:^a\\.up_proj$",
        ];
        let said: Vec<&String> = found["dynamic"].as_object().unwrap().keys().collect();
        assert_eq!(said, patterns);
    }
}
