//! What cannot run says why, and leaves nothing behind.

use kiln_agent::runtime::engine::EngineRuntime;
use kiln_agent::runtime::{Container, Mount, RuntimeError};

use crate::rig::{PLAIN, Rig};

async fn refusal(rig: &Rig, container: &Container) -> RuntimeError {
    let refusal = rig.launch_alone(container).await.err().unwrap();
    assert!(!rig.is_there(&container.id));
    refusal
}

#[tokio::test]
async fn a_missing_command_is_named_as_the_cloud_names_it() {
    let Some(rig) = Rig::new().await else { return };
    let cases = [
        (
            None,
            "exec: \"train\": executable file not found in $PATH",
            127,
        ),
        (
            Some("/opt/program"),
            "exec: \"/opt/program\": stat /opt/program: no such file or directory",
            127,
        ),
        (
            Some("/etc/not-a-program"),
            "exec: \"/etc/not-a-program\": permission denied",
            126,
        ),
    ];
    for (entrypoint, expected, expected_code) in cases {
        let mut container = rig.container(PLAIN);
        container.start.entrypoint = entrypoint.map(|path| vec![path.to_owned()]);
        match refusal(&rig, &container).await {
            RuntimeError::Command { message, code } => {
                assert_eq!((message.as_str(), code), (expected, expected_code));
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_the_images_failure() {
    let Some(rig) = Rig::new().await else { return };
    for image in ["127.0.0.1:1/absent:1", "Not An Image"] {
        let container = rig.container(image);
        match refusal(&rig, &container).await {
            RuntimeError::Image(text) => assert!(text.starts_with(image), "{text}"),
            other => panic!("{other}"),
        }
    }
    assert!(rig.runtime.has_image(PLAIN).await.unwrap());
    assert!(!rig.runtime.has_image("127.0.0.1:1/absent:1").await.unwrap());
    let pulled = rig.runtime.pull("127.0.0.1:1/absent:1").await;
    assert!(matches!(pulled, Err(RuntimeError::Image(_))));
}

#[tokio::test]
async fn a_directory_that_is_missing_is_the_machines_failure() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.shell("true");
    container.mounts = vec![Mount {
        source: rig.directory.path().join("absent"),
        target: "/opt/ml/model".into(),
        read_only: false,
    }];
    let refusal = refusal(&rig, &container).await;
    assert!(matches!(refusal, RuntimeError::Machine(_)), "{refusal}");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_named() {
    let socket = std::path::PathBuf::from("/nowhere/engine.sock");
    let refusal = EngineRuntime::connect(Some(socket)).await.err().unwrap();
    let text = refusal.to_string();
    assert!(text.contains("unix:///nowhere/engine.sock"), "{text}");
}
