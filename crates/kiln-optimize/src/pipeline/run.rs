//! A task from its beginning to its end.

use std::fs;
use std::io;
use std::path::Path;

use super::course::Course;
use super::{conversion, finish, quantization, sharding};
use crate::model::Model;
use crate::options::{Plan, plan};
use crate::{OptimizeError, Task, Technique};

/// Does a task. Lines for the job's log go to `log`.
///
/// # Errors
/// In the words of a job's `FailureReason`. The output directory is gone then.
pub fn run(task: &Task, log: &mut dyn FnMut(&str)) -> Result<(), OptimizeError> {
    let done = attempt(task, log);
    if done.is_err() {
        // What is left would only take room; that it is there is not what went wrong.
        let _ = fs::remove_dir_all(&task.output);
    }
    done
}

fn attempt(task: &Task, log: &mut dyn FnMut(&str)) -> Result<(), OptimizeError> {
    let mut course = Course::new(task, log);
    // It makes sure that no file is a link out of the directory.
    let model = Model::open(&task.model)?;
    if task.order.technique == Technique::Sharding {
        // Its options would only say that it is to be quantized first.
        model.expect_unquantized("be sharded")?;
    }
    let properties = finish::read_properties(&task.model)?;
    let planned = plan(&task.order, &properties, task.calibration.is_some())?;
    for remark in planned.remarks {
        course.remark(remark);
    }
    for file in model.left_out() {
        course.remark(format!("{} {}", file.path.display(), file.why));
    }
    make_empty(&task.output).map_err(OptimizeError::written(&task.output))?;
    match &planned.plan {
        Plan::Quantize(asked) => quantization::quantize(&mut course, task, &model, asked)?,
        Plan::Shard(degree) => sharding::shard(&mut course, task, &model, *degree)?,
        Plan::Convert(kind) => conversion::convert(&mut course, task, &model, *kind)?,
    }
    finish::write_properties(&task.output, &planned.properties)?;
    course.end(&task.output)
}

/// Makes the output directory, without what an attempt that was killed has left in it.
fn make_empty(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(directory),
    }
}
