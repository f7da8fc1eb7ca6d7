//! The course of a quantization.

use super::calibration::{self, Calibrated, calibrate};
use super::course::Course;
use super::draft::Draft;
use super::pieces::Pieces;
use super::selection::{Selection, select};
use super::stream::Stream;
use super::{config, finish, fused, space};
use crate::calibrate::{Prepared, prepare};
use crate::model::Model;
use crate::options::Quantization;
use crate::report::{TensorReport, Total, share, size};
use crate::{OptimizeError, Task};

/// Room for the small files that are written besides the weights.
const SMALL_FILES: u64 = 4 << 20;

/// The most bytes that are held of what comes with a weight.
const HELD: u64 = 8 << 20;

/// Quantizes a model into the task's output directory.
pub fn quantize(
    course: &mut Course<'_>,
    task: &Task,
    model: &Model,
    asked: &Quantization,
) -> Result<(), OptimizeError> {
    let selection = select(model, asked)?;
    model.expect_layers()?;
    if let Some(remark) = fused::remark(model, &selection) {
        course.remark(remark);
    }
    let draft = Draft::new(model, asked, &selection.quantized)?;
    let schemes = |module: &str| calibration::scheme_of(model, asked, &draft, module);
    let data = task.calibration.as_deref();
    let texts = data.and_then(|data| {
        let texts = (task, data);
        calibration::request(course, texts, model, asked, &schemes)
    });
    let calibration = texts.as_ref().map(prepare).transpose()?;
    let needed = draft.bytes() + finish::carried_bytes(model)? + SMALL_FILES;
    match &calibration {
        None => space::check(&task.output, needed)?,
        Some(calibration) => {
            let kept = (task.scratch.as_path(), calibration.room());
            space::check_both(kept, (&task.output, needed))?;
        }
    }
    announce(course, model, asked, &selection, &draft);

    let written = write(course, task, model, asked, (&draft, calibration.as_ref()))?;
    finish::write_index(&task.output, draft.bytes(), || draft.names())?;
    let config = config::quantized(&model.config().raw, asked, &selection.ignored);
    finish::write_config(&task.output, config)?;
    finish::carry(model, &task.output)?;
    report(course, model, &draft, &written);
    Ok(())
}

fn announce(
    course: &mut Course<'_>,
    model: &Model,
    asked: &Quantization,
    selection: &Selection,
    draft: &Draft<'_>,
) {
    let form = asked.to_string();
    course.say(&format!(
        "{} of {} tensors are quantized: {form}; the result has {}",
        selection.quantized.len(),
        model.tensors().len(),
        size(draft.bytes())
    ));
    course.report.done = format!("Linear layers were quantized: {form}.");
    course.report.options = asked.settings();
}

/// Writes all weights: what a calibration makes, and then what is left.
fn write(
    course: &mut Course<'_>,
    task: &Task,
    model: &Model,
    asked: &Quantization,
    (draft, calibration): (&Draft<'_>, Option<&Prepared<'_>>),
) -> Result<Calibrated, OptimizeError> {
    let in_order = calibration.is_none() && comes_in_order(model, asked, draft);
    let writers = draft.create(&task.output, in_order)?;
    let mut written = match calibration {
        Some(prepared) => calibrate(course, prepared, model, asked, (draft, &writers))?,
        None => Calibrated::nothing(model),
    };
    let bytes = model.tensors().iter().zip(&written.there);
    let bytes = bytes.map(|(tensor, there)| if *there { 0 } else { tensor.bytes() });
    course.begin(bytes.sum());
    let stream = Stream {
        model,
        quantization: asked,
        draft,
        writers: &writers,
        there: &written.there,
    };
    let losses = stream.run(&mut |bytes, tensor| course.advance(bytes, tensor))?;
    for (loss, streamed) in written.losses.iter_mut().zip(losses) {
        loss.add(streamed);
    }
    for (file, writer) in draft.files.iter().zip(&writers) {
        let known = writer.complete()?;
        let known = known.map(|report| (file.name.clone(), report));
        course.report.files.extend(known);
    }
    Ok(written)
}

/// Whether a pass without texts makes the result's tensors in the order of the model's files,
/// but for the scales and what else comes with a weight, if that is little enough to be held
/// until the weight is there.
fn comes_in_order(model: &Model, asked: &Quantization, draft: &Draft<'_>) -> bool {
    let nothing = vec![false; model.tensors().len()];
    let pieces = Pieces::new(model, draft, asked, &nothing);
    pieces.become_runs(draft) && draft.most_besides() <= HELD
}

fn report(course: &mut Course<'_>, model: &Model, draft: &Draft<'_>, written: &Calibrated) {
    let losses = &written.losses;
    let tensors = model.tensors().iter().zip(losses).enumerate();
    let tensors = tensors.map(|(number, (tensor, loss))| {
        let quantized = draft.places[number].form.is_some();
        let figures = written.figures.get(&number);
        TensorReport {
            quantized,
            relative_error: quantized.then(|| share(loss.noise, loss.signal)),
            output_error: figures.map(|figures| figures.after),
            output_error_without_texts: figures.map(|figures| figures.before),
            ..TensorReport::of(tensor, draft.bytes_of(number))
        }
    });
    course.report.tensors = tensors.collect();
    let noise = losses.iter().map(|loss| loss.noise).sum();
    let signal = losses.iter().map(|loss| loss.signal).sum();
    let total = Total::of(&course.report.tensors, noise, signal);
    course.measured(total);
}
