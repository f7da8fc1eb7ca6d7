//! A file of tensors whose places are known before anything is in them. Parts come in any
//! order and from any thread, and in the end nothing may be missing.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::OptimizeError;

/// Where a tensor goes, and how much of it is there.
#[derive(Debug)]
pub(crate) struct Place {
    tensor: String,
    begin: u64,
    size: u64,
    written: AtomicU64,
}

impl Place {
    /// A place of `size` bytes from the byte `begin` of the file on.
    pub(crate) fn new(tensor: String, begin: u64, size: u64) -> Self {
        Self {
            tensor,
            begin,
            size,
            written: AtomicU64::new(0),
        }
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Places {
    path: PathBuf,
    file: File,
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
        let file = File::create_new(path).map_err(OptimizeError::written(path))?;
        reserve(&file, size).map_err(OptimizeError::written(path))?;
        file.write_all_at(head, 0)
            .map_err(OptimizeError::written(path))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
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
            "a part beyond the end of {}",
            place.tensor
        );
        self.file
            .write_all_at(bytes, place.begin + at)
            .map_err(OptimizeError::written(&self.path))?;
        place.written.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    /// Makes sure that everything was written.
    pub(crate) fn complete(&self) -> Result<(), OptimizeError> {
        for place in &self.places {
            let written = place.written.load(Ordering::Relaxed);
            if written != place.size {
                return Err(OptimizeError::Unwritten {
                    tensor: place.tensor.clone(),
                    file: self.path.clone(),
                    written,
                    size: place.size,
                });
            }
        }
        Ok(())
    }

    /// Makes sure that everything was written, and that it is on the disk.
    pub(crate) fn finish(self) -> Result<(), OptimizeError> {
        self.complete()?;
        self.file
            .sync_all()
            .map_err(OptimizeError::written(&self.path))
    }
}

/// Has the file system promise the room, where it can: better now than in an hour.
fn reserve(file: &File, size: u64) -> std::io::Result<()> {
    let length = i64::try_from(size).map_err(std::io::Error::other)?;
    match fallocate(file.as_fd(), FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => file.set_len(size),
        Err(errno) => Err(errno.into()),
    }
}
