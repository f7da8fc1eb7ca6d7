//! What flows through a model is what transformers computes.

use serde_json::Value;

use super::tiny;
use crate::Dtype;
use crate::calibrate::flow::{Flow, Projection};
use crate::calibrate::layer::{Layer, Plan, Step};
use crate::calibrate::linear::{Packed, Precision, View};
use crate::calibrate::weights::Weight;
use crate::model::Model;

/// Lets samples flow through the model as it is.
fn last_states(model: &Model, tokens: &[Vec<u32>], precision: Precision) -> Vec<Vec<f32>> {
    let plan = Plan::new(model, 64).unwrap();
    let home = tempfile::tempdir().unwrap();
    let lengths: Vec<usize> = tokens.iter().map(Vec::len).collect();
    let flow = Flow::new(&plan, home.path(), "flow", &lengths, precision, 2);
    flow.begin(tokens).unwrap();
    for index in 0..plan.geometry.layers {
        let layer = Layer::read(&plan, index).unwrap();
        for step in Step::ALL {
            let modules = plan.modules(index, step);
            let projections: Vec<Projection> = modules
                .iter()
                .map(|module| {
                    let weight = Weight::read(model, module).unwrap();
                    let view = View::new(&weight.values, weight.rows, weight.columns);
                    Projection {
                        weight: Packed::new(view, precision),
                        bias: layer.bias(module),
                        inputs: None,
                    }
                })
                .collect();
            flow.advance(&layer, step, &projections, &mut |_, _| {})
                .unwrap();
        }
        flow.settle(index + 1).unwrap();
    }
    let mut states = Vec::new();
    flow.finish(0..lengths.len(), &mut |rows| states.push(rows.to_vec()))
        .unwrap();
    states
}

#[test]
fn answers_are_those_of_transformers() {
    for case in tiny::recorded() {
        let home = tempfile::tempdir().unwrap();
        let model = tiny::write(home.path(), &case, Dtype::F32);
        let tokens: Vec<Vec<u32>> = serde_json::from_value(case["tokens"].clone()).unwrap();
        let states = last_states(&model, &tokens, Precision::Full);
        compare(&case, &states, 1e-4);
    }
}

#[test]
fn half_of_the_precision_is_near_enough() {
    if Precision::for_bf16() == Precision::Full {
        return;
    }
    let case = tiny::named("llama");
    let home = tempfile::tempdir().unwrap();
    let model = tiny::write(home.path(), &case, Dtype::F32);
    let tokens: Vec<Vec<u32>> = serde_json::from_value(case["tokens"].clone()).unwrap();
    compare(&case, &last_states(&model, &tokens, Precision::Half), 0.1);
}

fn compare(case: &Value, states: &[Vec<f32>], tolerance: f32) {
    let answers: Vec<Vec<Vec<f32>>> = serde_json::from_value(case["answers"].clone()).unwrap();
    for (answers, states) in answers.iter().zip(states) {
        let width = states.len() / answers.len();
        for (answer, state) in answers.iter().zip(states.chunks(width)) {
            for (answer, state) in answer.iter().zip(state) {
                let name = &case["name"];
                assert!(
                    (answer - state).abs() < tolerance,
                    "{name}: {state} is not {answer}"
                );
            }
        }
    }
}
