//! Optimized models: what Kiln takes to quantize them beside llm-compressor, and what the
//! quantized ones are worth. Whole processes, with all that they import.
//!
//! The models are made, and both are measured, by `bench/optimize.py` in an environment
//! that has the peer.

use std::fmt;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::error::BenchError;
use crate::options::Options;
use crate::peer;

const SCRIPT: &str = include_str!("../optimize.py");

/// What was measured.
#[derive(Debug, Clone)]
pub struct Optimizers {
    figures: Value,
}

/// Makes the models, and has both quantize them.
pub fn measure(options: &Options) -> Result<Optimizers, BenchError> {
    let python = options.optimizers.as_deref();
    let python = python.ok_or_else(|| {
        let complaint = "needs --optimizers, a Python with llm-compressor";
        BenchError::program(Path::new("the benchmark of optimizations"), complaint)
    })?;
    let folder = tempfile::tempdir().map_err(BenchError::io("making a folder"))?;
    let kiln = options.kiln.canonicalize();
    let kiln = kiln.map_err(BenchError::io("finding kiln"))?;
    symlink(kiln, folder.path().join("kiln")).map_err(BenchError::io("making a link"))?;
    let figures = peer::measure(python, SCRIPT, folder.path(), options.tiny)?;
    Ok(Optimizers { figures })
}

/// What a process took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    seconds: f64,
    cpu: f64,
    memory: f64,
}

impl Cost {
    fn of(figures: &Value) -> Self {
        let number = |name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
        Self {
            seconds: number("seconds"),
            cpu: number("cpu"),
            memory: number("memory"),
        }
    }

    fn write(self, f: &mut fmt::Formatter<'_>, name: &str, ours: Self) -> fmt::Result {
        writeln!(
            f,
            "| {name} | {:.2} s | {:.2} s | {:.1} × | {:.0} MB | {:.1} × |",
            self.seconds,
            self.cpu,
            self.cpu / ours.cpu,
            self.memory / 1e6,
            self.memory / ours.memory
        )
    }
}

const HEAD: &str = "| | wall | processor | ratio | memory | ratio |\n|---|---|---|---|---|---|";

impl fmt::Display for Optimizers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without = self.figures["without_data"].as_object();
        for (scheme, rows) in without.into_iter().flatten() {
            writeln!(f, "## A Llama of 0.6 B parameters becomes {scheme}\n")?;
            writeln!(
                f,
                "Targets: 25 times less processor time and 100 times less memory than \
                 llm-compressor, with the same bits; 1.5 times the time of copying the model.\n"
            )?;
            let ours = Cost::of(&rows["kiln"]);
            writeln!(f, "{HEAD}")?;
            ours.write(f, "Kiln, the same bits", ours)?;
            Cost::of(&rows["searched"]).write(f, "Kiln, searched scales", ours)?;
            Cost::of(&rows["peer"]).write(f, "llm-compressor", ours)?;
            Cost::of(&rows["copy"]).write(f, "copying the model", ours)?;
            writeln!(f)?;
        }
        self.write_calibrated(f)?;
        self.write_quality(f)
    }
}

impl Optimizers {
    fn write_calibrated(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = &self.figures["with_data"];
        let ours = Cost::of(&rows["kiln"]);
        writeln!(
            f,
            "## GPTQ of two of its layers, 32 samples of 256 tokens\n"
        )?;
        writeln!(
            f,
            "Targets: 2 times less processor time, 4 times less memory.\n\n{HEAD}"
        )?;
        ours.write(f, "Kiln", ours)?;
        Cost::of(&rows["peer"]).write(f, "llm-compressor", ours)?;
        writeln!(f)
    }

    fn write_quality(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## A sentence encoder (MiniLM) at 4 bits\n")?;
        writeln!(
            f,
            "Targets: searched scales have an output error 20 % below that of llm-compressor's \
             rounding; calibrated, it is 1.5e-3 at most on the texts of the calibration, and the \
             cosine on new ones 0.98 at least.\n"
        )?;
        writeln!(
            f,
            "| | output error, new texts | texts of the calibration | cosine, new texts |"
        )?;
        writeln!(f, "|---|---|---|---|")?;
        for (name, key) in [
            ("llm-compressor's rounding", "nearest"),
            ("searched scales", "searched"),
            ("the same by importance", "importance"),
            ("GPTQ", "gptq"),
            ("GPTQ, zero points", "zeros"),
        ] {
            let found = &self.figures["quality"][key];
            let number = |name: &str| found[name].as_f64().unwrap_or(f64::NAN);
            let [error, fit, cosine] = ["error", "fit", "cosine"].map(number);
            writeln!(f, "| {name} | {error:.2e} | {fit:.2e} | {cosine:.5} |")?;
        }
        writeln!(f)
    }
}
