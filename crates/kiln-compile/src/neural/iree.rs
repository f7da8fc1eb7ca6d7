//! The engine that builds networks with IREE: preset after preset, as far as patience goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::compiler::{Compiled, Diagnostic, compile_apart};
use super::device::Approach;
use super::engine::{Trials, Verdict};
use super::patience::{Patience, first_run};
use super::{Built, Device, Engine, Network, NeuralError, Preset, Trial};

/// The module's file in what is built.
pub const MODULE: &str = "compiled.vmfb";

/// Flags of every build.
const ALWAYS: [&str; 3] = [
    "--iree-vm-bytecode-module-strip-source-map=true",
    "--iree-vm-bytecode-module-strip-debug-ops",
    "--iree-llvmcpu-debug-symbols=false",
];

/// Without it, numbers of 64 bits are taken for those of 32, also where the network is
/// given them. With it, those that the compiler itself comes up with stay, and not all of
/// its code can be built with them.
const DOUBLES: &str = "--iree-input-demote-f64-to-f32=false";

/// IREE's compiler as an engine. Each preset has a process of its own, so that one on which
/// the compiler crashes leaves the others.
pub struct Iree {
    library: PathBuf,
    device: Device,
    approach: Approach,
}

/// A candidate that was built, and what is known of it.
struct Candidate {
    preset: Preset,
    folder: PathBuf,
    build: Duration,
    run: Option<Duration>,
}

impl Iree {
    /// An engine with the compiler of this library. What the device needs is written into
    /// the folder, where the compiler reads it again and again.
    pub fn open(library: &Path, device: Device, home: &Path) -> Result<Self, NeuralError> {
        Ok(Self {
            library: library.to_owned(),
            approach: device.approach(home)?,
            device,
        })
    }

    fn candidate(
        &self,
        network: &Network<'_>,
        preset: Preset,
        (scratch, limit): (&Path, Option<Duration>),
    ) -> Result<(PathBuf, Compiled), NeuralError> {
        let folder = scratch.join(preset.name());
        fs::create_dir_all(&folder).map_err(NeuralError::file(&folder))?;
        let mut flags = self.approach.flags.clone();
        flags.extend(preset.flags());
        flags.extend(ALWAYS.map(str::to_owned));
        if network.traits.doubles {
            flags.push(DOUBLES.to_owned());
        }
        let compiler = (self.library.as_path(), self.approach.global.as_slice());
        let module = folder.join(MODULE);
        let compiled = compile_apart(compiler, &flags, network.mlir, &module, limit)?;
        network.signature.write(&folder)?;
        Ok((folder, compiled))
    }
}

impl Engine for Iree {
    fn name(&self) -> &'static str {
        "iree"
    }

    fn build(&self, network: &Network<'_>, trials: &mut Trials<'_>) -> Result<Built, NeuralError> {
        let mut tried: Vec<Trial> = Vec::new();
        let mut best: Option<Candidate> = None;
        let mut failure = None;
        let mut release = String::new();
        let begun = Instant::now();
        let presets = Preset::for_network(&self.device, network.traits.convolutions);
        for (place, preset) in presets.iter().enumerate() {
            let preset = *preset;
            let is_judged = trials.judge.is_some();
            let patience = match &best {
                None => Patience::with_one_of(presets.len() - place, is_judged),
                Some(_) if !is_judged => Patience::None,
                Some(_) if preset.is_last_resort(network.traits.convolutions) => Patience::None,
                Some(best) => Patience::with_another(best.build, begun.elapsed()),
            };
            if patience == Patience::None {
                break;
            }
            let building = Instant::now();
            let made = self.candidate(network, preset, (trials.scratch, patience.limit()));
            let build = building.elapsed();
            let outcome = made.and_then(|(folder, compiled)| {
                tell(trials, &compiled.said);
                release = compiled.revision;
                let best = best.as_ref().and_then(|best| best.run);
                let run = judge(trials, &folder, best)?;
                Ok(Candidate {
                    preset,
                    folder,
                    build,
                    run,
                })
            });
            tried.push(report(trials, preset, build, &outcome));
            match outcome {
                Ok(candidate) => best = Some(better(best, candidate)?),
                Err(error) if error.depends_on_flags() => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        match (best, failure) {
            (Some(best), _) => Ok(Built {
                folder: best.folder,
                kept: best.preset.name().to_owned(),
                trials: tried,
                remarks: self.approach.remarks.clone(),
                release,
            }),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(NeuralError::Rejected(
                "no preset fits the target".to_owned(),
            )),
        }
    }
}

/// Warnings of the compiler go to the log; what it only remarks does not.
fn tell(trials: &mut Trials<'_>, said: &[Diagnostic]) {
    for diagnostic in said {
        if diagnostic.severity == super::compiler::Severity::Warning {
            (trials.log)(&format!("compiler: {}", diagnostic.headline()));
        }
    }
}

/// The time of a run, where a judge looks at the candidate in this folder.
fn judge(
    trials: &mut Trials<'_>,
    folder: &Path,
    best: Option<Duration>,
) -> Result<Option<Duration>, NeuralError> {
    let limit = best.map(first_run);
    match trials.judge.as_mut().map(|judge| judge(folder, limit)) {
        None => Ok(None),
        Some(Verdict::Holds(run)) => Ok(Some(run)),
        Some(Verdict::Fails(reason)) => Err(NeuralError::Differs(reason)),
        Some(Verdict::TooSlow(run)) => Err(NeuralError::TooSlow(run)),
    }
}

fn report(
    trials: &mut Trials<'_>,
    preset: Preset,
    build: Duration,
    outcome: &Result<Candidate, NeuralError>,
) -> Trial {
    let name = preset.name().to_owned();
    let seconds = build.as_secs_f64();
    let (run, failure) = match outcome {
        Ok(candidate) => (candidate.run, None),
        Err(error) => (None, Some(error.to_string())),
    };
    (trials.log)(&match (outcome, run) {
        (Err(NeuralError::TooLong(_)), _) => {
            format!("preset {name}: given up, since it was not built within {seconds:.1} s")
        }
        (Err(error @ NeuralError::TooSlow(_)), _) => {
            format!("preset {name}: built in {seconds:.1} s, and given up: {error}")
        }
        (Err(error), _) => format!("preset {name}: not built in {seconds:.1} s: {error}"),
        (Ok(_), Some(run)) => {
            let milliseconds = run.as_secs_f64() * 1e3;
            format!("preset {name}: built in {seconds:.1} s, one run {milliseconds:.3} ms")
        }
        (Ok(_), None) => format!("preset {name}: built in {seconds:.1} s"),
    });
    Trial {
        name,
        build,
        run,
        failure,
    }
}

/// The faster one; the other's files are removed, which can be as large as the model.
fn better(best: Option<Candidate>, new: Candidate) -> Result<Candidate, NeuralError> {
    let Some(best) = best else {
        return Ok(new);
    };
    let (kept, dropped) = if new.run < best.run {
        (new, best)
    } else {
        (best, new)
    };
    fs::remove_dir_all(&dropped.folder).map_err(NeuralError::file(&dropped.folder))?;
    Ok(kept)
}
