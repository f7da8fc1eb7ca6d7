//! Directories that a prefix follows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kiln_data::mirror::{Local, Mirror, Rules};
use proptest::prelude::*;

use crate::material::noise;
use crate::store::{BUCKET, Store};

const ALL: Rules = Rules {
    propagate_deletes: true,
    markers: true,
};

struct World {
    store: Store,
    local: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self {
            store: Store::start().await,
            local: tempfile::tempdir().unwrap(),
        }
    }

    fn mirror(&self, rules: Rules) -> Mirror {
        let objects = self.store.client.clone();
        let local = Local::new(self.local.path(), Path::new(""));
        Mirror::new(objects, local, BUCKET, "ckpt", rules)
    }

    fn write(&self, name: &str, body: impl AsRef<[u8]>) -> PathBuf {
        let path = self.local.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, body).unwrap();
        path
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.local.path().join(name)).unwrap();
    }

    async fn put(&self, key: &str, body: &'static str) {
        let put = self.store.client.put(BUCKET, key, body.into());
        put.await.unwrap();
    }
}

/// Runs the mirror until something is so.
async fn run_until(mirror: &mut Mirror, is_so: impl AsyncFn() -> bool) {
    let watch = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        never = mirror.run() => match never {},
        () = watch => {}
        () = tokio::time::sleep(Duration::from_mins(2)) => panic!("it never was"),
    }
}

#[tokio::test]
async fn a_mirror_may_live_in_a_task_of_its_own() {
    let world = World::new().await;
    world.put("ckpt/a", "one").await;
    let mut mirror = world.mirror(ALL);
    world.write("b", "two");
    let task = tokio::spawn(async move {
        mirror.restore().await?;
        let running = tokio::time::timeout(Duration::from_millis(10), mirror.run());
        running.await.unwrap_err();
        mirror.flush().await
    });
    task.await.unwrap().unwrap();
    assert_eq!(world.store.keys().await, ["ckpt/a", "ckpt/b"]);
}

