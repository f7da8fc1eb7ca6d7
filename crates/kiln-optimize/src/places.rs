//! A file of tensors whose places are known before anything is in them. Parts come in any
//! order and from any thread, and in the end nothing may be missing.
//!
//! Where it is known that they come in about the order in which they are in the file, it is
//! a tape: that costs less.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::OptimizeError;
use crate::report::FileReport;
use crate::tape::Tape;

/// Where a tensor goes, and how much of it is there.
#[derive(Debug)]
pub(crate) struct Place {
    begin: u64,
    size: u64,
    written: AtomicU64,
}

impl Place {
    /// A place of `size` bytes from the byte `begin` of the file on.
    pub(crate) fn new(begin: u64, size: u64) -> Self {
        Self {
            begin,
            size,
            written: AtomicU64::new(0),
        }
    }
}

/// A file, and how its parts get there.
#[derive(Debug)]
enum Body {
    /// Each goes where it belongs.
    Scattered(File),
    /// One goes after the other.
    InOrder(Box<Tape>),
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Places {
    path: PathBuf,
    /// A file system lets one thread at a time write to a file, and the others wait there in
    /// a loop that costs a processor; here they sleep.
    body: Mutex<Body>,
    places: Vec<Place>,
}

impl Places {
    /// Makes the file of `size` bytes, of which the first ones are known already.
    pub(crate) fn create(
        path: &Path,
        head: &[u8],
        places: Vec<Place>,
        size: u64,
    ) -> Result<Self, OptimizeError> {
        Self::begin(path, head, places, size, Body::Scattered)
    }

    /// Makes the same for parts that come in the order in which they are in the file, but
    /// for some that are small and come too early: those are kept in memory meanwhile.
    pub(crate) fn create_in_order(
        path: &Path,
        head: &[u8],
        places: Vec<Place>,
        size: u64,
    ) -> Result<Self, OptimizeError> {
        let tape = |file| Body::InOrder(Box::new(Tape::new(file, size)));
        Self::begin(path, head, places, size, tape)
    }

    fn begin(
        path: &Path,
        head: &[u8],
        places: Vec<Place>,
        size: u64,
        body: impl FnOnce(File) -> Body,
    ) -> Result<Self, OptimizeError> {
        let file = File::create_new(path).map_err(OptimizeError::written(path))?;
        reserve(&file, size).map_err(OptimizeError::written(path))?;
        let mut body = body(file);
        body.begin(head).map_err(OptimizeError::written(path))?;
        Ok(Self {
            path: path.to_path_buf(),
            body: Mutex::new(body),
            places,
        })
    }

    /// Writes a part of the tensor at this place of the list. Parts must not overlap, nor
    /// go beyond the tensor.
    pub(crate) fn write_at(
        &self,
        place: usize,
        at: u64,
        bytes: &[u8],
    ) -> Result<(), OptimizeError> {
        let place = &self.places[place];
        let length = bytes.len() as u64;
        assert!(
            at.checked_add(length).is_some_and(|end| end <= place.size),
            "a part beyond the end of the tensor at byte {}",
            place.begin
        );
        self.body()
            .put(place.begin + at, bytes)
            .map_err(|error| OptimizeError::written(&self.path)(error))?;
        place.written.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    /// Makes sure that everything was written, and answers what the file is, where that is
    /// known without reading it.
    pub(crate) fn complete(&self) -> Result<Option<FileReport>, OptimizeError> {
        for place in &self.places {
            let written = place.written.load(Ordering::Relaxed);
            if written != place.size {
                return Err(OptimizeError::Unwritten {
                    begin: place.begin,
                    file: self.path.clone(),
                    written,
                    size: place.size,
                });
            }
        }
        Ok(self.body().report())
    }

    /// Makes sure that everything was written, and that it is on the disk.
    pub(crate) fn finish(self) -> Result<(), OptimizeError> {
        self.complete()?;
        self.body()
            .file()
            .sync_all()
            .map_err(OptimizeError::written(&self.path))
    }

    fn body(&self) -> MutexGuard<'_, Body> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body {
    fn begin(&mut self, head: &[u8]) -> io::Result<()> {
        self.put(0, head)?;
        match self {
            Self::Scattered(_) => Ok(()),
            Self::InOrder(tape) => tape.rest(),
        }
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Scattered(file) => file.write_all_at(bytes, at),
            Self::InOrder(tape) => tape.put(at, bytes),
        }
    }

    fn report(&self) -> Option<FileReport> {
        match self {
            Self::Scattered(_) => None,
            Self::InOrder(tape) => Some(tape.report()),
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Scattered(file) => file,
            Self::InOrder(tape) => tape.file(),
        }
    }
}

/// Has the file system promise the room, where it can: better now than in an hour.
fn reserve(file: &File, size: u64) -> io::Result<()> {
    let length = i64::try_from(size).map_err(io::Error::other)?;
    match fallocate(file.as_fd(), FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => file.set_len(size),
        Err(errno) => Err(errno.into()),
    }
}
