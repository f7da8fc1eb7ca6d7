//! Containers of the embedded runtime on a machine that lacks what would contain
//! them wholly: refused, unless that is allowed. The machine is made to lack it
//! for one thread, which has a mount table of its own. Needs root.

#![allow(clippy::unwrap_used)]

mod sandbox;

use std::path::Path;
use std::time::Duration;

use kiln_agent::runtime::Exit;
use kiln_agent::runtime::embedded::Tolerance;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use sandbox::Sandbox;

const SIGTERM: i32 = 15;

const UNLIMITED: Tolerance = Tolerance {
    unlimited: true,
    unfiltered: false,
};
const UNFILTERED: Tolerance = Tolerance {
    unlimited: false,
    unfiltered: true,
};

/// Ways to be without control groups.
const WITHOUT_GROUPS: [fn(); 2] = [cover_groups, write_protect_groups];

#[test]
fn without_control_groups_a_container_is_refused() {
    for lose in WITHOUT_GROUPS {
        let reason = refusal(lose, UNFILTERED);
        for words in ["memory, cpu, pids", "run_unlimited = true"] {
            assert!(reason.contains(words), "{reason}");
        }
    }
}

#[test]
fn without_control_groups_a_container_runs_when_that_is_allowed() {
    for lose in WITHOUT_GROUPS {
        let ended = apart(lose, async {
            let script = "ls /sys/fs/cgroup; setsid sleep 61 & exit 7";
            let sandbox = tolerating(UNLIMITED, script);
            let ended = sandbox.run().await;
            assert_eq!(sandbox.leftovers(), Vec::<String>::new());
            ended
        });
        assert_eq!(ended, (Exit::Code(7), String::new()));
    }
}

#[test]
fn without_control_groups_signals_still_reach_every_process() {
    let (exit, output) = apart(cover_groups, async {
        let obedient = |name: &str| {
            format!(
                "sh -c 'trap \"echo {name}; touch /opt/ml/{name}.told; exit 0\" TERM; \
                 touch /opt/ml/{name}; while :; do sleep 0.05; done'"
            )
        };
        // Whatever is left when the parent ends is killed, so it waits for the orphan too.
        let script = format!(
            "trap 'wait; n=0; until [ -e /opt/ml/orphan.told ] || [ $n = 600 ]; \
             do n=$((n+1)); sleep 0.1; done; echo parent; exit 5' TERM; \
             (setsid {} &); {} & wait; exit 6",
            obedient("orphan"),
            obedient("child")
        );
        let shared = tempfile::tempdir().unwrap();
        let sandbox = tolerating(UNLIMITED, &script).with_mount(shared.path(), "/opt/ml", false);
        let started = sandbox.start().await.unwrap();
        for name in ["orphan", "child"] {
            while !shared.path().join(name).exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        started.running.signal(SIGTERM).await.unwrap();
        started.finish().await
    });
    assert_eq!(exit, Exit::Code(5), "{output}");
    for word in ["child", "orphan", "parent"] {
        assert!(output.contains(word), "{output}");
    }
}

#[test]
fn what_can_be_limited_is_limited() {
    if !Path::new("/sys/fs/cgroup/memory").is_dir() {
        return;
    }
    let lose = || cover(Path::new("/sys/fs/cgroup/memory"));
    let reason = refusal(lose, Tolerance::default());
    assert!(reason.contains("cannot limit memory;"), "{reason}");
    let (_, output) = apart(lose, async {
        let script = "cat /sys/fs/cgroup/pids/pids.max; ls /sys/fs/cgroup";
        tolerating(UNLIMITED, script).run().await
    });
    assert_eq!(output, "64\ncpu\npids\n");
}

#[test]
fn without_a_filter_a_container_is_refused_unless_that_is_allowed() {
    let lose = || cover(Path::new("/proc/sys/kernel/seccomp"));
    let reason = refusal(lose, UNLIMITED);
    assert!(reason.contains("run_unfiltered = true"), "{reason}");
    let (_, output) = apart(lose, async {
        let script = "grep -E 'Seccomp:|NoNewPrivs' /proc/self/status";
        tolerating(UNFILTERED, script).run().await
    });
    assert_eq!(output, "NoNewPrivs:\t1\nSeccomp:\t0\n");
}

#[test]
fn what_is_allowed_changes_nothing_where_nothing_is_lacking() {
    let everything = Tolerance {
        unlimited: true,
        unfiltered: true,
    };
    let (exit, output) = apart(|| {}, async move {
        let script = "grep Seccomp: /proc/self/status; exec tail /dev/zero";
        let mut sandbox = tolerating(everything, script);
        sandbox.container.limits.memory_bytes = 64 << 20;
        sandbox.run().await
    });
    assert_eq!(
        (exit, output.as_str()),
        (Exit::OutOfMemory, "Seccomp:\t2\n")
    );
}

fn tolerating(tolerance: Tolerance, script: &str) -> Sandbox {
    let mut sandbox = Sandbox::new(script);
    sandbox.runtime = sandbox::runtime().tolerating(tolerance);
    sandbox
}

/// Why a container does not start.
fn refusal(lose: impl FnOnce() + Send + 'static, tolerance: Tolerance) -> String {
    apart(lose, async move {
        let sandbox = tolerating(tolerance, "exit 0");
        let Err(error) = sandbox.start().await else {
            panic!("it started")
        };
        assert_eq!(sandbox.leftovers(), Vec::<String>::new());
        error.to_string()
    })
}

/// Loses something of the machine and then goes on, in a mount table apart.
fn apart<T: Send + 'static>(
    lose: impl FnOnce() + Send + 'static,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        lose();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work)
    });
    thread.join().unwrap()
}

/// Hides all control groups under an empty directory.
fn cover_groups() {
    cover(Path::new("/sys/fs/cgroup"));
}

fn cover(directory: &Path) {
    let kind = Some("tmpfs");
    mount(kind, directory, kind, MsFlags::empty(), None::<&str>).unwrap();
}

/// Makes all control groups read-only, as many containers have them.
fn write_protect_groups() {
    let table = std::fs::read_to_string("/proc/thread-self/mounts").unwrap();
    let mounts = table
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    for entry in mounts.filter(|entry| entry[2].starts_with("cgroup")) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, entry[1], None::<&str>, flags, None::<&str>).unwrap();
    }
}
