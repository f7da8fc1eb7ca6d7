//! Bringing a prefix into the directory, before the work begins.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use futures::{FutureExt, StreamExt, TryStreamExt};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use tokio::io::AsyncWriteExt;

use super::ledger::Stamp;
use super::scan;
use crate::{DataError, Listed, Objects, local_path, tree};

/// Objects fetched at a time.
const CONCURRENCY: usize = 16;

/// A file that was made, and as what.
pub(super) type Restored = (PathBuf, Stamp);

/// Where a prefix's objects go.
pub(super) struct Restore<'a> {
    pub objects: &'a Objects,
    pub bucket: &'a str,
    /// Empty, or ending with a slash.
    pub prefix: &'a str,
    pub root: &'a OwnedFd,
}

impl Restore<'_> {
    /// Fetches everything, and tells of each file. No object is no error.
    pub async fn run(&self, mut each: impl FnMut(Restored)) -> Result<(), DataError> {
        let mut token = None;
        loop {
            let listed = self
                .objects
                .list_page(self.bucket, self.prefix, token.as_deref());
            let (page, next) = listed.await?;
            let mut files = futures::stream::iter(page)
                .map(|object| self.restore(object).boxed())
                .buffer_unordered(CONCURRENCY);
            while let Some(file) = files.try_next().await? {
                file.into_iter().for_each(&mut each);
            }
            token = next;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    async fn restore(&self, object: Listed) -> Result<Option<Restored>, DataError> {
        let path =
            local_path(self.prefix, &object.key).map_err(|error| error.under(self.bucket))?;
        let Some(path) = path.filter(|path| scan::is_mirrored(path)) else {
            return Ok(None);
        };
        let named = |error: DataError| error.fetching(self.bucket, &object.key);
        let body = self.objects.read(self.bucket, &object.key).await;
        let mut body = body.map_err(named)?;
        let file = create(self.root, &path).map_err(|error| self.writing(error, &object))?;
        let mut file = tokio::fs::File::from_std(file);
        while let Some(chunk) = body.chunk().await.map_err(named)? {
            let written = file.write_all(&chunk).await;
            written.map_err(|error| self.writing(error, &object))?;
        }
        let flushed = file.flush().await.and_then(|()| Ok(fstat(&file)?));
        let stat = flushed.map_err(|error| self.writing(error, &object))?;
        Ok(Some((path, scan::stamp(&stat))))
    }

    fn writing(&self, error: io::Error, object: &Listed) -> DataError {
        let uri = format!("s3://{}/{}", self.bucket, object.key);
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DataError::Full(uri),
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => DataError::Clash(uri),
            _ => DataError::io(format!("writing {uri}"))(error),
        }
    }
}

/// Makes a file at a path below the root, and its directories, through no link.
fn create(root: &OwnedFd, path: &Path) -> io::Result<File> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut directory = root.try_clone()?;
    for part in parent.components() {
        directory = enter(&directory, Path::new(part.as_os_str()))?;
    }
    match unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o666);
    Ok(openat(&directory, name, flags, mode)?.into())
}

fn enter(directory: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    match mkdirat(directory, name, Mode::from_bits_truncate(0o777)) {
        Ok(()) | Err(Errno::EEXIST) => tree::descend(directory, name),
        Err(error) => Err(error.into()),
    }
}
