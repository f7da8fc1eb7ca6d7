//! The way of neural networks: made plain, built by an engine preset after preset,
//! and compared with the reference.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln_graph::clean::clean;
use kiln_graph::model::Model;

use super::course::Course;
use super::error::CompileError;
use super::generation::example;
use super::interface::{derived, infos, ports, signature, sizes};
use super::loaded::{Emulated, Native};
use super::reference;
use super::report::{Attempt, Evidence, Verification};
use super::samples;
use super::source::{Reference, Source};
use super::verification::{Case, Loaded, VerificationError, Yardstick, verify};
use super::workshop::{Compiled, Workshop};
use crate::archive::Unpacked;
use crate::array::Array;
use crate::dlr::{Emulator, Runner};
use crate::front::Checked;
use crate::neural::compiler::Mlir;
use crate::neural::import::import;
use crate::neural::{Device, Engine, GpuKind, Iree, Network, Signature, Traits, Trials, Verdict};
use crate::parts::loader_name;
use crate::target::{Accelerator, Build};

/// How many sets of inputs are generated.
const GENERATED: u64 = 3;
/// The time that a foreign artifact has for a run under its emulator.
const EMULATED_WITHIN: Duration = Duration::from_secs(600);

/// Builds a network into a folder, and proves it where that can be done.
pub(super) fn compile(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    (order, build): (&Checked, &Build),
    (source, unpacked): (Source, &Unpacked),
    folder: &Path,
) -> Result<Compiled, CompileError> {
    let Source {
        model,
        reference,
        tolerance,
    } = source;
    let plain = course.stage("check and derive shapes", |course| {
        let sizes = sizes(order.inputs.as_ref(), &model, order.framework)?;
        let plain = clean(model, &sizes).map_err(|error| CompileError::Input(error.to_string()))?;
        let nodes = plain.graph.nodes.len();
        course.say(&format!("Kiln: {nodes} operators are left to compile"));
        Ok::<_, CompileError>(plain)
    })?;
    let signature = signature(&plain)?;
    course.report.inputs = ports(&signature.inputs);
    course.report.outputs = ports(&signature.outputs);
    let derived_data_input_config = derived(&plain, order.framework);
    let proof = match reference {
        Reference::Framework { yardstick, cases } => Proof { yardstick, cases },
        Reference::Runtime { file, of } => course.stage("reference", |course| {
            let mut proof = Proof::of(workshop, &file, &signature, unpacked, tolerance)?;
            proof.yardstick.reference.push_str(of);
            course.say(&format!("Kiln: {} has answered", proof.yardstick.reference));
            Ok::<_, CompileError>(proof)
        })?,
    };
    let site = Site {
        workshop,
        build,
        device: device(order, build),
        signature: &signature,
        proof: &proof,
    };
    let built = course.stage("build", |course| site.build(course, &plain))?;
    move_files(&built, folder)?;
    course.stage("verify", |course| {
        let verification = site.prove(folder)?;
        if let Verification::BuiltNotRun { reason } = &verification {
            course.say(&format!("Kiln: built, not run: {reason}"));
        }
        course.report.verification = verification;
        Ok::<_, CompileError>(())
    })?;
    Ok(Compiled {
        derived_data_input_config,
    })
}

/// What an artifact must answer.
struct Proof {
    yardstick: Yardstick,
    cases: Vec<Case>,
}

impl Proof {
    /// The answers of ONNX Runtime to generated inputs, and to those that came with
    /// the model.
    fn of(
        workshop: &Workshop<'_>,
        model: &Path,
        signature: &Signature,
        unpacked: &Unpacked,
        tolerance: super::comparison::Tolerance,
    ) -> Result<Self, CompileError> {
        let inputs = infos(&signature.inputs);
        let mut sets: Vec<Vec<Array>> = Vec::new();
        for seed in 0..GENERATED {
            // Several open sizes, the smallest last: the last run is the one that is timed.
            let open = (GENERATED - seed) as usize;
            let made = example(&inputs, open, seed);
            sets.push(made.map_err(|error| CompileError::Input(error.to_string()))?);
        }
        sets.extend(samples::read(unpacked, &inputs)?);
        let environment = workshop.tools.compiler()?;
        let answers = reference::answers(environment, model, &sets, workshop.scratch)?;
        let cases = sets.into_iter().zip(answers.outputs).enumerate();
        let cases = cases.map(|(place, (inputs, expected))| Case {
            inputs,
            expected,
            is_sample: place as u64 >= GENERATED,
        });
        Ok(Self {
            yardstick: Yardstick {
                reference: answers.reference,
                tolerance,
            },
            cases: cases.collect(),
        })
    }

    /// Whether right answers cannot be told from wrong ones, as there is no number in any.
    fn says_nothing(&self) -> bool {
        let mut answers = self.cases.iter().flat_map(|case| &case.expected);
        answers.all(|answer| answer.values().all(f64::is_nan))
    }
}

/// Where a network is built and proved.
struct Site<'a> {
    workshop: &'a Workshop<'a>,
    build: &'a Build,
    device: Device,
    signature: &'a Signature,
    proof: &'a Proof,
}

