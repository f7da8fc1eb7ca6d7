//! What is told of a compilation, beside its artifact: `kiln-report.json`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::neural::Trial;

/// The report's name in the artifact.
pub const REPORT: &str = "kiln-report.json";

/// All that was seen while a model was compiled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The release of Kiln.
    pub kiln: String,
    /// The framework, as the request names it.
    pub framework: String,
    /// The target, as the artifact's name has it.
    pub target: String,
    /// What the code is for: triple, and processor if one was named.
    pub platform: Option<String>,
    /// What made the code, and how.
    pub engine: String,
    /// What the model takes.
    pub inputs: Vec<Port>,
    /// What the model gives; nothing of a Core ML model, which need not say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Port>,
    /// Seconds that each stage took, in order.
    pub stages: Vec<StageTime>,
    /// The ways to build it that were tried, where there are several.
    #[serde(default)]
    pub trials: Vec<Attempt>,
    /// What a person should know.
    pub remarks: Vec<String>,
    /// Whether the artifact gives the right answers.
    pub verification: Verification,
    /// Bytes of each file of the artifact.
    pub files: BTreeMap<String, u64>,
}

impl Report {
    /// The target, and what the code is for.
    #[must_use]
    pub fn built_for(&self) -> String {
        match &self.platform {
            Some(platform) => format!("{} ({platform})", self.target),
            None => self.target.clone(),
        }
    }
}

/// An input or an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The type of its numbers, as numpy names it.
    pub r#type: String,
    /// Its sizes; -1 for one that only a run tells.
    pub shape: Vec<i64>,
}

/// How long a stage took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageTime {
    /// The stage.
    pub stage: String,
    /// Seconds.
    pub seconds: f64,
}

/// A way to build a model that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its name.
    pub preset: String,
    /// Seconds that the build took.
    pub seconds: f64,
    /// Milliseconds of a run, if it was run and held.
    pub run: Option<f64>,
    /// Why it was not kept, if it could not be.
    pub failure: Option<String>,
}

impl Attempt {
    /// As the engine tells it.
    pub(super) fn of(trial: &Trial) -> Self {
        Self {
            preset: trial.name.clone(),
            seconds: trial.build.as_secs_f64(),
            run: trial.run.map(|run| run.as_secs_f64() * 1e3),
            failure: trial.failure.clone(),
        }
    }
}

/// Whether the artifact gives the right answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verification {
    /// It was not run, for this reason.
    BuiltNotRun {
        /// Why.
        reason: String,
    },
    /// It was run, and its answers are those of the reference.
    Verified(Box<Evidence>),
}

impl Default for Verification {
    fn default() -> Self {
        Self::BuiltNotRun {
            reason: "the build has not come so far".to_owned(),
        }
    }
}

/// What a verification saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What ran the artifact: this machine, or an emulator.
    pub ran_on: String,
    /// Whose answers it was compared with.
    pub reference: String,
    /// How many sets of inputs were generated.
    pub generated: usize,
    /// How many came with the model.
    pub samples: usize,
    /// How far a number may be off, whatever the numbers are.
    pub absolute_tolerance: f64,
    /// The same, as a part of the largest number of the output.
    pub relative_tolerance: f64,
    /// How far the number that is furthest off is off.
    pub largest_error: f64,
    /// Milliseconds of a run, if the times mean anything.
    pub latency: Option<Latency>,
}

/// Milliseconds of one run on one thread, loading aside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many runs were timed.
    pub runs: usize,
    /// The fastest.
    pub least: f64,
    /// The median.
    pub median: f64,
    /// What nine of ten stayed below.
    pub p90: f64,
}

impl Latency {
    /// The figures of some runs; `None` of no run.
    #[must_use]
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| sorted.get((part * (sorted.len() as f64 - 1.0)).round() as usize);
        Some(Self {
            runs: sorted.len(),
            least: *sorted.first()?,
            median: *at(0.5)?,
            p90: *at(0.9)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let evidence = Evidence {
            ran_on: "this machine".to_owned(),
            reference: "ONNX Runtime 1.23".to_owned(),
            generated: 3,
            samples: 0,
            absolute_tolerance: 1e-5,
            relative_tolerance: 1e-4,
            largest_error: 2e-7,
            latency: Latency::of(&[Duration::from_millis(3), Duration::from_millis(1)]),
        };
        let report = Report {
            verification: Verification::Verified(Box::new(evidence)),
            ..Report::default()
        };
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.contains(r#""verdict":"verified""#), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        assert_eq!(Latency::of(&[]), None);
    }
}
