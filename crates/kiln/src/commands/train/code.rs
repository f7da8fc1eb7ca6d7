//! The script, and how it comes to run: fetched and started by the toolkit of a
//! framework's image, or, in any other image, read from a channel of its own.

use std::fs::File;
use std::path::{Component, Path, PathBuf};

use kiln_data::archive;
use tempfile::TempDir;

use super::super::Failure;
use crate::transfer::{self, LocalFile, TransferError};

/// The channel that shows the script to an image without a toolkit.
pub const CHANNEL: &str = "code";
/// The archive that a toolkit fetches.
pub const ARCHIVE: &str = "sourcedir.tar.gz";

/// How the script is started.
#[derive(Debug, PartialEq, Eq)]
pub enum Code {
    /// By the toolkit.
    Toolkit {
        /// The script's path in the archive.
        program: String,
        /// The archive's place.
        archive: String,
    },
    /// As the container's command.
    Command(Vec<String>),
}

/// The script and what comes with it.
#[derive(Debug)]
pub struct Source {
    script: PathBuf,
    /// The directory that comes with it.
    directory: Option<PathBuf>,
    /// The script's path in the directory, or its name.
    pub program: String,
}

impl Source {
    /// Finds a script, named as it lies from here or in its directory.
    pub fn find(script: &Path, directory: Option<&Path>) -> Result<Self, Failure> {
        let Some(directory) = directory else {
            let name = script.file_name().map(Path::new);
            return Self::new(script.to_owned(), None, name.unwrap_or(script));
        };
        if !directory.is_dir() {
            return Err(format!("there is no directory {}", directory.display()).into());
        }
        let inside = directory.join(script);
        let whole = Some(directory.to_owned());
        // An absolute path replaces the directory when it is joined, and `..` leaves it.
        let stays = script
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if stays && inside.is_file() {
            return Self::new(inside, whole, script);
        }
        let real = directory.canonicalize()?;
        let found = script.canonicalize().ok();
        let relative = found
            .as_deref()
            .and_then(|script| script.strip_prefix(&real).ok());
        match relative {
            Some(relative) => Self::new(script.to_owned(), whole, relative),
            None => Err(format!(
                "the script {} is not in {}",
                script.display(),
                directory.display()
            )
            .into()),
        }
    }

    fn new(script: PathBuf, directory: Option<PathBuf>, program: &Path) -> Result<Self, Failure> {
        if script.is_dir() {
            return Err(format!(
                "{0} is a directory; name the script in it, and bring the rest along with: \
                 --source-dir {0}",
                script.display()
            )
            .into());
        }
        if !script.is_file() {
            return Err(format!("there is no script {}", script.display()).into());
        }
        let program = program
            .to_str()
            .ok_or_else(|| TransferError::Nameless(script.clone()))?;
        Ok(Self {
            program: program.to_owned(),
            script,
            directory,
        })
    }

    /// What the script says; what is no text in it is of no interest here.
    pub fn text(&self) -> Result<String, TransferError> {
        let read = std::fs::read(&self.script);
        let read = read.map_err(TransferError::file("reading", &self.script))?;
        Ok(String::from_utf8_lossy(&read).into_owned())
    }

    /// All files that come along.
    pub fn files(&self) -> Result<Vec<LocalFile>, TransferError> {
        match &self.directory {
            Some(directory) => transfer::below(directory),
            None => Ok(vec![transfer::single(&self.script)?]),
        }
    }

    /// Everything as one archive, in a directory that lasts as long as it is needed.
    pub fn archive(&self) -> Result<(TempDir, LocalFile), Failure> {
        let aside = tempfile::tempdir()?;
        let path = aside.path().join(ARCHIVE);
        let file = File::create(&path)?;
        let written = match &self.directory {
            Some(directory) => archive::write_archive(directory, file),
            None => {
                let alone = tempfile::tempdir()?;
                let copy = alone.path().join(&self.program);
                std::fs::copy(&self.script, &copy)?;
                // The same script makes the same archive.
                let written = self.script.metadata()?.modified()?;
                File::options()
                    .write(true)
                    .open(&copy)?
                    .set_modified(written)?;
                archive::write_archive(alone.path(), file)
            }
        };
        written.map_err(TransferError::file("archiving", &self.script))?;
        let archive = transfer::single(&path)?;
        Ok((aside, archive))
    }

    /// The command that runs the script where the channel shows it.
    pub fn command(&self) -> Result<Code, Failure> {
        let interpreter = interpreter(&self.program, &self.text()?);
        let mut command = interpreter.ok_or_else(|| {
            format!(
                "nothing says what runs {}: begin it with a line such as #!/usr/bin/env python3",
                self.program
            )
        })?;
        command.push(format!("/opt/ml/input/data/{CHANNEL}/{}", self.program));
        Ok(Code::Command(command))
    }
}

/// What runs a script: what its first line says, else what its name does.
fn interpreter(program: &str, text: &str) -> Option<Vec<String>> {
    let first = text.lines().next().unwrap_or_default();
    if let Some(line) = first.strip_prefix("#!") {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        return (!words.is_empty()).then_some(words);
    }
    match Path::new(program).extension()?.to_str()? {
        "py" => Some(vec!["python3".to_owned()]),
        "sh" => Some(vec!["/bin/sh".to_owned()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_runs_it() {
        for (program, text, expected) in [
            ("a.sh", "#!/usr/bin/env bash\n", Some("/usr/bin/env bash")),
            ("a.py", "import os", Some("python3")),
            ("a.sh", "", Some("/bin/sh")),
            ("a", "#!/bin/sh -e", Some("/bin/sh -e")),
            ("a", "echo", None),
            ("a.py", "#!", None),
        ] {
            let found = interpreter(program, text).map(|words| words.join(" "));
            assert_eq!(found.as_deref(), expected, "{program} {text}");
        }
    }

    #[test]
    fn a_script_is_found_from_here_and_in_its_directory() {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("src");
        std::fs::create_dir_all(source.join("deep")).unwrap();
        std::fs::write(source.join("deep/train.py"), "import torch").unwrap();
        std::fs::write(place.path().join("other.py"), "").unwrap();

        let script = source.join("deep/train.py");
        let program = |script: &Path, directory: Option<&Path>| {
            Source::find(script, directory).map(|source| source.program)
        };
        assert_eq!(program(&script, None).unwrap(), "train.py");
        assert_eq!(program(&script, Some(&source)).unwrap(), "deep/train.py");
        let inside = Path::new("deep/train.py");
        assert_eq!(program(inside, Some(&source)).unwrap(), "deep/train.py");

        let said = |script: &Path, directory: Option<&Path>| {
            program(script, directory).unwrap_err().to_string()
        };
        assert!(said(&place.path().join("other.py"), Some(&source)).contains("is not in"));
        assert!(said(&place.path().join("none.py"), None).contains("there is no script"));
        assert!(said(&source, None).contains("--source-dir"));
        assert!(said(&script, Some(&place.path().join("no"))).contains("no directory"));
    }

    #[test]
    fn a_script_makes_the_same_archive_each_time() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("train.py"), "1").unwrap();
        let script = place.path().join("train.py");
        let source = Source::find(&script, None).unwrap();
        assert_eq!(source.files().unwrap().len(), 1);
        let (_aside, archive) = source.archive().unwrap();
        let (_aside_too, again) = source.archive().unwrap();
        assert_eq!(archive.name, ARCHIVE);
        let read = |archive: &LocalFile| std::fs::read(&archive.path).unwrap();
        assert_eq!(read(&archive), read(&again));
    }
}
