//! What jobs get on machines of all sizes, and what they are told.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::instance_types::InstanceTypes;
use crate::machine::Machine;

const GIB: u64 = 1 << 30;

fn room(cpus: u32, gib: u64, gpus: u32) -> Room {
    Room {
        cpus,
        memory: gib * GIB,
        gpus: (0..gpus).collect(),
    }
}

fn fit_of(room: &Room, types: &[&str], fitting: Fitting) -> Result<Fit, NoCapacity> {
    let known = InstanceTypes::default();
    let sized = types.iter().map(|name| (*name, known.size(name)));
    fit(room, &sized.collect::<Vec<_>>(), fitting)
}

/// Processors, GiB and GPUs of a host.
type Got = (f64, f64, u32);

fn shares(fit: &Fit) -> Vec<Got> {
    let gib = |bytes: u64| bytes as f64 / GIB as f64;
    let shares = fit.shares.iter();
    shares
        .map(|share| {
            (
                share.limits.cpus,
                gib(share.limits.memory_bytes),
                share.gpus,
            )
        })
        .collect()
}

#[test]
fn what_fits_is_as_large_as_promised_and_unremarked() {
    let cases: [(&[&str], Vec<Got>); 3] = [
        (&["ml.m5.large"], vec![(2.0, 8.0, 0)]),
        (&["ml.p3.2xlarge"], vec![(8.0, 61.0, 1)]),
        (
            &["ml.g5.xlarge", "ml.c5.xlarge", "ml.c5.xlarge"],
            vec![(4.0, 16.0, 1), (4.0, 8.0, 0), (4.0, 8.0, 0)],
        ),
    ];
    for fitting in [Fitting::Scale, Fitting::Strict] {
        for (types, expected) in &cases {
            let fit = fit_of(&room(16, 64, 2), types, fitting).unwrap();
            assert_eq!(shares(&fit), *expected, "{types:?}");
            assert_eq!(fit.remark, None, "{types:?}");
            assert_eq!(
                fit.shares[0].limits.shm_bytes,
                fit.shares[0].limits.memory_bytes / 2
            );
        }
    }
}

#[test]
fn a_job_that_is_too_large_is_scaled_and_told_so() {
    let small = room(2, 23, 0);
    let cases: [(&Room, &[&str], Vec<Got>, &str); 7] = [
        (
            &small,
            &["ml.m5.24xlarge"],
            vec![(2.0, 23.0, 0)],
            "ml.m5.24xlarge runs with 2 of its 96 processors and 23 of its 384 GiB of memory",
        ),
        (
            &small,
            &["ml.m5.xlarge"],
            vec![(2.0, 16.0, 0)],
            "ml.m5.xlarge runs with 2 of its 4 processors",
        ),
        (
            &small,
            &["ml.m5.large", "ml.m5.large", "ml.m5.large", "ml.m5.large"],
            vec![(0.5, 5.75, 0); 4],
            "each ml.m5.large runs with 0.5 of its 2 processors and 5.75 of its 8 GiB of memory",
        ),
        (
            &small,
            &["ml.p3.2xlarge"],
            vec![(2.0, 23.0, 0)],
            "ml.p3.2xlarge runs with 2 of its 8 processors, 23 of its 61 GiB of memory and no GPU",
        ),
        (
            &room(64, 512, 4),
            &["ml.p3.16xlarge"],
            vec![(64.0, 488.0, 4)],
            "ml.p3.16xlarge runs with 4 of its 8 GPUs",
        ),
        (
            &room(64, 512, 0),
            &["ml.p3.16xlarge"],
            vec![(64.0, 488.0, 0)],
            "ml.p3.16xlarge runs with none of its 8 GPUs",
        ),
        (
            &room(6, 64, 1),
            &["ml.g5.xlarge", "ml.t3.medium", "ml.t3.medium"],
            vec![(3.0, 16.0, 1), (1.5, 4.0, 0), (1.5, 4.0, 0)],
            "ml.g5.xlarge runs with 3 of its 4 processors; each ml.t3.medium runs with 1.5 of its 2 \
             processors",
        ),
    ];
    for (room, types, expected, remark) in cases {
        let fit = fit_of(room, types, Fitting::Scale).unwrap();
        assert_eq!(shares(&fit), expected, "{types:?}");
        assert_eq!(fit.remark.as_deref(), Some(remark), "{types:?}");
    }
}

