//! Objects to files: each is written beside its place and then put there, so that
//! nobody ever sees a part of it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use kiln_data::Objects;
use tokio::io::AsyncWriteExt;

use super::{FILES_AT_ONCE, Store, TransferError};
use crate::terminal::Progress;

/// One object and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The object's key.
    pub key: String,
    /// The file's place. The directories above it are made.
    pub path: PathBuf,
}

/// Fetches objects of a bucket. What arrives is checked against the store's
/// checksums. Ctrl-C leaves no file that is half there.
pub async fn download(
    Store {
        objects,
        interrupts,
    }: Store<'_>,
    bucket: &str,
    wanted: &[Download],
    progress: &Progress,
) -> Result<(), TransferError> {
    let mut fetched = futures::stream::iter(wanted)
        .map(|one| fetch(objects, bucket, one, progress))
        .buffer_unordered(FILES_AT_ONCE);
    let all = async {
        while fetched.try_next().await?.is_some() {}
        Ok(())
    };
    let mut interrupts = interrupts.hold();
    tokio::select! {
        biased;
        () = interrupts.next() => Err(TransferError::Interrupted),
        outcome = all => outcome,
    }
}

async fn fetch(
    objects: &Objects,
    bucket: &str,
    Download { key, path }: &Download,
    progress: &Progress,
) -> Result<(), TransferError> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let directory = parent.unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(TransferError::file("making", directory))?;
    let opened = objects.read(bucket, key).await;
    let mut body = opened.map_err(|error| error.fetching(bucket, key))?;
    let writing = || TransferError::file("writing", path);
    // A device or a pipe would be replaced by a file, for the whole machine.
    if path
        .metadata()
        .is_ok_and(|found| !found.is_file() && !found.is_dir())
    {
        return Err(TransferError::Special(path.clone()));
    }
    // As open to others as any new file; the process's mask takes its part off.
    let aside = tempfile::Builder::new()
        .prefix(".kiln-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .map_err(writing())?;
    let mut file = tokio::fs::File::from_std(aside.reopen().map_err(writing())?);
    while let Some(chunk) = body.chunk().await? {
        file.write_all(&chunk).await.map_err(writing())?;
        progress.advance(chunk.len() as u64);
    }
    file.flush().await.map_err(writing())?;
    let placed = aside.persist(path);
    placed.map_err(|error| writing()(error.error))?;
    Ok(())
}
