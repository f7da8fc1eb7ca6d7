//! The machine's Python that environments stand on, found once and remembered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::EnvironmentError;

/// Names to look for, the best first: the one that all environments run on,
/// then those that most run on.
const NAMES: [&str; 5] = [
    "python3.11",
    "python3.12",
    "python3.10",
    "python3.13",
    "python3",
];

/// The oldest usable minor version of Python 3.
const OLDEST: u32 = 10;

/// Asks an interpreter, which may be a wrapper or belong to a virtual
/// environment, for the installation behind it.
const QUESTION: &str = "\
import json, os, pip, sys
executable = os.path.realpath(getattr(sys, '_base_executable', sys.executable))
print(json.dumps(dict(executable=executable, prefix=sys.base_prefix, minor=sys.version_info[1])))";

/// One installation of Python 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Python {
    /// The interpreter itself.
    pub executable: PathBuf,
    /// The installation's directory.
    pub prefix: PathBuf,
    /// The minor version.
    pub minor: u32,
}

impl Python {
    /// The version without its patch level.
    pub fn version(&self) -> String {
        format!("3.{}", self.minor)
    }

    /// What of the installation a container must be shown: nothing when it is
    /// part of the system.
    pub fn visible(&self) -> Option<&Path> {
        (!self.prefix.starts_with("/usr")).then_some(&self.prefix)
    }

    /// The Python recorded in `record`, if it is still there, or the best one on
    /// the search path, which is then recorded.
    pub fn find(record: &Path) -> Result<Self, EnvironmentError> {
        if let Some(known) = recall(record) {
            return Ok(known);
        }
        let found = NAMES
            .iter()
            .filter_map(|name| ask(name))
            .find(|python| python.minor >= OLDEST)
            .ok_or(EnvironmentError::NoPython)?;
        remember(record, &found).map_err(EnvironmentError::io("writing", record))?;
        Ok(found)
    }
}

fn recall(record: &Path) -> Option<Python> {
    let known: Python = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
    known.executable.is_file().then_some(known)
}

/// Written beside and renamed, since several processes may do it at once.
fn remember(record: &Path, python: &Python) -> std::io::Result<()> {
    let draft = record.with_extension(format!("{}.draft", std::process::id()));
    fs::write(&draft, serde_json::to_vec(python)?)?;
    fs::rename(draft, record)
}

fn ask(name: &str) -> Option<Python> {
    let output = Command::new(name)
        .args(["-c", QUESTION])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_python_is_found_and_remembered() {
        let directory = tempfile::tempdir().expect("a directory");
        let record = directory.path().join("python.json");
        let found = Python::find(&record).expect("a Python");
        assert!(found.minor >= OLDEST);
        assert!(found.executable.is_absolute());
        assert_eq!(recall(&record), Some(found));
    }

    #[test]
    fn a_python_that_is_gone_is_not_recalled() {
        let directory = tempfile::tempdir().expect("a directory");
        let record = directory.path().join("python.json");
        let gone = Python {
            executable: directory.path().join("python3"),
            prefix: "/opt/python".into(),
            minor: 11,
        };
        remember(&record, &gone).expect("a record");
        assert_eq!(recall(&record), None);
    }

    #[test]
    fn only_an_installation_outside_the_system_is_shown() {
        let at = |prefix: &str| Python {
            executable: "/x".into(),
            prefix: prefix.into(),
            minor: 11,
        };
        assert_eq!(at("/usr").visible(), None);
        assert_eq!(at("/usr/local").visible(), None);
        assert_eq!(at("/opt/python").visible(), Some(Path::new("/opt/python")));
    }
}
