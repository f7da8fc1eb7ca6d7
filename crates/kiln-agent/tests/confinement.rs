//! What code in a container of the embedded runtime cannot do on this machine's
//! kernel. Needs root.

#![allow(clippy::unwrap_used)]

mod sandbox;

use std::path::Path;

use kiln_agent::runtime::{Exit, ImageConfig, Root};
use sandbox::Sandbox;

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
async fn swap_counts_as_memory() {
    let script = "cd /sys/fs/cgroup; cat memory.swap.max memory/memory.memsw.limit_in_bytes";
    let (_, output) = Sandbox::new(script).run().await;
    let limit = output.lines().find(|line| !line.contains("No such file"));
    // A kernel without swap has neither file.
    if let Some(limit) = limit {
        let both_together = sandbox::MEMORY.to_string();
        assert!(limit == "0" || limit == both_together, "{output}");
    }
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
    assert!(
        !output.contains("/exe ->") && !output.contains("root:$"),
        "{output}"
    );
    for line in ["/root:", "algo-1", "HOME=/root", "HOSTNAME=algo-1"] {
        assert!(
            output.lines().any(|found| found == line),
            "no {line} in {output}"
        );
    }
    for shown in ["/home:\n\n", "/opt/ml:\n\n", "/root:\n\n", "/tmp:\n"] {
        assert!(output.contains(shown), "{shown} in {output}");
    }
}

#[tokio::test]
async fn processes_outside_can_be_neither_seen_nor_killed() {
    let mut outside = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let script = format!(
        "kill -9 {0}; ls -d /proc/{0}; kill -9 -1; echo survived",
        outside.id()
    );
    let (_, output) = Sandbox::new(&script).run().await;
    assert!(
        output.contains("survived") || !output.is_empty(),
        "{output}"
    );
    assert!(
        !output.contains(&format!("\n/proc/{}\n", outside.id())),
        "{output}"
    );
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
    assert!(
        output.contains("kept") && !output.contains("wrong"),
        "{output}"
    );
    assert_eq!(
        std::fs::read_to_string(data.path().join("model/m")).unwrap(),
        "model\n"
    );
}

#[tokio::test]
async fn a_visible_directory_is_seen_without_its_neighbours() {
    let parent = tempfile::tempdir().unwrap();
    for name in ["shown", "hidden"] {
        std::fs::create_dir(parent.path().join(name)).unwrap();
        std::fs::write(parent.path().join(name).join("file"), name).unwrap();
    }
    let shown = parent.path().join("shown");
    let script = format!(
        "ls {0}; cat {1}/file; touch {1}/new && echo written",
        parent.path().display(),
        shown.display()
    );
    let words = ["/bin/sh", "-c", &script].map(str::to_owned);
    let (_, output) = Sandbox::of(
        Root::System {
            visible: vec![shown.clone()],
        },
        words.to_vec(),
    )
    .run()
    .await;
    assert!(output.starts_with("shown\nshown"), "{output}");
    assert!(
        !output.contains("written") && !output.contains("hidden"),
        "{output}"
    );
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
    let words = ["/usr/bin/python3", "-c", script]
        .map(str::to_owned)
        .to_vec();
    let (exit, output) = Sandbox::of(
        Root::System {
            visible: Vec::new(),
        },
        words,
    )
    .run()
    .await;
    assert_eq!(exit, Exit::Code(0), "{output}");
    assert!(!output.contains("PERMITTED"), "{output}");
    for line in [
        "clone3 Function not implemented",
        "unknown Function not implemented",
    ] {
        assert!(output.contains(line), "{output}");
    }
    assert!(output.contains("mkfifo fine"), "{output}");
    for line in [
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "CapInh:\t0000000000000000",
        "CapEff:\t00000000a00405fb",
    ] {
        assert!(output.contains(line), "{line} {output}");
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
    let words = [
        "/bin/sh",
        "-c",
        "pwd; echo $COLOUR; echo x > /new; cat /new /ml/f",
    ]
    .map(str::to_owned);
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("f"), "data\n").unwrap();
    let mut sandbox = Sandbox::of(Root::Directory(image.path().to_owned()), words.to_vec())
        .with_mount(data.path(), "/opt/ml", true);
    sandbox.container.image.config = ImageConfig {
        env: vec![("COLOUR".to_owned(), "green".to_owned())],
        working_dir: Some("/work/here".into()),
        ..ImageConfig::default()
    };
    let (exit, output) = sandbox.run().await;
    assert_eq!(
        (exit, output.as_str()),
        (Exit::Code(0), "/work/here\ngreen\nx\ndata\n")
    );
    assert!(!image.path().join("new").exists());
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
    assert!(!Path::new("/ml").exists());
    assert!(sandbox.leftovers().is_empty(), "{:?}", sandbox.leftovers());
}

#[tokio::test]
async fn the_program_of_the_shim_cannot_be_run_from_inside() {
    let words = vec!["/proc/self/exe".to_owned()];
    let sandbox = Sandbox::of(
        Root::System {
            visible: Vec::new(),
        },
        words,
    );
    // Whatever becomes of it, it has not been given a way to write to the file.
    if let Ok(started) = sandbox.start().await {
        started.finish().await;
    }
    let (_, output) = Sandbox::new("exec 3>>/proc/1/exe && echo open").run().await;
    assert!(!output.contains("open\n"), "{output}");
}

/// A root file system with a shell and what it is linked with.
fn unpack_shell(root: &Path) {
    let listed = std::process::Command::new("ldd")
        .args(["/bin/sh", "/bin/cat"])
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let libraries = text
        .split_whitespace()
        .filter(|word| word.starts_with("/lib"));
    let files = libraries
        .map(|word| word.trim_end_matches(':'))
        .chain(["/bin/sh", "/bin/cat"]);
    for file in files {
        let target = root.join(file.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}
