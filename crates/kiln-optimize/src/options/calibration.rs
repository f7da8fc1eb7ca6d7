//! What texts are used for.

use super::error::OptionsError;
use super::method::{Method, enumeration};
use super::settings::Settings;

/// What texts are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calibration {
    /// Nothing.
    None,
    /// How much each input of a layer matters to the search for scales.
    Importance,
    /// Activation-aware scaling, folded into the layers before.
    Awq,
    /// Errors are made good by the columns that come later.
    Gptq,
}

impl Calibration {
    /// Its name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Importance => "importance",
            Self::Awq => "awq",
            Self::Gptq => "gptq",
        }
    }

    pub(super) fn of(
        settings: &Settings,
        method: Method,
        has_data: bool,
    ) -> Result<Self, OptionsError> {
        let takes = method.calibrations();
        let words = [Self::None, Self::Importance, Self::Awq, Self::Gptq];
        let words = words.map(|word| (word.name(), word));
        let expected = "none, importance, awq or gptq";
        match settings.one_of("calibration_method", &words, expected)? {
            Some(asked) if !takes.contains(&asked) => Err(OptionsError::Calibration {
                calibration: asked.name(),
                method,
                takes: enumeration(takes.iter().map(|way| way.name())),
            }),
            Some(asked) if asked != Self::None && !has_data => Err(OptionsError::NoData {
                what: format!("OPTION_CALIBRATION_METHOD={}", asked.name()),
            }),
            Some(asked) => Ok(asked),
            None if !has_data => Ok(Self::None),
            // Importance guides a search for scales, and there is none.
            None if takes[0] == Self::Importance && nearest(settings)? => Ok(Self::None),
            None => Ok(takes[0]),
        }
    }
}

/// Whether weights are rounded as llm-compressor rounds them.
pub(super) fn nearest(settings: &Settings) -> Result<bool, OptionsError> {
    let words = [("nearest", true), ("searched", false)];
    let nearest = settings.one_of("rounding", &words, "searched or nearest")?;
    Ok(nearest.unwrap_or(false))
}
