//! `CompilerOptions`: what a request says of the target beyond its name.
//!
//! [`Options::read`] reads them, and [`Options::check`] sees that each goes with
//! the framework and the target. An option that nobody knows is refused by name.

mod check;
mod error;
mod read;
#[cfg(test)]
mod tests;
mod value;

use crate::input_config::Dtype;

pub use error::{OptionMistake, OptionsError};

/// The compiler options of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `dtype`: the element type of all inputs that have no other.
    pub dtype: Option<Dtype>,
    /// `mcpu`: the processor, as LLVM names it.
    pub mcpu: Option<String>,
    /// `mattr`: processor features, each with `+` or `-` before it.
    pub mattr: Vec<String>,
    /// `gpu-code`: the GPU's compute capability, 75 for `sm_75`.
    pub gpu_code: Option<u32>,
    /// `trt-ver`: TensorRT's version.
    pub tensorrt: Option<String>,
    /// `cuda-ver`: CUDA's version.
    pub cuda: Option<String>,
    /// `JETPACK_VERSION`: the version of the software of Jetson boards.
    pub jetpack: Option<String>,
    /// `ANDROID_PLATFORM`: the API level.
    pub android_platform: Option<u32>,
    /// `class_labels`: a file in the archive with a label in each line.
    pub class_labels: Option<String>,
    /// `signature_def_key`: which signature of a SavedModel.
    pub signature_def_key: Option<String>,
    /// `output_names`: which tensors of a frozen graph are its outputs.
    pub output_names: Vec<String>,
    /// The names of the options that were given, as the request has them.
    given: Vec<String>,
}

impl Options {
    /// Whether it names the processor or features of it.
    #[must_use]
    pub fn names_processor(&self) -> bool {
        self.mcpu.is_some() || !self.mattr.is_empty()
    }
}
