//! The course of a sharding.

use super::course::Course;
use super::{finish, space};
use crate::model::Model;
use crate::report::{TensorReport, Total};
use crate::shard;
use crate::{OptimizeError, Task};

/// Cuts a model for so many accelerators into the task's output directory.
pub fn shard(
    course: &mut Course<'_>,
    task: &Task,
    model: &Model,
    degree: usize,
) -> Result<(), OptimizeError> {
    let bytes: u64 = model.tensors().iter().map(|tensor| tensor.bytes()).sum();
    space::check(&task.output, bytes + finish::carried_bytes(model)?)?;
    course.say(&format!("the model is cut for {degree} accelerators"));
    course.report.done = format!(
        "The model was cut for {degree} accelerators, as vLLM's sharded_state, and put together \
         again to see that nothing is lost."
    );
    let settings = [("tensor_parallel_degree", degree.to_string())];
    course.report.options = settings
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    // Everything is written, and then read and compared.
    course.begin(bytes * 2);
    let bytes_after = shard::shard(model, degree, &task.output, &mut |bytes, tensor| {
        course.advance(bytes, tensor);
    })?;
    finish::write_config(&task.output, model.config().raw.clone())?;
    finish::carry(model, &task.output)?;
    // The numbers of a tensor are the same, in one place or in several.
    let tensors = model.tensors().iter().zip(bytes_after);
    let tensors = tensors.map(|(tensor, bytes_after)| TensorReport::of(tensor, bytes_after));
    course.report.tensors = tensors.collect();
    course.measured(Total::of(&course.report.tensors, 0.0, 0.0));
    Ok(())
}
