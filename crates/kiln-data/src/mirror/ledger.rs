//! What a mirror decides: which files to store and which objects to delete,
//! from what was stored and what the scans of the directory found. No I/O.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file that never holds still is stored all the same after so many scans.
const MOST_MOVING: u32 = 15;
/// A file that cannot be stored sits out twice as many rounds each time, up to
/// two to this power.
const MOST_DOUBLINGS: u32 = 5;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub size: u64,
    pub inode: u64,
    /// Seconds and nanoseconds.
    pub modified: (i64, i64),
    /// Like `modified`, but nobody can set it back.
    pub changed: (i64, i64),
}

/// The files that were found in the directory, by their paths below it.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub files: BTreeMap<PathBuf, Stamp>,
    /// Where nothing could be seen, which says nothing of what is there.
    pub unseen: Vec<PathBuf>,
}

/// Whether a file that is still being written can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// The work goes on: store what two scans found alike.
    Steady,
    /// The work has ended: store everything as it is.
    Last,
}

/// A file to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    pub path: PathBuf,
    pub stamp: Stamp,
    /// Whether it held still. Else what is stored is worth less than nothing,
    /// but more than what was stored before.
    pub settled: bool,
}

/// What there is to do after a scan.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Actions {
    pub upload: Vec<Upload>,
    /// Files whose objects are to be deleted.
    pub delete: Vec<PathBuf>,
    /// Files that have vanished, whether or not their objects go too.
    pub gone: Vec<PathBuf>,
}

/// What is known of every file.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    items: BTreeMap<PathBuf, Item>,
}

#[derive(Debug, Default)]
struct Item {
    /// The state that the store holds for certain.
    stored: Option<Stamp>,
    /// Whether the store may hold something by our doing.
    ours: bool,
    /// The state that the last scan found.
    seen: Option<Stamp>,
    /// For how many scans it has not held still.
    moving: u32,
    /// How often in a row it could not be stored, and for how many more rounds
    /// it is therefore left alone.
    failures: u32,
    rest: u32,
}

impl Ledger {
    /// Takes a scan in and answers what it asks for.
    pub fn take(&mut self, scan: &Scan, haste: Haste, propagate_deletes: bool) -> Actions {
        let mut actions = Actions::default();
        for (path, stamp) in &scan.files {
            if !self.items.contains_key(path) {
                self.items.insert(path.clone(), Item::default());
            }
            let item = self.items.get_mut(path);
            if let Some(settled) = item.and_then(|item| item.due(*stamp, haste)) {
                actions.upload.push(Upload {
                    path: path.clone(),
                    stamp: *stamp,
                    settled,
                });
            }
        }
        self.items.retain(|path, item| {
            if scan.files.contains_key(path) || scan.is_unseen(path) {
                return true;
            }
            actions.gone.push(path.clone());
            item.vanished();
            let delete = propagate_deletes && item.ours;
            if delete {
                actions.delete.push(path.clone());
            }
            delete
        });
        actions
    }

    /// The file came from the store and is what the store holds.
    pub fn restored(&mut self, path: PathBuf, stamp: Stamp) {
        let item = Item {
            stored: Some(stamp),
            ours: true,
            seen: Some(stamp),
            ..Item::default()
        };
        self.items.insert(path, item);
    }

    /// From now on nobody knows what the store holds.
    pub fn begun(&mut self, path: &Path) {
        if let Some(item) = self.items.get_mut(path) {
            item.ours = true;
            item.stored = None;
        }
    }

    /// The store holds what was to be stored.
    pub fn stored(&mut self, upload: &Upload) {
        if let Some(item) = self.items.get_mut(&upload.path) {
            item.stored = upload.settled.then_some(upload.stamp);
            item.moving = 0;
            item.failures = 0;
        }
    }

    /// It could not be stored.
    pub fn failed(&mut self, path: &Path) {
        if let Some(item) = self.items.get_mut(path) {
            item.rest = (1 << item.failures.min(MOST_DOUBLINGS)) - 1;
            item.failures += 1;
        }
    }

    /// The store holds nothing of ours any more.
    pub fn deleted(&mut self, path: &Path) {
        self.items.remove(path);
    }
}

impl Item {
    /// Whether the file is to be stored now, and if so whether it held still.
    fn due(&mut self, stamp: Stamp, haste: Haste) -> Option<bool> {
        let settled = self.seen.replace(stamp) == Some(stamp);
        if self.stored == Some(stamp) {
            self.moving = 0;
            return None;
        }
        if haste == Haste::Last {
            return Some(true);
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        if settled {
            return Some(true);
        }
        self.moving += 1;
        (self.moving > MOST_MOVING).then_some(false)
    }

    /// Should it come back, it is new.
    fn vanished(&mut self) {
        *self = Self {
            ours: self.ours,
            ..Self::default()
        };
    }
}

impl Scan {
    fn is_unseen(&self, path: &Path) -> bool {
        self.unseen.iter().any(|unseen| path.starts_with(unseen))
    }
}

#[cfg(test)]
mod tests;
