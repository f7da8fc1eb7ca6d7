//! A container stays within what it was granted.

use kiln_agent::runtime::Exit;

use crate::rig::Rig;

#[tokio::test]
async fn passing_the_memory_limit_is_told_apart_from_a_kill() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.shell("exec tail /dev/zero");
    container.limits.memory_bytes = 32 << 20;
    assert_eq!(rig.run(&container).await.exit, Exit::OutOfMemory);
}

#[tokio::test]
async fn the_process_limit_stops_forking() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.shell("for i in $(seq 1 40); do sleep 1 & done; wait");
    container.limits.processes = 12;
    let outcome = rig.run(&container).await;
    assert!(outcome.text().contains("fork"), "{outcome:?}");
}

#[tokio::test]
async fn limits_and_privileges_are_what_was_asked_for() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.shell(
        "grep -E '^(NoNewPrivs|Seccomp|CapBnd):' /proc/self/status; grep /dev/shm /proc/mounts; \
         cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || \
         cat /sys/fs/cgroup/memory.max",
    );
    // More processors than any machine has: granted as many as there are.
    container.limits.cpus = 10_000.0;
    let outcome = rig.run(&container).await;
    // Docker's default set without NET_RAW and MKNOD.
    for expected in [
        "NoNewPrivs:\t1\n",
        "Seccomp:\t2\n",
        "CapBnd:\t00000000a00405fb\n",
        "size=16384k",
        "268435456\n",
    ] {
        assert!(
            outcome.text().contains(expected),
            "{expected}: {}",
            outcome.text()
        );
    }
}
