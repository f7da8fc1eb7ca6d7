//! Objects whose files are on this machine, on their way through pipes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kiln_data::{Checksum, DataError, LocalBodies, LocalBody, ObjectHead};
use tempfile::NamedTempFile;

use crate::material::noise;
use crate::world::{World, records};

const SIZE: usize = (3 << 20) + 5;

/// One file, which is said to be every object, and to be as it once was.
struct Shown {
    file: NamedTempFile,
    checksum: u64,
}

impl Shown {
    fn new(bytes: &[u8]) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes);
        Self { file, checksum }
    }
}

impl LocalBodies for Shown {
    fn find<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Option<LocalBody>> {
        let head = ObjectHead {
            size: Some(SIZE as u64),
            etag: Some("\"tag\"".to_owned()),
            checksum: Some(Checksum::Crc(
                crc_fast::CrcAlgorithm::Crc64Nvme,
                self.checksum,
            )),
        };
        let file: Option<File> = self.file.reopen().ok();
        async { file.map(|file| LocalBody { file, head }) }.boxed()
    }
}

/// A channel over a large object that is shown, with a small one on either side.
/// What the store itself has of the large one is something else.
async fn world(shown: Shown) -> World {
    let mut world = World::new([
        ("data/a", b"before".to_vec()),
        ("data/b", vec![0; SIZE]),
        ("data/c", b"after".to_vec()),
    ])
    .await;
    world.objects = world.objects.with_local_bodies(Arc::new(shown));
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_through_the_pipe_between_other_objects() {
    let body = noise(SIZE);
    let world = world(Shown::new(&body)).await;
    let epochs = world.run(|pipes| [pipes.read(0), pipes.read(1)]);
    let expected = [&b"before"[..], &body, b"after"].concat();
    assert!(epochs.await == [expected.clone(), expected]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_one_record() {
    let body = noise(SIZE);
    let world = world(Shown::new(&body)).await.presented(false, true);
    let read = world.run(|pipes| pipes.read(0)).await;
    assert!(records(&read) == [b"before".to_vec(), body, b"after".to_vec()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_leaves_a_file_early_finds_the_next_epoch_whole() {
    let body = noise(SIZE);
    let world = world(Shown::new(&body)).await;
    let second = world.run(|pipes| {
        pipes.open(0).read_exact(&mut [0; 1000]).unwrap();
        pipes.wait_for(1);
        pipes.read(1)
    });
    assert_eq!(second.await.len(), SIZE + 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_reading_holds_nothing_up() {
    let world = world(Shown::new(&noise(SIZE))).await;
    world
        .run(|pipes| {
            let mut pipe = pipes.open(0);
            pipe.read_exact(&mut [0; 10]).unwrap();
            std::mem::forget(pipe);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_found_out() {
    let shown = Shown::new(&noise(SIZE));
    let mut file = shown.file.as_file();
    file.seek(SeekFrom::Start(2 << 20)).unwrap();
    file.write_all(b"damage").unwrap();
    let error = failure(shown).await;
    assert!(matches!(error, DataError::Corrupt(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_ends_too_early_is_found_out() {
    let shown = Shown::new(&noise(SIZE));
    shown.file.as_file().set_len(1 << 20).unwrap();
    let error = failure(shown).await;
    assert!(matches!(error, DataError::Io { .. }), "{error}");
}

/// How the channel fails, which names the object and leaves the reader without
/// an end until the pipes are let go.
async fn failure(shown: Shown) -> DataError {
    let world = world(shown).await;
    let mut fifos = world.fifos();
    let path = world.directory.path().join("pipes/c_0");
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    });
    let error = world.serve(&mut fifos).await;
    assert!(error.to_string().contains("s3://b/data/b"), "{error}");
    assert!(!reader.is_finished());
    drop(fifos);
    reader.join().unwrap();
    error
}
