//! Programs in Python that a framework needs: each is one file of Kiln's own,
//! run by a framework environment's Python in a process of its own.
//!
//! What such a program reads may make it do anything. So nobody trusts what it
//! writes, and whoever calls this is in a container that has nothing to lose.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How many of its last lines a failure is told with.
const LAST_LINES: usize = 12;

/// A program.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// The file's name.
    pub name: &'static str,
    /// What it holds.
    pub source: &'static str,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// It could not be run at all.
    #[error("{script} cannot be run with {}: {source}", .python.display())]
    Start {
        /// The program.
        script: &'static str,
        /// The interpreter.
        python: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was killed, which the system does when memory is short.
    #[error("{script} was killed")]
    Killed {
        /// The program.
        script: &'static str,
    },
    /// It failed; these are its last words.
    #[error("{script} failed ({status}): {}", .lines.join("\n"))]
    Failed {
        /// The program.
        script: &'static str,
        /// How it ended.
        status: String,
        /// What it wrote last.
        lines: Vec<String>,
    },
}

impl Script {
    /// Runs it with the Python of an environment, in the directory `scratch`, and
    /// passes on what it writes, line by line.
    ///
    /// # Errors
    /// When it cannot be run, or does not end with 0.
    pub fn run(
        &self,
        environment: &Path,
        arguments: &[&Path],
        scratch: &Path,
        log: &mut dyn FnMut(&str),
    ) -> Result<(), PythonError> {
        let python = environment.join("bin/python");
        let start = |source| PythonError::Start {
            script: self.name,
            python: python.clone(),
            source,
        };
        let file = scratch.join(self.name);
        std::fs::write(&file, self.source).map_err(start)?;
        let (reader, writer) = std::io::pipe().map_err(start)?;
        let mut command = Command::new(&python);
        command
            .args(["-I", "-u"])
            .arg(&file)
            .args(arguments)
            .current_dir(scratch)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", scratch)
            .env("TMPDIR", scratch)
            .env("LANG", "C.UTF-8")
            // Chatter of TensorFlow and others that nobody asked for.
            .env("TF_CPP_MIN_LOG_LEVEL", "2")
            .env("CUDA_VISIBLE_DEVICES", "-1")
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(start)?)
            .stderr(writer);
        let mut child = command.spawn().map_err(start)?;
        // It holds the pipe's other end, which would never end.
        drop(command);
        let mut lines = Vec::new();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.map_err(start)?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            log(&line);
            lines.push(line);
            if lines.len() > LAST_LINES {
                lines.remove(0);
            }
        }
        let status = child.wait().map_err(start)?;
        let script = self.name;
        match status.signal() {
            None if status.success() => Ok(()),
            Some(libc::SIGKILL) => Err(PythonError::Killed { script }),
            _ => Err(PythonError::Failed {
                script,
                status: status.to_string(),
                lines,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place with an environment, if there is a Python.
    fn environment() -> Option<(tempfile::TempDir, PathBuf)> {
        if !Path::new("/usr/bin/python3").exists() {
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("environment");
        std::fs::create_dir_all(home.join("bin")).unwrap();
        std::os::unix::fs::symlink("/usr/bin/python3", home.join("bin/python")).unwrap();
        Some((place, home))
    }

    #[test]
    fn lines_of_both_kinds_are_passed_on_and_failures_end_with_them() {
        let Some((place, home)) = environment() else {
            return;
        };
        let script = Script {
            name: "says.py",
            source: "import sys\nprint('one')\nprint('two', file=sys.stderr)\nsys.exit(int(sys.argv[1]))",
        };
        for code in ["0", "3"] {
            let mut lines = Vec::new();
            let mut log = |line: &str| lines.push(line.to_owned());
            let ran = script.run(&home, &[Path::new(code)], place.path(), &mut log);
            assert_eq!(lines, ["one", "two"]);
            match ran {
                Ok(()) => assert_eq!(code, "0"),
                Err(error) => assert_eq!(
                    error.to_string(),
                    "says.py failed (exit status: 3): one\ntwo"
                ),
            }
        }
    }

    #[test]
    fn who_was_killed_did_not_fail() {
        let Some((place, home)) = environment() else {
            return;
        };
        let script = Script {
            name: "dies.py",
            source: "import os\nos.kill(os.getpid(), 9)",
        };
        let ran = script.run(&home, &[], place.path(), &mut |_| ());
        assert!(matches!(
            ran,
            Err(PythonError::Killed { script: "dies.py" })
        ));
    }

    #[test]
    fn an_environment_without_a_python_is_named() {
        let place = tempfile::tempdir().unwrap();
        let script = Script {
            name: "says.py",
            source: "",
        };
        let failed = script.run(place.path(), &[], place.path(), &mut |_| ());
        let text = failed.unwrap_err().to_string();
        assert!(text.contains("bin/python: No such file"), "{text}");
    }
}
