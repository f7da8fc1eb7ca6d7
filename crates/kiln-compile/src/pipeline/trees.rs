//! The way of tree ensembles: built from the target's parts, and compared with
//! the plain evaluator.

use std::path::Path;
use std::time::Duration;

use super::comparison::Tolerance;
use super::course::Course;
use super::error::CompileError;
use super::forest::{Answers, Forest};
use super::loaded::{Emulated, Native};
use super::report::{Port, Verification};
use super::samples;
use super::tree_rows::rows;
use super::verification::{Case, Loaded, Yardstick, verify};
use super::workshop::{Compiled, Workshop};
use crate::archive::Unpacked;
use crate::array::{Array, Element};
use crate::dlr::{Emulator, Runner, TensorInfo};
use crate::front::Checked;
use crate::input_config::{Dimension, Dtype, Input, InputConfig};
use crate::parts::Toolchain;
use crate::target::Build;
use crate::trees::{self, Ensemble};

/// Rows of each batch that a build is tried with: one alone, a few, and enough
/// for the form that takes many at once.
const BATCHES: [usize; 3] = [1, 7, 600];
/// Values of the largest batch; rows may have a million.
const MOST_VALUES: usize = 1 << 24;
/// The time that a foreign artifact has for a batch under its emulator.
const EMULATED_WITHIN: Duration = Duration::from_secs(300);
/// The name of the input, as AWS's compiler calls it.
const INPUT: &str = "data";
/// The name of the output.
const OUTPUT: &str = "output";

/// Builds an ensemble into a folder, and proves it where that can be done.
pub(super) fn compile(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    (order, build): (&Checked, &Build),
    (forest, unpacked): (Forest, &Unpacked),
    folder: &Path,
) -> Result<Compiled, CompileError> {
    let Forest { ensemble, answers } = forest;
    let ensemble = &ensemble;
    expect_rows(order, ensemble)?;
    let parts = workshop.tools.parts()?;
    let toolchain = Toolchain::new(workshop.tools.zig()?);
    course.report.engine = "Kiln's tree kernel".to_owned();
    course.report.platform = Some(build.platform.to_string());
    course.report.inputs = vec![port(INPUT, ensemble.parts().features as usize)];
    course.report.outputs = vec![port(OUTPUT, ensemble.outputs())];
    course.stage("build", |course| {
        let built = trees::build(ensemble, &build.platform, parts, &toolchain, folder).map_err(
            |error| CompileError::Build {
                target: order.target.name.clone(),
                reason: error.to_string(),
            },
        )?;
        let trees = ensemble.parts().trees.len();
        course.say(&format!(
            "Kiln: {trees} trees, at most {} deep, in {} bytes",
            ensemble.depth(),
            built.packed
        ));
        Ok::<_, CompileError>(())
    })?;
    course.stage("verify", |course| {
        let samples = samples(unpacked, ensemble)?;
        let verification = prove(build, parts, (ensemble, answers, samples), folder)?;
        if let Verification::BuiltNotRun { reason } = &verification {
            course.say(&format!("Kiln: built, not run: {reason}"));
        }
        course.report.verification = verification;
        Ok::<_, CompileError>(())
    })?;
    Ok(Compiled {
        derived_data_input_config: Some(derived(ensemble)),
    })
}

/// Rows of any number.
fn input(ensemble: &Ensemble) -> Input {
    let columns = Dimension::Fixed(u64::from(ensemble.parts().features));
    Input::new(Some(INPUT.to_owned()), vec![Dimension::Open, columns])
}

/// The input as a `DataInputConfig`.
fn derived(ensemble: &Ensemble) -> String {
    let inputs = vec![input(ensemble)];
    InputConfig { inputs }.render()
}

/// What a request says of the input must be true of it, however it calls it.
fn expect_rows(order: &Checked, ensemble: &Ensemble) -> Result<(), CompileError> {
    let Some(given) = &order.inputs else {
        return Ok(());
    };
    let unnamed = |input: &Input| Input {
        name: None,
        ..input.clone()
    };
    let given = InputConfig {
        inputs: given.inputs.iter().map(unnamed).collect(),
    };
    let model = InputConfig {
        inputs: vec![Input {
            dtype: Some(Dtype::Float32),
            ..input(ensemble)
        }],
    };
    given.fit(&model, order.framework)?;
    Ok(())
}

