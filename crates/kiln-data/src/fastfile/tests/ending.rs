//! The ends of mounts: dropped, taken away, and left behind.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Where the process that is to be killed mounts.
const DIRECTORY: &str = "KILN_TEST_MOUNT_DIRECTORY";

fn mounts_below(directory: &Path) -> usize {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let directory = directory.to_str().unwrap();
    table
        .lines()
        .filter(|line| line.contains(directory))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_mount_is_gone() {
    if !possible() {
        return;
    }
    let scene = Scene::of([("a", noise(10))]).await;
    // An open file keeps an ordinary mount busy.
    let file = std::fs::File::open(scene.files.join("a")).unwrap();
    assert_eq!(mounts_below(&scene.files), 1);
    drop(scene.mounted);
    assert_eq!(mounts_below(&scene.files), 0);
    assert_eq!(std::fs::read_dir(&scene.files).unwrap().count(), 0);
    drop(file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_reader_is_let_go_by_an_unmount_and_fails_no_job() {
    if !possible() {
        return;
    }
    let scene = Scene::of([("a", noise(100_000))]).await;
    scene.store.be_silent(true);
    let path = scene.files.join("a");
    let reader = tokio::task::spawn_blocking(move || std::fs::read(path));
    while scene.store.reads().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scene.mounted.unmount();
    let read = tokio::time::timeout(Duration::from_secs(10), reader).await;
    assert!(read.unwrap().unwrap().is_err());
    assert!(scene.mounted.failure().borrow().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_delays_a_read_and_no_other_call() {
    if !possible() {
        return;
    }
    let scene = Scene::of([("a", noise(100_000)), ("b/c", vec![])]).await;
    scene.store.be_silent(true);
    let path = scene.files.join("a");
    let readers: Vec<_> = (0..16)
        .map(|_| path.clone())
        .map(|path| tokio::task::spawn_blocking(move || std::fs::read(path)))
        .collect();
    while scene.store.reads().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let size = scene.with_files(|files| files.join("b/c").metadata().unwrap().len());
    assert_eq!(size.await, 0);
    scene.store.be_silent(false);
    for reader in readers {
        assert!(reader.await.unwrap().unwrap() == noise(100_000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_whose_path_leads_to_another_ends_and_the_other_stays() {
    if !possible() {
        return;
    }
    let (job, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::start().await;
    store.put("data/a", "a");
    let channel = channel("data/", Shard::WHOLE);
    let limits = CacheLimits::default();
    let data = job.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mounted = mount_in(&store, &channel, &data, limits).await.unwrap();
    let other = mount_in(&store, &channel, host.path(), limits)
        .await
        .unwrap();
    // What code of a job can do in a directory of its own.
    std::fs::rename(&data, job.path().join("away")).unwrap();
    std::os::unix::fs::symlink(host.path(), &data).unwrap();
    drop(mounted);
    assert_eq!(mounts_below(job.path()), 0);
    assert_eq!(mounts_below(host.path()), 1);
    drop(other);
}

#[test]
fn the_mounts_of_a_killed_process_are_cleared_away() {
    if !possible() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact"])
        .arg(
            concat!(module_path!(), "::a_process_that_mounts")
                .split_once("::")
                .unwrap()
                .1,
        )
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ready = directory.path().join("ready");
    let begun = Instant::now();
    while !ready.exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let files = directory.path().join("train");
    assert_eq!(mounts_below(&files), 1);
    let dead = std::fs::read_dir(&files).unwrap_err();
    assert_eq!(dead.raw_os_error(), Some(nix::libc::ENOTCONN));
    unmount_all_below(directory.path()).unwrap();
    assert_eq!(mounts_below(&files), 0);
    assert_eq!(std::fs::read_dir(&files).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a process of its own, which another test kills"]
async fn a_process_that_mounts() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let store = Store::start().await;
    store.put("data/a", "a");
    let channel = channel("data/", Shard::WHOLE);
    let limits = CacheLimits::default();
    let _mounted = mount_in(&store, &channel, &directory, limits)
        .await
        .unwrap();
    std::fs::write(directory.join("ready"), "").unwrap();
    std::future::pending::<()>().await;
}
