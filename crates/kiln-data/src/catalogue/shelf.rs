//! Entries in a file, of which memory holds only the beginnings.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Entry, on_writing};
use crate::DataError;

/// Entries that have all been written.
#[derive(Debug)]
pub(super) struct Shelf {
    file: File,
    path: PathBuf,
    /// Where each entry begins, and where the last one ends.
    bounds: Vec<u64>,
}

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    pub(super) fn entry(&self, index: usize) -> Result<Entry, DataError> {
        let reading = || DataError::io(format!("reading {}", self.path.display()));
        let bounds = (self.bounds.get(index), self.bounds.get(index + 1));
        let (Some(begin), Some(end)) = bounds else {
            return Err(reading()(std::io::ErrorKind::NotFound.into()));
        };
        let mut line = vec![0; usize::try_from(end - begin).unwrap_or(0)];
        self.file
            .read_exact_at(&mut line, *begin)
            .map_err(reading())?;
        serde_json::from_slice(&line).map_err(|error| reading()(error.into()))
    }
}

/// Entries that are being written.
pub(super) struct ShelfWriter {
    file: BufWriter<File>,
    path: PathBuf,
    bounds: Vec<u64>,
    line: Vec<u8>,
}

impl ShelfWriter {
    pub(super) fn create(path: &Path) -> Result<Self, DataError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|error| on_writing(path, error))?;
        Ok(Self {
            file: BufWriter::with_capacity(256 << 10, file),
            path: path.to_owned(),
            bounds: vec![0],
            line: Vec::new(),
        })
    }

    pub(super) fn push(&mut self, entry: &Entry) -> Result<(), DataError> {
        self.line.clear();
        let written = serde_json::to_writer(&mut self.line, entry)
            .map_err(std::io::Error::from)
            .and_then(|()| {
                self.line.push(b'\n');
                self.file.write_all(&self.line)
            });
        written.map_err(|error| on_writing(&self.path, error))?;
        let begin = self.bounds.last().copied().unwrap_or(0);
        self.bounds.push(begin + self.line.len() as u64);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Shelf, DataError> {
        self.bounds.shrink_to_fit();
        let file = self.file.into_inner().map_err(|error| error.into_error());
        Ok(Shelf {
            file: file.map_err(|error| on_writing(&self.path, error))?,
            path: self.path,
            bounds: self.bounds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Piece;
    use super::*;

    #[test]
    fn entries_come_back_by_their_positions() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = ShelfWriter::create(&directory.path().join("entries")).unwrap();
        let entries: Vec<Entry> = (0..100)
            .map(|n| Entry::Line(vec![Piece::Text("é\n\"".repeat(n))]))
            .collect();
        for entry in &entries {
            writer.push(entry).unwrap();
        }
        let shelf = writer.finish().unwrap();
        assert_eq!(shelf.len(), 100);
        for (index, entry) in entries.iter().enumerate().rev() {
            assert_eq!(&shelf.entry(index).unwrap(), entry);
        }
        assert!(shelf.entry(100).is_err());
    }

    #[test]
    fn a_full_disk_is_said_as_such() {
        let mut writer = ShelfWriter::create(Path::new("/dev/full")).unwrap();
        writer.push(&Entry::Line(Vec::new())).unwrap();
        let error = writer.finish().unwrap_err();
        assert!(error.to_string().contains("use a larger volume"), "{error}");
    }
}
