//! The embedded runtime against this machine's kernel: how containers end, what
//! they cannot do, and that nothing of them stays. Needs root.

mod sandbox;

use std::path::Path;
use std::time::{Duration, Instant};

use kiln_agent::runtime::{Exit, ImageConfig, Root, RuntimeError};
use sandbox::Sandbox;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

#[tokio::test]
async fn exit_codes_and_output_come_back() {
    let sandbox = Sandbox::new("echo out; echo err >&2; exit 7");
    assert_eq!(sandbox.run().await, (Exit::Code(7), "out\nerr\n".to_owned()));
    assert_eq!(sandbox.groups(), Vec::<std::path::PathBuf>::new());
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn a_signal_that_ends_the_command_comes_back() {
    let (exit, _) = Sandbox::new("kill -USR1 $$; sleep 5").run().await;
    assert_eq!(exit, Exit::Signal(10));
}

#[tokio::test]
async fn memory_is_limited() {
    let mut sandbox = Sandbox::new("exec tail /dev/zero");
    sandbox.container.limits.memory_bytes = 64 << 20;
    assert_eq!(sandbox.run().await.0, Exit::OutOfMemory);
}

#[tokio::test]
async fn a_child_out_of_memory_leaves_the_exit_code_to_its_parent() {
    let mut sandbox = Sandbox::new("tail /dev/zero; exit 3");
    sandbox.container.limits.memory_bytes = 64 << 20;
    assert_eq!(sandbox.run().await.0, Exit::Code(3));
}

#[tokio::test]
async fn processes_are_limited() {
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do \
                  sleep 30 & done; echo all";
    let mut sandbox = Sandbox::new(script);
    sandbox.container.limits.processes = 12;
    let (exit, output) = sandbox.run().await;
    assert_ne!(exit, Exit::Code(0), "{output}");
    assert!(!output.contains("all"), "{output}");
}

#[tokio::test]
async fn processors_are_limited_and_the_container_sees_it() {
    let script = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; \
                  touch /sys/fs/cgroup/x /sys/fs/cgroup/cpu/x 2>/dev/null && echo written";
    let mut sandbox = Sandbox::new(script);
    sandbox.container.limits.cpus = 0.5;
    let (_, output) = sandbox.run().await;
    assert!(output.starts_with("50000"), "{output}");
    assert!(!output.contains("written"), "{output}");
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
    assert!(output.contains("child") && output.contains("parent"), "{output}");
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
    assert!(killed.elapsed() < Duration::from_secs(2));
    assert!(sandbox.groups().is_empty());
}

#[tokio::test]
async fn background_processes_die_with_the_command() {
    let sandbox = Sandbox::new("setsid sleep 61 & exit 0");
    let started = sandbox.start().await.unwrap();
    assert_eq!(started.finish().await.0, Exit::Code(0));
    assert!(sandbox.groups().is_empty());
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
    assert!(std::process::Command::new("kill").args(["-9", &shim]).status().unwrap().success());
    assert!(matches!(started.running.wait().await, Err(RuntimeError::Machine(_))));
    assert!(sandbox.groups().is_empty());
    started.running.remove().await.unwrap();
    assert!(sandbox.leftovers().is_empty());
}

/// The process that works in a directory.
fn process_in(directory: &Path) -> Option<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|at| at == directory))
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
    println!("started in {start:?}, ended and removed after {whole:?} (medians of {})", times.len());
    assert!(start < Duration::from_secs(1), "{start:?}");
}

#[tokio::test]
async fn the_host_is_not_in_sight() {
    let secret = tempfile::tempdir().unwrap();
    std::fs::write(secret.path().join("key"), "secret").unwrap();
    let script = format!(
        "cat {}/key; ls -A /root /home /tmp /opt/ml; cat /etc/shadow; ls /proc | grep -c '^[0-9]'; \
         cat /proc/1/environ; ls -l /proc/1/exe /proc/1/root; ls /sys/fs/cgroup/memory/ | grep kiln; \
         hostname; env | sort",
        secret.path().display()
    );
    let (_, output) = Sandbox::new(&script).run().await;
    assert!(!output.contains("secret"), "{output}");
    assert!(!output.contains("kiln-"), "{output}");
    assert!(!output.contains("/exe ->") && !output.contains("root:$"), "{output}");
    for line in ["/root:", "algo-1", "HOME=/root", "HOSTNAME=algo-1"] {
        assert!(output.lines().any(|found| found == line), "no {line} in {output}");
    }
    for shown in ["/home:\n\n", "/opt/ml:\n\n", "/root:\n\n", "/tmp:\n"] {
        assert!(output.contains(shown), "{shown} in {output}");
    }
}

#[tokio::test]
async fn processes_outside_can_be_neither_seen_nor_killed() {
    let mut outside = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let script = format!("kill -9 {0}; ls -d /proc/{0}; kill -9 -1; echo survived", outside.id());
    let (_, output) = Sandbox::new(&script).run().await;
    assert!(output.contains("survived") || !output.is_empty(), "{output}");
    assert!(!output.contains(&format!("\n/proc/{}\n", outside.id())), "{output}");
    assert!(outside.try_wait().unwrap().is_none());
    outside.kill().unwrap();
    outside.wait().unwrap();
}

