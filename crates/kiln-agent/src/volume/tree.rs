//! Adding up what a job's files take of the disk.
//!
//! The tree belongs to a job that may change it meanwhile, in good faith or in
//! bad. No link is followed and no mount entered, no more than two directories
//! are held open for each level, and the sum is made in slices, so that a tree
//! without end takes no more time than one that is small.

use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::dir::{Dir, OwningIter, Type};
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};

/// Where a job's files are in an instance's directory, and where the job would
/// say that they are. The last two are all else that is there, and the cache of a
/// warm pool, which is elsewhere.
const PLACES: [(&str, &str); 8] = [
    ("ml/input", "in /opt/ml/input"),
    ("ml/model", "in /opt/ml/model"),
    ("ml/output", "in /opt/ml/output"),
    ("ml/checkpoints", "in /opt/ml/checkpoints"),
    ("ml/kept", ELSEWHERE),
    ("sandbox", ELSEWHERE),
    ("", "in its log and lists"),
    ("", "in the cache of its warm pool"),
];
const ELSEWHERE: &str = "outside of /opt/ml";
const REST: usize = 6;
const CACHE: usize = 7;
/// What is not among the rest, being of the places before it.
const OWN_PLACES: [&[u8]; 2] = [b"ml", b"sandbox"];

/// How many levels are walked, more than any program needs. What a job hides
/// further down is seen by what the disk has left.
const DEEPEST: usize = 400;

/// Files of at least this part of the limit, and at least this size, are
/// remembered, so that one that is moved meanwhile is not counted twice.
const REMEMBERED: u64 = 4096;
const LEAST_REMEMBERED: u64 = 1 << 20;

/// What `st_blocks` counts.
const BLOCK: u64 = 512;
/// The last block of a file is seldom full, and no larger than this.
const LARGEST_BLOCK: u64 = 64 << 10;

/// How many bytes there are, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage([u64; PLACES.len()]);

