//! The way through one layer: its linear layers are quantized step by step, each on what
//! the quantized ones before it put out.

use super::flow::{Flow, Projection};
use super::gptq::Feedback;
use super::inputs::Inputs;
use super::layer::{Layer, Plan, Step};
use super::linear::{Packed, Precision, View};
use super::made::{Figures, Linear, Made};
use super::measure::loss;
use super::run::{Method, Request, Sink};
use super::smoothing::{Smoothing, search};
use super::statistics::Statistics;
use super::weights::Weight;
use crate::quantize::{
    QuantizeError, Quantized, Scheme, Slab, dequantize, quantize, stored_precision,
};
use crate::{Dtype, OptimizeError};

/// What all layers are gone through with.
pub struct Pass<'a> {
    /// What was asked for.
    pub request: &'a Request<'a>,
    /// The model.
    pub plan: &'a Plan<'a>,
    /// What flows through quantized layers.
    pub flow: Flow<'a>,
    /// What flows through the original ones, for some of the samples.
    pub original: Flow<'a>,
    /// How products are computed.
    pub precision: Precision,
}

impl Pass<'_> {
    /// Quantizes a layer, and lets everything flow through it.
    pub fn layer(&self, index: usize, sink: &mut dyn Sink) -> Result<Vec<Made>, OptimizeError> {
        let original = Layer::read(self.plan, index)?;
        let mut changed = Layer::read(self.plan, index)?;
        let smoothing = match self.request.method {
            Method::Awq => self.smooth(&original, sink)?,
            Method::Measure | Method::Importance | Method::Gptq => Smoothing::default(),
        };
        let family = self.request.model.config().family;
        let vectors = smoothing.change_vectors(family, changed.vectors_mut());
        let mut made: Vec<Made> = vectors.into_iter().map(Made::Vector).collect();
        let mut statistics = self.statistics(Step::Attend);
        self.flow
            .observe(&changed, &mut |first, rows| statistics.observe(first, rows))?;
        for step in Step::ALL {
            let modules = self.plan.modules(index, step);
            self.report(index, step, sink);
            check_inputs(&statistics, &modules)?;
            let weights = self.read(&modules)?;
            let projections = self.projections(&original, &modules, &weights);
            self.original
                .advance(&original, step, &projections, &mut |_, _| {})?;
            drop(projections);

            let feedback = self.feedback(&mut statistics, &modules)?;
            let task = Quantizing {
                pass: self,
                statistics: &statistics,
                smoothing: &smoothing,
                feedback,
                step,
            };
            let mut projections = Vec::new();
            for (place, (module, weight)) in modules.iter().zip(weights).enumerate() {
                let inputs = self.inputs(module, weight.dtype, statistics.largest());
                let (linear, weight) = task.quantize(place, module, weight, inputs)?;
                made.extend(linear.map(Made::Linear));
                projections.push(Projection {
                    weight,
                    bias: changed.bias(module),
                    inputs,
                });
            }
            drop(task);

            let mut next = step.next().map(|step| self.statistics(step));
            self.flow
                .advance(&changed, step, &projections, &mut |first, rows| {
                    if let Some(next) = &mut next {
                        next.observe(first, rows);
                    }
                })?;
            if let Some(next) = next {
                statistics = next;
            }
        }
        Ok(made)
    }

    /// Lets everything flow through the layer as it is, and finds the scales with which it
    /// is quantized best.
    fn smooth(&self, layer: &Layer, sink: &mut dyn Sink) -> Result<Smoothing, OptimizeError> {
        let family = self.request.model.config().family;
        let mut smoothing = Smoothing::default();
        let mut statistics = self.statistics_without_gram(Step::Attend);
        self.flow
            .observe(layer, &mut |first, rows| statistics.observe(first, rows))?;
        for step in Step::ALL {
            let modules = self.plan.modules(layer.index(), step);
            self.report(layer.index(), step, sink);
            let weights = self.read(&modules)?;
            let next = step.next().map(|step| self.statistics_without_gram(step));
            let following = next.map(|mut next| {
                let projections = self.projections(layer, &modules, &weights);
                let observed = self
                    .flow
                    .advance(layer, step, &projections, &mut |first, rows| {
                        next.observe(first, rows);
                    });
                observed.map(|()| next)
            });
            let source = Smoothing::source(step)
                .map(|(source, place)| self.plan.modules(layer.index(), source).swap_remove(place));
            let all = source
                .iter()
                .chain(&modules)
                .all(|module| self.scheme(module).is_some());
            if all && Smoothing::applies(family, self.plan.geometry, step) {
                let schemes = modules.iter().filter_map(|module| self.scheme(module));
                let weights: Vec<(Weight, Scheme)> = weights.into_iter().zip(schemes).collect();
                let found = search(&statistics, &weights, self.precision, self.request.threads);
                if let Some(scales) = found.map_err(|error| unfit(&modules[0], &error))? {
                    smoothing.set(step, scales);
                }
            }
            if let Some(next) = following {
                statistics = next?;
            }
        }
        Ok(smoothing)
    }

    fn statistics(&self, step: Step) -> Statistics {
        self.gather(step, self.request.method == Method::Gptq)
    }

    fn statistics_without_gram(&self, step: Step) -> Statistics {
        self.gather(step, false)
    }

    fn gather(&self, step: Step, grams: bool) -> Statistics {
        let columns = step.columns(self.plan.geometry);
        let tokens = self.flow.tokens();
        Statistics::new(columns, tokens, grams, self.precision, self.request.threads)
    }

    fn feedback(
        &self,
        statistics: &mut Statistics,
        modules: &[String],
    ) -> Result<Option<Feedback>, OptimizeError> {
        let scheme = modules.iter().find_map(|module| self.scheme(module));
        let (Some(gram), Some(scheme)) = (statistics.take_gram(), scheme) else {
            return Ok(None);
        };
        let columns = statistics.columns();
        match Feedback::new(gram, columns, scheme.rounding, self.request.threads) {
            Some(feedback) => Ok(Some(feedback)),
            None => Err(OptimizeError::Model(format!(
                "the inputs of {} are too large to be calibrated with",
                modules.join(", ")
            ))),
        }
    }

    fn scheme(&self, module: &str) -> Option<Scheme> {
        (self.request.schemes)(module)
    }

    fn inputs(&self, module: &str, dtype: Dtype, largest: f32) -> Option<Inputs> {
        let grid = self.scheme(module)?.grid;
        Inputs::new(self.request.activations, grid, dtype, largest)
    }

    fn read(&self, modules: &[String]) -> Result<Vec<Weight>, OptimizeError> {
        let model = self.request.model;
        modules
            .iter()
            .map(|module| Weight::read(model, module))
            .collect()
    }

    fn projections<'b>(
        &self,
        layer: &'b Layer,
        modules: &[String],
        weights: &[Weight],
    ) -> Vec<Projection<'b>> {
        let pairs = modules.iter().zip(weights);
        pairs
            .map(|(module, weight)| Projection {
                weight: self.pack(weight, &weight.values),
                bias: layer.bias(module),
                inputs: None,
            })
            .collect()
    }

    fn pack(&self, weight: &Weight, values: &[f32]) -> Packed {
        Packed::new(
            View::new(values, weight.rows, weight.columns),
            self.precision,
        )
    }

    fn report(&self, layer: usize, step: Step, sink: &mut dyn Sink) {
        let steps = Step::ALL.len();
        let done = (layer * steps + step as usize) as f64;
        let all = (self.plan.geometry.layers * steps) as f64;
        let modules = self.plan.modules(layer, step);
        sink.progress(done / all, modules.first().map_or("", String::as_str));
    }
}

