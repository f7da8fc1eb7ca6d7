//! A container's end, by itself or by force, and that nothing stays behind.

use std::time::{Duration, Instant};

use kiln_agent::runtime::Exit;

use crate::rig::{CONFIGURED, Rig};

#[tokio::test]
async fn exit_codes_are_the_programs_own() {
    let Some(rig) = Rig::new().await else { return };
    for code in [0, 1, 42, 255] {
        let outcome = rig.run(&rig.shell(&format!("exit {code}"))).await;
        assert_eq!(outcome.exit, Exit::Code(code));
    }
}

#[tokio::test]
async fn two_containers_run_side_by_side() {
    let Some(rig) = Rig::new().await else { return };
    let scripts = ["sleep 2; echo one; exit 1", "sleep 2; echo two; exit 2"];
    let [one, two] = scripts.map(|script| rig.shell(script));
    let (one, two) = tokio::join!(rig.run(&one), rig.run(&two));
    assert_eq!((one.exit, one.text()), (Exit::Code(1), "one\n"));
    assert_eq!((two.exit, two.text()), (Exit::Code(2), "two\n"));
}

#[tokio::test]
async fn a_termination_signal_reaches_the_shells_children() {
    let Some(rig) = Rig::new().await else { return };
    let child = "trap 'echo told; exit 6' TERM; echo ready; while :; do sleep 0.1; done";
    // The shell's own note that its `sleep` was terminated is not wanted.
    let container = rig.shell(&format!(
        "exec 2>/dev/null; /bin/sh -c \"{child}\"; echo child $?; exit 3"
    ));
    let mut launched = rig.launch_alone(&container).await.unwrap();
    launched.read_until("ready\n").await;
    launched.running.signal(libc::SIGTERM).await.unwrap();
    let outcome = launched.finish().await;
    assert_eq!(outcome.exit, Exit::Code(3));
    assert_eq!(outcome.text(), "told\nchild 6\n");
}

#[tokio::test]
async fn a_kill_ends_everything_at_once() {
    let Some(rig) = Rig::new().await else { return };
    let container = rig.shell("trap '' TERM; echo ready; sleep 600 & wait; sleep 600");
    let mut launched = rig.launch_alone(&container).await.unwrap();
    launched.read_until("ready\n").await;
    let asked = Instant::now();
    launched.running.signal(libc::SIGKILL).await.unwrap();
    assert_eq!(launched.running.wait().await.unwrap(), Exit::Signal(9));
    assert!(asked.elapsed() < Duration::from_secs(5));
    // What has ended can be signalled, in vain.
    launched.running.signal(libc::SIGTERM).await.unwrap();
    launched.running.signal(libc::SIGKILL).await.unwrap();
    launched.finish().await;
}

#[tokio::test]
async fn removal_leaves_no_container_and_no_volume() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.container(CONFIGURED);
    container.start.entrypoint = Some(vec!["/bin/sh".to_owned()]);
    container.start.arguments = Some(["-c", "echo ready; sleep 600"].map(str::to_owned).to_vec());
    let mut launched = rig.launch_alone(&container).await.unwrap();
    launched.read_until("ready\n").await;
    let volume = rig.docker(&[
        "inspect",
        "--format",
        "{{(index .Mounts 0).Name}}",
        &container.id,
    ]);
    let volumes = || rig.docker(&["volume", "ls", "--quiet"]);
    assert!(volumes().contains(volume.trim()));
    launched.running.remove().await.unwrap();
    assert!(!rig.is_there(&container.id));
    assert!(!volumes().contains(volume.trim()));
}

#[tokio::test]
async fn dropping_a_container_kills_it() {
    let Some(rig) = Rig::new().await else { return };
    let container = rig.shell("echo ready; sleep 600");
    let mut launched = rig.launch_alone(&container).await.unwrap();
    launched.read_until("ready\n").await;
    drop(launched.running);
    let gone = async {
        while rig.is_there(&container.id) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_sweep_removes_only_what_is_abandoned_here() {
    let Some(rig) = Rig::new().await else { return };
    let [alive, dead, foreign] = ["sleep 600"; 3].map(|script| rig.shell(script));
    let foreign = kiln_agent::runtime::Container {
        scratch: "/another/data-directory".into(),
        ..foreign
    };
    let mut running = Vec::new();
    for container in [&alive, &dead, &foreign] {
        running.push(rig.launch_alone(container).await.unwrap());
    }
    let swept = rig
        .runtime
        .sweep(rig.directory.path(), std::slice::from_ref(&alive.id))
        .await
        .unwrap();
    assert_eq!(swept, std::slice::from_ref(&dead.id));
    let there = [&alive, &dead, &foreign].map(|container| rig.is_there(&container.id));
    assert_eq!(there, [true, false, true]);
    // Whoever still waits for the container that was swept away learns it.
    match running[1].running.wait().await {
        Ok(exit) => assert_eq!(exit, Exit::Signal(9)),
        Err(gone) => assert!(gone.to_string().contains("removed"), "{gone}"),
    }
    for launched in running {
        launched.running.remove().await.unwrap();
    }
}
