//! The proof: the artifact, loaded as a client would, gives the reference's answers.

use std::time::Duration;

use super::comparison::{Mismatch, Tolerance, compare};
use super::report::{Evidence, Latency};
use crate::array::Array;

/// Inputs of one run, and the answers that are expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// For each input of the model.
    pub inputs: Vec<Array>,
    /// For each output.
    pub expected: Vec<Array>,
    /// Whether the inputs came with the model.
    pub is_sample: bool,
}

/// Something that holds an artifact and can run it.
pub trait Loaded {
    /// Where it runs, as a person would say it.
    fn place(&self) -> String;

    /// Whether its times mean anything.
    fn is_timed(&self) -> bool;

    /// The answers to these inputs, for each output.
    ///
    /// # Errors
    /// In words, when it does not run.
    fn run(&mut self, inputs: &[Array]) -> Result<Vec<Array>, String>;

    /// How long each of several runs took on the inputs of the last.
    ///
    /// # Errors
    /// In words, when it does not run.
    fn time(&mut self) -> Result<Vec<Duration>, String>;
}

/// What answers are measured by.
#[derive(Debug, Clone, PartialEq)]
pub struct Yardstick {
    /// Whose answers are expected.
    pub reference: String,
    /// How far off they may be.
    pub tolerance: Tolerance,
}

/// Why an artifact is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// It does not run.
    #[error("the compiled model does not run: {0}")]
    Run(String),
    /// It gives fewer or more outputs than the reference.
    #[error("the compiled model has {found} outputs where {reference} has {expected}")]
    Outputs {
        /// The artifact's.
        found: usize,
        /// The reference's.
        expected: usize,
        /// Whose answers were expected.
        reference: String,
    },
    /// It gives wrong answers.
    #[error("the compiled model does not answer as {reference} does: {mismatch}")]
    Wrong {
        /// Whose answers were expected.
        reference: String,
        /// Where they part.
        mismatch: Mismatch,
    },
}

/// Runs the artifact on each case, and compares. `outputs` are the names.
///
/// # Errors
/// At the first case that does not give what is expected.
pub fn verify(
    loaded: &mut dyn Loaded,
    outputs: &[String],
    cases: &[Case],
    yardstick: &Yardstick,
) -> Result<Evidence, VerificationError> {
    let mut largest_error: f64 = 0.0;
    for case in cases {
        let error = check(loaded, outputs, case, yardstick)?;
        largest_error = largest_error.max(error);
    }
    let latency = match cases.is_empty() || !loaded.is_timed() {
        true => None,
        false => Latency::of(&loaded.time().map_err(VerificationError::Run)?),
    };
    let samples = cases.iter().filter(|case| case.is_sample).count();
    Ok(Evidence {
        ran_on: loaded.place(),
        reference: yardstick.reference.clone(),
        generated: cases.len() - samples,
        samples,
        absolute_tolerance: yardstick.tolerance.absolute,
        relative_tolerance: yardstick.tolerance.of_largest,
        largest_error,
        latency,
    })
}

/// The largest error of one case.
fn check(
    loaded: &mut dyn Loaded,
    outputs: &[String],
    case: &Case,
    yardstick: &Yardstick,
) -> Result<f64, VerificationError> {
    let answers = loaded.run(&case.inputs).map_err(VerificationError::Run)?;
    if answers.len() != case.expected.len() {
        return Err(VerificationError::Outputs {
            found: answers.len(),
            expected: case.expected.len(),
            reference: yardstick.reference.clone(),
        });
    }
    let mut largest: f64 = 0.0;
    for (index, (found, expected)) in answers.iter().zip(&case.expected).enumerate() {
        let name = outputs.get(index).map_or("", String::as_str);
        let difference =
            compare(name, found, expected, yardstick.tolerance).map_err(|mismatch| {
                VerificationError::Wrong {
                    reference: yardstick.reference.clone(),
                    mismatch,
                }
            })?;
        largest = largest.max(difference.largest_error);
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Element;

    /// Adds something to what it is given.
    struct Adder(f64);

    impl Loaded for Adder {
        fn place(&self) -> String {
            "a test".to_owned()
        }

        fn is_timed(&self) -> bool {
            true
        }

        fn run(&mut self, inputs: &[Array]) -> Result<Vec<Array>, String> {
            let input = inputs.first().ok_or("no input")?;
            Ok(vec![numbers(input.values().map(|value| value + self.0))])
        }

        fn time(&mut self) -> Result<Vec<Duration>, String> {
            Ok(vec![Duration::from_millis(2)])
        }
    }

    fn numbers(values: impl Iterator<Item = f64>) -> Array {
        let values: Vec<_> = values.collect();
        Array::of(Element::Float64, vec![values.len()], values).unwrap()
    }

    fn case(given: f64, expected: f64) -> Case {
        Case {
            inputs: vec![numbers([given].into_iter())],
            expected: vec![numbers([expected].into_iter())],
            is_sample: given > 5.0,
        }
    }

    fn yardstick() -> Yardstick {
        Yardstick {
            reference: "arithmetic".to_owned(),
            tolerance: Tolerance::NETWORK,
        }
    }

    #[test]
    fn what_answers_rightly_is_verified_with_its_figures() {
        let cases = [case(1.0, 2.0), case(7.0, 8.000_001)];
        let evidence = verify(&mut Adder(1.0), &["y".to_owned()], &cases, &yardstick()).unwrap();
        assert_eq!((evidence.generated, evidence.samples), (1, 1));
        assert!(evidence.largest_error > 9e-7 && evidence.largest_error < 2e-6);
        assert_eq!(evidence.latency.map(|latency| latency.median), Some(2.0));
    }

    #[test]
    fn one_wrong_answer_is_enough() {
        let cases = [case(1.0, 2.0), case(1.0, 2.1)];
        let error = verify(&mut Adder(1.0), &["y".to_owned()], &cases, &yardstick()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(
                "the compiled model does not answer as arithmetic does: output y differs"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_does_not_run_is_told() {
        let cases = [Case {
            inputs: Vec::new(),
            ..case(1.0, 2.0)
        }];
        let error = verify(&mut Adder(1.0), &[], &cases, &yardstick()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the compiled model does not run: no input"
        );
    }
}
