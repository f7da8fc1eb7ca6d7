//! Writing a file from chunks that arrive, on threads that may block.
//!
//! Chunks are gathered and written together where they arrived, without another
//! copy, while the next ones come in. A file that fits into one gathering is
//! made, written and closed by one call.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::uio::pwritev;
use tokio::task::JoinHandle;

use crate::DataError;
use crate::catalogue::on_writing;

/// Bytes that are written together.
const GATHERED: usize = 256 << 10;
/// Buffers that the kernel takes in one call, with a margin.
const MOST_SLICES: usize = 512;

/// A new file, or a part of one, that is being written from its beginning.
pub(super) struct FileWriter {
    target: Arc<Target>,
    file: Option<Arc<File>>,
    /// Where what is gathered goes.
    at: u64,
    written: u64,
    chunks: Vec<Bytes>,
    gathered: usize,
    writing: Option<JoinHandle<Result<Arc<File>, DataError>>>,
}

struct Target {
    path: PathBuf,
    uri: String,
}

impl FileWriter {
    /// A file that is made when there is something to write. It must not be
    /// there already: then another object has the same path.
    pub(super) fn create(path: &Path, uri: String) -> Self {
        let path = path.to_owned();
        Self::new(Target { path, uri }, None, 0)
    }

    /// The part of an open file that begins at `at`.
    pub(super) fn part(file: &Arc<File>, path: &Path, uri: String, at: u64) -> Self {
        let path = path.to_owned();
        Self::new(Target { path, uri }, Some(Arc::clone(file)), at)
    }

    fn new(target: Target, file: Option<Arc<File>>, at: u64) -> Self {
        Self {
            target: Arc::new(target),
            file,
            at,
            written: 0,
            chunks: Vec::new(),
            gathered: 0,
            writing: None,
        }
    }

    /// Takes the next bytes; waits while the disk is slower than they come.
    pub(super) async fn write(&mut self, chunk: Bytes) -> Result<(), DataError> {
        self.gathered += chunk.len();
        self.chunks.push(chunk);
        if self.gathered < GATHERED && self.chunks.len() < MOST_SLICES {
            return Ok(());
        }
        self.flush().await
    }

    /// Writes what is left, and answers how many bytes there were.
    pub(super) async fn finish(mut self) -> Result<u64, DataError> {
        if self.gathered > 0 || (self.file.is_none() && self.writing.is_none()) {
            self.flush().await?;
        }
        self.settle().await?;
        Ok(self.written)
    }

    /// Removes what was made.
    pub(super) async fn discard(mut self) {
        if self.settle().await.is_ok() && self.file.is_some() {
            let _ = std::fs::remove_file(&self.target.path);
        }
    }

    async fn flush(&mut self) -> Result<(), DataError> {
        self.settle().await?;
        let chunks = std::mem::take(&mut self.chunks);
        let (target, file, at) = (Arc::clone(&self.target), self.file.clone(), self.at);
        self.at += self.gathered as u64;
        self.written += self.gathered as u64;
        self.gathered = 0;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(create(&target.path, &target.uri)?),
            };
            let written = write_all(&file, &chunks, at);
            written.map_err(|error| failed(&target.path, &target.uri, error))?;
            Ok(file)
        }));
        Ok(())
    }

    /// Waits until what was handed on is written.
    async fn settle(&mut self) -> Result<(), DataError> {
        let Some(writing) = &mut self.writing else {
            return Ok(());
        };
        let written = writing.await;
        self.writing = None;
        let written = written.map_err(|error| DataError::io("writing")(error.into()));
        self.file = Some(written??);
        Ok(())
    }
}

/// The error of writing an object's file, which names the object where there is
/// no room for it.
pub(super) fn failed(path: &Path, uri: &str, error: io::Error) -> DataError {
    match on_writing(path, error) {
        DataError::Full(_) => DataError::Full(uri.to_owned()),
        other => other,
    }
}

/// Takes a new file's room on the disk, so that a disk that is too small is known
/// before anything was written, and what is written finds its place at once.
pub(super) fn take_room(file: &File, size: u64) -> io::Result<()> {
    let length = i64::try_from(size).map_err(io::Error::other)?;
    match fallocate(file.as_fd(), FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(nix::errno::Errno::EOPNOTSUPP) => file.set_len(size),
        Err(error) => Err(error.into()),
    }
}

/// Makes a file that is not there yet, and the directories above it.
pub(super) fn create(path: &Path, uri: &str) -> Result<File, DataError> {
    let open = || {
        File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
    };
    let made = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| open()),
        made => made,
    };
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            DataError::Clash(uri.to_owned())
        }
        io::ErrorKind::InvalidFilename => DataError::LongKey(uri.to_owned()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            DataError::Full(uri.to_owned())
        }
        _ => DataError::io(format!("making {}", path.display()))(error),
    })
}

fn write_all(file: &File, chunks: &[Bytes], mut at: u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        let place = i64::try_from(at).map_err(io::Error::other)?;
        match pwritev(file, left, place) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[tokio::test]
    async fn chunks_become_a_file_with_its_directories() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/c");
        let mut writer = FileWriter::create(&path, "s3://b/c".to_owned());
        let mut expected = String::new();
        for n in 0..3000 {
            let text = format!("{n} {}", "x".repeat(n % 400));
            expected.push_str(&text);
            writer.write(chunk(&text)).await.unwrap();
        }
        assert_eq!(writer.finish().await.unwrap(), expected.len() as u64);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }

    #[tokio::test]
    async fn an_empty_object_is_an_empty_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("empty");
        let writer = FileWriter::create(&path, String::new());
        assert_eq!(writer.finish().await.unwrap(), 0);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_path_that_is_taken_clashes_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "first").unwrap();
        std::fs::create_dir(directory.path().join("directory")).unwrap();
        for path in ["file", "file/below", "file/far/below", "directory"] {
            let mut writer = FileWriter::create(&directory.path().join(path), path.to_owned());
            writer.write(chunk("second")).await.unwrap();
            let error = writer.finish().await.unwrap_err();
            assert!(
                matches!(error, DataError::Clash(uri) if uri == path),
                "{path}"
            );
        }
        let kept = std::fs::read_to_string(directory.path().join("file"));
        assert_eq!(kept.unwrap(), "first");
    }

    #[tokio::test]
    async fn a_discarded_file_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("half");
        let mut writer = FileWriter::create(&path, String::new());
        writer.write(Bytes::from(vec![0; GATHERED])).await.unwrap();
        writer.discard().await;
        assert!(!path.exists());
    }
}
