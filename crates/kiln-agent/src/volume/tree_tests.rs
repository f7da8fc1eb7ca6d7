//! Sums of trees that are well-behaved, and of those that are not.

use std::fs::{create_dir_all, hard_link, write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use nix::dir::Dir;
use nix::fcntl::openat;
use nix::sys::stat::mkdirat;
use proptest::prelude::*;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn summed(instance: &Path) -> Usage {
    let mut walk = Walk::new(&Filled::new(instance, None), 1 << 30);
    assert!(walk.advance(Instant::now() + LONG));
    walk.usage().clone()
}

fn instance() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

/// A file of that many bytes, and what it takes.
fn file(instance: &Path, name: &str, bytes: usize) -> u64 {
    let path = instance.join(name);
    create_dir_all(path.parent().unwrap()).unwrap();
    write(&path, vec![1; bytes]).unwrap();
    std::fs::metadata(path).unwrap().blocks() * BLOCK
}

#[test]
fn files_count_where_they_are() {
    let top = instance();
    let [input, model, kept, sandbox, log, records] = [
        ("ml/input/data/train/a", 9000),
        ("ml/model/b/c/d", 3 << 20),
        ("ml/kept/0/e", 100),
        ("sandbox/upper/f", 20_000),
        ("reports.spool", 2000),
        ("records/ml/g", 3000),
    ]
    .map(|(name, bytes)| file(top.path(), name, bytes));
    let usage = summed(top.path());
    assert_eq!(
        usage.bytes(),
        input + model + kept + sandbox + log + records
    );
    let largest: Vec<_> = usage.largest().collect();
    assert_eq!(
        largest,
        [
            ("in /opt/ml/model", model),
            ("outside of /opt/ml", kept + sandbox),
            ("in /opt/ml/input", input),
            ("in its log and lists", log + records),
        ]
    );
}

#[test]
fn an_instance_that_holds_nothing_yet() {
    let top = instance();
    assert_eq!(summed(top.path()), Usage::default());
    assert_eq!(summed(&top.path().join("absent")), Usage::default());
}

#[test]
fn a_file_with_several_names_counts_once() {
    let top = instance();
    for bytes in [8192, 4 << 20] {
        let name = format!("ml/model/{bytes}");
        let before = summed(top.path()).bytes();
        let size = file(top.path(), &name, bytes);
        create_dir_all(top.path().join("ml/model/other")).unwrap();
        for number in 0..3 {
            let other = format!("ml/model/other/{bytes}-{number}");
            hard_link(top.path().join(&name), top.path().join(other)).unwrap();
        }
        assert_eq!(summed(top.path()).bytes(), before + size);
    }
}

#[test]
fn holes_take_nothing_and_what_is_set_aside_counts() {
    let top = instance();
    file(top.path(), "ml/model/sparse", 0);
    let sparse = std::fs::File::options()
        .write(true)
        .open(top.path().join("ml/model/sparse"))
        .unwrap();
    sparse.set_len(1 << 40).unwrap();
    assert_eq!(summed(top.path()).bytes(), 0);
    let flags = nix::fcntl::FallocateFlags::FALLOC_FL_KEEP_SIZE;
    nix::fcntl::fallocate(&sparse, flags, 0, 4 << 20).unwrap();
    assert_eq!(summed(top.path()).bytes(), 4 << 20);
}

#[test]
fn what_is_set_aside_for_growth_is_not_taken() {
    // Bytes on the disk, the file's size, and what counts.
    let cases = [
        (0, 0, 0),
        (4096, 1, 4096),
        (65536, 1, 65536),
        (0, 1 << 40, 0),
        (1 << 30, 1 << 30, 1 << 30),
        (2 << 30, 1 << 30, 1 << 30),
        (5 << 30, 1 << 30, 4 << 30),
        (1 << 30, 0, 1 << 30),
    ];
    for (bytes, size, expected) in cases {
        assert_eq!(taken(bytes, size), expected, "{bytes} for {size}");
    }
}

#[test]
fn no_link_leads_out() {
    let (top, outside) = (instance(), instance());
    file(outside.path(), "large", 8 << 20);
    create_dir_all(top.path().join("ml/input")).unwrap();
    symlink(outside.path(), top.path().join("ml/input/directory")).unwrap();
    symlink(
        outside.path().join("large"),
        top.path().join("ml/input/file"),
    )
    .unwrap();
    symlink("..", top.path().join("ml/input/loop")).unwrap();
    symlink(outside.path(), top.path().join("ml/model")).unwrap();
    assert_eq!(summed(top.path()).bytes(), 0);
}

#[test]
fn no_mount_is_entered() {
    let (top, outside) = (instance(), instance());
    file(outside.path(), "large", 8 << 20);
    let channel = top.path().join("ml/input/data/c");
    create_dir_all(&channel).unwrap();
    let flags = nix::mount::MsFlags::MS_BIND;
    let none: Option<&str> = None;
    nix::mount::mount(Some(outside.path()), &channel, none, flags, none).unwrap();
    let usage = summed(top.path());
    nix::mount::umount(&channel).unwrap();
    assert_eq!(usage.bytes(), 0);
}

#[test]
fn a_tree_that_is_too_deep_is_walked_to_a_depth() {
    let top = instance();
    let shallow = file(top.path(), "ml/model/file", 8192);
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let mut at = Dir::open(&top.path().join("ml/model"), flags, Mode::empty()).unwrap();
    for _ in 0..5000 {
        mkdirat(at.as_fd(), c"d", Mode::S_IRWXU).unwrap();
        at = Dir::openat(at.as_fd(), c"d", flags, Mode::empty()).unwrap();
    }
    openat(
        at.as_fd(),
        c"last",
        OFlag::O_CREAT | OFlag::O_WRONLY,
        Mode::S_IRWXU,
    )
    .unwrap();
    assert_eq!(summed(top.path()).bytes(), shallow);
    crate::removal::remove_tree(&top.path().join("ml")).unwrap();
}

#[test]
fn a_walk_goes_on_where_it_was_interrupted() {
    let top = instance();
    let sizes = (0..200).map(|number| file(top.path(), &format!("ml/model/{number}/f"), 5000));
    let expected: u64 = sizes.sum();
    let mut walk = Walk::new(&Filled::new(top.path(), None), 1 << 30);
    let mut slices = 0;
    while !walk.advance(Instant::now()) {
        slices += 1;
    }
    assert!(slices >= 400, "{slices}");
    assert_eq!(walk.usage().bytes(), expected);
}

#[test]
fn a_tree_that_changes_all_the_time_is_walked_to_an_end() {
    let top = instance();
    let large = file(top.path(), "ml/model/large", 4 << 20);
    let directory = top.path().join("ml/model");
    let done = AtomicBool::new(false);
    let worst = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                shuffle(&directory);
            }
        });
        let sums = (0..200).map(|_| {
            let mut walk = Walk::new(&Filled::new(top.path(), None), 1 << 30);
            let complete = walk.advance(Instant::now() + Duration::from_secs(5));
            (!complete, walk.usage().bytes())
        });
        let worst = sums.max();
        done.store(true, Relaxed);
        worst
    });
    assert_eq!(worst, Some((false, large)));
}

/// Moves the large file into a directory, which is moved and removed.
fn shuffle(directory: &Path) {
    let (large, one, other) = (
        directory.join("large"),
        directory.join("x"),
        directory.join("y"),
    );
    let _ = std::fs::create_dir_all(one.join("deep/er"));
    let _ = std::fs::rename(&large, one.join("moved"));
    let _ = std::fs::rename(&one, &other);
    let _ = std::fs::rename(other.join("moved"), &large);
    let _ = std::fs::remove_dir_all(&other);
}

proptest! {
    #[test]
    fn any_tree_adds_up(files in prop::collection::btree_map("[a-c](/[d-f]){0,4}/[0-9]", 0..20_000_usize, 0..30)) {
        let top = instance();
        let mut expected = 0;
        for (name, bytes) in files {
            expected += file(top.path(), &format!("ml/output/{name}"), bytes);
        }
        prop_assert_eq!(summed(top.path()).bytes(), expected);
    }
}
