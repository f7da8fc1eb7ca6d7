//! Pools on a machine with room for one host: who has it, from when, until when.

use std::sync::Arc;
use std::time::Duration;

use kiln_agent::report::Outcome;
use kiln_model::api::WarmPoolResourceStatus as Status;

use super::rig::Plane;
use crate::plane::keep_time;
use crate::test_machine::until;

fn failed(reason: &str) -> Outcome {
    Outcome::Failed(reason.to_owned())
}

#[tokio::test]
async fn a_pool_goes_to_the_next_job_like_its_own_and_ends_with_one_that_keeps_nothing() {
    let plane = Plane::new();
    plane.create("a", "r", 60).await;
    plane.create("b", "other", 60).await;
    plane.create("c", "r", 0).await;
    assert_eq!(plane.status("a"), None);
    let cache = plane.run("a").await.unwrap();
    assert_eq!(plane.status("a"), Some(Status::InUse));
    std::fs::write(cache.join("kept"), "x").unwrap();
    assert!(plane.allocation("c").is_none(), "it is in use");

    plane.end("a", Outcome::Completed).await;
    assert_eq!(plane.status("a"), Some(Status::Available));
    assert!(plane.allocation("b").is_none(), "it is not for everybody");

    assert_eq!(plane.run("c").await.as_ref(), Some(&cache));
    assert!(cache.join("kept").exists());
    let reused = plane.pool("a").unwrap();
    assert_eq!(reused.reused_by_job.as_deref(), Some("c"));
    assert_eq!(plane.status("c"), Some(Status::InUse));
    assert!(plane.allocation("b").is_none());

    plane.end("c", Outcome::Completed).await;
    assert_eq!(plane.status("c"), Some(Status::Terminated));
    assert_eq!(plane.status("a"), Some(Status::Reused));
    assert!(plane.is_free());
    until(|| !cache.exists()).await;
    assert!(plane.allocation("b").is_some());
}

#[tokio::test]
async fn what_a_job_leaves_depends_on_how_it_ended() {
    let cases = [
        (Outcome::Completed, Status::Available),
        (Outcome::Stopped, Status::Available),
        (Outcome::MaxRuntimeExceeded, Status::Available),
        (failed("AlgorithmError: exit code: 1"), Status::Available),
        (failed("ClientError: no such key"), Status::Available),
        (failed("InternalServerError: gone"), Status::Terminated),
    ];
    for (outcome, expected) in cases {
        let plane = Plane::new();
        plane.create("a", "r", 60).await;
        plane.run("a").await;
        plane.end("a", outcome.clone()).await;
        assert_eq!(plane.status("a"), Some(expected), "{outcome:?}");
        assert_eq!(plane.is_free(), expected == Status::Terminated);
    }
}

#[tokio::test]
async fn a_pool_that_nobody_takes_ends_in_time() {
    let plane = Plane::new();
    tokio::spawn(keep_time(Arc::new(plane.jobs.clone())));
    plane.create("a", "r", 1).await;
    let cache = plane.run("a").await.unwrap();
    plane.end("a", Outcome::Completed).await;
    assert_eq!(plane.status("a"), Some(Status::Available));
    until(|| plane.status("a") == Some(Status::Terminated)).await;
    let kept = plane.pool("a").unwrap();
    assert_eq!(kept.resource_retained_billable_time_in_seconds, Some(1));
    until(|| plane.is_free() && !cache.exists()).await;
}

#[tokio::test]
async fn a_restart_finds_pools_again_and_sweeps_what_is_no_ones() {
    let plane = Plane::new();
    plane.create("a", "r", 1).await;
    plane.create("b", "r", 60).await;
    let cache = plane.run("a").await.unwrap();
    let plane = plane.restart();
    assert_eq!(plane.engine.room.lock().unwrap().len(), 1, "while in use");
    plane.end("a", Outcome::Completed).await;
    let stray = plane.directory.path().join("warm-pools/pool-stray");
    std::fs::create_dir_all(stray.join("algo-1")).unwrap();
    let plane = plane.restart();
    until(|| !stray.exists()).await;
    assert!(cache.exists() && !plane.is_free());
    assert_eq!(plane.status("a"), Some(Status::Available));

    // Its time passes while nobody is there.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let plane = plane.restart();
    assert!(
        plane.allocation("b").is_none(),
        "it is over, if not yet cleared"
    );
    tokio::spawn(keep_time(Arc::new(plane.jobs.clone())));
    until(|| plane.status("a") == Some(Status::Terminated)).await;
    until(|| plane.is_free() && !cache.exists()).await;
}

#[tokio::test]
async fn an_update_changes_how_long_an_available_pool_is_kept() {
    let plane = Plane::new();
    tokio::spawn(keep_time(Arc::new(plane.jobs.clone())));
    plane.create("a", "r", 3600).await;
    assert!(
        plane
            .update("a", 60)
            .await
            .unwrap_err()
            .contains("no warm pool")
    );
    plane.run("a").await;
    assert!(plane.update("a", 60).await.unwrap_err().contains("InUse"));
    plane.end("a", Outcome::Completed).await;
    assert!(
        plane.jobs.delete("a").await.is_err(),
        "while it is available"
    );
    plane.update("a", 7200).await.unwrap();
    let described = plane.jobs.describe("a").unwrap();
    assert!(described.contains("\"KeepAlivePeriodInSeconds\":7200"));
    plane.update("a", 1).await.unwrap();
    until(|| plane.status("a") == Some(Status::Terminated)).await;
    assert!(
        plane
            .update("a", 60)
            .await
            .unwrap_err()
            .contains("Terminated")
    );
    until(|| plane.is_free()).await;
    plane.jobs.delete("a").await.unwrap();

    plane.create("b", "r", 3600).await;
    plane.run("b").await;
    plane.end("b", Outcome::Completed).await;
    plane.update("b", 0).await.unwrap();
    assert_eq!(plane.status("b"), Some(Status::Terminated));
    assert!(plane.is_free());
}

#[tokio::test]
async fn who_comes_too_late_for_a_pool_has_changed_nothing() {
    let plane = Plane::new();
    for (name, keep) in [("a", 60), ("b", 0), ("c", 0)] {
        plane.create(name, "r", keep).await;
    }
    plane.run("a").await;
    plane.end("a", Outcome::Completed).await;
    let (early, late) = (
        plane.allocation("b").unwrap(),
        plane.allocation("c").unwrap(),
    );
    assert!(early.set_aside().is_empty());
    assert!(plane.place("b", early).await);
    assert!(!plane.place("c", late).await);
    assert!(plane.job("c").state.is_waiting());
    assert_eq!(plane.status("c"), None);
    assert_eq!(plane.pool("a").unwrap().reused_by_job.as_deref(), Some("b"));
}
