//! The course of a conversion to GGUF.

use super::course::Course;
use super::{finish, space};
use crate::gguf::{self, Conversion, Converted, GgufType};
use crate::model::Model;
use crate::report::{TensorReport, Total, share};
use crate::{OptimizeError, Task};

/// What is said of a file without a tokenizer.
const WITHOUT_TOKENIZER: &str = "the model has neither tokenizer.json nor tokenizer.model, so that \
     the GGUF file has no tokenizer, and runs only on tokens that something else makes; \
     transformers' save_pretrained makes a tokenizer.json of other files";

/// The file that a model becomes.
const FILE: &str = "model.gguf";

/// Converts a model into the task's output directory.
pub fn convert(
    course: &mut Course<'_>,
    task: &Task,
    model: &Model,
    kind: GgufType,
) -> Result<(), OptimizeError> {
    let bytes: u64 = model.tensors().iter().map(|tensor| tensor.bytes()).sum();
    // The file is a little larger than the model is at so many bits.
    space::check(
        &task.output,
        finish::carried_bytes(model)? + least(bytes, kind),
    )?;
    let name = format!("{kind:?}");
    course.say(&format!("the model is converted to GGUF ({name})"));
    course.report.done = format!(
        "The model was converted to GGUF ({name}), which llama.cpp and its kin run. This is no \
         compilation: no code was made of it."
    );
    course.report.options.insert("gguf_type".to_owned(), name);
    course.begin(bytes);
    let path = task.output.join(FILE);
    let converted = gguf::convert(model, kind, &path, &mut |bytes, tensor| {
        course.advance(bytes, tensor);
    })?;
    match converted.tokenizer {
        Some(tokens) => course.say(&format!(
            "the GGUF file has the tokenizer too, with {tokens} tokens"
        )),
        None => course.remark(WITHOUT_TOKENIZER.to_owned()),
    }
    finish::write_config(&task.output, model.config().raw.clone())?;
    finish::carry(model, &task.output)?;
    report(course, &converted);
    Ok(())
}

/// Bytes that weights of sixteen bits take at least.
fn least(bytes: u64, kind: GgufType) -> u64 {
    match kind {
        GgufType::F16 => bytes,
        GgufType::Q8_0 => bytes / 2,
        GgufType::Q4_0 => bytes / 4,
    }
}

fn report(course: &mut Course<'_>, converted: &Conversion<'_>) {
    let tensors = converted.tensors.iter();
    let tensors = tensors.map(|tensor| TensorReport {
        quantized: tensor.encoding.starts_with('Q'),
        relative_error: Some(share(tensor.noise, tensor.signal)),
        ..TensorReport::of(tensor.source, tensor.after)
    });
    course.report.tensors = tensors.collect();
    let sum = |of: fn(&Converted<'_>) -> f64| converted.tensors.iter().map(of).sum();
    let (noise, signal) = (sum(|tensor| tensor.noise), sum(|tensor| tensor.signal));
    let total = Total::of(&course.report.tensors, noise, signal);
    course.measured(total);
}
