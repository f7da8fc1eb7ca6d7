//! The methods of quantization, and how their results are stored.

use std::fmt;

use super::calibration::Calibration;
use super::error::OptionsError;
use super::settings::Settings;
use crate::layout::Layout;

/// `OPTION_QUANTIZE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Four bits, in AutoAWQ's layout.
    Awq,
    /// Four bits, in GPTQ's layout.
    Gptq,
    /// Eight bits of floating point.
    Fp8,
    /// Integers of four bits.
    W4a16,
    /// Integers of eight bits.
    W8a16,
    /// Integers of eight bits for weights and activations.
    Int8,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Awq,
        Self::Gptq,
        Self::Fp8,
        Self::W4a16,
        Self::W8a16,
        Self::Int8,
    ];

    /// Its name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Awq => "awq",
            Self::Gptq => "gptq",
            Self::Fp8 => "fp8",
            Self::W4a16 => "w4a16",
            Self::W8a16 => "w8a16",
            Self::Int8 => "int8",
        }
    }

    pub(super) fn all() -> String {
        enumeration(Self::ALL.map(Self::name))
    }

    pub(super) fn of(settings: &Settings) -> Result<Self, OptionsError> {
        let Some(given) = settings.get("quantize") else {
            return Ok(Self::Awq);
        };
        let mut all = Self::ALL.into_iter();
        let method = all.find(|method| method.name().eq_ignore_ascii_case(given.value));
        method.ok_or_else(|| OptionsError::Method(given.value.to_owned()))
    }

    /// The ways to calibrate that it takes, the one that it uses by itself first.
    pub(super) fn calibrations(self) -> &'static [Calibration] {
        use Calibration::{Awq, Gptq, Importance, None};
        match self {
            Self::Awq => &[Awq, Importance, None],
            Self::Gptq => &[Gptq, Importance, None],
            Self::W4a16 | Self::W8a16 => &[Importance, Awq, Gptq, None],
            Self::Int8 => &[Importance, Gptq, None],
            Self::Fp8 => &[None],
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What people call a layout.
pub(super) fn format_name(layout: Layout) -> &'static str {
    match layout {
        Layout::PackQuantized => "compressed-tensors pack-quantized",
        Layout::IntQuantized => "compressed-tensors int-quantized",
        Layout::FloatQuantized => "compressed-tensors float-quantized",
        Layout::Awq => "AutoAWQ gemm",
        Layout::Gptq => "GPTQ v1",
    }
}

/// What a server calls a layout: `option.quantize`, and `quant_method` in `config.json`.
pub(super) fn served_name(layout: Layout) -> &'static str {
    match layout {
        Layout::PackQuantized | Layout::IntQuantized | Layout::FloatQuantized => {
            "compressed-tensors"
        }
        Layout::Awq => "awq",
        Layout::Gptq => "gptq",
    }
}

/// What becomes of activations when the model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activations {
    /// They stay as they are.
    Untouched,
    /// They are quantized, each token with a scale of its own.
    PerToken,
    /// They are quantized, so many neighbours of a token with a scale of their own.
    PerGroup(usize),
    /// They are quantized with a scale that a calibration has found.
    Static,
}

/// Words as a person lists them.
pub(super) fn enumeration<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}
