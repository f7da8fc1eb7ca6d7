//! What options come to, as tables.

use std::collections::BTreeMap;

use super::*;
use crate::quantize::{Granularity, Grid, Rounding};
use crate::{Order, Technique};

fn order(technique: Technique, options: &str) -> Order {
    let options = options.split_whitespace().filter_map(|option| {
        let (name, value) = option.split_once('=')?;
        Some((format!("OPTION_{name}"), value.to_owned()))
    });
    Order {
        technique,
        environment: options.collect(),
        deployment: "ml.g6.xlarge".to_owned(),
    }
}

fn quantization(options: &str, has_data: bool) -> Result<Quantization, String> {
    let order = order(Technique::Quantization, options);
    let planned = plan(&order, &Properties::default(), has_data);
    match planned.map_err(|error| error.to_string())?.plan {
        Plan::Quantize(quantization) => Ok(*quantization),
        other => panic!("{other:?}"),
    }
}

/// The quantization that options without data come to.
pub(crate) fn quantization_of(options: &[(&str, &str)]) -> Quantization {
    let options = options
        .iter()
        .map(|(name, value)| format!("{name}={value} "));
    quantization(&options.collect::<String>(), false).unwrap()
}

/// A quantization in a few signs.
fn sketch(quantization: &Quantization) -> String {
    let grid = match quantization.scheme.grid {
        Grid::Int { bits, symmetric } => format!("i{bits}{}", if symmetric { "s" } else { "a" }),
        Grid::Fp8 => "f8".to_owned(),
    };
    let share = match quantization.scheme.granularity {
        Granularity::Group(size) => format!("g{size}"),
        Granularity::Channel => "channel".to_owned(),
        Granularity::Tensor => "tensor".to_owned(),
        Granularity::Block(size) => format!("b{size}"),
    };
    let activations = match quantization.activations {
        Activations::Untouched => "16".to_owned(),
        Activations::PerToken => "token".to_owned(),
        Activations::PerGroup(size) => format!("group{size}"),
        Activations::Static => "static".to_owned(),
    };
    let rounding = match quantization.scheme.rounding {
        Rounding::Nearest => "nearest",
        Rounding::Searched => "searched",
    };
    let layout = format!("{:?}", quantization.layout);
    let calibration = quantization.calibration.name();
    format!("{grid} {share} {activations} {layout} {rounding} {calibration}")
}

#[test]
fn methods_and_their_options() {
    for (options, has_data, expected) in [
        ("", false, "i4a g128 16 Awq searched none"),
        ("", true, "i4a g128 16 Awq searched awq"),
        (
            "QUANTIZE=AWQ AWQ_ZERO_POINT=false AWQ_BLOCK_SIZE=64",
            true,
            "i4s g64 16 Awq searched awq",
        ),
        (
            "AWQ_WEIGHT_BIT_WIDTH=4 AWQ_MM_VERSION=gemm",
            false,
            "i4a g128 16 Awq searched none",
        ),
        ("QUANTIZE=gptq", false, "i4s g128 16 Gptq searched none"),
        (
            "QUANTIZE=gptq SYMMETRIC=False GROUP_SIZE=32",
            true,
            "i4a g32 16 Gptq searched gptq",
        ),
        (
            "QUANTIZE=gptq ROUNDING=nearest",
            true,
            "i4s g128 16 Gptq nearest gptq",
        ),
        (
            "QUANTIZE=fp8",
            false,
            "f8 channel token FloatQuantized searched none",
        ),
        (
            "QUANTIZE=fp8",
            true,
            "f8 tensor static FloatQuantized searched none",
        ),
        (
            "QUANTIZE=fp8 FP8_SCHEME=FP8_DYNAMIC",
            true,
            "f8 channel token FloatQuantized searched none",
        ),
        (
            "QUANTIZE=fp8 FP8_SCHEME=fp8_block",
            false,
            "f8 b128 group128 FloatQuantized searched none",
        ),
        (
            "QUANTIZE=w4a16",
            false,
            "i4s g128 16 PackQuantized searched none",
        ),
        (
            "QUANTIZE=w4a16",
            true,
            "i4s g128 16 PackQuantized searched importance",
        ),
        (
            "QUANTIZE=w4a16 ROUNDING=nearest",
            true,
            "i4s g128 16 PackQuantized nearest none",
        ),
        (
            "QUANTIZE=w4a16 CALIBRATION_METHOD=gptq",
            true,
            "i4s g128 16 PackQuantized searched gptq",
        ),
        (
            "QUANTIZE=w8a16 GROUP_SIZE=64",
            false,
            "i8s g64 16 PackQuantized searched none",
        ),
        (
            "QUANTIZE=int8 ROUNDING=nearest",
            false,
            "i8s channel token IntQuantized nearest none",
        ),
        (
            "QUANTIZE=int8 CALIBRATION_METHOD=none",
            true,
            "i8s channel token IntQuantized searched none",
        ),
    ] {
        let found = quantization(options, has_data).unwrap();
        assert_eq!(sketch(&found), expected, "{options} {has_data}");
    }
}

