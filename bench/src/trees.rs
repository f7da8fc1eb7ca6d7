//! Tree ensembles: what Kiln compiles beside the library that trained them, ONNX
//! Runtime, and tl2cgen, which compiles too. One thread, CPU time.
//!
//! Peers are measured by `bench/trees.py` in an environment of their own. What
//! Kiln compiles is called through the C functions that its clients call.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use kiln_compile::dlr::{Client, Tensor};
use kiln_compile::parts::{self, Kind, Toolchain};
use kiln_compile::trees::{self, read_xgboost};
use serde_json::Value;

use crate::error::BenchError;
use crate::options::Options;
use crate::peer;

const SCRIPT: &str = include_str!("../trees.py");
/// Rows are asked in an order that no cache knows.
const STRIDE: usize = 7919;
const ROUNDS: usize = 15;
/// By how much answers may differ from those of the library that trained.
const TOLERANCE: f32 = 1e-6;

/// What is measured of each engine.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    /// Microseconds for a row that is asked alone.
    single: f64,
    /// Microseconds for each of all rows together.
    batch: f64,
    /// Seconds that the build took, where there is one.
    build: Option<f64>,
}

/// Kiln and its peers on one model.
#[derive(Debug, Clone)]
pub struct Trees {
    model: String,
    rows: u64,
    parts: Duration,
    kiln: Figures,
    xgboost: Figures,
    onnxruntime: Figures,
    tl2cgen: Figures,
}

/// Trains a model, measures the peers, and compiles and measures it here.
pub fn measure(options: &Options) -> Result<Trees, BenchError> {
    let python = options.trees.as_deref();
    let python = python.ok_or_else(|| complaint("needs --trees, a Python with the peers"))?;
    let folder = tempfile::tempdir().map_err(BenchError::io("making a folder"))?;
    let peers = peer::measure(python, SCRIPT, folder.path(), options.tiny)?;
    let toolchain = Toolchain::new(peer::packages(python)?.join("ziglang/zig"));
    let home = folder.path().join("parts");
    let begun = Instant::now();
    parts::make(&toolchain, &peer::native(None), Kind::Trees, &home, &|_| ()).map_err(complaint)?;
    let parts = begun.elapsed();
    let artifact = folder.path().join("artifact");
    let build = build(folder.path(), &toolchain, &home, &artifact)?;
    let (single, batch) = measure_kiln(folder.path(), &artifact, &peers)?;
    let number = |name: &str| peers[name].as_u64().unwrap_or_default();
    let [trees, depth, features, leaves] = ["trees", "depth", "features", "leaves"].map(number);
    Ok(Trees {
        model: format!("{trees} trees of depth {depth} with {leaves} leaves, {features} features"),
        rows: number("rows"),
        parts,
        kiln: Figures {
            single,
            batch,
            build: Some(build.as_secs_f64()),
        },
        xgboost: figures(&peers["xgboost"]),
        onnxruntime: figures(&peers["onnxruntime"]),
        tl2cgen: figures(&peers["tl2cgen"]),
    })
}

fn complaint(complaint: impl fmt::Display) -> BenchError {
    BenchError::program(Path::new("the benchmark of trees"), complaint.to_string())
}

