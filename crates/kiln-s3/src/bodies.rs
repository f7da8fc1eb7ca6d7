//! Body files: where the bytes of objects are, and how they come and go.
//!
//! A body's name is generated and says nothing of the key, so that any key is
//! fine. A body is written once and never changes; it becomes part of an object
//! only by the index's commit, so a file that is being written, or was left by a
//! crash, is invisible. What no index entry names is swept away when the store
//! is opened, which is the only time when no upload can be under way.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::S3Error;

/// The directory of all body files, fanned out by the first two letters of their names.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    directory: PathBuf,
}

/// A body that no index entry names yet. It vanishes unless it is kept.
#[derive(Debug)]
pub(crate) struct Draft {
    name: String,
    path: PathBuf,
    kept: bool,
}

impl Bodies {
    /// Opens or creates the directory.
    pub(crate) fn open(directory: PathBuf) -> Result<Self, S3Error> {
        let create = |path: &Path| fs::create_dir_all(path);
        create(&directory).map_err(S3Error::file("create", &directory))?;
        for fan in 0..=u8::MAX {
            let path = directory.join(format!("{fan:02x}"));
            create(&path).map_err(S3Error::file("create", &path))?;
        }
        sync_directory(&directory)?;
        Ok(Self { directory })
    }

    /// The path of a body.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let fan = name.get(..2).unwrap_or_default();
        self.directory.join(fan).join(name)
    }

    /// Opens a body for reading.
    pub(crate) fn read(&self, name: &str) -> Result<File, S3Error> {
        let path = self.path(name);
        File::open(&path).map_err(S3Error::file("open", &path))
    }

    /// Begins a new body, empty and open for writing.
    pub(crate) fn create(&self) -> Result<(Draft, File), S3Error> {
        let draft = self.draft();
        let file = File::create_new(&draft.path).map_err(S3Error::file("create", &draft.path))?;
        Ok((draft, file))
    }

    /// Makes a new body with the bytes of an existing one, at no cost: bodies
    /// never change, so both can be the same file.
    pub(crate) fn link(&self, name: &str) -> Result<Draft, S3Error> {
        let draft = self.draft();
        let source = self.path(name);
        fs::hard_link(&source, &draft.path).map_err(S3Error::file("link", &source))?;
        sync_parent(&draft.path)?;
        Ok(draft)
    }

    /// Makes a new body of existing ones, one behind the other.
    pub(crate) fn concatenate(&self, sources: Vec<File>) -> Result<Draft, S3Error> {
        let (draft, mut file) = self.create()?;
        for mut source in sources {
            // The kernel copies from file to file; the bytes do not come here.
            io::copy(&mut source, &mut file).map_err(S3Error::file("write", &draft.path))?;
        }
        draft.sync(&file)?;
        Ok(draft)
    }

    /// Deletes bodies that nothing refers to any more.
    pub(crate) fn remove(&self, names: &[String]) {
        for name in names {
            remove_file(&self.path(name));
        }
    }

    /// Deletes every body that is not `wanted`; returns how many.
    pub(crate) fn sweep(
        &self,
        wanted: impl Fn(&str) -> Result<bool, S3Error>,
    ) -> Result<usize, S3Error> {
        let mut swept = 0;
        for fan in entries(&self.directory)? {
            for body in entries(&fan)? {
                let name = body.file_name().unwrap_or_default().to_string_lossy();
                if !wanted(&name)? {
                    remove_file(&body);
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    fn draft(&self) -> Draft {
        let name = Uuid::new_v4().simple().to_string();
        let path = self.path(&name);
        Draft {
            name,
            path,
            kept: false,
        }
    }
}

impl Draft {
    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file and its name durable.
    pub(crate) fn sync(&self, file: &File) -> Result<(), S3Error> {
        file.sync_all()
            .map_err(S3Error::file("flush", &self.path))?;
        sync_parent(&self.path)
    }

    /// Keeps the file from here on and returns its name. Called just before the
    /// index learns the name: should the process die in between, the sweep
    /// finds the file.
    pub(crate) fn keep(mut self) -> String {
        self.kept = true;
        std::mem::take(&mut self.name)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            remove_file(&self.path);
        }
    }
}

/// A file that cannot be removed now only takes room until the next sweep.
fn remove_file(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "could not delete a body file");
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, S3Error> {
    let failed = || S3Error::file("list", directory);
    fs::read_dir(directory)
        .map_err(failed())?
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed()))
        .collect()
}

fn sync_parent(path: &Path) -> Result<(), S3Error> {
    path.parent().map_or(Ok(()), sync_directory)
}

fn sync_directory(path: &Path) -> Result<(), S3Error> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(S3Error::file("flush", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn bodies() -> (tempfile::TempDir, Bodies) {
        let directory = tempfile::tempdir().unwrap();
        let bodies = Bodies::open(directory.path().join("objects")).unwrap();
        (directory, bodies)
    }

    #[test]
    fn a_draft_vanishes_unless_it_is_kept() {
        let (_directory, bodies) = bodies();
        let (draft, _file) = bodies.create().unwrap();
        let path = draft.path().to_owned();
        drop(draft);
        assert!(!path.exists());
        let (draft, _file) = bodies.create().unwrap();
        let name = draft.keep();
        assert!(bodies.path(&name).exists());
    }

    #[test]
    fn the_sweep_takes_what_is_not_wanted() {
        let (_directory, bodies) = bodies();
        let wanted = bodies.create().unwrap().0.keep();
        let orphan = bodies.create().unwrap().0.keep();
        assert_eq!(bodies.sweep(|name| Ok(name == wanted)).unwrap(), 1);
        assert!(bodies.path(&wanted).exists());
        assert!(!bodies.path(&orphan).exists());
    }

    #[test]
    fn an_open_body_is_read_on_after_its_removal() {
        let (_directory, bodies) = bodies();
        let (draft, mut file) = bodies.create().unwrap();
        file.write_all(b"hello").unwrap();
        let name = draft.keep();
        let mut reader = bodies.read(&name).unwrap();
        bodies.remove(std::slice::from_ref(&name));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert!(bodies.read(&name).unwrap_err().is_missing_file());
    }
}
