//! The stages of a compilation, one after the other.

use std::path::Path;

use super::course::Course;
use super::error::CompileError;
use super::package::{files, package};
use super::report::{Port, REPORT, Report};
use super::workshop::{Compiled, Workshop};
use super::{core_ml, forest, network, source, trees};
use crate::archive::{Limits, ModelFiles, Unpacked, unpack};
use crate::dlr::{DlrError, Metadata, TensorInfo, write_manifest};
use crate::front::{Checked, check};
use crate::target::{Accelerator, Plan};

/// Compiles what the workshop's order asks for, and writes the artifact. Lines for
/// the job's log go to `log`.
///
/// # Errors
/// In the words of a job's `FailureReason`.
pub fn run(workshop: &Workshop<'_>, log: &mut dyn FnMut(&str)) -> Result<Compiled, CompileError> {
    let order = check(workshop.order)?;
    let mut course = Course::new(log);
    course.report.framework = workshop.order.framework.clone();
    course.report.target = order.target.name.clone();
    for remark in &order.target.remarks {
        course.remark(remark);
    }
    let (unpacked, files) = course.stage("open", |course| open(course, workshop, &order))?;
    let folder = workshop.scratch.join("artifact");
    std::fs::create_dir(&folder).map_err(CompileError::io("making the artifact's folder"))?;
    let compiled = build(&mut course, workshop, &order, &unpacked, &files, &folder)?;
    course.stage("package", |course| {
        describe(&mut course.report, &order, &folder)?;
        package(&folder, workshop.artifact).map_err(CompileError::io("packing the artifact"))
    })?;
    Ok(compiled)
}

/// Unpacks the archive and finds the model in it.
fn open(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    order: &Checked,
) -> Result<(Unpacked, ModelFiles), CompileError> {
    let into = workshop.scratch.join("model");
    std::fs::create_dir(&into).map_err(CompileError::io("making room for the model"))?;
    let unpacked = unpack(workshop.archive, &into, &Limits::default())?;
    let files = unpacked.files.len();
    course.say(&format!("Kiln: the archive has {files} files"));
    let model = ModelFiles::find(&unpacked, order.framework)?;
    Ok((unpacked, model))
}

fn build(
    course: &mut Course<'_>,
    workshop: &Workshop<'_>,
    order: &Checked,
    unpacked: &Unpacked,
    files: &ModelFiles,
    folder: &Path,
) -> Result<Compiled, CompileError> {
    match &order.target.plan {
        Plan::Build(build) if forest::is_one(files) => {
            let forest = course.stage("read", |course| forest::read(course, workshop, files))?;
            trees::compile(course, workshop, (order, build), (forest, unpacked), folder)
        }
        Plan::Build(build) => {
            let source = course.stage("read", |course| {
                source::read(course, workshop, files, (order, unpacked))
            })?;
            network::compile(course, workshop, (order, build), (source, unpacked), folder)
        }
        Plan::CoreMl => course.stage("build", |course| {
            core_ml::compile(course, workshop, (order, unpacked), files, folder)
        }),
    }
}

/// Writes what is told of the artifact beside it.
fn describe(report: &mut Report, order: &Checked, folder: &Path) -> Result<(), CompileError> {
    let device = match &order.target.plan {
        Plan::Build(build) if build.accelerator != Accelerator::None => "gpu",
        _ => "cpu",
    };
    let tool = |error: DlrError| CompileError::Tool(error.to_string());
    let (inputs, outputs) = (infos(&report.inputs), infos(&report.outputs));
    let metadata = Metadata {
        target: &report.target,
        device,
        framework: &report.framework,
        inputs: &inputs,
        outputs: &outputs,
        sparse_input: false,
    };
    metadata.write(folder).map_err(tool)?;
    let reading = || CompileError::io("reading the artifact");
    for name in files(folder).map_err(reading())? {
        let file = std::fs::metadata(folder.join(&name)).map_err(reading())?;
        report.files.insert(name.display().to_string(), file.len());
    }
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| CompileError::Tool(error.to_string()))?;
    std::fs::write(folder.join(REPORT), text + "\n")
        .map_err(CompileError::io("writing the report"))?;
    let files = files(folder).map_err(reading())?;
    write_manifest(folder, &files, &report.engine).map_err(tool)
}

fn infos(ports: &[Port]) -> Vec<TensorInfo> {
    let info = |port: &Port| TensorInfo {
        name: port.name.clone(),
        kind: port.r#type.clone(),
        shape: port.shape.clone(),
    };
    ports.iter().map(info).collect()
}
