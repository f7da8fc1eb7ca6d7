//! Files that the work has left behind. It wrote what is there, so no symbolic link
//! is followed: one could point at anything on the host.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// Opens a file in a directory that the work could write to. Nothing is waited for,
/// and only a plain file is one.
///
/// # Errors
/// When there is no such file.
pub(crate) fn open(directory: &Path, name: impl AsRef<Path>) -> io::Result<File> {
    let name = name.as_ref();
    let directory = File::open(directory)?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH);
    let file = File::from(openat2(&directory, name, how)?);
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other(format!(
        "{} is no plain file",
        name.display()
    )))
}
