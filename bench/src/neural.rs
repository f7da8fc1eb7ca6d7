//! Neural networks: what Kiln compiles beside ONNX Runtime. One thread, CPU time.
//!
//! The networks are made, and ONNX Runtime is measured, by `bench/neural.py` in an
//! environment of its own, which has the compiler and its tools too. What Kiln compiles
//! is called through the C functions that its clients call.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use kiln_compile::dlr::{Client, Tensor};
use kiln_compile::neural::compiler::{LIBRARY, Mlir};
use kiln_compile::neural::import::{ENTRY, import};
use kiln_compile::neural::{
    self, Built, Device, Engine, Iree, Network, Signature, Traits, Trials, Verdict,
};
use kiln_compile::parts::{self, Kind, Toolchain};
use kiln_graph::clean::{Sizes, clean};
use kiln_graph::model::{Dim, Model, Value};
use serde_json::Value as Json;

use crate::error::BenchError;
use crate::options::Options;
use crate::peer;

const SCRIPT: &str = include_str!("../neural.py");
const ROUNDS: usize = 30;
/// By how much answers may differ, relative to the largest one.
const TOLERANCE: f32 = 1e-4;

/// Kiln and ONNX Runtime on one network.
#[derive(Debug, Clone)]
struct Row {
    name: String,
    onnxruntime: f64,
    kiln: f64,
    preset: String,
    build: Duration,
}

/// Kiln and ONNX Runtime on all networks.
#[derive(Debug, Clone)]
pub struct Neural {
    parts: Duration,
    rows: Vec<Row>,
}

/// A network as the script left it.
struct Task<'a> {
    name: String,
    input: Tensor,
    wanted: Vec<f32>,
    folder: &'a Path,
}

/// Makes the networks, measures ONNX Runtime, and compiles and measures them here.
pub fn measure(options: &Options) -> Result<Neural, BenchError> {
    let python = options.neural.as_deref();
    let python = python.ok_or_else(|| complaint("needs --neural, a Python with the compiler"))?;
    let folder = tempfile::tempdir().map_err(BenchError::io("making a folder"))?;
    let measured = peer::measure(python, SCRIPT, folder.path(), options.tiny)?;
    let packages = peer::packages(python)?;
    let home = folder.path().join("parts");
    // With all that the processor can do, as ONNX Runtime uses it.
    let platform = peer::native(Some("host"));
    let toolchain = Toolchain::new(packages.join("ziglang/zig"));
    let begun = Instant::now();
    parts::make(&toolchain, &platform, Kind::Neural, &home, &|_| ()).map_err(complaint)?;
    let parts = begun.elapsed();
    let device = Device::Cpu(platform);
    let engine = Iree::open(&packages.join(LIBRARY), device, folder.path()).map_err(complaint)?;
    let rows = measured.as_array().into_iter().flatten();
    let rows = rows
        .map(|facts| {
            let task = Task::of(facts, folder.path())?;
            let onnxruntime = facts["milliseconds"].as_f64().unwrap_or_default();
            task.measure(&engine, &home, onnxruntime)
        })
        .collect::<Result<_, BenchError>>()?;
    Ok(Neural { parts, rows })
}

fn complaint(complaint: impl fmt::Display) -> BenchError {
    BenchError::program(
        Path::new("the benchmark of networks"),
        complaint.to_string(),
    )
}

impl<'a> Task<'a> {
    fn of(facts: &Json, folder: &'a Path) -> Result<Self, BenchError> {
        let name = facts["name"].as_str().unwrap_or_default().to_owned();
        let shape = facts["shape"].as_array().into_iter().flatten();
        let shape: Vec<i64> = shape.filter_map(Json::as_i64).collect();
        let values = peer::floats(&folder.join(format!("{name}.input.f32")))?;
        Ok(Self {
            input: Tensor::of_floats("x", &shape, &values),
            wanted: peer::floats(&folder.join(format!("{name}.answer.f32")))?,
            name,
            folder,
        })
    }

    fn measure(&self, engine: &Iree, parts: &Path, peer: f64) -> Result<Row, BenchError> {
        let begun = Instant::now();
        let built = self.build(engine, parts)?;
        let build = begun.elapsed();
        let kept = |trial: &&neural::Trial| trial.name == built.kept;
        let run = built.trials.iter().find(kept).and_then(|trial| trial.run);
        Ok(Row {
            name: self.name.clone(),
            onnxruntime: peer,
            kiln: run.unwrap_or_default().as_secs_f64() * 1e3,
            preset: built.kept,
            build,
        })
    }

