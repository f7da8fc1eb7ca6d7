//! Removing a tree of directories, however deep a job has made it.
//!
//! Nothing here recurses, and two directories at most are open at a time. A
//! directory inside that is not empty has its own directories moved up to the
//! top, next to it, until every one of them is flat. No symbolic link is
//! followed, and what vanishes meanwhile is as good as removed.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Removes a directory and all that is in it. One that is not there need not be
/// removed.
///
/// # Errors
/// When something in it cannot be removed, or it is no directory.
pub fn remove_tree(directory: &Path) -> io::Result<()> {
    let opened = Dir::open(directory, only_directories(), Mode::empty());
    let Some(mut top) = unless_absent(opened)? else {
        return Ok(());
    };
    let mut raised = Raised::default();
    while flatten(&mut top, &mut raised)? {}
    match std::fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes an instance's directory, and before it the file systems that an agent
/// which was killed left mounted there.
///
/// # Errors
/// When something cannot be unmounted or removed.
pub async fn remove_instance(directory: &Path) -> io::Result<()> {
    let directory = directory.to_owned();
    tokio::task::spawn_blocking(move || {
        kiln_data::fastfile::unmount_all_below(&directory)?;
        remove_tree(&directory)
    })
    .await
    .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Removes everything at the top, but for the directories of directories, which
/// come to the top in its place. Answers whether there was anything.
fn flatten(top: &mut Dir, raised: &mut Raised) -> nix::Result<bool> {
    let mut listed = reopened(top)?;
    let mut any = false;
    for name in contents(&mut listed) {
        let (name, kind) = name?;
        any = true;
        if !removed_as_file(top, &name, kind)? {
            empty(top, &name, raised)?;
            removed_as_directory(top, &name)?;
        }
    }
    Ok(any)
}

/// Empties a directory at the top.
fn empty(top: &Dir, name: &CStr, raised: &mut Raised) -> nix::Result<()> {
    let opened = Dir::openat(top.as_fd(), name, only_directories(), Mode::empty());
    let Some(mut listed) = unless_absent(opened)? else {
        return Ok(());
    };
    let inside = reopened(&listed)?;
    for name in contents(&mut listed) {
        let (name, kind) = name?;
        if !removed_as_file(&inside, &name, kind)? && !removed_as_directory(&inside, &name)? {
            raised.raise(&inside, &name, top)?;
        }
    }
    Ok(())
}

/// Gives directories that come to the top names that are free there.
#[derive(Debug, Default)]
struct Raised(u64);

impl Raised {
    fn raise(&mut self, from: &Dir, name: &CStr, top: &Dir) -> nix::Result<()> {
        loop {
            self.0 += 1;
            let free = format!("raised-{}", self.0);
            match renameat(from.as_fd(), name, top.as_fd(), free.as_str()) {
                // A directory replaces nothing but an empty directory.
                Err(Errno::ENOTDIR | Errno::ENOTEMPTY | Errno::EEXIST) => {}
                outcome => return unless_absent(outcome).map(drop),
            }
        }
    }
}

/// Whether it is gone, being no directory.
fn removed_as_file(at: &Dir, name: &CStr, kind: Option<Type>) -> nix::Result<bool> {
    if kind == Some(Type::Directory) {
        return Ok(false);
    }
    match unless_absent(unlinkat(at.as_fd(), name, UnlinkatFlags::NoRemoveDir)) {
        Err(Errno::EISDIR) => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

/// Whether it is gone, being an empty directory.
fn removed_as_directory(at: &Dir, name: &CStr) -> nix::Result<bool> {
    match unless_absent(unlinkat(at.as_fd(), name, UnlinkatFlags::RemoveDir)) {
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

/// The names in a directory, except its own and its parent's.
fn contents(directory: &mut Dir) -> impl Iterator<Item = nix::Result<(CString, Option<Type>)>> {
    let named = |entry: nix::dir::Entry| (entry.file_name().to_owned(), entry.file_type());
    let all = directory.iter().map(move |entry| entry.map(named));
    all.filter(|entry| !matches!(entry, Ok((name, _)) if is_dots(name)))
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// The same directory with a position of its own.
fn reopened(directory: &Dir) -> nix::Result<Dir> {
    Dir::openat(directory.as_fd(), c".", only_directories(), Mode::empty())
}

fn only_directories() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

fn unless_absent<T>(outcome: nix::Result<T>) -> nix::Result<Option<T>> {
    match outcome {
        Err(Errno::ENOENT) => Ok(None),
        outcome => outcome.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use nix::sys::stat::mkdirat;
    use proptest::prelude::*;

    use super::*;

    /// A directory in memory, since a disk may need milliseconds for each that is
    /// removed.
    fn in_memory() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").unwrap()
    }

    /// Directories one in another, with a file in the last.
    fn chain(top: &Path, depth: usize) {
        std::fs::create_dir(top).unwrap();
        let mut at = Dir::open(top, only_directories(), Mode::empty()).unwrap();
        for _ in 0..depth {
            mkdirat(at.as_fd(), c"d", Mode::S_IRWXU).unwrap();
            at = Dir::openat(at.as_fd(), c"d", only_directories(), Mode::empty()).unwrap();
        }
        let made = OFlag::O_CREAT | OFlag::O_WRONLY;
        nix::fcntl::openat(at.as_fd(), c"last", made, Mode::S_IRWXU).unwrap();
    }

    #[test]
    fn no_tree_is_too_deep() {
        let directory = in_memory();
        let top = directory.path().join("top");
        chain(&top, 100_000);
        remove_tree(&top).unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (kept, top) = (directory.path().join("kept"), directory.path().join("top"));
        std::fs::create_dir_all(top.join("a/b/c")).unwrap();
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("file"), "x").unwrap();
        for link in ["link", "a/link", "a/b/link", "raised-1"] {
            std::os::unix::fs::symlink(&kept, top.join(link)).unwrap();
        }
        remove_tree(&top).unwrap();
        assert!(!top.exists() && kept.join("file").exists());
        std::os::unix::fs::symlink(&kept, &top).unwrap();
        assert!(remove_tree(&top).is_err());
        assert!(kept.join("file").exists());
    }

    #[test]
    fn what_is_not_there_is_removed_already() {
        let directory = tempfile::tempdir().unwrap();
        remove_tree(&directory.path().join("absent")).unwrap();
    }

    fn paths() -> impl Strategy<Value = Vec<PathBuf>> {
        let name = prop_oneof!["[a-c]", "raised-[1-4]"];
        let path = prop::collection::vec(name, 1..6);
        prop::collection::vec(path.prop_map(PathBuf::from_iter), 0..40)
    }

    proptest! {
        #[test]
        fn any_tree_is_removed(directories in paths(), files in paths()) {
            let directory = in_memory();
            let top = directory.path().join("top");
            std::fs::create_dir(&top).unwrap();
            for path in directories {
                let _ = std::fs::create_dir_all(top.join(path));
            }
            for path in files {
                let _ = std::fs::write(top.join(path), "x");
            }
            remove_tree(&top).unwrap();
            prop_assert!(!top.exists());
        }
    }
}
