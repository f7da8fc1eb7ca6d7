//! The part of a quantization that looks at texts: what a calibration makes is written as
//! it comes.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use super::course::Course;
use super::draft::{Draft, Place};
use super::stream::Loss;
use crate::calibrate::{self, Figures, Limits, Linear, Made, Method, Prepared, Request, Sink};
use crate::layout::{Packed, scale_bytes};
use crate::model::Model;
use crate::options::{Activations, Calibration, Quantization};
use crate::quantize::Scheme;
use crate::report::EndToEnd;
use crate::safetensors::Writer;
use crate::{OptimizeError, Task};

/// What is known of each tensor after a calibration, by the tensors' numbers.
pub struct Calibrated {
    /// Whether it is written.
    pub there: Vec<bool>,
    /// What it lost.
    pub losses: Vec<Loss>,
    /// What its layer answers, if that was looked at.
    pub figures: BTreeMap<usize, Figures>,
}

impl Calibrated {
    /// Where nothing was calibrated.
    pub fn nothing(model: &Model) -> Self {
        let count = model.tensors().len();
        Self {
            there: vec![false; count],
            losses: vec![Loss::default(); count],
            figures: BTreeMap::new(),
        }
    }
}

/// What a calibration is asked for. Where the texts cannot be made use of and need not be,
/// it is nothing, and why is remarked.
pub fn request<'a>(
    course: &mut Course<'_>,
    (task, data): (&'a Task, &'a Path),
    model: &'a Model,
    asked: &Quantization,
    schemes: &'a dyn Fn(&str) -> Option<Scheme>,
) -> Option<Request<'a>> {
    let method = method(asked);
    if method == Method::Measure {
        if let Err(error) = calibrate::can_run(model) {
            course.remark(format!(
                "errors are told of weights only, and not of what the texts of \
                 OPTION_CALIBRATION_DATA are answered with: {}",
                error.to_string().trim_start_matches("ClientError: ")
            ));
            return None;
        }
        course.remark(
            "what is asked for needs no texts: those of OPTION_CALIBRATION_DATA only measure what \
             is lost"
                .to_owned(),
        );
    }
    Some(Request {
        model,
        data,
        scratch: &task.scratch,
        method,
        activations: asked.activations,
        schemes,
        limits: Limits {
            samples: asked.samples,
            tokens: asked.length,
        },
        threads: threads(),
    })
}

/// How the linear layer of a name is quantized, if it is.
pub fn scheme_of(
    model: &Model,
    asked: &Quantization,
    draft: &Draft<'_>,
    module: &str,
) -> Option<Scheme> {
    let number = number(model, &format!("{module}.weight"))?;
    draft.places[number].form.as_ref().map(|_| asked.scheme)
}

/// Runs a model on texts, and writes what comes of its layers.
pub fn calibrate(
    course: &mut Course<'_>,
    prepared: &Prepared<'_>,
    model: &Model,
    asked: &Quantization,
    (draft, writers): (&Draft<'_>, &[Writer]),
) -> Result<Calibrated, OptimizeError> {
    course.begin(0);
    let mut writing = Writing {
        course,
        model,
        draft,
        writers,
        has_input_scales: asked.activations == Activations::Static,
        packed: Packed::default(),
        calibrated: Calibrated::nothing(model),
    };
    let summary = prepared.run(&mut writing)?;
    let calibrated = writing.calibrated;
    if let Some(layer) = summary.resumed {
        course.remark(format!(
            "the calibration was cut short, and went on at layer {layer}"
        ));
    }
    let whole = EndToEnd {
        samples: summary.fidelity.samples as u64,
        tokens: summary.fidelity.tokens as u64,
        relative_error: summary.fidelity.error,
        mean_cosine: summary.fidelity.cosine,
    };
    let (done, without) = match method(asked) {
        Method::Measure => ("measured", String::new()),
        _ => {
            let before = summary.outputs.before;
            ("calibrated", format!(", and {before:.3e} without them"))
        }
    };
    course.say(&format!(
        "{done} with {} texts of {} tokens: the layers' output error is {:.3e}{without}; of {} \
         texts, the last hidden states' relative error is {:.3e}, their mean cosine {:.5}",
        summary.samples,
        summary.tokens,
        summary.outputs.after,
        whole.samples,
        whole.relative_error,
        whole.mean_cosine
    ));
    course.report.end_to_end = Some(whole);
    Ok(calibrated)
}

/// Each thread holds what it works on, so that more than two would cost memory.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, |all| all.get().min(2))
}

/// What texts are used for. Where only the scales of activations are asked for, finding them
/// takes a pass that tells the importance too.
fn method(asked: &Quantization) -> Method {
    match asked.calibration {
        Calibration::Awq => Method::Awq,
        Calibration::Gptq => Method::Gptq,
        Calibration::Importance => Method::Importance,
        Calibration::None if asked.is_calibrated() => Method::Importance,
        Calibration::None => Method::Measure,
    }
}

fn number(model: &Model, name: &str) -> Option<usize> {
    let tensors = model.tensors();
    let found = tensors.binary_search_by(|tensor| tensor.name.as_str().cmp(name));
    found.ok()
}

/// Who writes what a calibration makes.
struct Writing<'a, 'b> {
    course: &'a mut Course<'b>,
    model: &'a Model,
    draft: &'a Draft<'a>,
    writers: &'a [Writer],
    has_input_scales: bool,
    packed: Packed,
    calibrated: Calibrated,
}

impl Sink for Writing<'_, '_> {
    fn made(&mut self, made: Made) -> Result<(), OptimizeError> {
        let name = match &made {
            Made::Linear(linear) => format!("{}.weight", linear.module),
            Made::Vector(vector) => vector.name.clone(),
        };
        let number = number(self.model, &name).ok_or_else(|| {
            OptimizeError::Model(format!("there is no tensor {name} to put what was made"))
        })?;
        let place = &self.draft.places[number];
        match &made {
            Made::Linear(linear) => {
                self.linear(number, place, linear)?;
                self.calibrated.figures.insert(number, linear.figures);
                self.calibrated.losses[number] = Loss {
                    signal: linear.quantized.signal,
                    noise: linear.quantized.noise,
                };
            }
            Made::Vector(vector) => {
                self.writers[place.file].write_at(place.first, 0, &vector.bytes())?;
            }
        }
        self.calibrated.there[number] = true;
        Ok(())
    }

    fn progress(&mut self, share: f64, now: &str) {
        self.course.reach(share, now);
    }
}

impl Writing<'_, '_> {
    fn linear(
        &mut self,
        number: usize,
        place: &Place,
        linear: &Linear,
    ) -> Result<(), OptimizeError> {
        let Some(form) = &place.form else {
            return Ok(());
        };
        form.pack(0, &linear.quantized, &mut self.packed);
        form.constants(&mut self.packed);
        self.write(place)?;
        if self.has_input_scales {
            let dtype = self.model.tensors()[number].dtype;
            let scale = scale_bytes(dtype, linear.figures.input_scale());
            let last = place.first + place.count - 1;
            self.writers[place.file].write_at(last, 0, &scale)?;
        }
        Ok(())
    }

    fn write(&self, place: &Place) -> Result<(), OptimizeError> {
        let writer = &self.writers[place.file];
        let mut runs = self.packed.runs();
        runs.try_for_each(|run| writer.write_at(place.first + run.part, run.offset, run.bytes))
    }
}