    fn build(&self, engine: &Iree, parts: &Path) -> Result<Built, BenchError> {
        let path = self.folder.join(format!("{}.onnx", self.name));
        let model = kiln_graph::onnx::open(&path).map_err(complaint)?;
        let model = clean(model, &Sizes::new()).map_err(complaint)?;
        let mut program = Vec::new();
        let module = import(&model).map_err(complaint)?;
        module
            .write_bytecode(&mut program)
            .map_err(BenchError::io("writing a network"))?;
        let scratch = self.folder.join(&self.name);
        std::fs::create_dir(&scratch).map_err(BenchError::io("making a folder"))?;
        let network = Network {
            mlir: Mlir::Bytes(&program),
            signature: &signature(&model),
            traits: Traits::of(&model),
        };
        let mut judge = |folder: &Path, limit| match self.time(folder, parts, limit) {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Fails(error.to_string()),
        };
        let mut trials = Trials {
            scratch: &scratch,
            judge: Some(&mut judge),
            log: &mut |line| eprintln!("{}: {line}", self.name),
        };
        engine.build(&network, &mut trials).map_err(complaint)
    }

    /// CPU time of one run, the least of several, once the answer has been found right. If
    /// the first takes longer than the limit, that is all that is said.
    fn time(
        &self,
        folder: &Path,
        parts: &Path,
        limit: Option<Duration>,
    ) -> Result<Verdict, BenchError> {
        std::fs::copy(parts.join("libdlr.so"), folder.join("libdlr.so"))
            .map_err(BenchError::io("adding the loader"))?;
        let mut client = Client::open(folder).map_err(complaint)?;
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let begun = peer::cpu_time()?;
            client.set_input(&self.input).map_err(complaint)?;
            client.run().map_err(complaint)?;
            let answer = client.output(0).map_err(complaint)?;
            best = best.min(peer::cpu_time()? - begun);
            self.check(&answer)?;
            if limit.is_some_and(|limit| best > limit) {
                return Ok(Verdict::TooSlow(best));
            }
        }
        Ok(Verdict::Holds(best))
    }

    fn check(&self, answer: &Tensor) -> Result<(), BenchError> {
        let got = answer.floats().unwrap_or_default();
        let size = |values: &[f32]| values.iter().fold(0.0_f32, |most, one| most.max(one.abs()));
        let limit = TOLERANCE * size(&self.wanted);
        let near = |(got, wanted): (&f32, &f32)| (got - wanted).abs() <= limit;
        if got.len() == self.wanted.len() && got.iter().zip(&self.wanted).all(near) {
            return Ok(());
        }
        Err(complaint("compiled a network that answers otherwise"))
    }
}

fn signature(model: &Model) -> Signature {
    let tensors = |values: &[Value]| values.iter().map(tensor).collect();
    Signature::new(
        ENTRY,
        tensors(&model.graph.inputs),
        tensors(&model.graph.outputs),
    )
}

/// All tensors of these networks are of float32 and of known size.
fn tensor(value: &Value) -> neural::Tensor {
    let ty = value.ty.as_ref().and_then(|ty| ty.as_tensor());
    let dims = ty.and_then(|ty| ty.dims.as_deref()).unwrap_or_default();
    let size = |dim: &Dim| match dim {
        Dim::Known(size) => Some(*size as u64),
        _ => None,
    };
    neural::Tensor {
        name: value.name.clone(),
        kind: "float32".to_owned(),
        shape: dims.iter().map(size).collect(),
    }
}

impl fmt::Display for Neural {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Compiled neural networks\n")?;
        writeln!(
            f,
            "One thread, CPU time of one run, random weights. The target's parts took {:.0} s, \
             once. A build is all presets that were tried.\n",
            self.parts.as_secs_f64()
        )?;
        writeln!(f, "| | ONNX Runtime | Kiln | ratio | preset | build |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for row in &self.rows {
            writeln!(
                f,
                "| {} | {:.3} ms | {:.3} ms | {:.2} × | {} | {:.0} s |",
                row.name,
                row.onnxruntime,
                row.kiln,
                row.onnxruntime / row.kiln,
                row.preset,
                row.build.as_secs_f64()
            )?;
        }
        writeln!(f)
    }
}
