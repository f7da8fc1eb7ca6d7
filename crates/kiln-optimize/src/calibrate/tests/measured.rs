//! Calibrations that only measure, and the room that calibrations take.

use super::case::{Case, Keeper, scheme};
use crate::Dtype;
use crate::calibrate::weights::Weight;
use crate::calibrate::{Made, Method, Request, prepare};
use crate::options::Activations;
use crate::quantize::{Granularity, Quantized, Scheme, Slab, quantize};

#[test]
fn what_is_only_measured_is_what_it_is_without_data() {
    for (name, activations, granularity) in [
        ("llama", Activations::Untouched, Granularity::Group(16)),
        ("qwen2", Activations::PerToken, Granularity::Channel),
        ("bert", Activations::PerToken, Granularity::Channel),
    ] {
        let case = Case::new(name, Dtype::Bf16);
        let scheme = Scheme {
            granularity,
            ..scheme(4, 16)
        };
        let mut keeper = Keeper::default();
        let mut request = Request {
            activations,
            schemes: &|_| Some(scheme),
            ..case.request(Method::Measure, case.home.path())
        };
        let summary = prepare(&request).unwrap().run(&mut keeper).unwrap();
        assert_eq!((summary.samples, summary.fidelity.tokens), (32, 640));
        assert_eq!(summary.outputs.before, summary.outputs.after);
        let error = summary.fidelity.error;
        assert!(error > 1e-4 && error < 0.2, "{name}: {error}");
        for made in &keeper.made {
            let Made::Linear(linear) = made else {
                panic!("nothing but linear layers is made");
            };
            let weight = Weight::read(&case.model, &linear.module).unwrap();
            let slab = Slab {
                dtype: weight.dtype,
                columns: weight.columns,
                bytes: &weight.bytes(),
            };
            let mut expected = Quantized::default();
            quantize(&scheme, slab, None, &mut expected).unwrap();
            assert_eq!(linear.quantized, expected, "{name} {}", linear.module);
        }
        // What is rounded when the model runs counts too.
        request.activations = Activations::Untouched;
        let plain = prepare(&request).unwrap();
        let plain = plain.run(&mut Keeper::default()).unwrap();
        let rounds = activations != Activations::Untouched;
        assert_eq!(
            plain.outputs.after < summary.outputs.after,
            rounds,
            "{name}"
        );
        assert_eq!(plain.resumed.is_none(), rounds, "{name}");
        // What is recalled adds up to the very same.
        assert_eq!(plain.outputs == summary.outputs, !rounds, "{name}");
    }
}

#[test]
fn the_scratch_directory_has_no_more_than_was_said() {
    for (name, method) in [("llama", Method::Gptq), ("bert", Method::Measure)] {
        let case = Case::new(name, Dtype::Bf16);
        let request = case.request(method, case.home.path());
        let prepared = prepare(&request).unwrap();
        let room = prepared.room();
        let mut keeper = Keeper {
            bounded: Some((case.home.path().join("calibration"), room)),
            ..Keeper::default()
        };
        prepared.run(&mut keeper).unwrap();
        assert!(prepared.room() < room, "what is there needs no more room");
    }
}
