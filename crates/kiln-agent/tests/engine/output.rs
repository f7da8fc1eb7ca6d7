//! Output arrives complete and in order, whatever happens on the way.

use std::sync::Arc;
use std::time::Duration;

use kiln_agent::runtime::Exit;
use kiln_agent::runtime::engine::EngineRuntime;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::rig::Rig;

fn numbers(count: u32) -> String {
    (1..=count).map(|number| format!("{number}\n")).collect()
}

#[tokio::test]
async fn two_hundred_thousand_lines_arrive_in_order() {
    let Some(rig) = Rig::new().await else { return };
    let outcome = rig
        .run(&rig.shell("seq 1 200000; printf 'no newline'; exit 4"))
        .await;
    assert_eq!(outcome.exit, Exit::Code(4));
    assert!(outcome.text() == numbers(200_000) + "no newline");
}

#[tokio::test]
async fn both_channels_arrive() {
    let Some(rig) = Rig::new().await else { return };
    let script = "seq 1 20000; seq 1 20000 | sed s/^/e/ >&2";
    let outcome = rig.run(&rig.shell(script)).await;
    let (errors, others): (Vec<&str>, Vec<&str>) = outcome
        .text()
        .split_inclusive('\n')
        .partition(|line| line.starts_with('e'));
    assert!(others.concat() == numbers(20_000));
    assert!(errors.concat().replace('e', "") == numbers(20_000));
}

#[tokio::test]
async fn a_line_longer_than_the_engines_buffers_stays_one_line() {
    let Some(rig) = Rig::new().await else { return };
    let outcome = rig.run(&rig.shell("printf '%0100000d\\nend\\n' 1")).await;
    assert!(outcome.text() == "0".repeat(99_999) + "1\nend\n");
}

#[tokio::test]
async fn a_slow_reader_loses_nothing() {
    let Some(rig) = Rig::new().await else { return };
    let mut launched = rig.launch_alone(&rig.shell("seq 1 200000")).await.unwrap();
    assert_eq!(launched.running.wait().await.unwrap(), Exit::Code(0));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(launched.finish().await.text() == numbers(200_000));
}

#[tokio::test]
async fn output_is_seen_while_the_container_runs() {
    let Some(rig) = Rig::new().await else { return };
    let script = "echo first; sleep 60; echo never";
    let mut launched = rig.launch_alone(&rig.shell(script)).await.unwrap();
    let soon = Duration::from_secs(40);
    tokio::time::timeout(soon, launched.read_until("first\n"))
        .await
        .unwrap();
    launched.running.signal(libc::SIGKILL).await.unwrap();
    assert_eq!(launched.finish().await.text(), "");
}

/// A way to the engine that can be cut.
async fn passage(listener: UnixListener, engine: std::path::PathBuf, cut: Arc<Notify>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let (engine, cut) = (engine.clone(), Arc::clone(&cut));
        tokio::spawn(async move {
            let mut far = UnixStream::connect(engine).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = cut.notified() => {}
            }
        });
    }
}

#[tokio::test]
async fn a_lost_connection_is_neither_an_exit_nor_a_loss() {
    let Some(mut rig) = Rig::new().await else {
        return;
    };
    let path = rig.directory.path().join("passage.sock");
    let cut = Arc::new(Notify::new());
    let listener = UnixListener::bind(&path).unwrap();
    let open = tokio::spawn(passage(listener, rig.socket.clone(), Arc::clone(&cut)));
    rig.runtime = EngineRuntime::connect(Some(path.clone())).await.unwrap();

    let script = "for i in 1 2 3 4 5; do seq 1 5000; sleep 0.7; done; exit 9";
    let launched = rig.launch_alone(&rig.shell(script)).await.unwrap();
    let finishing = tokio::spawn(launched.finish());
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        cut.notify_waiters();
    }
    // For a while nobody answers at all.
    open.abort();
    cut.notify_waiters();
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let listener = UnixListener::bind(&path).unwrap();
    let open = tokio::spawn(passage(listener, rig.socket.clone(), cut));

    let outcome = finishing.await.unwrap();
    assert_eq!(outcome.exit, Exit::Code(9));
    assert!(outcome.text() == numbers(5000).repeat(5));
    open.abort();
}
