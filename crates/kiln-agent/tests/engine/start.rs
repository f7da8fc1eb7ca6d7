//! How a container starts: its command, variables, names and directories.

use kiln_agent::runtime::{Exit, Mount, Start};

use crate::rig::{CONFIGURED, Rig};

fn words(text: &str) -> Option<Vec<String>> {
    Some(text.split_whitespace().map(str::to_owned).collect())
}

#[tokio::test]
async fn the_images_entrypoint_is_kept_unless_replaced() {
    let Some(rig) = Rig::new().await else { return };
    let cases = [
        (None, None, "entry train\n"),
        (None, words("a b"), "entry a b\n"),
        (words("/bin/echo own"), None, "own\n"),
        (words("/bin/echo own"), words("a b"), "own a b\n"),
    ];
    for (entrypoint, arguments, expected) in cases {
        let mut container = rig.container(CONFIGURED);
        container.start = Start {
            entrypoint,
            arguments,
        };
        let outcome = rig.run(&container).await;
        assert_eq!(outcome.text(), expected);
        assert_eq!(outcome.exit, Exit::Code(0));
    }
}

#[tokio::test]
async fn the_jobs_variables_are_stronger_than_the_images() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.container(CONFIGURED);
    container.start.entrypoint = words("/bin/env");
    container.env = [("BOTH", "job"), ("FROM_JOB", "a=b c\"'\n")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let outcome = rig.run(&container).await;
    for expected in ["FROM_IMAGE=image\n", "BOTH=job\n", "FROM_JOB=a=b c\"'\n\n"] {
        assert!(outcome.text().contains(expected), "{}", outcome.text());
    }
    assert!(!outcome.text().contains("BOTH=image"));
}

#[tokio::test]
async fn the_container_knows_its_names_and_directory() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.container(CONFIGURED);
    container.start.entrypoint = words("/bin/sh -c");
    container.start.arguments = Some(vec!["hostname; pwd; cat /etc/hosts".to_owned()]);
    let outcome = rig.run(&container).await;
    assert!(
        outcome.text().starts_with("ip-10-0-0-1\n/tmp\n"),
        "{outcome:?}"
    );
    let resolves = |line: &str| line.split_whitespace().eq(["127.0.0.1", "algo-1"]);
    assert!(outcome.text().lines().any(resolves), "{}", outcome.text());
}

#[tokio::test]
async fn directories_are_shared_as_they_were_granted() {
    let Some(rig) = Rig::new().await else { return };
    let mut container = rig.shell(
        "cat /opt/ml/input/in && echo made > /opt/ml/model/out && \
         ! touch /opt/ml/input/no 2>/dev/null && ! echo x 2>/dev/null >> /opt/ml/input/in",
    );
    for (name, target, read_only) in [
        ("with:colon and space", "/opt/ml/input", true),
        ("model", "/opt/ml/model", false),
    ] {
        let source = rig.directory.path().join(name);
        std::fs::create_dir(&source).unwrap();
        container.mounts.push(Mount {
            source,
            target: target.into(),
            read_only,
        });
    }
    let [input, model] = [0, 1].map(|index: usize| container.mounts[index].source.clone());
    std::fs::write(input.join("in"), "given\n").unwrap();
    let outcome = rig.run(&container).await;
    assert_eq!((outcome.exit, outcome.text()), (Exit::Code(0), "given\n"));
    assert_eq!(std::fs::read(model.join("out")).unwrap(), b"made\n");
    assert_eq!(std::fs::read(input.join("in")).unwrap(), b"given\n");
}
