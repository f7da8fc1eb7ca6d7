//! The ledger under any sequence of admissions, adoptions and releases.

use kiln_agent::runtime::Limits;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;

fn room() -> Room {
    Room {
        cpus: 8,
        memory: 32 * GIB,
        gpus: [0, 1, 4, 5].into(),
    }
}

fn share(cpus: f64, gib: u64, gpus: u32) -> Share {
    let memory_bytes = gib * GIB;
    let limits = Limits {
        memory_bytes,
        cpus,
        processes: 64,
        shm_bytes: memory_bytes / 2,
    };
    Share { limits, gpus }
}

fn hosts(name: &str, count: usize, share: Share) -> Vec<(String, Share)> {
    (0..count).map(|n| (format!("{name}-{n}"), share)).collect()
}

/// Whether the machine would admit this, without admitting it.
fn has_room(machine: &Machine, share: Share) -> bool {
    machine.clone().admit(&hosts("probe", 1, share)).is_some()
}

#[test]
fn the_server_keeps_some_memory_and_never_more_than_half() {
    let cases = [(24, 23), (2, 1), (1, 0)];
    for (machine, left) in cases {
        let room = Room::of_machine(0, machine * GIB, [3, 1, 3]);
        let expected = if machine == 1 { GIB / 2 } else { left * GIB };
        assert_eq!((room.cpus, room.memory), (1, expected));
        assert_eq!(Vec::from_iter(room.gpus), [1, 3]);
    }
}

#[test]
fn a_job_is_admitted_wholly_or_not_at_all() {
    let mut machine = Machine::new(room());
    let too_much = [
        hosts("cpus", 3, share(3.0, 1, 0)),
        hosts("memory", 3, share(1.0, 11, 0)),
        hosts("gpus", 3, share(1.0, 1, 2)),
    ];
    for job in too_much {
        assert_eq!(machine.admit(&job), None, "{job:?}");
        assert!(has_room(&machine, share(8.0, 32, 4)), "{job:?}");
    }
    assert!(machine.admit(&hosts("job", 4, share(2.0, 8, 1))).is_some());
    assert!(!has_room(&machine, share(0.001, 0, 0)));
}

#[test]
fn gpus_are_given_out_by_number_the_lowest_first() {
    let mut machine = Machine::new(room());
    let claims = machine.admit(&hosts("a", 2, share(1.0, 1, 1))).unwrap();
    let gpus = claims.iter().map(|claim| claim.gpus.clone());
    assert_eq!(Vec::from_iter(gpus), [[0], [1]]);
    machine.release("a-0");
    let claims = machine.admit(&hosts("b", 1, share(1.0, 1, 2))).unwrap();
    assert_eq!(claims[0].gpus, [0, 4]);
}

#[test]
fn an_adopted_instance_keeps_the_gpus_that_it_has() {
    let mut machine = Machine::new(room());
    let claim = Claim {
        limits: share(1.0, 1, 0).limits,
        gpus: vec![1, 4],
    };
    machine.adopt("old", &claim);
    let claims = machine.admit(&hosts("new", 1, share(1.0, 1, 2))).unwrap();
    assert_eq!(claims[0].gpus, [0, 5]);
    assert!(!has_room(&machine, share(1.0, 1, 1)));
}

#[test]
fn while_more_is_taken_than_there_is_nobody_is_admitted() {
    let mut machine = Machine::new(room());
    let claim = Claim {
        limits: share(9.0, 1, 0).limits,
        gpus: Vec::new(),
    };
    machine.adopt("large", &claim);
    assert!(!has_room(&machine, share(0.0, 0, 0)));
    machine.release("large");
    assert!(has_room(&machine, share(8.0, 32, 4)));
}

/// Something that happens to a machine.
#[derive(Debug, Clone)]
enum Happening {
    Admit(Vec<Share>),
    Release(usize),
    /// A new server adopts what the old one had placed.
    Restart,
}

fn happening() -> impl Strategy<Value = Happening> {
    let one = (1u64..4000, 1u64..12, 0u32..3)
        .prop_map(|(cpus, gib, gpus)| share(cpus as f64 / THOUSANDTHS as f64, gib, gpus));
    prop_oneof![
        4 => vec(one, 1..4).prop_map(Happening::Admit),
        2 => (0usize..8).prop_map(Happening::Release),
        1 => Just(Happening::Restart),
    ]
}

fn check(machine: &Machine) -> Result<(), TestCaseError> {
    let taken = || machine.taken.values();
    let cpus: u64 = taken().map(|claim| thousandths(claim.limits.cpus)).sum();
    let memory: u64 = taken().map(|claim| claim.limits.memory_bytes).sum();
    let gpus: Vec<u32> = taken().flat_map(|claim| claim.gpus.clone()).collect();
    let distinct: BTreeSet<u32> = gpus.iter().copied().collect();
    prop_assert!(cpus <= u64::from(room().cpus) * THOUSANDTHS);
    prop_assert!(memory <= room().memory);
    prop_assert_eq!(distinct.len(), gpus.len());
    prop_assert!(distinct.is_subset(&room().gpus));
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_promised_twice(happenings in vec(happening(), 1..60)) {
        let mut machine = Machine::new(room());
        for (n, happening) in happenings.into_iter().enumerate() {
            match happening {
                Happening::Admit(shares) => {
                    let named = shares.into_iter().enumerate();
                    let job: Vec<_> = named.map(|(host, share)| (format!("{n}-{host}"), share)).collect();
                    let before = machine.taken.len();
                    let claims = machine.admit(&job);
                    let admitted = claims.as_ref().map_or(0, Vec::len);
                    prop_assert_eq!(machine.taken.len(), before + admitted);
                    for ((_, share), claim) in job.iter().zip(claims.iter().flatten()) {
                        prop_assert_eq!(share.limits, claim.limits);
                        prop_assert_eq!(share.gpus as usize, claim.gpus.len());
                    }
                }
                Happening::Release(which) => {
                    let mut names: Vec<_> = machine.taken.keys().cloned().collect();
                    names.sort();
                    if let Some(name) = names.get(which) {
                        machine.release(name);
                    }
                }
                Happening::Restart => {
                    let placed = std::mem::take(&mut machine.taken);
                    machine = Machine::new(room());
                    for (instance, claim) in placed {
                        machine.adopt(&instance, &claim);
                    }
                }
            }
            check(&machine)?;
        }
    }
}
