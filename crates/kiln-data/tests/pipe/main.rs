//! Pipe mode against real FIFOs: what a work reads, and what it may do to them.

#![allow(clippy::unwrap_used)]

mod local;
#[path = "../material/mod.rs"]
mod material;
mod store;
mod world;

use std::io::Read;
use std::time::Duration;

use kiln_data::channel::{Shard, Source};

use material::noise;
use store::Bodies;
use world::{Pipes, World, gzip, names, records, wait_until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_epoch_brings_all_objects_in_order() {
    let world = World::new([
        ("data/b", b"two".to_vec()),
        ("data/a", b"one".to_vec()),
        ("data/c/", Vec::new()),
        ("data/d", Vec::new()),
        ("other", b"not this".to_vec()),
    ])
    .await;
    let epochs = world.run(|pipes| {
        [0, 1, 2].map(|epoch| {
            let bytes = pipes.read(epoch);
            // Who sees the end of one pipe finds the next one at once.
            assert_eq!(names(&pipes.0), [format!("c_{}", epoch + 1)]);
            bytes
        })
    });
    assert_eq!(epochs.await, [b"onetwo"; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pipe_stands_before_anything_is_served_and_everybody_may_use_it() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let world = World::new([]).await;
    let _fifos = world.fifos();
    let first = world.directory.path().join("pipes/c_0");
    let metadata = std::fs::symlink_metadata(first).unwrap();
    assert!(metadata.file_type().is_fifo());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o666);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_leaves_early_finds_the_next_epoch_whole() {
    let body = noise(3 << 20);
    let world = World::new([("data/a", body.clone())]).await;
    let second = world.run(|pipes| {
        pipes.open(0).read_exact(&mut [0; 10]).unwrap();
        pipes.wait_for(1);
        pipes.read(1)
    });
    assert!(second.await == body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_leaves_is_noticed_while_the_store_stalls() {
    let mut world = World::new([("data/a", b"first".to_vec()), (store::STALLED, vec![7])]).await;
    world.channel.source = Source::Prefix {
        bucket: "b".to_owned(),
        prefix: String::new(),
    };
    world
        .run(|pipes| {
            pipes.open(0).read_exact(&mut [0; 5]).unwrap();
            pipes.wait_for(1);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_object_is_one_record() {
    let bodies = [b"hello".to_vec(), Vec::new(), noise(3 << 20)];
    let [a, b, c] = bodies.clone();
    let world = World::new([("data/a", a), ("data/b", b), ("data/c", c)]).await;
    let read = world
        .presented(false, true)
        .run(|pipes| pipes.read(0))
        .await;
    assert!(records(&read) == bodies);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_decompressed_member_after_member() {
    let long = noise(2 << 20);
    let members = [gzip(b"one "), gzip(&long), gzip(b"")].concat();
    let world = World::new([("data/a.gz", members), ("data/b.gz", gzip(b"end"))]).await;
    let read = world
        .presented(true, false)
        .run(|pipes| pipes.read(0))
        .await;
    assert!(read == [b"one ", &long[..], b"end"].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decompressed_objects_of_any_length_are_records() {
    let bodies = [
        noise(5 << 20),
        b"short".to_vec(),
        noise(2 << 20),
        Vec::new(),
    ];
    let mut stored = Bodies::new();
    for (number, body) in bodies.iter().enumerate() {
        stored.insert(format!("data/{number}"), gzip(body));
    }
    let world = World::of(stored).await.presented(true, true);
    let (read, left) = world.run(|pipes| (pipes.read(0), names(&pipes.0))).await;
    assert!(records(&read) == bodies);
    assert_eq!(left, ["c_1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_objects_keep_their_order() {
    let mut stored = Bodies::new();
    for number in 0..2000_usize {
        stored.insert(format!("data/{number:04}"), vec![number as u8; number * 20]);
    }
    let expected: Vec<u8> = stored.values().flatten().copied().collect();
    let world = World::of(stored).await;
    assert!(world.run(|pipes| pipes.read(0)).await == expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shuffle_is_another_in_every_epoch_and_the_same_on_every_machine() {
    let mut stored = Bodies::new();
    for number in 0..40_u8 {
        stored.insert(format!("data/{number:02}"), vec![number]);
    }
    let mut epochs = Vec::new();
    for index in 0..2 {
        let mut world = World::of(stored.clone()).await;
        world.channel.shuffle = Some(7);
        world.channel.shard = Shard { index, count: 2 };
        epochs.push(world.run(|pipes| [pipes.read(0), pipes.read(1)]).await);
    }
    let [first, second] = &epochs[..] else {
        unreachable!("there are two machines");
    };
    assert_ne!(first[0], first[1]);
    for (one, other) in first.iter().zip(second) {
        let mut both = [&one[..], other].concat();
        both.sort_unstable();
        assert_eq!(both, (0..40).collect::<Vec<u8>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_attributes_of_an_augmented_manifest_are_records_of_their_own() {
    let manifest = "{\"label\": 1, \"image-ref\": \"s3://b/images/1\"}\n\
                    {\"image-ref\": \"s3://b/images/2\", \"label\": [2, \"x\"]}\n";
    let mut world = World::new([
        ("manifest", manifest.as_bytes().to_vec()),
        ("images/1", b"first".to_vec()),
        ("images/2", b"second".to_vec()),
    ])
    .await
    .presented(false, true);
    world.channel.source = Source::AugmentedManifest {
        bucket: "b".to_owned(),
        key: "manifest".to_owned(),
        attributes: vec!["image-ref".to_owned(), "label".to_owned()],
    };
    let read = world.run(|pipes| pipes.read(0)).await;
    let expected: [&[u8]; 4] = [b"first", b"1", b"second", b"[2, \"x\"]"];
    assert_eq!(records(&read), expected);
}

/// What the serving fails with when somebody reads the first pipe, which must not
/// end for the reader before the FIFOs are dropped.
async fn failure(world: World) -> String {
    let mut fifos = world.fifos();
    let pipes = Pipes(world.directory.path().join("pipes"));
    let reader = tokio::task::spawn_blocking(move || pipes.read(0));
    let error = world.serve(&mut fifos).await.to_string();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!reader.is_finished(), "a broken epoch looks complete");
    drop(fifos);
    reader.await.unwrap();
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_not_there_is_named_and_no_epoch_looks_complete() {
    let manifest = br#"[{"prefix": "s3://b/data/"}, "a", "gone"]"#.to_vec();
    let mut world = World::new([("manifest", manifest), ("data/a", vec![1])]).await;
    world.channel.source = Source::Manifest {
        bucket: "b".to_owned(),
        key: "manifest".to_owned(),
    };
    let error = failure(world).await;
    assert!(error.contains("s3://b/data/gone"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_not_gzip_is_named() {
    let world = World::new([("data/a", b"plain".to_vec())]).await;
    let error = failure(world.presented(true, false)).await;
    assert!(error.contains("decompress object s3://b/data/a"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_never_comes_holds_nothing_up() {
    let world = World::new([("data/a", vec![1])]).await;
    let mut fifos = world.fifos();
    let served = tokio::time::timeout(Duration::from_millis(100), world.serve(&mut fifos));
    assert!(served.await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_work_puts_in_the_way_is_never_followed() {
    let world = World::new([("data/a", b"data".to_vec())]).await;
    let mut fifos = world.fifos();
    let victim = world.directory.path().join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    let pipes = Pipes(world.directory.path().join("pipes"));
    std::os::unix::fs::symlink(&victim, pipes.path(1)).unwrap();
    let reader = tokio::task::spawn_blocking(move || pipes.read(0));
    let error = world.serve(&mut fifos).await;
    assert!(error.is_the_request_s(), "{error}");
    let error = error.to_string();
    assert!(error.contains("the pipe c_1"), "{error}");
    assert_eq!(reader.await.unwrap(), b"data");
    assert_eq!(std::fs::read(&victim).unwrap(), b"untouched");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&victim).unwrap().permissions().mode();
    assert_ne!(mode & 0o777, 0o666);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_was_replaced_gets_nothing() {
    let world = World::new([("data/a", b"data".to_vec())]).await;
    let victim = world.directory.path().join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    world
        .run({
            let victim = victim.clone();
            move |pipes| {
                let moved = pipes.0.join("moved");
                std::fs::rename(pipes.path(0), &moved).unwrap();
                std::os::unix::fs::symlink(&victim, pipes.path(0)).unwrap();
                assert_eq!(std::fs::read(&moved).unwrap(), b"data");
                wait_until(|| pipes.path(1).exists());
            }
        })
        .await;
    assert_eq!(std::fs::read(&victim).unwrap(), b"untouched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_the_work_made_itself_serves_as_well() {
    let world = World::new([("data/a", b"data".to_vec())]).await;
    let read = world.run(|pipes| {
        nix::unistd::mkfifo(&pipes.path(1), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let second = std::thread::spawn({
            let path = pipes.path(1);
            move || std::fs::read(path).unwrap()
        });
        [pipes.read(0), second.join().unwrap()]
    });
    assert_eq!(read.await, [b"data", b"data"]);
}
