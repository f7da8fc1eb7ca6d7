//! The files of a directory, links followed, in the order of their names.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::TransferError;

/// A file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its path below where the search began, with slashes.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    modified: Option<SystemTime>,
}

impl LocalFile {
    fn new(name: String, path: PathBuf, metadata: &Metadata) -> Self {
        Self {
            name,
            path,
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }

    /// Fails when the file is not any more what was found.
    pub fn check(&self) -> Result<(), TransferError> {
        let now = metadata(&self.path)?;
        if now.len() == self.bytes && now.modified().ok() == self.modified {
            Ok(())
        } else {
            Err(TransferError::Changed(self.path.clone()))
        }
    }
}

/// A file by itself, under its own name.
pub fn single(path: &Path) -> Result<LocalFile, TransferError> {
    let found = metadata(path)?;
    if !found.is_file() && !found.is_dir() {
        return Err(TransferError::Special(path.to_owned()));
    }
    // The name of `.` or `a/..` is where that leads.
    let real = path
        .canonicalize()
        .map_err(TransferError::file("reading", path))?;
    let name = path.file_name().or_else(|| real.file_name());
    let name = name.and_then(|name| name.to_str());
    let name = name.ok_or_else(|| TransferError::Nameless(path.to_owned()))?;
    Ok(LocalFile::new(name.to_owned(), path.to_owned(), &found))
}

/// All files below a directory.
pub fn below(root: &Path) -> Result<Vec<LocalFile>, TransferError> {
    let mut search = Search {
        inside: Vec::new(),
        found: Vec::new(),
    };
    search.enter(root, "")?;
    search.found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(search.found)
}

struct Search {
    /// Device and inode of the directories that the search is in.
    inside: Vec<(u64, u64)>,
    found: Vec<LocalFile>,
}

impl Search {
    fn enter(&mut self, directory: &Path, prefix: &str) -> Result<(), TransferError> {
        let itself = metadata(directory)?;
        let identity = (itself.dev(), itself.ino());
        if self.inside.contains(&identity) {
            return Err(TransferError::Circle(directory.to_owned()));
        }
        self.inside.push(identity);
        let reading = || TransferError::file("reading", directory);
        for entry in directory.read_dir().map_err(reading())? {
            let path = entry.map_err(reading())?.path();
            self.look_at(path, prefix)?;
        }
        self.inside.pop();
        Ok(())
    }

    fn look_at(&mut self, path: PathBuf, prefix: &str) -> Result<(), TransferError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| TransferError::Nameless(path.clone()))?;
        let name = format!("{prefix}{name}");
        let found = metadata(&path)?;
        if found.is_dir() {
            self.enter(&path, &format!("{name}/"))?;
        } else if found.is_file() {
            self.found.push(LocalFile::new(name, path, &found));
        }
        Ok(())
    }
}

fn metadata(path: &Path) -> Result<Metadata, TransferError> {
    path.metadata()
        .map_err(TransferError::file("reading", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_names_are_relative() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir_all(root.join("b/c")).unwrap();
        std::fs::write(root.join("b/c/deep"), "12").unwrap();
        std::fs::write(root.join("a"), "").unwrap();
        symlink("b", root.join("z")).unwrap();
        let found = below(root).unwrap();
        let names: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
        assert_eq!(names, [("a", 0), ("b/c/deep", 2), ("z/c/deep", 2)]);
    }

    #[test]
    fn a_circle_is_named() {
        let directory = tempfile::tempdir().unwrap();
        symlink(".", directory.path().join("round")).unwrap();
        let said = below(directory.path()).unwrap_err().to_string();
        assert!(said.contains("round leads in a circle"), "{said}");
    }

    #[test]
    fn a_file_that_was_written_to_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.csv");
        std::fs::write(&path, "1").unwrap();
        let file = single(&path).unwrap();
        assert_eq!((file.name.as_str(), file.bytes), ("data.csv", 1));
        assert!(file.check().is_ok());
        std::fs::write(&path, "12").unwrap();
        assert!(file.check().is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(file.check().is_err());
    }
}