#[tokio::test]
async fn read_only_directories_refuse_writes_and_others_keep_them() {
    let data = tempfile::tempdir().unwrap();
    let script = "touch /opt/ml/input/x && echo wrong; touch /usr/x && echo wrong; \
                  mount -o remount,rw /usr && echo wrong; \
                  echo model > /opt/ml/model/m && echo kept";
    std::fs::create_dir(data.path().join("model")).unwrap();
    let sandbox = Sandbox::new(script)
        .with_mount(data.path(), "/opt/ml/input", true)
        .with_mount(&data.path().join("model"), "/opt/ml/model", false);
    let (_, output) = sandbox.run().await;
    assert!(output.contains("kept") && !output.contains("wrong"), "{output}");
    assert_eq!(std::fs::read_to_string(data.path().join("model/m")).unwrap(), "model\n");
}

#[tokio::test]
async fn privileged_calls_are_refused() {
    let script = r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    print(name, "PERMITTED" if result >= 0 else os.strerror(ctypes.get_errno()))
call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, 0)
call("umount2", b"/proc", 2)
call("unshare", 0x10000000)
call("unshare", 0x00020000)
call("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)
call("pivot_root", b"/", b"/tmp")
call("mknod", b"/tmp/disk", 0o60600, os.makedev(254, 0))
call("sethostname", b"x", 1)
call("swapoff", b"/x")
call("reboot", 0)
libc.syscall.restype = ctypes.c_long
for name, number in [("bpf", 321), ("keyctl", 250), ("clone3", 435), ("clone", 56), ("io_uring", 425), ("perf", 298), ("userfaultfd", 323), ("unknown", 900)]:
    result = libc.syscall(number, 0x10000000, 0, 0, 0, 0, 0)
    print(name, "PERMITTED" if result >= 0 else os.strerror(ctypes.get_errno()))
os.mkfifo("/tmp/fifo"); print("mkfifo fine")
print(open("/proc/self/status").read())
try: open("/proc/sysrq-trigger", "w"); print("sysrq PERMITTED")
except OSError: pass
try: open("/proc/sys/kernel/hostname", "w"); print("sysctl PERMITTED")
except OSError: pass
"#;
    let words = ["/usr/bin/python3", "-c", script].map(str::to_owned).to_vec();
    let (exit, output) = Sandbox::of(Root::System { visible: Vec::new() }, words).run().await;
    assert_eq!(exit, Exit::Code(0), "{output}");
    assert!(!output.contains("PERMITTED"), "{output}");
    for line in ["clone3 Function not implemented", "unknown Function not implemented"] {
        assert!(output.contains(line), "{output}");
    }
    assert!(output.contains("mkfifo fine"), "{output}");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapInh:\t0000000000000000", "CapEff:\t00000000a00405fb"] {
        assert!(output.contains(line), "{line} {output}");
    }
}

#[tokio::test]
async fn a_missing_command_is_127_and_a_file_that_cannot_run_126() {
    let cases = [
        ("train", "exec: \"train\": executable file not found in $PATH", 127),
        ("/nowhere", "exec: \"/nowhere\": no such file or directory", 127),
        ("/etc/passwd", "exec: \"/etc/passwd\": permission denied", 126),
    ];
    for (word, expected, number) in cases {
        let root = Root::System { visible: Vec::new() };
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

#[tokio::test]
async fn an_image_runs_under_a_layer_of_its_own() {
    let image = tempfile::tempdir().unwrap();
    unpack_shell(image.path());
    // Where a hostile image would like the host's directories to be written to.
    std::os::unix::fs::symlink("/", image.path().join("opt")).unwrap();
    let target = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(target.path(), image.path().join("etc")).unwrap();
    let inside = target.path().strip_prefix("/").unwrap();
    std::fs::create_dir_all(image.path().join(inside)).unwrap();
    let words = ["/bin/sh", "-c", "pwd; echo $COLOUR; echo x > /new; cat /new /ml/f"].map(str::to_owned);
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("f"), "data\n").unwrap();
    let mut sandbox = Sandbox::of(Root::Directory(image.path().to_owned()), words.to_vec())
        .with_mount(data.path(), "/opt/ml", true);
    sandbox.container.image.config = ImageConfig {
        env: vec![("COLOUR".to_owned(), "green".to_owned())],
        entrypoint: Vec::new(),
        working_dir: Some("/work/here".into()),
    };
    let (exit, output) = sandbox.run().await;
    assert_eq!((exit, output.as_str()), (Exit::Code(0), "/work/here\ngreen\nx\ndata\n"));
    assert!(!image.path().join("new").exists());
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
    assert!(!Path::new("/ml").exists());
    assert!(sandbox.leftovers().is_empty(), "{:?}", sandbox.leftovers());
}

#[tokio::test]
async fn the_program_of_the_shim_cannot_be_run_from_inside() {
    let words = vec!["/proc/self/exe".to_owned()];
    let sandbox = Sandbox::of(Root::System { visible: Vec::new() }, words);
    // Whatever becomes of it, it has not been given a way to write to the file.
    if let Ok(started) = sandbox.start().await {
        started.finish().await;
    }
    let (_, output) = Sandbox::new("exec 3>>/proc/1/exe && echo open").run().await;
    assert!(!output.contains("open\n"), "{output}");
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

/// A root file system with a shell and what it is linked with.
fn unpack_shell(root: &Path) {
    let listed = std::process::Command::new("ldd").args(["/bin/sh", "/bin/cat"]).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let libraries = text.split_whitespace().filter(|word| word.starts_with("/lib"));
    let files = libraries.map(|word| word.trim_end_matches(':')).chain(["/bin/sh", "/bin/cat"]);
    for file in files {
        let target = root.join(file.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