impl Site<'_> {
    /// Whether what is built runs right here.
    fn is_native(&self) -> bool {
        self.build.accelerator == Accelerator::None && self.build.platform.is_native()
    }

    fn build(&self, course: &mut Course<'_>, plain: &Model) -> Result<PathBuf, CompileError> {
        let scratch = self.workshop.scratch.join("candidates");
        std::fs::create_dir(&scratch).map_err(CompileError::io("making room for candidates"))?;
        let program = self.program(plain)?;
        course.report.platform = Some(self.build.platform.to_string());
        let engine = Iree::open(&self.workshop.tools.iree()?, self.device.clone(), &scratch)?;
        let network = Network {
            mlir: Mlir::File(&program),
            signature: self.signature,
            traits: Traits::of(plain),
        };
        let mut judge = |folder: &Path, limit| self.judge(folder, limit);
        let mut trials = Trials {
            scratch: &scratch,
            judge: if self.is_native() {
                Some(&mut judge)
            } else {
                None
            },
            log: &mut |line| course.say(&format!("Kiln: {line}")),
        };
        let built = engine.build(&network, &mut trials)?;
        let (name, release) = (engine.name(), &built.release);
        course.report.engine = format!("{name} {release}, {}", built.kept);
        course.report.trials = built.trials.iter().map(Attempt::of).collect();
        for remark in &built.remarks {
            course.remark(remark);
        }
        self.add_loader(&built.folder)?;
        Ok(built.folder)
    }

    /// The network as the compiler reads it, in a file.
    fn program(&self, plain: &Model) -> Result<PathBuf, CompileError> {
        let module = import(plain).map_err(|error| CompileError::Build {
            target: self.build.platform.to_string(),
            reason: error.to_string(),
        })?;
        let path = self.workshop.scratch.join("network.mlirbc");
        let file = std::fs::File::create(&path).map_err(CompileError::io("writing the network"))?;
        let mut file = std::io::BufWriter::new(file);
        module
            .write_bytecode(&mut file)
            .and_then(|()| std::io::Write::flush(&mut file))
            .map_err(CompileError::io("writing the network"))?;
        Ok(path)
    }

    /// Adds the loader, where there is one for what is built.
    fn add_loader(&self, folder: &Path) -> Result<(), CompileError> {
        if self.device.without_loader().is_some() {
            return Ok(());
        }
        let name = loader_name(&self.build.platform);
        std::fs::copy(self.workshop.tools.parts()?.join(name), folder.join(name))
            .map(drop)
            .map_err(CompileError::io("adding the loader"))
    }

    /// What there is to say of a candidate whose first run may take so long.
    fn judge(&self, folder: &Path, limit: Option<Duration>) -> Verdict {
        let opened = self.add_loader(folder);
        let looked = opened.and_then(|()| {
            let mut loaded = Native::open(folder)?;
            if let Some(slow) = self.slow_run(&mut loaded, limit)? {
                return Ok(Verdict::TooSlow(slow));
            }
            Ok(match self.evidence(&mut loaded)?.latency {
                Some(latency) => Verdict::Holds(Duration::from_secs_f64(latency.median / 1e3)),
                None => Verdict::Fails("nothing was timed".to_owned()),
            })
        });
        match looked {
            Ok(verdict) => verdict,
            Err(CompileError::Verification(reason)) => Verdict::Fails(reason),
            Err(error) => Verdict::Fails(error.to_string()),
        }
    }

    /// The time of a first run that is over the limit, on the inputs that are timed.
    fn slow_run(
        &self,
        loaded: &mut Native,
        limit: Option<Duration>,
    ) -> Result<Option<Duration>, VerificationError> {
        let (Some(limit), Some(case)) = (limit, self.proof.cases.last()) else {
            return Ok(None);
        };
        let begun = Instant::now();
        loaded.run(&case.inputs).map_err(VerificationError::Run)?;
        let took = begun.elapsed();
        Ok((took > limit).then_some(took))
    }

    fn evidence(&self, loaded: &mut dyn Loaded) -> Result<Evidence, VerificationError> {
        let outputs = self.signature.outputs.iter();
        let outputs: Vec<_> = outputs.map(|output| output.name.clone()).collect();
        verify(loaded, &outputs, &self.proof.cases, &self.proof.yardstick)
    }

    fn prove(&self, folder: &Path) -> Result<Verification, CompileError> {
        let not_run = |reason: String| Ok(Verification::BuiltNotRun { reason });
        if let Some(reason) = self.device.without_loader() {
            return not_run(reason.to_owned());
        }
        let evidence = if self.is_native() {
            self.evidence(&mut Native::open(folder)?)?
        } else if let Some(emulator) = Emulator::of(&self.build.platform) {
            let runner = Runner {
                program: self.workshop.tools.parts()?.join("runner"),
                emulator: Some(emulator),
                limit: EMULATED_WITHIN,
            };
            let inputs = infos(&self.signature.inputs);
            self.evidence(&mut Emulated::new(runner, folder, inputs))?
        } else {
            return not_run(format!(
                "this machine cannot run code for {}, and has no emulator with its C library",
                self.build.platform
            ));
        };
        if self.proof.says_nothing() {
            return not_run(format!(
                "it was run, but {} answers with no number to any of the inputs, so that nothing \
                 is proved by answering alike. Give it inputs in samples/*.npz",
                evidence.reference
            ));
        }
        Ok(Verification::Verified(Box::new(evidence)))
    }
}

/// What computes the network.
fn device(order: &Checked, build: &Build) -> Device {
    match build.accelerator {
        Accelerator::None => Device::Cpu(build.platform.clone()),
        Accelerator::Cuda { sm } => Device::Cuda(format!("sm_{sm}")),
        Accelerator::Vulkan { .. } if order.target.name.contains("INTEL") => {
            Device::Vulkan(GpuKind::Intel)
        }
        Accelerator::Vulkan { .. } => Device::Vulkan(GpuKind::Mali),
    }
}

/// Moves what was built into the artifact's folder.
fn move_files(built: &Path, folder: &Path) -> Result<(), CompileError> {
    let moved = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(built)? {
            let entry = entry?;
            std::fs::rename(entry.path(), folder.join(entry.file_name()))?;
        }
        Ok(())
    };
    moved().map_err(CompileError::io("moving what was built"))
}
