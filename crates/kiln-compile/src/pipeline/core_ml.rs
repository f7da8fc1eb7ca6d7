//! The way to Core ML: another form of the model, which Apple's systems run.

use std::path::Path;

use super::course::Course;
use super::error::CompileError;
use super::interface::{derived_from, described};
use super::report::Verification;
use super::workshop::{Compiled, Workshop};
use crate::archive::{ModelFiles, Unpacked, class_labels};
use crate::exported::{self, Export};
use crate::front::Checked;

/// Converts a model into a folder.
pub(super) fn compile(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    (order, unpacked): (&Checked, &Unpacked),
    files: &ModelFiles,
    folder: &Path,
) -> Result<Compiled, CompileError> {
    let environment = exported::core_ml_environment_of(files);
    let environment = environment.ok_or_else(|| CompileError::Build {
        target: order.target.name.clone(),
        reason: format!("models of {} are not converted to Core ML", order.framework),
    })?;
    let labels = order.options.class_labels.as_deref();
    let labels = labels
        .map(|name| class_labels(unpacked, name))
        .transpose()?;
    let export = Export {
        environment: workshop.tools.environment(environment)?,
        files,
        inputs: order.inputs.as_ref(),
        options: &order.options,
        samples: &[],
        class_labels: labels.as_deref(),
        scratch: workshop.scratch,
    };
    let exported = exported::core_ml(&export, &mut |line| course.say(line))?;
    let name = exported.model.file_name().unwrap_or_default();
    std::fs::rename(&exported.model, folder.join(name))
        .map_err(CompileError::io("moving the model into the artifact"))?;
    course.report.engine = exported.reference;
    course.report.inputs = described(&exported.inputs.inputs);
    course.report.verification = Verification::BuiltNotRun {
        reason: "Core ML is there on Apple's systems only".to_owned(),
    };
    Ok(Compiled {
        derived_data_input_config: derived_from(exported.inputs.inputs, order.framework),
    })
}