fn exists(path: &Path, suffix: &str) -> bool {
    PathBuf::from(format!("{}{suffix}", path.display())).exists()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_directory_is_as_it_was_and_is_not_stored_again() {
    let world = World::new().await;
    world.put("ckpt/a", "one").await;
    world.put("ckpt/d/b", "two").await;
    world.put("ckpt/d/", "").await;
    world.put("ckpt/a.sagemaker-uploading", "").await;
    world.put("ckpt-other/c", "not this").await;
    let mut mirror = world.mirror(ALL);
    assert_eq!(mirror.restore().await.unwrap(), 2);
    let read = |name| fs::read_to_string(world.local.path().join(name)).unwrap();
    assert_eq!((read("a"), read("d/b")), ("one".into(), "two".into()));
    assert!(!exists(
        &world.local.path().join("a"),
        ".sagemaker-uploading"
    ));

    world.store.only(|action, _| action != "s3:PutObject");
    mirror.flush().await.unwrap();
    world.remove("a");
    mirror.flush().await.unwrap();
    assert!(!world.store.keys().await.contains(&"ckpt/a".to_owned()));
    assert!(
        world
            .store
            .keys()
            .await
            .contains(&"ckpt-other/c".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_to_restore_is_no_error_and_two_objects_for_one_path_are() {
    let world = World::new().await;
    assert_eq!(world.mirror(ALL).restore().await.unwrap(), 0);
    world.put("ckpt/a", "file").await;
    world.put("ckpt/a/b", "below a file").await;
    let error = world.mirror(ALL).restore().await.unwrap_err().to_string();
    assert!(error.contains("s3://bucket/ckpt/a"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_follow_while_the_work_goes_on() {
    let world = World::new().await;
    let mut mirror = world.mirror(ALL);
    let marked = Arc::new(Mutex::new(Vec::new()));
    let first = world.write("xgboost-checkpoint.0", "zero");
    world.write("tmp1.sagemaker-ignore", "half");
    let (seen, path) = (marked.clone(), first.clone());
    world.store.only(move |action, _| {
        if action == "s3:PutObject" {
            let marks = [".sagemaker-uploading", ".sagemaker-uploaded"];
            seen.lock()
                .unwrap()
                .push(marks.map(|mark| exists(&path, mark)));
        }
        true
    });
    run_until(&mut mirror, async || exists(&first, ".sagemaker-uploaded")).await;
    assert!(!exists(&first, ".sagemaker-uploading"));
    assert_eq!(*marked.lock().unwrap(), [[true, false]]);
    assert_eq!(world.store.keys().await, ["ckpt/xgboost-checkpoint.0"]);

    world.store.only(|_, _| true);
    world.remove("xgboost-checkpoint.0");
    world.write("xgboost-checkpoint.1", "one");
    let expected = ["ckpt/xgboost-checkpoint.1"];
    run_until(&mut mirror, async || world.store.keys().await == expected).await;
    assert!(!exists(&first, ".sagemaker-uploaded"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_tried_again_and_only_the_flush_tells() {
    let world = World::new().await;
    let mut mirror = world.mirror(Rules::default());
    world.write("bad", noise(9 << 20));
    world.write("good", "good");
    world
        .store
        .only(|action, key| action != "s3:PutObject" || key != "ckpt/bad");
    run_until(&mut mirror, async || !world.store.keys().await.is_empty()).await;
    let error = mirror.flush().await.unwrap_err().to_string();
    assert!(error.contains("s3://bucket/ckpt/bad"), "{error}");
    world.store.only(|_, _| true);
    mirror.flush().await.unwrap();
    assert_eq!(world.store.keys().await, ["ckpt/bad", "ckpt/good"]);
    // Nothing is left of the uploads that were refused.
    world.store.keeps(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_while_it_is_stored_is_stored_again() {
    let world = World::new().await;
    let mut mirror = world.mirror(Rules::default());
    let path = world.write("log", noise(9 << 20));
    let mut parts = 0;
    world.store.only(move |action, _| {
        parts += u32::from(action == "s3:PutObject");
        if parts == 2 {
            fs::write(&path, "shorter").unwrap();
        }
        true
    });
    let stored = || world.store.objects();
    run_until(&mut mirror, async || {
        stored()
            .await
            .get("ckpt/log")
            .is_some_and(|body| body == b"shorter")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_goes_away_takes_no_object_with_it() {
    let world = World::new().await;
    let mut mirror = world.mirror(ALL);
    world.write("a", "a");
    mirror.flush().await.unwrap();
    let away = world.local.path().with_extension("away");
    fs::rename(world.local.path(), &away).unwrap();
    mirror.flush().await.unwrap_err();
    fs::rename(&away, world.local.path()).unwrap();
    assert_eq!(world.store.keys().await, ["ckpt/a"]);
    mirror.flush().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_lead_nothing_into_the_store() {
    let world = World::new().await;
    let secrets = tempfile::tempdir().unwrap();
    fs::write(secrets.path().join("key"), "secret").unwrap();
    std::os::unix::fs::symlink(secrets.path(), world.local.path().join("d")).unwrap();
    std::os::unix::fs::symlink(secrets.path().join("key"), world.local.path().join("f")).unwrap();
    world.mirror(ALL).flush().await.unwrap();
    assert!(world.store.keys().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_the_directory_s_place_leads_nowhere() {
    let world = World::new().await;
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("key"), "secret").unwrap();
    world.write("out/a", "a");
    let local = Local::new(world.local.path(), Path::new("out"));
    let mut mirror = Mirror::new(world.store.client.clone(), local, BUCKET, "ckpt", ALL);
    run_until(&mut mirror, async || !world.store.keys().await.is_empty()).await;

    fs::remove_dir_all(world.local.path().join("out")).unwrap();
    std::os::unix::fs::symlink(host.path(), world.local.path().join("out")).unwrap();
    let running = tokio::time::timeout(Duration::from_millis(2500), mirror.run());
    running.await.unwrap_err();
    mirror.flush().await.unwrap();
    assert_eq!(world.store.keys().await, ["ckpt/a"]);
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 1);

    // Made again, it counts again.
    fs::remove_file(world.local.path().join("out")).unwrap();
    world.write("out/b", "b");
    mirror.flush().await.unwrap();
    assert_eq!(world.store.keys().await, ["ckpt/b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_look_that_fails_is_taken_again() {
    let world = World::new().await;
    let (base, away) = (
        world.local.path().join("ml"),
        world.local.path().join("away"),
    );
    world.write("ml/out/a", "a");
    let local = Local::new(&base, Path::new("out"));
    let mut mirror = Mirror::new(world.store.client.clone(), local, BUCKET, "ckpt", ALL);
    fs::rename(&base, &away).unwrap();
    let coming_back = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fs::rename(&away, &base).unwrap();
    };
    let (flushed, ()) = tokio::join!(mirror.flush(), coming_back);
    flushed.unwrap();
    assert_eq!(world.store.keys().await, ["ckpt/a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_old_checkpoint_goes_while_the_new_one_is_refused() {
    let world = World::new().await;
    let mut mirror = world.mirror(ALL);
    world.write("old", "old");
    mirror.flush().await.unwrap();
    world.remove("old");
    world.write("new", "new");
    world.store.only(|action, _| action != "s3:PutObject");
    mirror.flush().await.unwrap_err();
    assert_eq!(world.store.keys().await, ["ckpt/old"]);
    world.store.only(|_, _| true);
    mirror.flush().await.unwrap();
    assert_eq!(world.store.keys().await, ["ckpt/new"]);
}

#[derive(Debug, Clone)]
enum Step {
    Write(u8, u8),
    Remove(u8),
    Rename(u8, u8),
    /// The mirror runs, and is dropped after so many milliseconds.
    Run(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6, any::<u8>()).prop_map(|(file, body)| Step::Write(file, body)),
        2 => (0u8..6).prop_map(Step::Remove),
        2 => (0u8..6, 0u8..6).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (0u64..1100).prop_map(Step::Run),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn after_any_changes_and_a_flush_the_prefix_is_the_directory(
        steps in prop::collection::vec(step(), 1..25)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let mut mirror = world.mirror(Rules { markers: false, ..ALL });
            let name = |file: u8| format!("d{}/{file}", file % 2);
            for step in steps {
                let at = |file| world.local.path().join(name(file));
                match step {
                    Step::Write(file, body) => drop(world.write(&name(file), [body])),
                    Step::Remove(file) => drop(fs::remove_file(at(file))),
                    Step::Rename(from, to) => drop(fs::rename(at(from), at(to))),
                    Step::Run(time) => {
                        let time = Duration::from_millis(time);
                        tokio::time::timeout(time, mirror.run()).await.unwrap_err();
                    }
                }
            }
            mirror.flush().await.unwrap();
            let files = (0..6).filter_map(|file| {
                let body = fs::read(world.local.path().join(name(file))).ok()?;
                Some((format!("ckpt/{}", name(file)), body))
            });
            assert_eq!(world.store.objects().await, files.collect::<BTreeMap<_, _>>());
        });
    }
}
