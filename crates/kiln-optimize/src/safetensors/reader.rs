//! Reads any part of any tensor of a file, from any thread, without mapping the file: what
//! is mapped counts as the process's own memory, and a truncated file would kill it.

use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::Fault;
use super::header::{self, Entry};
use crate::{Dtype, OptimizeError};

/// A tensor in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// What its elements are.
    pub dtype: Dtype,
    /// How many elements it has in each dimension, the last ones being neighbours.
    pub shape: Vec<usize>,
    /// Which of the model's files it is in.
    pub file: usize,
    /// Where in the file its bytes are.
    pub range: Range<u64>,
}

impl Tensor {
    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// How many numbers it has.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.bytes() / self.dtype.size() as u64
    }
}

/// An open file whose header was checked.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
}

impl Reader {
    /// Opens a file, and lists what is in it in the order of the places. The tensors say
    /// that they are in the file with the number `number`.
    pub fn open(path: &Path, number: usize) -> Result<(Self, Vec<Tensor>), OptimizeError> {
        let file = File::open(path).map_err(OptimizeError::read(path))?;
        let size = file.metadata().map_err(OptimizeError::read(path))?.len();
        let faulty = |fault| OptimizeError::Weights {
            file: name(path),
            fault,
        };
        if size < 8 {
            return Err(faulty(Fault::Short(size)));
        }

        let mut first = [0; 8];
        file.read_exact_at(&mut first, 0)
            .map_err(OptimizeError::read(path))?;
        let length = header::length(first, size).map_err(faulty)?;
        let text = BufReader::new(Portion::new(&file, 8..8 + length));
        let data = 8 + length;
        let entries = header::parse(text, size - data).map_err(faulty)?;

        // Only a hint: reading goes on without it.
        let _ = posix_fadvise(
            file.as_fd(),
            0,
            0,
            PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL,
        );
        let tensors = entries.into_iter().map(|entry| placed(entry, number, data));
        let tensors = tensors.collect();
        let path = path.to_path_buf();
        Ok((Self { path, file }, tensors))
    }

    /// Fills the buffer with what the file has from this byte on.
    pub fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<(), OptimizeError> {
        self.file
            .read_exact_at(buffer, at)
            .map_err(OptimizeError::read(&self.path))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn placed(entry: Entry, file: usize, data: u64) -> Tensor {
    Tensor {
        name: entry.name,
        dtype: entry.dtype,
        shape: entry.shape,
        file,
        range: data + entry.begin..data + entry.end,
    }
}

/// A part of a file as a stream.
struct Portion<'a> {
    file: &'a File,
    left: Range<u64>,
}

impl<'a> Portion<'a> {
    fn new(file: &'a File, left: Range<u64>) -> Self {
        Self { file, left }
    }
}

impl std::io::Read for Portion<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.left.start)?;
        self.left.start += read as u64;
        Ok(read)
    }
}
