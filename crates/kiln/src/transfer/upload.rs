//! Files to objects: a small one in one request, a large one in parts.
//!
//! When one fails, or Ctrl-C ends all, the others give up in good order: no store is
//! left with parts that nobody will ever complete.

use std::fs::File;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use kiln_data::{DataError, Objects};
use tokio::sync::watch;

use super::{FILES_AT_ONCE, LocalFile, Store, TransferError};
use crate::terminal::Progress;

/// Bytes of a part, and the most that one request stores.
const PART: u64 = 8 << 20;
/// S3 allows this many parts, and larger ones for larger files.
const MOST_PARTS: u64 = 10_000;
const PARTS_AT_ONCE: usize = 4;

/// One file and where it goes.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The file.
    pub file: LocalFile,
    /// The object's key.
    pub key: String,
}

/// Stores files in a bucket. An object appears whole or not at all. A second Ctrl-C
/// does not wait for good order.
pub async fn upload(
    Store {
        objects,
        interrupts,
    }: Store<'_>,
    bucket: &str,
    files: &[Upload],
    progress: &Progress,
) -> Result<(), TransferError> {
    let (halt, halted) = watch::channel(false);
    let mut stored = futures::stream::iter(files)
        .map(|one| store_unless(halted.clone(), objects, bucket, one, progress))
        .buffer_unordered(FILES_AT_ONCE);
    let mut interrupts = interrupts.hold();
    // What the first one met with is what there is to tell.
    let mut first: Option<TransferError> = None;
    loop {
        let ended = tokio::select! {
            biased;
            () = interrupts.next() => match first {
                Some(error) => return Err(error),
                None => Err(TransferError::Interrupted),
            },
            one = stored.next() => match one {
                Some(ended) => ended,
                None => return first.map_or(Ok(()), Err),
            }
        };
        if let Err(error) = ended {
            first.get_or_insert(error);
            halt.send_replace(true);
        }
    }
}

/// Stores a file, unless the work is halted before. Parts that were sent are then
/// taken back.
async fn store_unless(
    mut halted: watch::Receiver<bool>,
    objects: &Objects,
    bucket: &str,
    Upload { file, key }: &Upload,
    progress: &Progress,
) -> Result<(), TransferError> {
    let target = (bucket, key.as_str());
    let halt = async {
        // An error would mean that nobody can halt it any more.
        if halted.wait_for(|halted| *halted).await.is_err() {
            std::future::pending::<()>().await;
        }
        TransferError::Interrupted
    };
    if file.bytes > PART {
        return store_in_parts(halt, objects, target, file, progress).await;
    }
    tokio::select! {
        biased;
        halted = halt => Err(halted),
        stored = store_whole(objects, target, file, progress) => stored,
    }
}

async fn store_whole(
    objects: &Objects,
    target: (&str, &str),
    file: &LocalFile,
    progress: &Progress,
) -> Result<(), TransferError> {
    let body = read(file, 0, file.bytes).await?;
    file.check()?;
    let put = objects.put(target.0, target.1, body).await;
    put.map_err(|error| storing(error, target))?;
    progress.advance(file.bytes);
    Ok(())
}

async fn store_in_parts(
    halt: impl Future<Output = TransferError>,
    objects: &Objects,
    target: (&str, &str),
    file: &LocalFile,
    progress: &Progress,
) -> Result<(), TransferError> {
    // Whoever gave this up would not learn what has to be aborted.
    let begun = objects.begin_upload(target.0, target.1).await;
    let upload = begun.map_err(|error| storing(error, target))?;
    let sent = async {
        let tags = send_parts(objects, target, &upload, file, progress).await?;
        file.check()?;
        let completed = objects.complete_upload(target, &upload, &tags).await;
        completed.map_err(|error| storing(error, target).into())
    };
    let outcome = tokio::select! {
        biased;
        halted = halt => Err(halted),
        sent = sent => sent,
    };
    if outcome.is_err() {
        // The first error is the one to tell.
        let _ = objects.abort_upload(target, &upload).await;
    }
    outcome
}

async fn send_parts(
    objects: &Objects,
    target: (&str, &str),
    upload: &str,
    file: &LocalFile,
    progress: &Progress,
) -> Result<Vec<String>, TransferError> {
    let length = part_size(file.bytes);
    let sends: Vec<_> = (1u16..)
        .zip((0..file.bytes).step_by(usize::try_from(length).unwrap_or(usize::MAX)))
        .map(|(number, offset)| async move {
            let body = read(file, offset, length.min(file.bytes - offset)).await?;
            let bytes = body.len() as u64;
            let sent = objects.upload_part(target, upload, number, body).await;
            let tag = sent.map_err(|error| storing(error, target))?;
            progress.advance(bytes);
            Ok(tag)
        })
        .collect();
    futures::stream::iter(sends)
        .buffered(PARTS_AT_ONCE)
        .try_collect()
        .await
}

fn part_size(bytes: u64) -> u64 {
    bytes.div_ceil(MOST_PARTS).max(PART)
}

async fn read(file: &LocalFile, offset: u64, length: u64) -> Result<Bytes, TransferError> {
    let path = file.path.clone();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let read = tokio::task::spawn_blocking(move || {
        let mut body = vec![0; length];
        File::open(path)?.read_exact_at(&mut body, offset)?;
        Ok(Bytes::from(body))
    });
    let read = read.await.unwrap_or_else(|died| Err(died.into()));
    read.map_err(|source: std::io::Error| match source.kind() {
        std::io::ErrorKind::UnexpectedEof => TransferError::Changed(file.path.clone()),
        _ => TransferError::file("reading", &file.path)(source),
    })
}

/// Names the object that could not be stored, and what helps.
fn storing(error: DataError, (bucket, key): (&str, &str)) -> DataError {
    match error {
        DataError::Refused {
            status,
            code,
            message,
        } => {
            let hint = if code == "NoSuchBucket" {
                format!("; make it with: aws s3 mb s3://{bucket}")
            } else {
                String::new()
            };
            DataError::Refused {
                status,
                code,
                message: format!("s3://{bucket}/{key} cannot be stored: {message}{hint}"),
            }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_has_more_parts_than_the_store_allows() {
        for bytes in [PART + 1, 80 << 30, 5 << 40] {
            let length = part_size(bytes);
            assert!(length >= PART && bytes.div_ceil(length) <= MOST_PARTS);
        }
    }
}
