//! The life of containers in the embedded runtime: how they start and end, and
//! that nothing of them stays. Needs root.

#![allow(clippy::unwrap_used)]

mod sandbox;

use std::path::Path;
use std::time::{Duration, Instant};

use kiln_agent::runtime::usage::{ProcessorTime, Usage};
use kiln_agent::runtime::{Exit, Root, RuntimeError};
use sandbox::Sandbox;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

#[tokio::test]
async fn exit_codes_and_output_come_back() {
    let sandbox = Sandbox::new("echo out; echo err >&2; exit 7");
    assert_eq!(
        sandbox.run().await,
        (Exit::Code(7), "out\nerr\n".to_owned())
    );
    assert_eq!(sandbox.groups(), Vec::<std::path::PathBuf>::new());
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn a_signal_that_ends_the_command_comes_back() {
    let (exit, _) = Sandbox::new("kill -USR1 $$; sleep 5").run().await;
    assert_eq!(exit, Exit::Signal(10));
}

#[tokio::test]
async fn sigterm_reaches_every_process() {
    let shared = tempfile::tempdir().unwrap();
    let script = "trap 'wait; echo parent; exit 5' TERM; \
                  sh -c 'trap \"echo child; exit 0\" TERM; touch /opt/ml/ready; \
                         while :; do sleep 0.05; done' & \
                  wait; exit 6";
    let sandbox = Sandbox::new(script).with_mount(shared.path(), "/opt/ml", false);
    let started = sandbox.start().await.unwrap();
    wait_until("ready", || shared.path().join("ready").exists()).await;
    started.running.signal(SIGTERM).await.unwrap();
    let (exit, output) = started.finish().await;
    assert_eq!(exit, Exit::Code(5), "{output}");
    assert!(
        output.contains("child") && output.contains("parent"),
        "{output}"
    );
}

#[tokio::test]
async fn a_command_without_handlers_stops_at_once() {
    let sandbox = Sandbox::new("exec sleep 60");
    let started = sandbox.start().await.unwrap();
    started.running.signal(SIGTERM).await.unwrap();
    assert_eq!(started.finish().await.0, Exit::Signal(SIGTERM));
}

#[tokio::test]
async fn sigkill_ends_all_that_ignores_sigterm() {
    let shared = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; (sleep 60) & touch /opt/ml/ready; sleep 60; sleep 60";
    let sandbox = Sandbox::new(script).with_mount(shared.path(), "/opt/ml", false);
    let started = sandbox.start().await.unwrap();
    wait_until("ready", || shared.path().join("ready").exists()).await;
    started.running.signal(SIGTERM).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!sandbox.groups().is_empty());
    let killed = Instant::now();
    started.running.signal(SIGKILL).await.unwrap();
    assert_eq!(started.finish().await.0, Exit::Signal(SIGKILL));
    assert!(killed.elapsed() < Duration::from_secs(30));
    assert!(sandbox.groups().is_empty());
}

#[tokio::test]
async fn what_it_uses_is_measured_while_it_runs() {
    let hoard = "held=$(head -c 33554432 /dev/zero | tr '\\0' x)";
    let shared = tempfile::tempdir().unwrap();
    let script = format!("{hoard}; touch /opt/ml/ready; while :; do :; done");
    let sandbox = Sandbox::new(&script).with_mount(shared.path(), "/opt/ml", false);
    let started = sandbox.start().await.unwrap();
    wait_until("ready", || shared.path().join("ready").exists()).await;
    let meter = started.running.meter().unwrap();
    let before = meter.read().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = meter.read().await;
    if !sandbox.groups().is_empty() {
        let spent = |usage: &Usage| match usage.processors.clone().unwrap() {
            ProcessorTime::Each(each) => each.iter().sum(),
            ProcessorTime::Together(all) => all,
        };
        let spent: Duration = spent(&after) - spent(&before);
        assert!(spent > Duration::from_millis(50), "{spent:?}");
        let held = after.memory_bytes.unwrap();
        assert!(held > 32 << 20 && held < 256 << 20, "{held}");
    }
    // It has no network but the loopback, of which nothing is said.
    assert_eq!(after.network, None);
    started.running.signal(SIGKILL).await.unwrap();
    started.finish().await;
    assert_eq!(meter.read().await, Usage::default());
}