#[test]
fn what_is_refused() {
    for (options, has_data, expected) in [
        (
            "QUANTIZE=smoothquant",
            true,
            "Invalid quantization method: smoothquant. There are awq, gptq, fp8, w4a16, w8a16 and int8",
        ),
        (
            "QUANTIZE=w4a16 GROUP_SIZE=100",
            false,
            "OPTION_GROUP_SIZE is '100', and must be 128, 64 or 32",
        ),
        (
            "QUANTIZE=w4a16 SYMMETRIC=maybe",
            false,
            "OPTION_SYMMETRIC is 'maybe', and must be true or false",
        ),
        (
            "AWQ_WEIGHT_BIT_WIDTH=8",
            false,
            "OPTION_AWQ_WEIGHT_BIT_WIDTH is '8', and must be 4",
        ),
        (
            "CALIB_SIZE=0",
            true,
            "OPTION_CALIB_SIZE is '0', and must be a whole number from 1 to 1048576",
        ),
        (
            "FP8_SCHEME=FP8",
            true,
            "OPTION_FP8_SCHEME goes with fp8, and the quantization method is awq",
        ),
        (
            "QUANTIZE=fp8 GROUP_SIZE=64",
            true,
            "OPTION_GROUP_SIZE goes with w4a16, w8a16 and gptq, and the quantization method is fp8",
        ),
        (
            "QUANTIZE=fp8 FP8_SCHEME=FP8",
            false,
            "OPTION_FP8_SCHEME=FP8, whose scales of activations are fixed, needs texts or tokens to calibrate with: give OPTION_CALIBRATION_DATA, an S3 prefix of .jsonl, .json or .txt files",
        ),
        (
            "QUANTIZE=gptq CALIBRATION_METHOD=gptq",
            false,
            "OPTION_CALIBRATION_METHOD=gptq needs texts or tokens to calibrate with: give OPTION_CALIBRATION_DATA, an S3 prefix of .jsonl, .json or .txt files",
        ),
        (
            "QUANTIZE=fp8 CALIBRATION_METHOD=gptq",
            true,
            "OPTION_CALIBRATION_METHOD is 'gptq', and fp8 takes none",
        ),
        (
            "QUANTIZE=int8 CALIBRATION_METHOD=awq",
            true,
            "OPTION_CALIBRATION_METHOD is 'awq', and int8 takes importance, gptq and none",
        ),
        (
            "QUANTIZE=w4a16 CALIBRATION_METHOD=importance ROUNDING=nearest",
            true,
            "OPTION_ROUNDING=nearest and OPTION_CALIBRATION_METHOD=importance exclude each other",
        ),
        (
            "QUANTIZE=awq LOAD_FORMAT=sagemaker_fast_model_loader",
            true,
            "Sharding & Quantization are mutually exclusive. Please Quantize first & then Shard. Received load_format=sagemaker_fast_model_loader & quantize=awq",
        ),
        (
            "QUANTIZE=awq LOAD_FORMAT=dummy",
            false,
            "OPTION_LOAD_FORMAT is 'dummy', and must be auto or safetensors",
        ),
    ] {
        assert_eq!(
            quantization(options, has_data).unwrap_err(),
            expected,
            "{options}"
        );
    }
}