/// The input, as clients see it.
fn info(columns: usize) -> TensorInfo {
    TensorInfo {
        name: INPUT.to_owned(),
        kind: Element::Float32.name().to_owned(),
        shape: vec![-1, columns as i64],
    }
}

fn port(name: &str, columns: usize) -> Port {
    Port {
        name: name.to_owned(),
        r#type: Element::Float32.name().to_owned(),
        shape: vec![-1, columns as i64],
    }
}

fn prove(
    build: &Build,
    parts: &Path,
    (ensemble, answers, samples): (&Ensemble, Option<Answers>, Vec<Case>),
    folder: &Path,
) -> Result<Verification, CompileError> {
    let columns = ensemble.parts().features as usize;
    let wrong = |reason: String| CompileError::Verification(reason);
    let mut loaded: Box<dyn Loaded> = if build.platform.is_of_this_program() {
        Box::new(Native::open(folder).map_err(|error| wrong(error.to_string()))?)
    } else if let Some(emulator) = Emulator::of(&build.platform) {
        let runner = Runner {
            program: parts.join("runner"),
            emulator: Some(emulator),
            limit: EMULATED_WITHIN,
        };
        Box::new(Emulated::new(runner, folder, vec![info(columns)]))
    } else {
        return Ok(Verification::BuiltNotRun {
            reason: format!(
                "this machine cannot run code for {}, and has no emulator with its C library",
                build.platform
            ),
        });
    };
    let mut cases = samples;
    cases.extend(generated(ensemble)?);
    let mut reference = "the plain evaluation of the trees".to_owned();
    if let Some(Answers { framework, case }) = answers {
        reference = format!("{reference}, and {framework} itself");
        cases.insert(0, case);
    }
    let yardstick = Yardstick {
        reference,
        tolerance: Tolerance::TREES,
    };
    let outputs = [OUTPUT.to_owned()];
    let evidence = verify(loaded.as_mut(), &outputs, &cases, &yardstick);
    let evidence = evidence.map_err(|error| wrong(error.to_string()))?;
    Ok(Verification::Verified(Box::new(evidence)))
}

/// The rows that came with the model.
fn samples(unpacked: &Unpacked, ensemble: &Ensemble) -> Result<Vec<Case>, CompileError> {
    let columns = ensemble.parts().features as usize;
    let sets = samples::read(unpacked, &[info(columns)])?
        .into_iter()
        .flatten();
    let case = |rows: Array| {
        let values: Vec<f64> = rows.values().collect();
        Ok(Case {
            expected: vec![answers_of(ensemble, &values, rows.shape()[0])?],
            inputs: vec![rows],
            is_sample: true,
        })
    };
    sets.map(case).collect()
}

/// What the plain evaluator answers to so many rows.
fn answers_of(ensemble: &Ensemble, rows: &[f64], count: usize) -> Result<Array, CompileError> {
    let columns = ensemble.parts().features as usize;
    let answers = (0..count).flat_map(|row| ensemble.predict(&rows[row * columns..][..columns]));
    Array::of(Element::Float32, vec![count, ensemble.outputs()], answers)
        .map_err(|error| CompileError::Verification(error.to_string()))
}

/// The smallest batch last, since its time is the one that is told.
fn generated(ensemble: &Ensemble) -> Result<Vec<Case>, CompileError> {
    let features = ensemble.parts().features as usize;
    let case = |count: usize| {
        let rows = rows(ensemble, count, count as u64);
        let rows: Vec<f64> = rows.iter().map(|value| f64::from(*value)).collect();
        let expected = answers_of(ensemble, &rows, count)?;
        let inputs = Array::of(Element::Float32, vec![count, features], rows)
            .map_err(|error| CompileError::Verification(error.to_string()))?;
        Ok(Case {
            expected: vec![expected],
            inputs: vec![inputs],
            is_sample: false,
        })
    };
    let most = (MOST_VALUES / features.max(1)).max(1);
    let batches = BATCHES.iter().rev().filter(|count| **count <= most);
    batches.map(|count| case(*count)).collect()
}
