//! Listing and reading.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn listing_touches_no_data() {
    if !possible() {
        return;
    }
    let scene = Scene::of([
        ("a.csv", noise(10)),
        ("deep/er/b.csv", noise(70_000)),
        ("deep/c.csv", vec![]),
        ("deep-er.csv", noise(1)),
    ])
    .await;
    let found = scene
        .with_files(|files| {
            let mut found = Vec::new();
            walk(files, files, &mut found);
            found
        })
        .await;
    let expected = [
        "a.csv 10 644",
        "deep 0 755",
        "deep-er.csv 1 644",
        "deep/c.csv 0 644",
        "deep/er 0 755",
        "deep/er/b.csv 70000 644",
    ];
    assert_eq!(found, expected);
    assert_eq!(scene.store.reads(), []);
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(root).unwrap().display();
        let (size, mode) = (metadata.size(), metadata.mode() & 0o777);
        found.push(format!("{name} {size} {mode:o}"));
        if metadata.is_dir() {
            walk(root, &path, found);
        }
    }
    found.sort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_there_and_nothing_can_be_written() {
    if !possible() {
        return;
    }
    let scene = Scene::of([("a/b", noise(10))]).await;
    let outcomes = scene
        .with_files(|files| {
            [
                std::fs::read(files.join("b")).map(drop),
                std::fs::read(files.join("a/b/c")).map(drop),
                std::fs::read(files.join("a")).map(drop),
                std::fs::write(files.join("a/b"), "x"),
                std::fs::write(files.join("c"), "x"),
                std::fs::remove_file(files.join("a/b")),
            ]
        })
        .await;
    use nix::errno::Errno::{EISDIR, ENOENT, ENOTDIR, EROFS};
    let errors = outcomes.map(|outcome| outcome.unwrap_err().raw_os_error());
    let expected = [ENOENT, ENOTDIR, EISDIR, EROFS, EROFS, EROFS];
    assert_eq!(errors, expected.map(|errno| Some(errno as i32)));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_their_objects_bytes_each_fetched_once() {
    if !possible() {
        return;
    }
    let sizes = [0, 1, 4096, 65_537, 3_000_000, 40_000_001];
    let names = sizes.map(|size| format!("{size}.bin"));
    let objects = names.iter().map(String::as_str);
    let scene = Scene::of(objects.zip(sizes.map(noise))).await;
    for (name, size) in names.into_iter().zip(sizes) {
        let read = scene
            .with_files(move |files| std::fs::read(files.join(name)).unwrap())
            .await;
        assert!(read == noise(size), "{size}");
    }
    let fetched: u64 = lengths(&scene.store).sum();
    assert_eq!(fetched, sizes.iter().sum::<usize>() as u64);
}

fn lengths(store: &Store) -> impl Iterator<Item = u64> {
    store
        .reads()
        .into_iter()
        .map(|(_, range)| range.end - range.start)
}

#[tokio::test(flavor = "multi_thread")]
async fn jumps_read_what_is_there_and_fetch_little_else() {
    if !possible() {
        return;
    }
    const SIZE: usize = 64 << 20;
    let scene = Scene::of([("large", noise(SIZE))]).await;
    scene
        .with_files(|files| {
            let whole = noise(SIZE);
            let file = File::open(files.join("large")).unwrap();
            for n in 1..100_usize {
                let at = n.wrapping_mul(2_654_435_761) % (SIZE - 5000);
                let mut bytes = [0; 5000];
                file.read_exact_at(&mut bytes, at as u64).unwrap();
                assert!(bytes == whole[at..at + 5000], "{at}");
            }
            let mut beyond = [0; 10];
            assert_eq!(file.read_at(&mut beyond, SIZE as u64 - 3).unwrap(), 3);
            assert_eq!(file.read_at(&mut beyond, SIZE as u64 + 3).unwrap(), 0);
        })
        .await;
    let fetched: u64 = lengths(&scene.store).sum();
    assert!(fetched < SIZE as u64 / 2, "{fetched}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_readers_share_what_is_fetched_within_little_memory() {
    if !possible() {
        return;
    }
    const SIZE: usize = 24 << 20;
    let store = Store::start().await;
    for n in 0..4 {
        store.put(&format!("data/{n}"), noise(SIZE + n));
    }
    let limits = CacheLimits { bytes: 4 << 20 };
    let scene = Scene::mounted(store, Shard::WHOLE, limits).await;
    scene
        .with_files(|files| {
            std::thread::scope(|threads| {
                for n in 0..8 {
                    let file = files.join((n % 4).to_string());
                    threads.spawn(move || {
                        assert!(std::fs::read(file).unwrap() == noise(SIZE + n % 4));
                    });
                }
            });
        })
        .await;
    assert!(scene.mounted.failure().borrow().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_see_their_own_part() {
    if !possible() {
        return;
    }
    let mut seen = Vec::new();
    for index in 0..3 {
        let store = Store::start().await;
        for n in 0..10 {
            store.put(&format!("data/{n}/file"), "x");
        }
        let shard = Shard { index, count: 3 };
        let scene = Scene::mounted(store, shard, CacheLimits::default()).await;
        let mut names = scene.with_files(names_in).await;
        seen.append(&mut names);
    }
    seen.sort();
    assert_eq!(seen, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_directory_is_listed_whole() {
    if !possible() {
        return;
    }
    let names: Vec<String> = (0..20_000).map(|n| format!("file-{n:05}")).collect();
    let scene = Scene::of(names.iter().map(|name| (name.as_str(), vec![1]))).await;
    let mut listed = scene.with_files(names_in).await;
    listed.sort();
    assert!(listed == names);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_replaced_is_an_error_and_never_a_mixture() {
    if !possible() {
        return;
    }
    const SIZE: usize = 50 << 20;
    let scene = Scene::of([("large", noise(SIZE))]).await;
    let file = scene
        .with_files(|files| {
            let file = File::open(files.join("large")).unwrap();
            let mut bytes = [0; 1000];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert!(bytes == noise(SIZE)[..1000]);
            file
        })
        .await;
    scene.store.put("data/large", vec![7; SIZE]);
    let error = tokio::task::spawn_blocking(move || {
        file.read_at(&mut [0; 1000], SIZE as u64 - 5000)
            .unwrap_err()
    });
    assert_eq!(error.await.unwrap().raw_os_error(), Some(nix::libc::EIO));
    let failure = scene.mounted.failure().borrow().clone();
    let message = failure.unwrap().to_string();
    assert!(message.contains("s3://bucket/data/large"), "{message}");
}
