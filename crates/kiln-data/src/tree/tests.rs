//! Walks through trees that are deep, that change, and that mean harm.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::mkdirat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::*;

const DEEP: usize = 12_000;

fn paths(root: &Path) -> Vec<PathBuf> {
    let walk = Walk::new(&[root]).unwrap();
    walk.map(|entry| entry.unwrap().path).collect()
}

/// Makes directories called `d` in one another, and answers the deepest.
fn deepen(root: &Path, levels: usize) -> OwnedFd {
    let mut directory = open_root(root).unwrap();
    for _ in 0..levels {
        mkdirat(&directory, c"d", Mode::S_IRWXU).unwrap();
        directory = openat(&directory, c"d", DIRECTORY, Mode::empty()).unwrap();
    }
    directory
}

/// What deletes a directory's tree gives up at such a depth.
fn flatten(deepest: OwnedFd, levels: usize) {
    let mut directory = deepest;
    for _ in 0..levels {
        directory = openat(&directory, c"..", DIRECTORY, Mode::empty()).unwrap();
        unlinkat(&directory, c"d", UnlinkatFlags::RemoveDir).unwrap();
    }
}

#[test]
fn no_tree_is_too_deep() {
    let root = tempfile::tempdir().unwrap();
    let deepest = deepen(root.path(), DEEP);
    let file = openat(
        &deepest,
        c"f",
        OFlag::O_CREAT | OFlag::O_WRONLY,
        Mode::S_IRWXU,
    );
    drop(file.unwrap());
    let mut last = None;
    let mut met = 0;
    for entry in Walk::new(&[root.path()]).unwrap() {
        let entry = entry.unwrap();
        met += 1;
        if entry.kind == Kind::File {
            assert!(entry.open().unwrap().is_some());
            last = Some(entry.path);
        }
    }
    unlinkat(&deepest, c"f", UnlinkatFlags::NoRemoveDir).unwrap();
    flatten(deepest, DEEP);
    assert_eq!(met, DEEP + 1);
    assert_eq!(last.unwrap().as_os_str().len(), 2 * DEEP + 1);
}

#[test]
fn a_walk_finds_its_way_back_when_what_it_is_in_is_moved_away() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let levels = OPEN_LEVELS * 2;
    deepen(root.path(), levels);
    fs::write(root.path().join("z"), "after").unwrap();
    fs::write(root.path().join("d/z"), "after").unwrap();
    fs::write(outside.path().join("z"), "outside").unwrap();
    let mut walk = Walk::new(&[root.path()]).unwrap();
    for _ in 0..levels {
        walk.next().unwrap().unwrap();
    }
    fs::rename(root.path().join("d/d"), outside.path().join("moved")).unwrap();
    let rest: Vec<_> = walk.map(|entry| entry.unwrap()).collect();
    let found: Vec<_> = rest
        .iter()
        .map(|entry| entry.path.to_str().unwrap())
        .collect();
    assert_eq!(found, ["d/z", "z"]);
    let (mut file, _) = rest[0].open().unwrap().unwrap();
    assert_eq!(io::read_to_string(&mut file).unwrap(), "after");
}

#[test]
fn what_is_moved_away_wholly_ends_there() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let levels = OPEN_LEVELS * 2;
    deepen(root.path(), levels);
    fs::write(root.path().join("d/z"), "after").unwrap();
    let mut walk = Walk::new(&[root.path()]).unwrap();
    for _ in 0..levels {
        walk.next().unwrap().unwrap();
    }
    fs::rename(root.path().join("d/d"), outside.path().join("moved")).unwrap();
    fs::rename(root.path().join("d"), outside.path().join("all")).unwrap();
    symlink(outside.path().join("all"), root.path().join("d")).unwrap();
    assert_eq!(walk.filter_map(Result::ok).count(), 0);
}

#[test]
fn links_and_pipes_are_not_entered() {
    let root = tempfile::tempdir().unwrap();
    symlink("/etc", root.path().join("link")).unwrap();
    nix::unistd::mkfifo(&root.path().join("fifo"), Mode::S_IRWXU).unwrap();
    let entries: Vec<_> = Walk::new(&[root.path()]).unwrap().collect();
    assert_eq!(entries.len(), 1);
    let link = entries[0].as_ref().unwrap();
    assert_eq!(link.target().unwrap(), Some("/etc".into()));
    assert!(link.open().unwrap().is_none());
}

#[test]
fn what_vanishes_is_left_out() {
    let root = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(root.path().join(name), name).unwrap();
    }
    let mut walk = Walk::new(&[root.path()]).unwrap();
    let first = walk.next().unwrap().unwrap();
    fs::remove_file(root.path().join("a")).unwrap();
    fs::remove_file(root.path().join("b")).unwrap();
    assert!(first.open().unwrap().is_none());
    let rest: Vec<_> = walk.map(|entry| entry.unwrap().path).collect();
    assert_eq!(rest, [PathBuf::from("c")]);
}

#[test]
fn a_swap_at_any_moment_leads_nowhere() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let (real, link) = (root.path().join("real"), root.path().join("swap"));
    fs::create_dir(&real).unwrap();
    fs::write(real.join("file"), "file").unwrap();
    let done = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let parked = outside.path().join("parked");
            symlink(outside.path(), &link).unwrap();
            while !done.load(Ordering::Relaxed) {
                fs::rename(&real, &parked).unwrap();
                fs::rename(&link, &real).unwrap();
                fs::rename(&real, &link).unwrap();
                fs::rename(&parked, &real).unwrap();
            }
        });
        for _ in 0..3000 {
            for entry in Walk::new(&[root.path()]).unwrap().flatten() {
                assert!(!entry.path.ends_with("secret"));
                if entry.kind == Kind::File
                    && let Ok(Some((mut file, _))) = entry.open()
                {
                    assert_eq!(io::read_to_string(&mut file).unwrap(), "file");
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_directory_comes_before_what_is_in_it() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("b/c")).unwrap();
    for name in ["a", "b/z", "b/c/d", "b.x"] {
        fs::write(root.path().join(name), name).unwrap();
    }
    let expected = ["a", "b", "b/c", "b/c/d", "b/z", "b.x"];
    assert_eq!(paths(root.path()), expected.map(PathBuf::from));
}
