//! Fetches one object into one file.

use std::path::Path;

use kiln_data::{DataError, Objects};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::plan::ObjectPlan;

/// How often an object is fetched that arrives damaged, or is replaced meanwhile.
const TRIES: u32 = 3;

/// Writes the object, of at most so many bytes, into a new file, or one of the same
/// name that is replaced.
///
/// # Errors
/// When the store does not hand the object out, or there is no room for it.
pub(crate) async fn fetch(
    objects: &Objects,
    from: &ObjectPlan,
    to: &Path,
    most: u64,
) -> Result<(), DataError> {
    let mut tries = 1;
    loop {
        match fetch_once(objects, from, to, most).await {
            Err(DataError::Corrupt(_) | DataError::Replaced(_)) if tries < TRIES => tries += 1,
            settled => return settled,
        }
    }
}

async fn fetch_once(
    objects: &Objects,
    from: &ObjectPlan,
    to: &Path,
    most: u64,
) -> Result<(), DataError> {
    let mut body = objects.read(&from.bucket, &from.key).await?;
    if body.head().size.is_some_and(|size| size > most) {
        return Err(DataError::Full(uri(from)));
    }
    let mut file = File::create(to)
        .await
        .map_err(|error| writing(error, from))?;
    while let Some(chunk) = body.chunk().await? {
        let written = file.write_all(&chunk).await;
        written.map_err(|error| writing(error, from))?;
    }
    file.flush().await.map_err(|error| writing(error, from))
}

fn writing(error: std::io::Error, from: &ObjectPlan) -> DataError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DataError::Full(uri(from)),
        _ => DataError::Io {
            doing: format!("writing {}", uri(from)),
            source: error,
        },
    }
}

fn uri(object: &ObjectPlan) -> String {
    format!("s3://{}/{}", object.bucket, object.key)
}
