//! `kiln bench`

use std::time::Duration;

use clap::Args;
use kiln_compile::pipeline::{Latency, Verification, example};
use serde_json::json;

use super::Failure;
use super::artifact::Given;
use crate::terminal::{STRONG, painted, say};

/// The options of `kiln bench`.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    given: Given,
    /// How long to measure.
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    seconds: f64,
    /// The size of the batch, where the model leaves it open and no input is given.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Runs the artifact again and again.
    pub fn run(self) -> Result<(), Failure> {
        let span = Duration::try_from_secs_f64(self.seconds)
            .map_err(|error| format!("--seconds {}: {error}", self.seconds))?;
        let mut artifact = self.given.open()?;
        let inputs = match self.given.read(&artifact)? {
            Some(inputs) => inputs,
            None => example(artifact.inputs(), self.batch, 0)?,
        };
        // Once before it counts.
        artifact.predict(inputs)?;
        let measured = artifact.time(span)?;
        let latency = measured.ok_or("nothing was measured")?;
        let then = artifact
            .report()
            .and_then(|report| match &report.verification {
                Verification::Verified(evidence) => evidence.latency,
                Verification::BuiltNotRun { .. } => None,
            });
        if self.json {
            say(format!(
                "{:#}",
                json!({"now": latency, "when_compiled": then})
            ))?;
            return Ok(());
        }
        say(painted(STRONG, "milliseconds of a run, on one thread"))?;
        say(line("now", &latency))?;
        if let Some(then) = then {
            say(line("when compiled", &then))?;
        }
        Ok(())
    }
}

fn line(when: &str, latency: &Latency) -> String {
    let Latency {
        runs,
        least,
        median,
        p90,
    } = latency;
    format!("{when:<14} least {least:.4}  median {median:.4}  p90 {p90:.4}  ({runs} runs)")
}