/// What the linear layers of a step are quantized with.
struct Quantizing<'a> {
    pass: &'a Pass<'a>,
    statistics: &'a Statistics,
    smoothing: &'a Smoothing,
    feedback: Option<Feedback>,
    step: Step,
}

impl Quantizing<'_> {
    /// Quantizes a linear layer, if that is wanted. What flows on is multiplied by the
    /// weight that is returned.
    fn quantize(
        &self,
        place: usize,
        module: &str,
        weight: Weight,
        inputs: Option<Inputs>,
    ) -> Result<(Option<Linear>, Packed), OptimizeError> {
        let Some(scheme) = self.pass.scheme(module) else {
            return Ok((None, self.pass.pack(&weight, &weight.values)));
        };
        let statistics = self.statistics;
        let rounded = inputs.map(|inputs| {
            let mut rows = statistics.kept_rows().to_vec();
            inputs.round(&mut rows, statistics.columns());
            rows
        });
        self.try_quantize(place, module, weight, &scheme, rounded.as_deref())
            .map_err(|error| unfit(module, &error))
    }

    fn try_quantize(
        &self,
        place: usize,
        module: &str,
        mut weight: Weight,
        scheme: &Scheme,
        rounded: Option<&[f32]>,
    ) -> Result<(Option<Linear>, Packed), QuantizeError> {
        let mut quantized = Quantized::default();
        let mut values = Vec::new();
        let importance = match (&self.feedback, self.pass.request.method) {
            (Some(feedback), _) => Some(feedback.importance().to_vec()),
            (None, Method::Measure) => None,
            (None, _) => Some(self.statistics.importance()),
        };
        let looks = importance.is_some();
        let before = looks.then(|| self.before(&weight, scheme, rounded));
        let before = before.transpose()?;
        self.smoothing.change(self.step, place, &mut weight);
        let bytes = weight.bytes();
        quantize(
            scheme,
            slab(&weight, &bytes),
            importance.as_deref(),
            &mut quantized,
        )?;
        if let Some(feedback) = &self.feedback {
            let stored = stored_precision(scheme, weight.dtype)?;
            feedback.round(&weight.values, scheme, stored, &mut quantized);
        }
        dequantize(scheme, weight.columns, &quantized, &mut values)?;
        let (power, after) = self.loss(&weight.values, &values, rounded);
        let figures = Figures {
            power,
            before: before.unwrap_or(after),
            after,
            largest_input: self.statistics.largest(),
        };
        let packed = self.pass.pack(&weight, &values);
        let linear = Linear {
            module: module.to_owned(),
            rows: weight.rows,
            columns: weight.columns,
            quantized,
            figures,
        };
        Ok((Some(linear), packed))
    }

    /// What the output would lose if the data were not looked at.
    fn before(
        &self,
        weight: &Weight,
        scheme: &Scheme,
        rounded: Option<&[f32]>,
    ) -> Result<f64, QuantizeError> {
        let (mut quantized, mut values) = (Quantized::default(), Vec::new());
        quantize(scheme, slab(weight, &weight.bytes()), None, &mut quantized)?;
        dequantize(scheme, weight.columns, &quantized, &mut values)?;
        if !self.smoothing.stretches(self.step) {
            return Ok(self.loss(&weight.values, &values, rounded).1);
        }
        let mut plain = weight.values.clone();
        for values in [&mut plain, &mut values] {
            self.smoothing.stretch(self.step, weight.columns, values);
        }
        Ok(self.loss(&plain, &values, rounded).1)
    }

    /// The square of the output, and what of it is lost with these weights on these rows,
    /// which are the kept ones where none are given.
    fn loss(&self, weight: &[f32], values: &[f32], rounded: Option<&[f32]>) -> (f64, f64) {
        let rows = self.statistics.kept();
        loss(
            rows,
            rounded.map(|rounded| View::new(rounded, rows.height(), rows.width())),
            weight,
            values,
            self.pass.precision,
            self.pass.request.threads,
        )
    }
}

fn slab<'a>(weight: &Weight, bytes: &'a [u8]) -> Slab<'a> {
    Slab {
        dtype: weight.dtype,
        columns: weight.columns,
        bytes,
    }
}

fn check_inputs(statistics: &Statistics, modules: &[String]) -> Result<(), OptimizeError> {
    match statistics.is_finite() {
        true => Ok(()),
        false => Err(OptimizeError::Model(format!(
            "the inputs of {} are not finite for the calibration data",
            modules.join(", ")
        ))),
    }
}

fn unfit(module: &str, error: &QuantizeError) -> OptimizeError {
    OptimizeError::Unsupported(format!("{module} cannot be quantized: {error}"))
}