impl Usage {
    pub(super) fn bytes(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    pub(super) fn add(&mut self, place: usize, bytes: u64) {
        self.0[place] = self.0[place].saturating_add(bytes);
    }

    /// The places that hold anything, those that hold the most first.
    pub(super) fn largest(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut all: Vec<(&'static str, u64)> = Vec::new();
        for ((_, shown), bytes) in PLACES.iter().zip(self.0) {
            match all.iter_mut().find(|(known, _)| known == shown) {
                Some((_, sum)) => *sum = sum.saturating_add(bytes),
                None => all.push((shown, bytes)),
            }
        }
        all.retain(|(_, bytes)| *bytes > 0);
        all.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        all.into_iter()
    }
}

/// The directories that a job fills.
#[derive(Debug, Clone)]
pub(super) struct Filled {
    pub(super) instance: PathBuf,
    cache: Option<PathBuf>,
}

impl Filled {
    /// Those of an instance, and the cache of its warm pool.
    pub(super) fn new(instance: &Path, cache: Option<&Path>) -> Self {
        Self {
            instance: instance.to_owned(),
            cache: cache.map(Path::to_owned),
        }
    }

    fn place(&self, number: usize) -> Option<PathBuf> {
        match number {
            CACHE => self.cache.clone(),
            _ => Some(self.instance.join(PLACES[number].0)),
        }
    }
}

/// A sum in the making.
pub(super) struct Walk {
    filled: Filled,
    usage: Usage,
    /// How many places were begun, and the directories from the top of the last
    /// one to where the walk is.
    begun: usize,
    open: Vec<Level>,
    /// The large files that were counted.
    counted: HashSet<u64>,
    large: u64,
}

struct Level {
    directory: OwnedFd,
    entries: OwningIter,
}

impl Walk {
    /// A walk through what a job with this limit has written.
    pub(super) fn new(filled: &Filled, limit: u64) -> Self {
        Self {
            filled: filled.clone(),
            usage: Usage::default(),
            begun: 0,
            open: Vec::new(),
            counted: HashSet::new(),
            large: (limit / REMEMBERED).max(LEAST_REMEMBERED),
        }
    }

    /// What was found so far.
    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Goes on until then, and answers whether everything is added up.
    pub(super) fn advance(&mut self, until: Instant) -> bool {
        loop {
            if !self.open.is_empty() {
                self.step();
            } else if self.begun < PLACES.len() {
                self.begin_place();
            } else {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    fn begin_place(&mut self) {
        let path = self.filled.place(self.begun);
        self.begun += 1;
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = path.map(|path| nix::fcntl::open(&path, flags, Mode::empty()));
        if let Some(Ok(directory)) = opened {
            self.enter(directory);
        }
    }

    /// Takes in a directory. One that cannot be read is one that has vanished.
    fn enter(&mut self, directory: OwnedFd) {
        if let Ok(found) = fstat(&directory) {
            self.count(&found);
        }
        let listed = directory.try_clone().map_err(|_| nix::errno::Errno::EMFILE);
        if let Ok(listed) = listed.and_then(Dir::from_fd) {
            let entries = listed.into_iter();
            self.open.push(Level { directory, entries });
        }
    }

    /// Takes in the next entry of the directory where the walk is, or leaves it.
    fn step(&mut self) {
        let deep = self.open.len() >= DEEPEST;
        let is_top_of_rest = self.begun - 1 == REST && self.open.len() == 1;
        let Some(level) = self.open.last_mut() else {
            return;
        };
        let Some(Ok(entry)) = level.entries.next() else {
            self.open.pop();
            return;
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            return;
        }
        if is_top_of_rest && OWN_PLACES.contains(&name.to_bytes()) {
            return;
        }
        match entry.file_type() {
            Some(Type::Directory) => {}
            Some(_) => return self.count_file(name),
            None if !is_directory(level, name) => return self.count_file(name),
            None => {}
        }
        if let (false, Some(directory)) = (deep, below(level, name)) {
            self.enter(directory);
        }
    }

    fn count_file(&mut self, name: &CStr) {
        let found = self.open.last().and_then(|level| status(level, name));
        if let Some(found) = found {
            self.count(&found);
        }
    }

    /// A small file with several names is counted at each with its part, so that
    /// not all of them need be remembered.
    // The count of names is narrower on other processors.
    #[allow(clippy::useless_conversion)]
    fn count(&mut self, found: &FileStat) {
        let size = u64::try_from(found.st_size).unwrap_or_default();
        let blocks = u64::try_from(found.st_blocks).unwrap_or_default();
        let bytes = taken(blocks * BLOCK, size);
        let counts = if is_type(found, nix::libc::S_IFDIR) {
            bytes
        } else if bytes < self.large {
            bytes / u64::from(found.st_nlink).max(1)
        } else if self.counted.insert(found.st_ino) {
            bytes
        } else {
            0
        };
        self.usage.add(self.begun - 1, counts);
    }
}

/// What a file takes of the volume. XFS sets blocks aside behind a file that grows,
/// up to as many as it has, and gives them back; more than that was asked for.
fn taken(bytes: u64, size: u64) -> u64 {
    let behind = bytes.saturating_sub(size);
    if behind <= LARGEST_BLOCK {
        bytes
    } else {
        size.max(behind)
    }
}

fn is_directory(level: &Level, name: &CStr) -> bool {
    status(level, name).is_some_and(|found| is_type(&found, nix::libc::S_IFDIR))
}

fn is_type(found: &FileStat, kind: nix::libc::mode_t) -> bool {
    found.st_mode & nix::libc::S_IFMT == kind
}

fn status(level: &Level, name: &CStr) -> Option<FileStat> {
    let flags = AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT;
    fstatat(level.directory.as_fd(), name, flags).ok()
}

/// The directory, unless something is mounted there.
fn below(level: &Level, name: &CStr) -> Option<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_XDEV | ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(&level.directory, name, how).ok()
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
