//! The course of a sharding.

use super::course::Course;
use super::{finish, space};
use crate::model::Model;
use crate::report::{TensorReport, Total, bits};
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
    let shards = shard::shard(model, degree, &task.output, &mut |bytes, tensor| {
        course.advance(bytes, tensor);
    })?;
    finish::write_config(&task.output, model.config().raw.clone())?;
    finish::carry(model, &task.output)?;
    course.report.tensors = tensors(model, &shards.bytes);
    course.measured(total(model, finish::bytes_of(&shards.files)?));
    Ok(())
}

/// What became of each tensor: its numbers are the same, in one place or in several.
fn tensors(model: &Model, bytes_after: &[u64]) -> Vec<TensorReport> {
    let tensors = model.tensors().iter().zip(bytes_after);
    let tensors = tensors.map(|(tensor, bytes_after)| {
        let elements = tensor.shape.iter().product::<usize>() as u64;
        TensorReport {
            name: tensor.name.clone(),
            elements,
            quantized: false,
            bits: bits(*bytes_after, elements),
            bytes_before: tensor.bytes(),
            bytes_after: *bytes_after,
            relative_error: None,
            output_error: None,
            output_error_without_texts: None,
        }
    });
    tensors.collect()
}

/// The measures of a model whose numbers became so many bytes.
fn total(model: &Model, bytes_after: u64) -> Total {
    let tensors = model.tensors().iter();
    let elements = tensors.map(|tensor| tensor.shape.iter().product::<usize>() as u64);
    let elements = elements.sum();
    Total {
        elements,
        bits: bits(bytes_after, elements),
        bytes_before: model.tensors().iter().map(|tensor| tensor.bytes()).sum(),
        bytes_after,
        ..Total::default()
    }
}
