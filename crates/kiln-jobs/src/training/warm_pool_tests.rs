//! A pool's stages under tables and generated histories.

use kiln_agent::runtime::Limits;
use proptest::prelude::*;

use super::*;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1000.0) as i64).unwrap()
}

fn pool() -> WarmPool {
    let claim = Claim {
        limits: Limits {
            memory_bytes: 1,
            cpus: 1.0,
            processes: 1,
            shm_bytes: 1,
        },
        gpus: vec![3],
    };
    WarmPool::found("pool-x".to_owned(), vec![claim.clone(), claim], at(100.0))
}

fn available(until: f64) -> WarmPool {
    let stage = Stage::Available {
        since: at(200.0),
        until: at(until),
    };
    WarmPool { stage, ..pool() }
}

fn terminated(kept: i32) -> Stage {
    Stage::Terminated { kept }
}

#[test]
fn an_attempt_that_is_over_leaves_what_is_to_be_kept() {
    for (keep, expected) in [(0, terminated(0)), (60, available(260.0).stage)] {
        let mut pool = pool();
        pool.settle(keep, at(200.0));
        assert_eq!(pool.stage, expected);
        pool.settle(600, at(201.0));
        assert_eq!(pool.stage, expected, "a second time changes nothing");
    }
}

#[test]
fn its_time_counts_from_the_end_of_its_job() {
    // (seconds that it is to be kept, what it is at second 230)
    let cases = [
        (0, terminated(30)),
        (29, terminated(30)),
        (30, terminated(30)),
        (31, available(231.0).stage),
        (3600, available(3800.0).stage),
    ];
    for (seconds, expected) in cases {
        let mut pool = available(260.0);
        pool.keep_for(seconds, at(230.0)).unwrap();
        assert_eq!(pool.stage, expected, "{seconds}");
    }
}

#[test]
fn it_ends_when_its_time_is_over_however_late_that_is_seen() {
    for (now, expected) in [
        (259.9, available(260.5).stage),
        (260.5, terminated(60)),
        (9999.0, terminated(60)),
    ] {
        let mut pool = available(260.5);
        assert_eq!(pool.expire(at(now)), expected == terminated(60));
        assert_eq!(pool.stage, expected, "{now}");
    }
}

#[test]
fn it_is_given_away_once_and_in_time() {
    let mut pool = available(260.0);
    assert!(pool.clone().give_to("late", at(260.0)).is_err());
    pool.give_to("next", at(212.9)).unwrap();
    let error = pool.give_to("third", at(213.0)).unwrap_err();
    assert_eq!(error, NotAvailable(WarmPoolResourceStatus::Reused));
    let status = serde_json::to_value(pool.status()).unwrap();
    let expected = serde_json::json!({
        "Status": "Reused", "ResourceRetainedBillableTimeInSeconds": 12, "ReusedByJob": "next",
    });
    assert_eq!(status, expected);
}

#[test]
fn it_goes_on_for_four_weeks_at_most() {
    let day = 86_400.0;
    let mut pool = pool().passed_on();
    let end = 100.0 + 28.0 * day;
    pool.settle(3600, at(end - 60.0));
    assert_eq!(pool.end(), Some(at(end)));
    let mut late = pool.passed_on();
    late.settle(3600, at(end));
    assert_eq!(late.stage, terminated(0));
}

#[test]
fn it_is_on_offer_only_while_it_is_available() {
    let entry = |stage: Stage| {
        let pool = WarmPool { stage, ..pool() };
        pool.entry(Some("key".to_owned())).unwrap()
    };
    let cases = [
        (Stage::InUse, true, None),
        (available(260.0).stage, true, Some(260_000)),
        (terminated(1), false, None),
        (
            Stage::Reused {
                by: "b".to_owned(),
                kept: 1,
            },
            false,
            None,
        ),
    ];
    for (stage, held, until) in cases {
        let entry = entry(stage.clone());
        assert_eq!(entry.pool.is_some(), held, "{stage:?}");
        assert_eq!(entry.offer.map(|offer| offer.until), until, "{stage:?}");
    }
    assert_eq!(Vec::from_iter(pool().rooms()), ["pool-x-1", "pool-x-2"]);
}

/// What can happen to a job's part in a pool.
#[derive(Debug, Clone)]
enum Happening {
    Settle(u32),
    Keep(u32),
    Give,
    Expire,
}

fn happenings() -> impl Strategy<Value = Vec<(Happening, u32)>> {
    let one = prop_oneof![
        (0u32..100).prop_map(Happening::Settle),
        (0u32..100).prop_map(Happening::Keep),
        Just(Happening::Give),
        Just(Happening::Expire),
    ];
    prop::collection::vec((one, 0u32..60_000), 0..40)
}

fn rank(stage: &Stage) -> u8 {
    match stage {
        Stage::InUse => 0,
        Stage::Available { .. } => 1,
        Stage::Reused { .. } | Stage::Terminated { .. } => 2,
    }
}

proptest! {
    #[test]
    fn it_only_goes_forward_and_is_never_given_twice(history in happenings()) {
        let mut pool = pool();
        let (mut now, mut given) = (100_000i64, 0);
        for (happening, wait) in history {
            now += i64::from(wait);
            let at = Timestamp::from_millis(now).unwrap();
            let before = pool.clone();
            match happening {
                Happening::Settle(keep) => pool.settle(keep, at),
                Happening::Keep(seconds) => drop(pool.keep_for(seconds, at)),
                Happening::Give => given += i32::from(pool.give_to("next", at).is_ok()),
                Happening::Expire => drop(pool.expire(at)),
            }
            prop_assert!(rank(&pool.stage) >= rank(&before.stage));
            if rank(&before.stage) == 2 {
                prop_assert_eq!(&pool, &before);
            }
            // What is on offer is held, and has time left.
            let entry = pool.entry(Some(String::new())).unwrap();
            prop_assert!(entry.offer.is_none() || entry.pool.is_some());
            let written = serde_json::to_string(&pool).unwrap();
            prop_assert_eq!(serde_json::from_str::<WarmPool>(&written).unwrap(), pool.clone());
        }
        prop_assert!(given <= 1);
    }

    #[test]
    fn of_many_who_ask_one_gets_it(times in prop::collection::vec(150u32..400, 1..20)) {
        let mut pool = available(260.0);
        let mut times = times;
        times.sort_unstable();
        let taken = times.iter().filter(|time| {
            let asked = at(f64::from(**time));
            pool.expire(asked);
            pool.give_to("next", asked).is_ok()
        });
        let taken = taken.count();
        prop_assert_eq!(taken, usize::from(times[0] < 260));
    }
}
