//! Hosts that wait for each other, and what is stored of all of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::plan::sample::plan;
use crate::plan::{Kept, SynchronisedPlan};
use crate::test_server::{self, Answer, Request, objects};

const RECORD: &str = "/b/job/debug-output/record=z";
const END: &str = "/b/job/debug-output/training_job_end.ts=";

/// Longer than anything here takes, when nothing is waited for.
const LONG: Duration = Duration::from_secs(3600);

/// A store that takes everything.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Store {
    async fn listen(&self) -> SocketAddr {
        let store = self.clone();
        test_server::serve(move |request| store.take(request)).await
    }

    fn take(&self, request: Request) -> Answer {
        let mut stored = self.0.lock().unwrap();
        stored.insert(request.path, request.body);
        Answer {
            headers: "ETag: \"x\"\r\n".to_owned(),
            ..Answer::default()
        }
    }

    fn stored(&self) -> Vec<String> {
        let stored = self.0.lock().unwrap();
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        let all = stored.iter();
        all.map(|(path, body)| format!("{path}={}", text(body)))
            .collect()
    }
}

fn write(root: &Path, path: &str, body: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, body).unwrap();
}

const NOTHING: Orders = Orders {
    cut: None,
    proceed: false,
    profiler_off: false,
};
const PROCEED: Orders = Orders {
    proceed: true,
    ..NOTHING
};

/// Whether the first of so many hosts goes on to store what there is, if it goes
/// on at all under these orders.
async fn stores(hosts: usize, outcome: &Outcome, given: &[Orders]) -> Option<bool> {
    let (plan, (give, orders)) = (plan(hosts, 0), watch::channel(NOTHING));
    let settlement = Settlement {
        plan: &plan,
        directory: Path::new("/absent/i0"),
        objects: &objects(([127, 0, 0, 1], 1).into()),
        orders: &orders,
    };
    let giving = async {
        for orders in given {
            tokio::time::sleep(LONG).await;
            give.send_replace(*orders);
        }
        tokio::time::sleep(LONG).await;
    };
    tokio::select! {
        biased;
        ended = settlement.others_have_ended(outcome) => Some(ended),
        () = giving => None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_of_several_waits_and_nothing_but_orders_ends_it() {
    let (completed, stopped) = (Outcome::Completed, Outcome::Stopped);
    let failed = Outcome::Failed("AlgorithmError: x".to_owned());
    let stop = Orders {
        cut: Some(Cut::Stop),
        ..NOTHING
    };
    let interrupt = Orders {
        cut: Some(Cut::Interrupt),
        ..NOTHING
    };
    let both = Orders {
        proceed: true,
        ..interrupt
    };
    let cases: [(usize, &Outcome, &[Orders], Option<bool>); 11] = [
        (1, &completed, &[], Some(true)),
        (1, &stopped, &[], Some(true)),
        (2, &completed, &[], None),
        (2, &completed, &[stop], None),
        (2, &completed, &[PROCEED], Some(true)),
        (32, &failed, &[stop, PROCEED], Some(true)),
        (2, &stopped, &[stop, PROCEED], Some(true)),
        (2, &completed, &[interrupt], Some(false)),
        (2, &completed, &[both], Some(false)),
        // A host that has failed by itself has not been interrupted.
        (2, &failed, &[interrupt], None),
        (2, &failed, &[interrupt, both], Some(true)),
    ];
    for (hosts, outcome, orders, expected) in cases {
        let stored = stores(hosts, outcome, orders).await;
        assert_eq!(stored, expected, "{hosts}, {outcome:?}, {orders:?}");
    }
}

/// Settles one of two hosts whose trees lie beside each other; answers how it
/// ended and what was stored.
async fn settled(own: usize, outcome: Outcome, orders: Orders) -> (Ending, Vec<String>) {
    let all = tempfile::tempdir().unwrap();
    for number in 0..2 {
        let instance = all.path().join(format!("i{number}"));
        OptMl::create(&instance).unwrap();
        write(&instance, "ml/model/same", &number.to_string());
        write(&instance, &format!("ml/model/d/{number}"), "x");
        write(&instance, &format!("ml/output/data/{number}"), "y");
    }
    // What the other's job has put in the place of its outputs leads nowhere.
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret", "secret");
    let data = all.path().join("i1/ml/output/data");
    std::fs::remove_dir_all(&data).unwrap();
    std::os::unix::fs::symlink(outside.path(), data).unwrap();
    let (store, mut plan) = (Store::default(), plan(3, own));
    plan.synchronised = vec![SynchronisedPlan {
        path: "/opt/ml/output/tensors".into(),
        bucket: "b".to_owned(),
        prefix: "job/debug-output".to_owned(),
        kept: Kept::Records,
    }];
    let (_give, orders) = watch::channel(orders);
    let directory = all.path().join(format!("i{own}"));
    let (objects, own) = (objects(store.listen().await), OptMl::of(&directory));
    let settlement = Settlement {
        plan: &plan,
        directory: &directory,
        objects: &objects,
        orders: &orders,
    };
    let synchronised = Synchronised::prepare(&plan, &objects, &own).await;
    let mut synchronised = synchronised.unwrap();
    write(&directory, "ml/output/tensors/record", "z");
    let settled = settlement.settle(outcome, own, &mut synchronised);
    let ending = timeout(Duration::from_secs(60), settled).await.unwrap();
    (ending, store.stored())
}

#[tokio::test]
async fn the_first_stores_what_all_have_made_whatever_came_of_its_own_work() {
    for outcome in [
        Outcome::Completed,
        Outcome::Stopped,
        Outcome::Failed("AlgorithmError: x".to_owned()),
    ] {
        let (ending, stored) = settled(0, outcome.clone(), PROCEED).await;
        let expected = Ending {
            outcome,
            stored: true,
        };
        assert_eq!(ending, expected);
        let expected = [
            RECORD,
            END,
            "/b/job/output/data/0=y",
            "/b/job/output/model/d/0=x",
            "/b/job/output/model/d/1=x",
            "/b/job/output/model/same=0",
        ];
        assert_eq!(stored, expected);
    }
}

#[tokio::test]
async fn the_others_store_nothing_and_wait_for_nobody() {
    let (ending, stored) = settled(1, Outcome::Completed, NOTHING).await;
    let expected = Ending {
        outcome: Outcome::Completed,
        stored: false,
    };
    assert_eq!((ending, stored), (expected, vec![RECORD.to_owned()]));
}

#[tokio::test]
async fn of_what_is_interrupted_nothing_else_is_stored_also_when_it_is_to_stop_by_then() {
    for (cut, outcome, kept) in [
        (Cut::Interrupt, Outcome::Interrupted, &[RECORD][..]),
        // There will be no other attempt.
        (Cut::Stop, Outcome::Stopped, &[RECORD, END]),
    ] {
        let orders = Orders {
            cut: Some(cut),
            ..PROCEED
        };
        let (ending, stored) = settled(0, Outcome::Interrupted, orders).await;
        assert_eq!((ending.outcome, ending.stored), (outcome, false));
        assert_eq!(stored, kept);
    }
}