#[test]
fn hosts_that_are_alike_get_the_same_number_of_gpus() {
    let cases = [(4, 2), (3, 1), (1, 0), (0, 0)];
    for (there_are, each) in cases {
        let fit = fit_of(
            &room(512, 4096, there_are),
            &["ml.p3.16xlarge"; 2],
            Fitting::Scale,
        );
        let gpus: Vec<_> = fit.unwrap().shares.iter().map(|share| share.gpus).collect();
        assert_eq!(gpus, [each, each], "{there_are}");
    }
}

#[test]
fn a_strict_machine_refuses_what_it_cannot_keep() {
    let cases: [(Room, &[&str], &str); 3] = [
        (
            room(2, 23, 0),
            &["ml.m5.24xlarge"],
            "2 of 96 processors and 23 of 384 GiB of memory",
        ),
        (room(8, 64, 0), &["ml.p3.2xlarge"], "0 of 1 GPUs"),
        (
            room(3, 64, 0),
            &["ml.m5.large", "ml.m5.large"],
            "3 of 4 processors",
        ),
    ];
    for (room, types, missing) in cases {
        let refused = fit_of(&room, types, Fitting::Strict).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "CapacityError: Unable to provision requested ML compute capacity. Please retry \
                 using a different ML instance type. (This machine has {missing}.)"
            )
        );
    }
}

#[test]
fn shares_that_are_of_no_use_are_refused_however_lenient_the_machine() {
    let cases = [
        (room(1, 64, 0), 32, true),
        (room(1, 4, 0), 16, true),
        (room(1, 4, 0), 17, false),
        (room(1, 64, 0), 60, false),
    ];
    for (room, count, is_possible) in cases {
        let types = vec!["ml.m5.large"; count];
        let fit = fit_of(&room, &types, Fitting::Scale);
        assert_eq!(fit.is_ok(), is_possible, "{room:?} {count}");
    }
}

#[test]
fn the_ways_of_fitting_are_read_from_text() {
    assert_eq!("scale".parse(), Ok(Fitting::Scale));
    assert_eq!("strict".parse(), Ok(Fitting::Strict));
    assert_eq!("Strict".parse::<Fitting>(), Err(UnknownFitting));
}

proptest! {
    /// What was promised to a job by its fit is never refused by an empty machine,
    /// however the shares were rounded, and never exceeds what its types promise.
    #[test]
    fn what_was_fitted_is_admitted(
        cpus in 1u32..200,
        memory in 1u64..1 << 42,
        gpus in 0u32..17,
        sizes in vec((1u32..200, 1u64..1 << 42, 0u32..17), 1..33),
    ) {
        let room = Room { cpus, memory, gpus: (0..gpus).collect() };
        let hosts: Vec<_> = sizes
            .into_iter()
            .map(|(cpus, memory, gpus)| ("ml.x", Size { cpus, memory, gpus }))
            .collect();
        if let Ok(fit) = fit(&room, &hosts, Fitting::Scale) {
            for ((_, size), share) in hosts.iter().zip(&fit.shares) {
                prop_assert!(share.limits.cpus <= f64::from(size.cpus));
                prop_assert!(share.limits.memory_bytes <= size.memory);
                prop_assert!(share.gpus <= size.gpus);
            }
            let named = fit.shares.iter().enumerate();
            let job: Vec<_> = named.map(|(n, share)| (n.to_string(), *share)).collect();
            prop_assert!(Machine::new(room.clone()).admit(&job).is_some());
        }
        if let Ok(fit) = super::fit(&room, &hosts, Fitting::Strict) {
            prop_assert_eq!(fit.remark, None);
        }
    }
}

#[test]
fn who_is_content_with_less_gets_so_much_or_what_there_is() {
    let most = Size {
        cpus: 2,
        memory: 8 * GIB,
        gpus: 0,
    };
    let cases = [
        (room(16, 64, 1), (2.0, 8.0)),
        (room(1, 64, 0), (1.0, 8.0)),
        (room(4, 3, 0), (2.0, 3.0)),
    ];
    for (room, (cpus, gib)) in cases {
        let share = up_to(&room, &most);
        assert_eq!(share.limits.cpus, cpus);
        assert_eq!(share.limits.memory_bytes, gib as u64 * GIB);
        assert_eq!(share.gpus, 0);
    }
}
