//! A calibration from its first layer to its last: each is quantized on what the quantized
//! layers before it put out, and what it puts out then flows on.

use std::path::Path;

use super::data::{Limits, Samples};
use super::flow::Flow;
use super::layer::{Plan, Step};
use super::ledger::{Ledger, home, identity};
use super::linear::Precision;
use super::made::Made;
use super::measure::{Fidelity, compare};
use super::pass::Pass;
use super::scratch;
use crate::model::Model;
use crate::options::Activations;
use crate::quantize::{Granularity, Grid, Scheme};
use crate::{Dtype, OptimizeError};

/// Tokens on which the whole model is compared with the original.
const COMPARED: usize = 2048;
/// Samples that are enough to choose these tokens from, where nothing else is done.
const CHOSEN_FROM: usize = 128;

/// What is done with what is seen of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Nothing: weights become what they would be without data, and what that loses is
    /// measured.
    Measure,
    /// Scales are chosen by how much each column counts.
    Importance,
    /// Columns are scaled by how much they count before they are quantized.
    Awq,
    /// Errors of columns are made up for by others.
    Gptq,
}

/// What is asked of a calibration.
pub struct Request<'a> {
    /// The model.
    pub model: &'a Model,
    /// A directory of `*.jsonl`, `*.json` and `*.txt` files.
    pub data: &'a Path,
    /// A directory that outlasts a crash, and from which a killed calibration goes on.
    pub scratch: &'a Path,
    /// What is done.
    pub method: Method,
    /// What becomes of activations when the model that comes out runs.
    pub activations: Activations,
    /// How the linear layer of a name is quantized, if it is.
    pub schemes: &'a dyn Fn(&str) -> Option<Scheme>,
    /// How much of the data is used.
    pub limits: Limits,
    /// How many threads compute. The result does not depend on it.
    pub threads: usize,
}

/// Who takes what a calibration makes.
pub trait Sink {
    /// Something was made. It comes again if the calibration was killed later.
    fn made(&mut self, made: Made) -> Result<(), OptimizeError>;
    /// So much of the work is done, from 0 to 1; what is named comes now.
    fn progress(&mut self, share: f64, now: &str);
}

/// What is known at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// How many samples there were.
    pub samples: usize,
    /// Of how many tokens.
    pub tokens: usize,
    /// What the quantized linear layers lost of their outputs, all in all.
    pub outputs: Lost,
    /// What the model as a whole lost.
    pub fidelity: Fidelity,
    /// The layer at which this run went on, if an earlier one was killed.
    pub resumed: Option<usize>,
}

/// Squared errors of outputs, in parts of the outputs' squares.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lost {
    /// Had the data not been looked at.
    pub before: f64,
    /// As it is.
    pub after: f64,
}

/// Passes on what is made, and adds up what it lost.
struct Tally<'a> {
    sink: &'a mut dyn Sink,
    power: f64,
    before: f64,
    after: f64,
}

impl Tally<'_> {
    fn lost(&self) -> Lost {
        let power = self.power.max(f64::MIN_POSITIVE);
        Lost {
            before: self.before / power,
            after: self.after / power,
        }
    }
}

impl Sink for Tally<'_> {
    fn made(&mut self, made: Made) -> Result<(), OptimizeError> {
        if let Made::Linear(linear) = &made {
            let figures = &linear.figures;
            self.power += figures.power;
            self.before += figures.before * figures.power;
            self.after += figures.after * figures.power;
        }
        self.sink.made(made)
    }

    fn progress(&mut self, share: f64, now: &str) {
        self.sink.progress(share, now);
    }
}

/// Makes sure that a model can be run on texts.
pub fn can_run(model: &Model) -> Result<(), OptimizeError> {
    Plan::new(model, 1).map(|_| ())
}

/// A calibration that was checked, and can begin.
pub struct Prepared<'a> {
    request: &'a Request<'a>,
    plan: Plan<'a>,
    samples: Samples,
    precision: Precision,
}

/// Checks a calibration, and reads what it looks at.
pub fn prepare<'a>(request: &'a Request<'a>) -> Result<Prepared<'a>, OptimizeError> {
    let plan = Plan::new(request.model, request.limits.tokens)?;
    check(request, &plan)?;
    let tokens = plan.longest(request.limits.tokens);
    let samples = match request.method {
        Method::Measure => {
            let samples = request.limits.samples.min(CHOSEN_FROM);
            let mut read = Samples::read(request.data, request.model, Limits { samples, tokens })?;
            let lengths: Vec<usize> = read.lengths().collect();
            let mean = lengths.iter().sum::<usize>().div_ceil(lengths.len());
            read.thin((COMPARED / mean).clamp(1, lengths.len()));
            read
        }
        _ => Samples::read(
            request.data,
            request.model,
            Limits {
                tokens,
                ..request.limits
            },
        )?,
    };
    Ok(Prepared {
        precision: precision(request.model, &plan),
        request,
        plan,
        samples,
    })
}

