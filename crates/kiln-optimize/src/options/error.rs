//! Why an order's options are refused.

use super::method::Method;

/// Why options were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// A method that nobody knows.
    #[error("Invalid quantization method: {0}. There are {all}", all = Method::all())]
    Method(String),

    /// A value that is none of the option's.
    #[error("{option} is '{value}', and must be {expected}")]
    Value {
        /// The option, as it was given.
        option: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },

    /// An option that the method has no use for.
    #[error("{option} goes with {with}, and the quantization method is {method}")]
    Contradiction {
        /// The option, as it was given.
        option: String,
        /// The methods that it goes with.
        with: String,
        /// The method.
        method: Method,
    },

    /// Two options that exclude each other.
    #[error("{one} and {other} exclude each other")]
    Exclusive {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },

    /// A way to calibrate that the method does not know.
    #[error("OPTION_CALIBRATION_METHOD is '{calibration}', and {method} takes {takes}")]
    Calibration {
        /// What was asked for.
        calibration: &'static str,
        /// The method.
        method: Method,
        /// What can be asked for.
        takes: String,
    },

    /// Calibration without anything to calibrate with.
    #[error(
        "{what} needs texts or tokens to calibrate with: give OPTION_CALIBRATION_DATA, an S3 \
         prefix of .jsonl, .json or .txt files"
    )]
    NoData {
        /// What was asked for.
        what: String,
    },

    /// Sharding and quantization in one step.
    #[error(
        "Sharding & Quantization are mutually exclusive. Please Quantize first & then Shard. \
         Received load_format={load_format} & quantize={quantize}"
    )]
    ShardingAndQuantization {
        /// `option.load_format`.
        load_format: String,
        /// `option.quantize`.
        quantize: String,
    },

    /// Sharding for no accelerators.
    #[error("Please specify a non-zero tensor_parallel_degree while Sharding. Received {received}")]
    NoDegree {
        /// What was given.
        received: String,
    },

    /// Compilation by Kiln itself, which has no compiler for accelerators.
    #[error(
        "ModelCompilationConfig without an Image cannot be done here: the cloud compiles with \
         TensorRT-LLM or Neuron, which need an accelerator. Give an Image that compiles, or \
         OPTION_GGUF_TYPE (F16, Q8_0 or Q4_0) to have the model converted to GGUF"
    )]
    Compilation,

    /// Speculative decoding by Kiln itself, which trains no draft models.
    #[error(
        "ModelSpeculativeDecodingConfig cannot be done here: EAGLE trains a draft model, which \
         needs a trainer image, and the server's configuration names none"
    )]
    SpeculativeDecoding,

    /// The deployment instance cannot run what would come out.
    #[error("DeploymentInstanceType {instance} cannot run {what}: {reason}")]
    Deployment {
        /// The instance type.
        instance: String,
        /// What was asked for.
        what: String,
        /// Why it cannot be run.
        reason: &'static str,
    },
}
