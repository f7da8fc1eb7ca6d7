//! Agents whose control plane says when they may go.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::time::timeout;

use super::*;
use crate::plan::sample::plan;
use crate::report::{Ending, Numbered, Outcome};
use crate::runtime::ControlAddress;
use crate::test_server::{self, Answer, Request};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a control plane knows of its only instance.
struct Known {
    /// `None` once it knows the instance no longer.
    orders: Option<Orders>,
    /// Whether it finds fault with every question.
    refuses: bool,
    ended: Option<Ending>,
}

/// A control plane for one instance.
#[derive(Clone)]
struct Control(Arc<Mutex<Known>>);

impl Control {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Known {
            orders: Some(Orders::default()),
            refuses: false,
            ended: None,
        })))
    }

    async fn listen(&self) -> SocketAddr {
        let control = self.clone();
        test_server::serve(move |request| control.answer(&request)).await
    }

    fn answer(&self, request: &Request) -> Answer {
        let (status, body) = self.handle(request);
        Answer {
            status,
            headers: format!("{SERVER_HEADER}: ours\r\n"),
            body,
            // Orders are held back for a moment, as if they were waited for.
            after: Duration::from_millis(20),
        }
    }

    fn handle(&self, request: &Request) -> (u16, String) {
        let mut known = self.0.lock().unwrap();
        let Some(orders) = known.orders else {
            return (404, String::new());
        };
        if known.refuses {
            return (400, String::new());
        }
        if request.method == "GET" {
            return (200, serde_json::to_string(&orders).unwrap());
        }
        let reports: Vec<Numbered> = serde_json::from_slice(&request.body).unwrap();
        let last = reports.last().unwrap().n;
        for report in reports {
            if let Report::Ended(ending) = report.report {
                known.ended = Some(ending);
            }
        }
        (200, format!("{{\"delivered\":{last}}}"))
    }

    fn order(&self, orders: Option<Orders>) {
        self.0.lock().unwrap().orders = orders;
    }

    async fn ending(&self) -> Ending {
        let ended = async {
            loop {
                if let Some(ending) = self.0.lock().unwrap().ended.clone() {
                    return ending;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, ended).await.unwrap()
    }
}

/// The directory of a host of three, with a plan for an image that is nowhere.
async fn instance(own: usize, control: &Control) -> (tempfile::TempDir, PathBuf) {
    let all = tempfile::tempdir().unwrap();
    let directory = all.path().join(format!("i{own}"));
    std::fs::create_dir(&directory).unwrap();
    let mut plan = plan(3, own);
    plan.assignment.server = "ours".to_owned();
    plan.assignment.site.control = ControlAddress::Fixed(control.listen().await);
    plan.assignment.site.data_dir = all.path().join("data");
    plan.assignment.site.cache_dir = all.path().join("cache");
    plan.assignment.site.engine_socket = Some(all.path().join("no.socket"));
    Plan::Training(Box::new(plan)).write(&directory).unwrap();
    (all, directory)
}

#[tokio::test]
async fn a_host_that_has_ended_stays_until_the_first_has() {
    let control = Control::new();
    let (_all, directory) = instance(1, &control).await;
    let letting_go = async {
        let ending = control.ending().await;
        assert!(matches!(ending.outcome, Outcome::Failed(_)), "{ending:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(directory.join("ml/model").exists());
        assert!(lock(&directory).unwrap().is_none());
        control.order(Some(Orders {
            proceed: true,
            ..Orders::default()
        }));
    };
    let (ran, ()) = tokio::join!(timeout(PATIENCE, run(&directory)), letting_go);
    ran.unwrap().unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_host_that_nobody_knows_any_more_stays_no_longer() {
    let control = Control::new();
    let (_all, directory) = instance(2, &control).await;
    let forgetting = async {
        control.ending().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        control.order(None);
    };
    let (ran, ()) = tokio::join!(timeout(PATIENCE, run(&directory)), forgetting);
    ran.unwrap().unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn what_a_host_has_made_is_kept_when_its_questions_are_refused() {
    let control = Control::new();
    let (_all, directory) = instance(1, &control).await;
    let refusing = async {
        control.ending().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        control.0.lock().unwrap().refuses = true;
    };
    let (ran, ()) = tokio::join!(timeout(PATIENCE, run(&directory)), refusing);
    let ran = ran.unwrap();
    assert!(matches!(ran, Err(AgentError::Refused(400))), "{ran:?}");
    assert!(directory.join("ml/model").exists());
}

#[tokio::test]
async fn the_first_host_waits_for_nobody_when_its_life_is_over() {
    let control = Control::new();
    let (_all, directory) = instance(0, &control).await;
    timeout(PATIENCE, run(&directory)).await.unwrap().unwrap();
    control.ending().await;
    assert!(!directory.exists());
}
