//! How a decoder turns positions into rotations.
//!
//! Older `config.json` have `rope_theta` and `rope_scaling`, newer ones `rope_parameters`
//! with both.

use serde_json::{Map, Value};

use super::config::{number, object, text};
use crate::OptimizeError;

/// Rotary positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// The base of the frequencies.
    pub theta: f64,
    /// What is done to them.
    pub scaling: Scaling,
}

/// How frequencies are changed for texts that are longer than those of the training.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All are divided.
    Linear {
        /// By how much.
        factor: f64,
    },
    /// Low ones are divided, high ones kept, and those between interpolated.
    Llama3 {
        /// By how much low ones are divided.
        factor: f64,
        /// Where low ones begin.
        low_frequency_factor: f64,
        /// Where high ones begin.
        high_frequency_factor: f64,
        /// The longest text of the training.
        original_positions: f64,
    },
    /// Another way, by its name.
    Other(String),
}

impl Rope {
    pub(super) fn of(config: &Map<String, Value>) -> Result<Self, OptimizeError> {
        let parameters = match object(config, "rope_parameters")? {
            Some(parameters) => Some(parameters),
            None => object(config, "rope_scaling")?,
        };
        let inner = match parameters {
            Some(parameters) => number(parameters, "rope_theta")?,
            None => None,
        };
        let theta = match inner {
            Some(theta) => theta,
            None => number(config, "rope_theta")?.unwrap_or(10_000.0),
        };
        if !(theta.is_finite() && theta > 0.0) {
            return Err(OptimizeError::Config(format!(
                "has a rope_theta of {theta}"
            )));
        }
        let scaling = match parameters {
            Some(parameters) => Scaling::of(parameters)?,
            None => Scaling::None,
        };
        Ok(Self { theta, scaling })
    }
}

impl Scaling {
    fn of(parameters: &Map<String, Value>) -> Result<Self, OptimizeError> {
        let kind = match text(parameters, "rope_type")? {
            Some(kind) => Some(kind),
            None => text(parameters, "type")?,
        };
        let needed = |field: &str| match number(parameters, field)? {
            Some(value) if value.is_finite() && value > 0.0 => Ok(value),
            _ => Err(OptimizeError::Config(format!(
                "has no {field} above 0 where it says how positions are rotated"
            ))),
        };
        Ok(match kind {
            None | Some("default") => Self::None,
            Some("linear") => Self::Linear {
                factor: needed("factor")?,
            },
            Some("llama3") => Self::Llama3 {
                factor: needed("factor")?,
                low_frequency_factor: needed("low_freq_factor")?,
                high_frequency_factor: needed("high_freq_factor")?,
                original_positions: needed("original_max_position_embeddings")?,
            },
            Some(other) => Self::Other(other.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rope(config: Value) -> Result<Rope, OptimizeError> {
        Rope::of(config.as_object().unwrap())
    }

    #[test]
    fn both_ways_to_write_it_mean_the_same() {
        let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
        let mut inside = llama3.clone();
        inside["rope_theta"] = json!(500_000.0);
        let old = rope(json!({"rope_theta": 500_000, "rope_scaling": llama3})).unwrap();
        let new = rope(json!({"rope_parameters": inside})).unwrap();
        assert_eq!(old, new);
        assert_eq!(old.theta, 500_000.0);
        assert!(matches!(old.scaling, Scaling::Llama3 { factor: 8.0, .. }));
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let usual = Rope {
            theta: 10_000.0,
            scaling: Scaling::None,
        };
        assert_eq!(rope(json!({})).unwrap(), usual);
        assert_eq!(rope(json!({"rope_scaling": null})).unwrap(), usual);
        let other = rope(json!({"rope_scaling": {"type": "yarn", "factor": 4.0}})).unwrap();
        assert_eq!(other.scaling, Scaling::Other("yarn".to_owned()));
    }

    #[test]
    fn nonsense_is_refused() {
        let said = rope(json!({"rope_scaling": {"type": "linear"}})).unwrap_err();
        assert_eq!(
            said.to_string(),
            "ClientError: config.json has no factor above 0 where it says how positions are rotated"
        );
        assert!(rope(json!({"rope_theta": -1})).is_err());
        assert!(rope(json!({"rope_theta": "much"})).is_err());
    }
}
