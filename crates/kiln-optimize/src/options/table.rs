//! Every option that means something here, as users are told of it.

use super::method::Method;
use super::method::Method::{Awq, Fp8, Gptq, Int8, W4a16, W8a16};

/// What an option is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Quantization by one of these methods.
    Quantization(&'static [Method]),
    /// Sharding.
    Sharding,
    /// Conversion.
    Conversion,
}

/// An option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownOption {
    /// Its name, in small letters and without a prefix.
    pub name: &'static str,
    /// What it is for.
    pub r#use: Use,
    /// What it can be.
    pub values: &'static str,
    /// What it is where it is not given.
    pub default: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// Whether the server of the result is told of it too.
    pub served: bool,
}

const ALL: Use = Use::Quantization(&Method::ALL);

const fn option(
    name: &'static str,
    r#use: Use,
    values: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> KnownOption {
    KnownOption {
        name,
        r#use,
        values,
        default,
        meaning,
        served: false,
    }
}

/// All of them.
pub const TABLE: &[KnownOption] = &[
    option(
        "quantize",
        ALL,
        "awq, gptq, fp8, w4a16, w8a16, int8",
        "awq",
        "the method, and with it the format",
    ),
    option(
        "rounding",
        ALL,
        "searched, nearest",
        "searched",
        "how scales are chosen: by the least error among many, or as llm-compressor does, to the bit",
    ),
    option(
        "calibration_data",
        ALL,
        "an S3 prefix",
        "none",
        "texts or tokens to calibrate with: .jsonl, .json or .txt files",
    ),
    option(
        "calibration_method",
        ALL,
        "none, importance, awq, gptq",
        "with data: the method's own, or importance",
        "what the data is used for",
    ),
    option(
        "calib_size",
        ALL,
        "a number",
        "512",
        "how many samples of the data are used at most",
    ),
    option(
        "max_model_len",
        ALL,
        "a number",
        "2048",
        "how many tokens of a sample are used at most",
    )
    .served(),
    option(
        "group_size",
        Use::Quantization(&[W4a16, W8a16, Gptq]),
        "128, 64, 32",
        "128",
        "how many weights of a row share a scale",
    ),
    option(
        "symmetric",
        Use::Quantization(&[W4a16, W8a16, Gptq]),
        "true, false",
        "true",
        "whether scales come without zero points",
    ),
    option(
        "ignore",
        Use::Quantization(&[W4a16, W8a16, Int8, Gptq]),
        "module names, or re: and a regular expression",
        "lm_head",
        "which linear layers are left as they are",
    ),
    option(
        "awq_zero_point",
        Use::Quantization(&[Awq]),
        "true, false",
        "true",
        "whether scales come with zero points",
    ),
    option(
        "awq_block_size",
        Use::Quantization(&[Awq]),
        "128, 64, 32",
        "128",
        "how many weights of a row share a scale",
    ),
    option(
        "awq_weight_bit_width",
        Use::Quantization(&[Awq]),
        "4",
        "4",
        "the bits of a weight",
    ),
    option(
        "awq_mm_version",
        Use::Quantization(&[Awq]),
        "GEMM",
        "GEMM",
        "the layout's version",
    ),
    option(
        "awq_ignore_layers",
        Use::Quantization(&[Awq]),
        "parts of module names",
        "lm_head",
        "which linear layers are left as they are",
    ),
    option(
        "fp8_scheme",
        Use::Quantization(&[Fp8]),
        "FP8, FP8_DYNAMIC, FP8_BLOCK",
        "FP8 with data, FP8_DYNAMIC without",
        "what shares a scale, and whether those of activations are fixed, for which there must be data",
    ),
    option(
        "fp8_ignore",
        Use::Quantization(&[Fp8]),
        "module names, or re: and a regular expression",
        "lm_head",
        "which linear layers are left as they are",
    ),
    option(
        "tensor_parallel_degree",
        Use::Sharding,
        "a number",
        "none",
        "for how many accelerators the model is sharded",
    )
    .served(),
    option(
        "load_format",
        Use::Sharding,
        "sagemaker_fast_model_loader, sharded_state; else auto, safetensors, gguf",
        "none",
        "what the cloud's containers choose sharding by, whose result says sharded_state; else how a result of that format is loaded",
    )
    .served(),
    option(
        "gguf_type",
        Use::Conversion,
        "F16, Q8_0, Q4_0",
        "none",
        "has a compilation without an image convert the model to GGUF",
    ),
];

impl KnownOption {
    const fn served(self) -> Self {
        Self {
            served: true,
            ..self
        }
    }

    /// The option of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|option| option.name == name)
    }
}
