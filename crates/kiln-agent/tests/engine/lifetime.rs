//! A container's end, by itself or by force, and that nothing stays behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kiln_agent::runtime::Exit;
use kiln_agent::runtime::engine::EngineRuntime;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

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
    assert!(asked.elapsed() < Duration::from_mins(1));
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
    tokio::time::timeout(Duration::from_mins(1), gone)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_nothing_behind() {
    let Some(rig) = Rig::new().await else { return };
    let mut ids = Vec::new();
    for after in [0, 5, 10, 20, 40, 80, 160, 320] {
        let container = rig.shell("sleep 600");
        let patience = Duration::from_millis(after);
        let launched = tokio::time::timeout(patience, rig.launch_alone(&container)).await;
        drop(launched);
        ids.push(container.id);
    }
    // One whose creation is still under way is not to be seen yet.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let gone = async {
        while ids.iter().any(|id| rig.is_there(id)) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .unwrap();
}

/// A way to the engine that can be made to hang.
async fn passage(listener: UnixListener, engine: PathBuf, open: watch::Receiver<bool>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let (engine, mut open) = (engine.clone(), open.clone());
        tokio::spawn(async move {
            let mut far = UnixStream::connect(engine).await.unwrap();
            let hung = async {
                let _ = open.wait_for(|open| !open).await;
            };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                () = hung => {}
            }
            // Held, and silent.
            std::future::pending::<()>().await;
        });
    }
}

#[tokio::test]
async fn an_engine_that_hangs_does_not_save_a_container_from_being_killed() {
    let Some(mut rig) = Rig::new().await else {
        return;
    };
    let path = rig.directory.path().join("passage.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (hang, open) = watch::channel(true);
    let passing = tokio::spawn(passage(listener, rig.socket.clone(), open));
    rig.runtime = EngineRuntime::connect(Some(path)).await.unwrap();

    let container = rig.shell("echo ready; exec sleep 600");
    let mut launched = rig.launch_alone(&container).await.unwrap();
    launched.read_until("ready\n").await;
    hang.send_replace(false);
    launched.running.signal(libc::SIGKILL).await.unwrap();
    let state = || rig.docker(&["inspect", "--format", "{{.State.Running}}", &container.id]);
    let ended = async {
        while state().trim() != "false" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), ended)
        .await
        .unwrap();
    passing.abort();
    rig.docker(&["rm", "--force", &container.id]);
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
