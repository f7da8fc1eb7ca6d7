//! What runs in the containers of Kiln's own work: a task out of a file, whose failure is
//! told in the log and in a file.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::Failure;
use crate::terminal::say;

/// Does the task in a file. Where it fails, the reason lies where `failure` says.
pub fn run<T: DeserializeOwned>(
    task: &Path,
    failure: impl FnOnce(&T) -> PathBuf,
    work: impl FnOnce(&T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let done = attempt(task, failure, work);
    if let Err(error) = &done {
        // Whoever reads the log sees it too; without an output there is nobody to tell.
        let _ = say(format!("Kiln: {error}"));
    }
    done
}

fn attempt<T: DeserializeOwned>(
    path: &Path,
    failure: impl FnOnce(&T) -> PathBuf,
    work: impl FnOnce(&T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let task: T = serde_json::from_slice(&std::fs::read(path).map_err(named)?)?;
    let done = work(&task);
    if let Err(error) = &done {
        std::fs::write(failure(&task), error.to_string())?;
    }
    done
}

/// Says a line into the job's log. One that nobody reads is no reason to fail.
pub fn log(line: &str) {
    let _ = say(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_seven(task: &u8) -> Result<(), Failure> {
        match task {
            7 => Ok(()),
            _ => Err("it is another".into()),
        }
    }

    #[test]
    fn a_failure_is_told_in_its_file() {
        let place = tempfile::tempdir().unwrap();
        let (task, reason) = (place.path().join("task"), place.path().join("failure"));
        let told = || {
            let done = run(&task, |_| reason.clone(), is_seven);
            (done.is_ok(), std::fs::read_to_string(&reason).ok())
        };
        assert_eq!(told(), (false, None));
        std::fs::write(&task, "7").unwrap();
        assert_eq!(told(), (true, None));
        std::fs::write(&task, "8").unwrap();
        assert_eq!(told(), (false, Some("it is another".to_owned())));
    }
}
