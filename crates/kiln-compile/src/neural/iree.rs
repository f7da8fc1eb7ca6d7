//! The engine that builds networks with IREE: preset after preset, as far as time allows.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::compiler::{Compiled, Diagnostic, compile_apart};
use super::device::Approach;
use super::engine::{Trials, Verdict};
use super::{Built, Device, Engine, Network, NeuralError, Preset, Trial};

/// The module's file in what is built.
pub const MODULE: &str = "compiled.vmfb";

/// A preset can take this many times as long as the one before it.
const SLOWER: u32 = 3;

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
        scratch: &Path,
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
        let compiled = compile_apart(compiler, &flags, network.mlir, &folder.join(MODULE))?;
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
        for preset in Preset::for_network(&self.device, network.traits.convolutions) {
            let needed = best.is_none();
            let wanted = !preset.is_last_resort(network.traits.convolutions)
                && worth_another(trials, tried.last());
            if !needed && !wanted {
                break;
            }
            let begun = Instant::now();
            let made = self.candidate(network, preset, trials.scratch);
            let build = begun.elapsed();
            let outcome = made.and_then(|(folder, compiled)| {
                tell(trials, &compiled.said);
                release = compiled.revision;
                judge(trials, preset, folder)
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

/// Whether a further candidate can be compared, and would be ready in time.
fn worth_another(trials: &Trials<'_>, last: Option<&Trial>) -> bool {
    let expected = last.map_or(Duration::ZERO, |last| last.build * SLOWER);
    let in_time = trials
        .deadline
        .is_none_or(|deadline| Instant::now() + expected < deadline);
    trials.judge.is_some() && in_time
}

/// Warnings of the compiler go to the log; what it only remarks does not.
fn tell(trials: &mut Trials<'_>, said: &[Diagnostic]) {
    for diagnostic in said {
        if diagnostic.severity == super::compiler::Severity::Warning {
            (trials.log)(&format!("compiler: {}", diagnostic.headline()));
        }
    }
}

fn judge(
    trials: &mut Trials<'_>,
    preset: Preset,
    folder: PathBuf,
) -> Result<Candidate, NeuralError> {
    let run = match trials.judge.as_mut().map(|judge| judge(&folder)) {
        None => None,
        Some(Verdict::Holds(run)) => Some(run),
        Some(Verdict::Fails(reason)) => return Err(NeuralError::Differs(reason)),
    };
    Ok(Candidate {
        preset,
        folder,
        run,
    })
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
    let ending = match (run, &failure) {
        (_, Some(failure)) => format!(": {failure}"),
        (Some(run), None) => format!(", one run {:.3} ms", run.as_secs_f64() * 1e3),
        (None, None) => String::new(),
    };
    (trials.log)(&format!("preset {name}: built in {seconds:.1} s{ending}"));
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
