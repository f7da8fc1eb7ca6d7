//! What is stored, and what is taken back.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn what_was_made_is_stored_with_its_configuration_last() {
    let rig = Rig::new(Store::default());
    rig.done(&MADE);
    let made = rig.workplace().given(1);
    std::os::unix::fs::symlink("/etc/passwd", made.join("passwd")).unwrap();
    let ending = rig.begin().await.to_its_end().await;
    assert_eq!((ending.outcome, ending.stored), (Outcome::Completed, true));
    let mut stored = rig.store.asked(&["PUT"]);
    // Of the others, several are stored at a time.
    stored[..2].sort();
    let expected = ["deep/merges.txt", "model.safetensors", "config.json"];
    let expected = expected.map(|name| format!("PUT /b/out/{name}"));
    assert_eq!(stored, expected);
    let reports = rig.reports();
    let optimized = Optimized {
        own_image: None,
        is_hugging_face: true,
        files: 3,
        bytes: 10,
    };
    assert_eq!(reports.last(), Some(&Report::Optimized(optimized)));
    assert!(!reports.contains(&Report::Stage(Stage::Downloading)));
    let link = "Kiln: passwd is a link, and is not stored".to_owned();
    assert!(reports.contains(&Report::Log(link)), "{reports:?}");
}

#[tokio::test]
async fn a_stop_before_all_is_stored_takes_everything_back() {
    let store = Store {
        slow: Some("config.json"),
        ..Store::default()
    };
    let rig = Rig::new(store);
    rig.done(&MADE);
    let living = rig.begin().await;
    let ending = living
        .stopped_at(&rig.store, "PUT /b/out/config.json")
        .await;
    assert_eq!((ending.outcome, ending.stored), (Outcome::Stopped, false));
    // The upload that was under way, and the objects that were there.
    let removed = [
        "config.json upload u",
        "deep/merges.txt",
        "model.safetensors",
    ];
    let removed = removed.map(|name| format!("DELETE /b/out/{name}"));
    let found: BTreeSet<_> = rig.store.asked(&["DELETE"]).into_iter().collect();
    assert_eq!(found, removed.into());
    let optimized = |report: &Report| matches!(report, Report::Optimized(_));
    assert!(!rig.reports().iter().any(optimized));
}

#[tokio::test]
async fn what_an_agent_that_was_killed_has_stored_is_taken_back_too() {
    let store = Store {
        slow: Some("config.json"),
        ..Store::default()
    };
    let rig = Rig::new(store);
    rig.done(&MADE);
    let killed = rig.begin().await;
    let until = async {
        while rig.store.asked(&["PUT /b/out/config.json"]).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ending = killed.to_its_end() => panic!("{ending:?}"),
        () = until => {}
    }
    // Its successor is stopped at once, and has nothing of its own to take back.
    let next = rig.begin().await;
    next.stop();
    assert_eq!(next.to_its_end().await.outcome, Outcome::Stopped);
    let removed = rig.store.asked(&["DELETE"]);
    assert!(
        removed
            .iter()
            .any(|line| line.ends_with("model.safetensors")),
        "{removed:?}"
    );
}

/// Writes down what an agent that was killed would have, of an upload of its own.
fn leave(rig: &Rig, turn: &str, key: &str) {
    let line = format!("{{\"turn\": \"{turn}\", \"key\": \"{key}\", \"upload\": \"lost\"}}\n");
    append(rig, &line);
}

fn append(rig: &Rig, line: &str) {
    let journal = rig.place.path().join("uploads.journal");
    let mut options = std::fs::File::options();
    let mut journal = options.create(true).append(true).open(journal).unwrap();
    std::io::Write::write_all(&mut journal, line.as_bytes()).unwrap();
}

