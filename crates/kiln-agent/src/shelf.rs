//! Directories that are made once, whoever asks first.
//!
//! A directory is built under another name and renamed when it is complete, so
//! one that exists is whole. Those who ask meanwhile, in this process or in
//! another, wait for the builder and hear what it says.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::syncfs;

use crate::removal::remove_tree;

/// How often those who wait look whether the builder said or did something.
const PATIENCE: Duration = Duration::from_millis(100);

/// Hears what is being done, a line at a time.
pub(crate) type Listener<'a> = &'a mut dyn FnMut(&str);

/// Why a directory could not be put on a shelf, or looked for there.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}", path.display())]
pub struct ShelfError {
    doing: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

impl ShelfError {
    fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self {
            doing,
            path,
            source,
        }
    }
}

/// The place where such directories stand.
#[derive(Debug)]
pub(crate) struct Shelf {
    directory: PathBuf,
}

impl Shelf {
    /// A shelf in `directory`, which need not exist.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The directory called `name`, if it has been made.
    pub fn get(&self, name: &str) -> Option<PathBuf> {
        let path = self.directory.join(name);
        path.is_dir().then_some(path)
    }

    /// The directory called `name`, made by `build` unless it exists. `build` is
    /// given an empty directory to fill.
    pub fn get_or_make<E: From<ShelfError>>(
        &self,
        name: &str,
        listener: Listener,
        build: impl FnOnce(&Path, Listener) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        if let Some(made) = self.get(name) {
            return Ok(made);
        }
        fs::create_dir_all(&self.directory).map_err(ShelfError::io("creating", &self.directory))?;
        let _turn = self.wait_for_turn(name, listener)?;
        match self.get(name) {
            Some(made) => Ok(made),
            None => self.make(name, listener, build),
        }
    }

    fn make<E: From<ShelfError>>(
        &self,
        name: &str,
        listener: Listener,
        build: impl FnOnce(&Path, Listener) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let partial = self.beside(name, "partial");
        clear(&partial)?;
        fs::create_dir(&partial).map_err(ShelfError::io("creating", &partial))?;
        let diary = self.beside(name, "log");
        let mut written = File::create(&diary).map_err(ShelfError::io("creating", &diary))?;
        let mut say = |line: &str| {
            // The diary is for those who wait; they can do without it.
            let _ = writeln!(written, "{line}");
            listener(line);
        };
        if let Err(error) = build(&partial, &mut say) {
            clear(&partial)?;
            return Err(error);
        }
        let made = self.directory.join(name);
        flush(&partial)?;
        fs::rename(&partial, &made).map_err(ShelfError::io("renaming", &partial))?;
        Ok(made)
    }

    /// Waits until nobody else builds `name`, passing on what the builder says.
    fn wait_for_turn(&self, name: &str, listener: Listener) -> Result<Flock<File>, ShelfError> {
        let path = self.beside(name, "lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(ShelfError::io("opening", &path))?;
        let mut diary = Follower::new(self.beside(name, "log"));
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(turn) => return Ok(turn),
                Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => file = back,
                Err((_, errno)) => {
                    return Err(ShelfError::io("locking", path)(errno.into()));
                }
            }
            diary.follow(listener);
            thread::sleep(PATIENCE);
        }
    }

    /// A file of the shelf's own; the dot keeps it apart from what is made.
    fn beside(&self, name: &str, kind: &str) -> PathBuf {
        self.directory.join(format!(".{name}.{kind}"))
    }
}

/// Reads the lines that are added to a file.
struct Follower {
    path: PathBuf,
    position: u64,
}

impl Follower {
    fn new(path: PathBuf) -> Self {
        Self { path, position: 0 }
    }

    /// Passes on the lines that were completed since the last call. A file that
    /// cannot be read has none.
    fn follow(&mut self, listener: Listener) {
        let Ok(mut file) = File::open(&self.path) else {
            return;
        };
        if file.seek(SeekFrom::Start(self.position)).is_err() {
            return;
        }
        let mut lines = BufReader::new(&file);
        let mut line = String::new();
        while matches!(lines.read_line(&mut line), Ok(1..)) && line.ends_with('\n') {
            self.position += line.len() as u64;
            listener(line.trim_end());
            line.clear();
        }
    }
}

/// What is renamed must not be found empty after a loss of power.
fn flush(path: &Path) -> Result<(), ShelfError> {
    let file = File::open(path).map_err(ShelfError::io("opening", path))?;
    syncfs(&file).map_err(|errno| ShelfError::io("flushing", path)(errno.into()))
}

/// Removes what an interrupted builder left.
fn clear(path: &Path) -> Result<(), ShelfError> {
    remove_tree(path).map_err(ShelfError::io("removing", path))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let directory = tempfile::tempdir().expect("a directory");
        let shelf = Shelf::new(directory.path().join("shelf"));
        (directory, shelf)
    }

    fn failure() -> ShelfError {
        ShelfError::io("building", "x")(std::io::Error::other("odd"))
    }

    #[test]
    fn those_who_wait_get_the_same_directory_and_hear_the_builder() {
        let (_directory, shelf) = shelf();
        let built = AtomicU32::new(0);
        let ask = || {
            let mut heard = Vec::new();
            let made = shelf.get_or_make(
                "a",
                &mut |line| heard.push(line.to_owned()),
                |place, listener| {
                    built.fetch_add(1, Ordering::SeqCst);
                    listener("at work");
                    thread::sleep(PATIENCE * 4);
                    fs::write(place.join("file"), "x").expect("a file");
                    Ok::<_, ShelfError>(())
                },
            );
            assert!(made.expect("a directory").join("file").is_file());
            heard
        };
        let heard: Vec<_> = thread::scope(|scope| {
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            asking
                .into_iter()
                .map(|one| one.join().expect("no panic"))
                .collect()
        });
        assert_eq!(built.load(Ordering::SeqCst), 1);
        assert!(heard.iter().all(|lines| lines == &["at work"]), "{heard:?}");
        assert!(ask().is_empty());
    }

    #[test]
    fn a_failed_build_leaves_nothing_and_can_be_tried_again() {
        let (_directory, shelf) = shelf();
        let failed = shelf.get_or_make("a", &mut |_| (), |place, _| {
            fs::write(place.join("half"), "x").expect("a file");
            Err(failure())
        });
        assert!(failed.is_err());
        assert_eq!(shelf.get("a"), None);
        let made = shelf.get_or_make("a", &mut |_| (), |_, _| Ok::<_, ShelfError>(()));
        assert_eq!(
            fs::read_dir(made.expect("a directory"))
                .expect("entries")
                .count(),
            0
        );
    }

    #[test]
    fn what_an_interrupted_builder_left_is_not_used() {
        let (_directory, shelf) = shelf();
        let left = shelf.beside("a", "partial");
        fs::create_dir_all(&left).expect("a directory");
        fs::write(left.join("half"), "x").expect("a file");
        let made = shelf
            .get_or_make("a", &mut |_| (), |_, _| Ok::<_, ShelfError>(()))
            .expect("a directory");
        assert!(!made.join("half").exists());
        assert!(!left.exists());
    }

    #[test]
    fn a_line_is_passed_on_only_when_it_is_complete() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let mut follower = Follower::new(path.clone());
        let mut heard = Vec::new();
        for text in ["", "one\ntw", "one\ntwo\nthree\n"] {
            fs::write(&path, text).expect("a file");
            follower.follow(&mut |line| heard.push(line.to_owned()));
        }
        assert_eq!(heard, ["one", "two", "three"]);
    }
}