/// Reads the model and builds it, and answers how long that took.
fn build(
    folder: &Path,
    toolchain: &Toolchain,
    parts: &Path,
    artifact: &Path,
) -> Result<Duration, BenchError> {
    std::fs::create_dir(artifact).map_err(BenchError::io("making the artifact's folder"))?;
    let begun = Instant::now();
    let bytes = read(folder, "model.ubj")?;
    let ensemble = read_xgboost(&bytes).map_err(complaint)?;
    trees::build(&ensemble, &peer::native(None), parts, toolchain, artifact).map_err(complaint)?;
    Ok(begun.elapsed())
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, BenchError> {
    std::fs::read(folder.join(name)).map_err(BenchError::io(format!("reading {name}")))
}

/// Microseconds of a row alone and of a row among all, once the answers have
/// been found to be the library's.
fn measure_kiln(folder: &Path, artifact: &Path, peers: &Value) -> Result<(f64, f64), BenchError> {
    let number = |name: &str| peers[name].as_u64().unwrap_or_default() as usize;
    let (features, calls) = (number("features"), number("calls"));
    let rows = peer::floats(&folder.join("rows.f32"))?;
    let wanted = peer::floats(&folder.join("answers.f32"))?;
    let count = rows.len() / features;
    let all = Tensor::of_floats("data", &[count as i64, features as i64], &rows);
    let mut client = Client::open(artifact).map_err(complaint)?;
    check(
        &client
            .predict(std::slice::from_ref(&all))
            .map_err(complaint)?[0],
        &wanted,
    )?;
    let picked: Vec<Tensor> = (0..calls)
        .map(|at| &rows[at * STRIDE % count * features..][..features])
        .map(|row| Tensor::of_floats("data", &[1, features as i64], row))
        .collect();
    let mut ask = |inputs: &[Tensor]| -> Result<(), BenchError> {
        for input in inputs {
            client.set_input(input).map_err(complaint)?;
            client.run().map_err(complaint)?;
            client.output(0).map_err(complaint)?;
        }
        Ok(())
    };
    let single = least(|| ask(&picked))? / calls as f64;
    let batch = least(|| ask(std::slice::from_ref(&all)))? / count as f64;
    Ok((single, batch))
}

fn check(output: &Tensor, wanted: &[f32]) -> Result<(), BenchError> {
    let got = output.floats().unwrap_or_default();
    let near = |(got, wanted): (&f32, &f32)| (got - wanted).abs() <= TOLERANCE;
    if got.len() == wanted.len() && got.iter().zip(wanted).all(near) {
        return Ok(());
    }
    Err(complaint("compiled a model that does not answer as it did"))
}

/// Microseconds of CPU, the least of several rounds.
fn least(mut action: impl FnMut() -> Result<(), BenchError>) -> Result<f64, BenchError> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = peer::cpu_time()?;
        action()?;
        best = best.min((peer::cpu_time()? - begun).as_secs_f64() * 1e6);
    }
    Ok(best)
}

fn figures(peer: &Value) -> Figures {
    let number = |name: &str| peer[name].as_f64();
    Figures {
        single: number("single").unwrap_or_default(),
        batch: number("batch").unwrap_or_default(),
        build: number("build"),
    }
}

impl fmt::Display for Trees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Compiled tree ensembles ({})\n", self.model)?;
        writeln!(
            f,
            "One thread, CPU time. A target's parts took {:.1} s, once. Targets: a row alone 50 \
             times as fast as xgboost and 8 times as tl2cgen; {} rows 2.5 times as xgboost, 8 as \
             ONNX Runtime, 15 as tl2cgen; the build 100 times as tl2cgen's.\n",
            self.parts.as_secs_f64(),
            self.rows
        )?;
        writeln!(
            f,
            "| | a row alone | ratio | a row of {} | ratio | build | ratio |",
            self.rows
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for (name, figures) in [
            ("Kiln", self.kiln),
            ("xgboost", self.xgboost),
            ("ONNX Runtime", self.onnxruntime),
            ("tl2cgen", self.tl2cgen),
        ] {
            self.write_row(f, name, figures)?;
        }
        writeln!(f)
    }
}

impl Trees {
    fn write_row(&self, f: &mut fmt::Formatter<'_>, name: &str, figures: Figures) -> fmt::Result {
        let Figures {
            single,
            batch,
            build,
        } = figures;
        let [alone, among] = [single / self.kiln.single, batch / self.kiln.batch];
        write!(
            f,
            "| {name} | {single:.2} µs | {alone:.1} × | {batch:.2} µs | {among:.1} × "
        )?;
        match (build, self.kiln.build) {
            (Some(build), Some(ours)) => {
                writeln!(f, "| {build:.2} s | {:.0} × |", build / ours)
            }
            _ => writeln!(f, "| – | – |"),
        }
    }
}