#[tokio::test]
async fn an_agent_that_goes_on_stores_the_rest_and_has_the_store_forget_what_was_begun() {
    let rig = Rig::new(Store::default());
    rig.done(&MADE);
    leave(&rig, "completed", "out/model.safetensors");
    leave(&rig, "begun", "out/deep/merges.txt");
    let ending = rig.begin().await.to_its_end().await;
    assert_eq!((ending.outcome, ending.stored), (Outcome::Completed, true));
    let forgotten = ["DELETE /b/out/deep/merges.txt upload lost"];
    assert_eq!(rig.store.asked(&["DELETE"]), forgotten);
    let stored = ["PUT /b/out/deep/merges.txt", "PUT /b/out/config.json"];
    assert_eq!(rig.store.asked(&["PUT"]), stored);
    let optimized = Optimized {
        is_hugging_face: true,
        files: 3,
        bytes: 10,
        own_image: None,
    };
    assert_eq!(rig.reports().last(), Some(&Report::Optimized(optimized)));
}

#[tokio::test]
async fn a_job_that_ends_without_its_result_leaves_no_uploads_of_agents_before() {
    let rig = Rig::new(Store::default());
    leave(&rig, "begun", "out/a");
    leave(&rig, "completing", "out/b");
    let living = rig.begin().await;
    living.stop();
    assert_eq!(living.to_its_end().await.outcome, Outcome::Stopped);
    let removed = ["a upload lost", "b", "b upload lost"];
    let removed = removed.map(|name| format!("DELETE /b/out/{name}"));
    let found: BTreeSet<_> = rig.store.asked(&["DELETE"]).into_iter().collect();
    assert_eq!(found, removed.into());
}

/// Writes down that an agent that was killed had the store asked for an upload.
fn intend(rig: &Rig, key: &str) {
    append(rig, &format!("{{\"intended\": \"{key}\"}}\n"));
}

#[tokio::test]
async fn an_upload_whose_id_nobody_wrote_down_is_forgotten_and_nobody_elses_is() {
    let uploads = [
        ("out/config.json", "unknown", 0),
        ("out/config.json", "of-others", 1),
        ("out/config.json.bak", "of-others-too", 0),
        ("out/a", "never-asked-for", 0),
    ];
    for stops in [true, false] {
        let rig = Rig::new(Store {
            uploads: uploads.into(),
            ..Store::default()
        });
        intend(&rig, "out/config.json");
        let living = rig.begin().await;
        match stops {
            true => living.stop(),
            false => rig.done(&MADE),
        }
        assert_eq!(living.to_its_end().await.stored, !stops);
        let forgotten = ["DELETE /b/out/config.json upload unknown"];
        assert_eq!(rig.store.asked(&["DELETE"]), forgotten);
    }
}

#[tokio::test]
async fn who_is_only_to_take_back_does_nothing_else() {
    let mut rig = Rig::new(Store::default());
    rig.plan.takes_back = true;
    rig.done(&MADE);
    leave(&rig, "completed", "out/model.safetensors");
    let ending = rig.begin().await.to_its_end().await;
    assert_eq!((ending.outcome, ending.stored), (Outcome::Stopped, false));
    let removed = ["DELETE /b/out/model.safetensors"];
    assert_eq!(rig.store.asked(&["DELETE", "PUT", "POST"]), removed);
    assert_eq!(rig.reports(), []);
}

#[tokio::test]
async fn one_slow_file_does_not_hold_up_the_others() {
    let store = Store {
        slow: Some("merges.txt"),
        ..Store::default()
    };
    let rig = Rig::new(store);
    rig.done(&MADE);
    let living = rig.begin().await;
    let stopped = living.stopped_at(&rig.store, "POST /b/out/model.safetensors");
    assert_eq!(stopped.await.outcome, Outcome::Stopped);
    assert!(rig.store.asked(&["PUT /b/out/config.json"]).is_empty());
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_stored() {
    let rig = Rig::new(Store::default());
    rig.done(&MADE);
    std::fs::create_dir(rig.place.path().join("uploads.journal")).unwrap();
    let ending = rig.begin().await.to_its_end().await;
    let reason = failed(&ending);
    assert!(reason.contains("Is a directory"), "{reason}");
    assert!(rig.store.asked(&["POST", "PUT"]).is_empty());
}