impl Prepared<'_> {
    /// Bytes that it will take in the scratch directory, beyond those of an earlier run.
    #[must_use]
    pub fn room(&self) -> u64 {
        let lengths: Vec<usize> = self.samples.lengths().collect();
        let original = &lengths[..self.compared(&lengths)];
        let tokens = lengths.iter().chain(original).sum();
        let needed = scratch::of_flows(&self.plan, self.precision, tokens)
            + scratch::of_layers(&self.plan, self.request.schemes);
        needed.saturating_sub(scratch::present(&home(self.request.scratch)))
    }

    /// Calibrates, and hands over everything that was made.
    pub fn run(&self, sink: &mut dyn Sink) -> Result<Summary, OptimizeError> {
        let Self {
            request,
            plan,
            samples,
            precision,
        } = self;
        let purpose = purpose(request, plan, *precision);
        let ledger = Ledger::open(
            request.scratch,
            &identity(request.model, samples, &purpose)?,
        )?;
        let lengths: Vec<usize> = samples.lengths().collect();
        let compared = self.compared(&lengths);
        let flow = |name, lengths: &[usize]| {
            Flow::new(
                plan,
                ledger.home(),
                name,
                lengths,
                *precision,
                request.threads,
            )
        };
        let pass = Pass {
            request,
            plan,
            flow: flow("flow", &lengths),
            original: flow("original", &lengths[..compared]),
            precision: *precision,
        };
        let mut tally = Tally {
            sink,
            power: 0.0,
            before: 0.0,
            after: 0.0,
        };
        let resumed = all_layers(&pass, &ledger, samples, compared, &mut tally)?;
        let fidelity = compare(plan, &pass.original, &pass.flow, compared)?;
        Ok(Summary {
            samples: lengths.len(),
            tokens: pass.flow.tokens(),
            outputs: tally.lost(),
            fidelity,
            resumed,
        })
    }

    /// How many samples are compared with those of the original.
    fn compared(&self, lengths: &[usize]) -> usize {
        match self.request.method {
            Method::Measure => lengths.len(),
            _ => compared(lengths),
        }
    }
}

/// Refuses what cannot be done with the model.
fn check(request: &Request, plan: &Plan) -> Result<(), OptimizeError> {
    if request.method == Method::Awq && plan.is_encoder() {
        return Err(OptimizeError::Unsupported(format!(
            "AWQ scales the norms before linear layers, which models of the type '{}' also add to what flows past them; take GPTQ or none",
            request.model.config().model_type
        )));
    }
    for layer in 0..plan.geometry.layers {
        for step in Step::ALL {
            for module in plan.modules(layer, step) {
                let Some(scheme) = (request.schemes)(&module) else {
                    continue;
                };
                let integers = matches!(scheme.grid, Grid::Int { .. });
                let rows = matches!(
                    scheme.granularity,
                    Granularity::Group(_) | Granularity::Channel
                );
                let rounds = matches!(request.method, Method::Awq | Method::Gptq);
                if rounds && !(integers && rows) {
                    return Err(OptimizeError::Unsupported(format!(
                        "{module} cannot be quantized so with AWQ or GPTQ, which need integers in groups or channels"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// Does what is left to be done, and returns the layer at which it began if that is not
/// the first.
fn all_layers(
    pass: &Pass,
    ledger: &Ledger,
    samples: &Samples,
    compared: usize,
    sink: &mut dyn Sink,
) -> Result<Option<usize>, OptimizeError> {
    let layers = pass.plan.geometry.layers;
    let reached = (0..=layers).rev().find(|layer| pass.flow.reaches(*layer));
    if reached.is_none() {
        pass.original.begin(&samples.tokens[..compared])?;
        pass.flow.begin(&samples.tokens)?;
    }
    let start = reached.unwrap_or(0);
    for layer in 0..start {
        hand_over(ledger.recall(layer)?, sink)?;
    }
    for layer in start..layers {
        let made = pass.layer(layer, sink)?;
        ledger.keep(layer, &made)?;
        // The flow comes last: where it is, everything of the layer is.
        for flow in [&pass.original, &pass.flow] {
            flow.settle(layer + 1)?;
        }
        for flow in [&pass.original, &pass.flow] {
            flow.forget(layer)?;
        }
        hand_over(made, sink)?;
    }
    Ok(reached.filter(|layer| *layer > 0))
}

/// Hands over what was made of a layer by its names: sums of what was recalled are then the
/// very same as of what was made just now.
fn hand_over(mut made: Vec<Made>, sink: &mut dyn Sink) -> Result<(), OptimizeError> {
    made.sort_by(|one, other| one.name().cmp(other.name()));
    made.into_iter().try_for_each(|made| sink.made(made))
}

/// What tells this request from others for the same model and samples.
fn purpose(request: &Request, plan: &Plan, precision: Precision) -> String {
    let (method, activations) = (request.method, request.activations);
    let mut purpose = format!("{method:?} {activations:?} {precision:?}");
    for layer in 0..plan.geometry.layers {
        for step in Step::ALL {
            for module in plan.modules(layer, step) {
                purpose.push_str(&format!(" {module} {:?}", (request.schemes)(&module)));
            }
        }
    }
    purpose
}

/// How many samples have not more tokens than are compared, but for the first.
fn compared(lengths: &[usize]) -> usize {
    let mut tokens = 0;
    let fit = lengths.iter().take_while(|length| {
        tokens += **length;
        tokens <= COMPARED
    });
    fit.count().max(1)
}

/// Half, if no linear layer has more than the bits of `BF16`.
fn precision(model: &Model, plan: &Plan) -> Precision {
    let modules = (0..plan.geometry.layers).flat_map(|layer| {
        Step::ALL
            .into_iter()
            .flat_map(move |step| plan.modules(layer, step))
    });
    let mut tensors = modules.map(|module| model.find(&format!("{module}.weight")));
    match tensors.all(|tensor| tensor.is_some_and(|tensor| tensor.dtype == Dtype::Bf16)) {
        true => Precision::for_bf16(),
        false => Precision::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_samples_are_compared() {
        assert_eq!(compared(&[1000, 1000, 48, 1]), 3);
        assert_eq!(compared(&[5000, 1]), 1);
    }
}