#[tokio::test]
async fn background_processes_die_with_the_command() {
    let sandbox = Sandbox::new("setsid sleep 61 & exit 0");
    let started = sandbox.start().await.unwrap();
    assert_eq!(started.finish().await.0, Exit::Code(0));
    assert!(sandbox.groups().is_empty());
}

#[tokio::test]
async fn a_mount_that_cannot_be_made_is_explained() {
    let sandbox = Sandbox::new("exit 0").with_mount(Path::new("/nowhere"), "/opt/ml", true);
    let Err(error) = sandbox.start().await else {
        panic!("it started")
    };
    let message = error.to_string();
    assert!(
        message.contains("/nowhere") && message.contains("No such file"),
        "{message}"
    );
    assert!(sandbox.groups().is_empty() && sandbox.leftovers().is_empty());
}

#[tokio::test]
async fn dropping_a_container_kills_it() {
    let sandbox = Sandbox::new("sleep 60");
    let started = sandbox.start().await.unwrap();
    assert!(!sandbox.groups().is_empty());
    drop(started);
    wait_until("the groups are gone", || sandbox.groups().is_empty()).await;
}

#[tokio::test]
async fn a_killed_shim_takes_its_container_along() {
    let sandbox = Sandbox::new("sleep 60 & sleep 60");
    let mut started = sandbox.start().await.unwrap();
    let shim = process_in(&sandbox.container.scratch).unwrap();
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &shim])
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(
        started.running.wait().await,
        Err(RuntimeError::Machine(_))
    ));
    assert!(sandbox.groups().is_empty());
    started.running.remove().await.unwrap();
    assert!(sandbox.leftovers().is_empty());
}

/// The process that works in a directory.
fn process_in(directory: &Path) -> Option<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|entry| {
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|at| at == directory)
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .next()
}

#[tokio::test]
async fn starting_takes_milliseconds() {
    let mut times = Vec::new();
    for _ in 0..20 {
        let sandbox = Sandbox::new("exit 0");
        let begun = Instant::now();
        let started = sandbox.start().await.unwrap();
        let start = begun.elapsed();
        started.finish().await;
        times.push((start, begun.elapsed()));
    }
    times.sort();
    let (start, whole) = times[times.len() / 2];
    println!(
        "started in {start:?}, ended and removed after {whole:?} (medians of {})",
        times.len()
    );
    assert!(start < Duration::from_secs(10), "{start:?}");
}

#[tokio::test]
async fn a_missing_command_is_127_and_a_file_that_cannot_run_126() {
    let cases = [
        (
            "train",
            "exec: \"train\": executable file not found in $PATH",
            127,
        ),
        (
            "/nowhere",
            "exec: \"/nowhere\": no such file or directory",
            127,
        ),
        (
            "/etc/passwd",
            "exec: \"/etc/passwd\": permission denied",
            126,
        ),
    ];
    for (word, expected, number) in cases {
        let root = Root::System {
            visible: Vec::new(),
        };
        let sandbox = Sandbox::of(root, vec![word.to_owned()]);
        match sandbox.start().await {
            Err(RuntimeError::Command { message, code }) => {
                assert_eq!((message.as_str(), code), (expected, number));
            }
            Err(error) => panic!("{word}: {error}"),
            Ok(_) => panic!("{word} started"),
        }
        assert!(sandbox.groups().is_empty() && sandbox.leftovers().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn fifty_containers_start_eight_at_a_time() {
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(8));
    let begun = Instant::now();
    let all: Vec<_> = (0..50)
        .map(|number| {
            let permits = permits.clone();
            tokio::spawn(async move {
                let _permit = permits.acquire().await.unwrap();
                let sandbox = Sandbox::new(&format!("echo {number}"));
                let outcome = sandbox.run().await;
                assert!(sandbox.groups().is_empty() && sandbox.leftovers().is_empty());
                let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
                assert!(!mounts.contains(sandbox.container.scratch.to_str().unwrap()));
                (number, outcome)
            })
        })
        .collect();
    for one in all {
        let (number, outcome) = one.await.unwrap();
        assert_eq!(outcome, (Exit::Code(0), format!("{number}\n")));
    }
    println!("fifty containers in {:?}", begun.elapsed());
}

async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
