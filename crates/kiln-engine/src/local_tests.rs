//! Instances' directories whose agents are gone.

use super::*;

fn engine(directory: &Path) -> LocalEngine {
    let settings = LocalSettings {
        program: "/bin/false".into(),
        instances: directory.join("instances"),
        room: Room::of_machine(1, 1 << 30, []),
        types: InstanceTypes::default(),
        fitting: Fitting::Scale,
    };
    LocalEngine::open(settings).unwrap()
}

#[tokio::test]
async fn only_what_nobody_knows_and_nobody_lives_in_is_stray() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(directory.path());
    let instance = |name: &str| {
        let directory = engine.directory(name);
        make_private(&directory).unwrap();
        directory
    };
    instance("known");
    instance("never-begun");
    let _alive = agent::lock(&instance("alive")).unwrap().unwrap();
    std::fs::write(instance("ended").join(SPOOL_FILE), "").unwrap();
    std::fs::write(directory.path().join("instances/no-directory"), "").unwrap();

    let known = HashSet::from(["known".to_owned()]);
    let mut strays = engine.strays(&known).unwrap();
    strays.sort();
    assert_eq!(strays, ["ended", "never-begun"]);
    for stray in strays {
        // Once more costs nothing.
        for _ in 0..2 {
            engine.clear(&stray).await.unwrap();
        }
        assert_eq!(engine.presence(&stray), Presence::Absent);
    }
    assert_eq!(engine.presence("known"), Presence::NotBegun);
    assert_eq!(engine.presence("alive"), Presence::Alive);
}