#[test]
fn other_techniques() {
    for (technique, options, expected) in [
        (
            Technique::Sharding,
            "TENSOR_PARALLEL_DEGREE=4",
            Ok("Shard(4)"),
        ),
        (
            Technique::Sharding,
            "TENSOR_PARALLEL_DEGREE=0",
            Err("Please specify a non-zero tensor_parallel_degree while Sharding. Received 0"),
        ),
        (
            Technique::Sharding,
            "",
            Err("Please specify a non-zero tensor_parallel_degree while Sharding. Received None"),
        ),
        (
            Technique::Sharding,
            "TENSOR_PARALLEL_DEGREE=2 QUANTIZE=fp8",
            Err(
                "Sharding & Quantization are mutually exclusive. Please Quantize first & then \
                 Shard. Received load_format=sagemaker_fast_model_loader & quantize=fp8",
            ),
        ),
        (
            Technique::Sharding,
            "TENSOR_PARALLEL_DEGREE=4 LOAD_FORMAT=sharded_state",
            Ok("Shard(4)"),
        ),
        (
            Technique::Sharding,
            "TENSOR_PARALLEL_DEGREE=4 LOAD_FORMAT=auto",
            Err(
                "OPTION_LOAD_FORMAT is 'auto', and must be sagemaker_fast_model_loader or \
                 sharded_state",
            ),
        ),
        (
            Technique::Compilation,
            "GGUF_TYPE=q8_0 LOAD_FORMAT=gguf",
            Ok("Convert(Q8_0)"),
        ),
        (
            Technique::Compilation,
            "GGUF_TYPE=q8_0 LOAD_FORMAT=safetensors",
            Err("OPTION_LOAD_FORMAT is 'safetensors', and must be auto or gguf"),
        ),
        (
            Technique::Compilation,
            "GGUF_TYPE=Q2_K",
            Err("OPTION_GGUF_TYPE is 'Q2_K', and must be F16, Q8_0 or Q4_0"),
        ),
    ] {
        let planned = plan(&order(technique, options), &Properties::default(), false);
        let found = planned.map(|planned| format!("{:?}", planned.plan));
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(
            found.map_err(|error| error.to_string()),
            expected,
            "{options}"
        );
    }
    for (technique, word) in [
        (Technique::Compilation, "OPTION_GGUF_TYPE"),
        (Technique::SpeculativeDecoding, "trainer image"),
    ] {
        let refused = plan(&order(technique, ""), &Properties::default(), false).unwrap_err();
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[test]
fn what_the_model_says_stands_against_the_environment() {
    let properties = Properties::read("option.quantize=fp8\noption.model_id=/old\nengine=Python");
    let asked =
        "QUANTIZE=awq ROLLING_BATCH=vllm LOAD_FORMAT=auto TENSOR_PARALLEL_DEGREE=2 ENTRYPOINT=x.py";
    let planned = plan(&order(Technique::Quantization, asked), &properties, false).unwrap();
    let Plan::Quantize(quantization) = &planned.plan else {
        panic!("{planned:?}");
    };
    assert_eq!(quantization.method, Method::Fp8);
    assert_eq!(
        planned.properties.to_string(),
        "engine=Python\noption.entryPoint=x.py\noption.load_format=auto\noption.quantize=compressed-tensors\n\
         option.rolling_batch=vllm\noption.tensor_parallel_degree=2\n"
    );
    assert_eq!(
        planned.remarks,
        [
            "OPTION_ENTRYPOINT means nothing here, and is passed on as option.entryPoint",
            "OPTION_ROLLING_BATCH means nothing here, and is passed on as option.rolling_batch",
        ]
    );
    let wrong = Properties::read("option.quantize=int3");
    let refused = plan(&order(Technique::Quantization, ""), &wrong, false).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("Invalid quantization method: int3.")
    );
}

#[test]
fn zero_points_that_vllm_does_not_read_are_told_of() {
    for (options, expected) in [
        ("QUANTIZE=gptq SYMMETRIC=false", true),
        ("QUANTIZE=gptq", false),
        ("QUANTIZE=w4a16 SYMMETRIC=false", false),
        ("QUANTIZE=awq", false),
    ] {
        let order = order(Technique::Quantization, options);
        let planned = plan(&order, &Properties::default(), true).unwrap();
        let is_meant = |remark: &String| remark.contains("vLLM does not read gptq");
        assert_eq!(planned.remarks.iter().any(is_meant), expected, "{options}");
    }
}

#[test]
fn a_borrowed_layout_is_told_of() {
    for (options, has_data, expected) in [
        (
            "",
            false,
            Some("no activations were looked at. Give OPTION_CALIBRATION_DATA"),
        ),
        (
            "QUANTIZE=gptq",
            false,
            Some("no activations were looked at. Give OPTION_CALIBRATION_DATA"),
        ),
        ("QUANTIZE=gptq", true, None),
        (
            "QUANTIZE=gptq CALIBRATION_METHOD=none",
            true,
            Some(
                "with OPTION_CALIBRATION_METHOD=none: the weights are stored in the layout of gptq",
            ),
        ),
        (
            "CALIBRATION_METHOD=importance",
            true,
            Some(
                "with OPTION_CALIBRATION_METHOD=importance: the weights are stored in the layout of awq",
            ),
        ),
        ("QUANTIZE=w4a16", false, None),
    ] {
        let order = order(Technique::Quantization, options);
        let told = plan(&order, &Properties::default(), has_data)
            .unwrap()
            .remarks;
        match expected {
            Some(expected) => assert!(told.iter().any(|told| told.contains(expected)), "{told:?}"),
            None => assert!(told.is_empty(), "{told:?}"),
        }
    }
}

#[test]
fn every_option_has_one_row() {
    let names: BTreeMap<&str, &KnownOption> =
        TABLE.iter().map(|option| (option.name, option)).collect();
    assert_eq!(names.len(), TABLE.len());
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/optimization.md");
    let page = std::fs::read_to_string(page).unwrap();
    for option in TABLE {
        let row = format!(
            "| `OPTION_{}` | {} | {} | {} |",
            option.name.to_uppercase(),
            option.values,
            option.default,
            option.meaning
        );
        assert!(page.contains(&row), "docs/optimization.md lacks\n{row}");
    }
}
