//! How far an optimization has come, on disk, so that an agent that is begun again goes
//! on from there.
//!
//! The file is replaced as a whole, last, after what it speaks of. What was fetched
//! counts only until the machine starts anew, since it is not waited for until it is on
//! the disk; what a step has made is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kiln_data::upload::look_at;
use serde::{Deserialize, Serialize};

use crate::left;
use crate::spool::now;

/// The file, in the instance's directory.
const FILE: &str = "progress.json";
/// What the kernel calls the time since the machine started.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The start of the machine since which the inputs are whole.
    fetched: Option<String>,
    /// How many steps are done.
    steps: usize,
    /// When the first one began, epoch milliseconds.
    began: Option<i64>,
}

/// How far an optimization has come.
#[derive(Debug)]
pub(super) struct Progress {
    directory: PathBuf,
    boot: String,
    record: Record,
}

impl Progress {
    /// Reads it from an instance's directory. Where there is none, all is to be done.
    pub(super) fn open(instance: &Path) -> io::Result<Self> {
        let record = match fs::read(instance.join(FILE)) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Record::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            directory: instance.to_owned(),
            boot: fs::read_to_string(BOOT)?,
            record,
        })
    }

    /// How many steps are done.
    pub(super) fn steps(&self) -> usize {
        self.record.steps
    }

    /// Whether the inputs of the steps that are left are there.
    pub(super) fn has_inputs(&self) -> bool {
        self.record.fetched.as_ref() == Some(&self.boot)
    }

    /// Writes down that the inputs are there.
    pub(super) fn fetched(&mut self) -> io::Result<()> {
        self.record.fetched = Some(self.boot.clone());
        self.write()
    }

    /// Writes down that a step is done, of which all that it has made is on the disk.
    pub(super) fn step_done(&mut self) -> io::Result<()> {
        self.record.steps += 1;
        self.write()
    }

    /// How many milliseconds ago the first step began: now, if none has.
    pub(super) fn since_beginning(&mut self) -> io::Result<u64> {
        if self.record.began.is_none() {
            self.record.began = Some(now());
            self.write()?;
        }
        let began = self.record.began.unwrap_or_default();
        Ok(now().saturating_sub(began).max(0).unsigned_abs())
    }

    fn write(&self) -> io::Result<()> {
        let unfinished = self.directory.join(format!("{FILE}.new"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(&self.record)?)?;
        file.sync_all()?;
        fs::rename(unfinished, self.directory.join(FILE))?;
        File::open(&self.directory)?.sync_all()
    }
}

/// Waits until the files of a directory that work has left are on the disk.
pub(super) fn settle(directory: &Path) -> io::Result<()> {
    let tree = look_at(directory).map_err(io::Error::other)?;
    for (path, _) in &tree.files {
        left::open(directory, path)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_found_again() {
        let place = tempfile::tempdir().unwrap();
        let made = place.path().join("made");
        fs::create_dir_all(made.join("deep")).unwrap();
        fs::write(made.join("deep/file"), "x").unwrap();
        let mut first = Progress::open(place.path()).unwrap();
        assert!(!first.has_inputs());
        first.fetched().unwrap();
        first.since_beginning().unwrap();
        settle(&made).unwrap();
        first.step_done().unwrap();
        let mut again = Progress::open(place.path()).unwrap();
        assert!(again.has_inputs());
        assert_eq!(again.steps(), 1);
        assert!(again.since_beginning().unwrap() < 60_000);
        assert_eq!(again.record.began, first.record.began);
    }

    #[test]
    fn what_was_fetched_before_the_machine_started_anew_does_not_count() {
        let place = tempfile::tempdir().unwrap();
        let mut before = Progress::open(place.path()).unwrap();
        before.boot = "another".to_owned();
        before.fetched().unwrap();
        assert!(!Progress::open(place.path()).unwrap().has_inputs());
    }
}
