//! A File-mode channel: every object under a string prefix becomes a file.
//!
//! The prefix is a prefix of the key's characters, not of its path: `data/tr`
//! brings `data/train.csv`. A key's path in the channel's directory is what
//! follows the prefix; when that starts inside a path segment, what follows
//! the prefix's last `/`.

use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use tokio::io::AsyncWriteExt;

use crate::{DataError, Listed, Objects};

/// Objects fetched at a time.
const CONCURRENCY: usize = 16;
/// How often one object is fetched again when its body breaks off.
const TRIES: u32 = 5;

/// What a download brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Files written.
    pub objects: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Fetches every object under `s3://bucket/prefix` into `directory`, and writes
/// beside it the manifest that names them all: the prefix, then one URI a line.
///
/// # Errors
/// When an object cannot be fetched or its key cannot be a path; the message
/// names the object.
pub async fn download(
    objects: &Objects,
    bucket: &str,
    prefix: &str,
    directory: &Path,
    manifest: &Path,
) -> Result<Fetched, DataError> {
    create_directory(directory).await?;
    let mut lines = tokio::io::BufWriter::new(
        tokio::fs::File::create(manifest)
            .await
            .map_err(DataError::io("writing the manifest"))?,
    );
    write_line(&mut lines, &format!("s3://{bucket}/{prefix}")).await?;
    let mut fetched = Fetched::default();
    let mut token = None;
    loop {
        let (page, next) = objects.list_page(bucket, prefix, token.as_deref()).await?;
        for object in page.iter().filter(|object| !is_folder_marker(&object.key)) {
            write_line(&mut lines, &format!("s3://{bucket}/{}", object.key)).await?;
        }
        let page = fetch_page(objects, bucket, prefix, directory, page).await?;
        fetched.objects += page.objects;
        fetched.bytes += page.bytes;
        token = next;
        if token.is_none() {
            break;
        }
    }
    lines
        .flush()
        .await
        .map_err(DataError::io("writing the manifest"))?;
    Ok(fetched)
}

async fn write_line(
    lines: &mut tokio::io::BufWriter<tokio::fs::File>,
    line: &str,
) -> Result<(), DataError> {
    let line = format!("{line}\n");
    lines
        .write_all(line.as_bytes())
        .await
        .map_err(DataError::io("writing the manifest"))
}

async fn fetch_page(
    objects: &Objects,
    bucket: &str,
    prefix: &str,
    directory: &Path,
    page: Vec<Listed>,
) -> Result<Fetched, DataError> {
    let fetches = page.into_iter().map(|object| async move {
        let path = local_path(prefix, &object.key).map_err(|error| error.under(bucket))?;
        let Some(path) = path else {
            return Ok(Fetched::default());
        };
        let bytes = fetch(objects, bucket, &object, &directory.join(path)).await?;
        Ok(Fetched { objects: 1, bytes })
    });
    futures::stream::iter(fetches)
        .buffer_unordered(CONCURRENCY)
        .try_fold(Fetched::default(), |sum, one: Fetched| async move {
            Ok(Fetched {
                objects: sum.objects + one.objects,
                bytes: sum.bytes + one.bytes,
            })
        })
        .await
}

async fn fetch(
    objects: &Objects,
    bucket: &str,
    object: &Listed,
    path: &Path,
) -> Result<u64, DataError> {
    if let Some(parent) = path.parent() {
        create_directory(parent)
            .await
            .map_err(|_| DataError::Clash(uri(bucket, object)))?;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        match fetch_once(objects, bucket, object, path).await {
            Err(DataError::Unreachable(_)) if tries < TRIES => {}
            Err(DataError::Refused {
                status,
                code,
                message,
            }) => {
                let message = format!(
                    "Unable to download object {}: {message}",
                    uri(bucket, object)
                );
                return Err(DataError::Refused {
                    status,
                    code,
                    message,
                });
            }
            settled => return settled,
        }
    }
}

async fn fetch_once(
    objects: &Objects,
    bucket: &str,
    object: &Listed,
    path: &Path,
) -> Result<u64, DataError> {
    let response = objects.get(bucket, &object.key).await?;
    let expected = response.content_length();
    if path.is_dir() {
        return Err(DataError::Clash(uri(bucket, object)));
    }
    let writing = || DataError::io(format!("writing {}", path.display()));
    let mut file = tokio::fs::File::create(path).await.map_err(writing())?;
    let mut body = response.bytes_stream();
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|error| DataError::Unreachable(error.without_url().to_string()))?;
        file.write_all(&chunk).await.map_err(writing())?;
        bytes += chunk.len() as u64;
    }
    file.flush().await.map_err(writing())?;
    match expected {
        Some(expected) if expected != bytes => {
            let short = format!(
                "{} ended after {bytes} of {expected} bytes",
                uri(bucket, object)
            );
            Err(DataError::Unreachable(short))
        }
        _ => Ok(bytes),
    }
}

async fn create_directory(path: &Path) -> Result<(), DataError> {
    let doing = format!("making the directory {}", path.display());
    tokio::fs::create_dir_all(path)
        .await
        .map_err(DataError::io(doing))
}

fn uri(bucket: &str, object: &Listed) -> String {
    format!("s3://{bucket}/{}", object.key)
}

/// The empty objects that consoles make to show a folder.
fn is_folder_marker(key: &str) -> bool {
    key.ends_with('/')
}

/// Where a key's object goes, relative to the channel's directory; `None` for a
/// folder marker.
///
/// # Errors
/// When the key has an empty, `.` or `..` segment, which no path can express.
pub fn local_path(prefix: &str, key: &str) -> Result<Option<PathBuf>, DataError> {
    if is_folder_marker(key) && !key.ends_with("//") {
        return Ok(None);
    }
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    let rest = match rest.strip_prefix('/') {
        Some(below) if !prefix.is_empty() => below,
        _ => {
            // The prefix ends inside a segment (or is the whole key): the path
            // starts at that segment's beginning.
            let segment = prefix.rfind('/').map_or(0, |slash| slash + 1);
            key.get(segment..).unwrap_or(rest)
        }
    };
    let illegal = |part| Err(DataError::IllegalKey(key.to_owned(), part));
    if key.contains("//") || rest.starts_with('/') {
        return illegal("//");
    }
    if rest.contains('\0') {
        return illegal("\\0");
    }
    for segment in rest.split('/') {
        match segment {
            "." => return illegal("."),
            ".." => return illegal(".."),
            _ => {}
        }
    }
    Ok(Some(PathBuf::from(rest)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_become_paths_as_the_prefix_rules_say() {
        let cases = [
            ("p/input", "p/input/test", Some("test")),
            ("p/input/", "p/input/a/b.csv", Some("a/b.csv")),
            ("p/input", "p/input", Some("input")),
            ("p/tr", "p/train.csv", Some("train.csv")),
            ("p/tr", "p/train/a.csv", Some("train/a.csv")),
            ("", "a/b", Some("a/b")),
            ("p/", "p/", None),
            ("p", "p/folder/", None),
            ("data.csv", "data.csv", Some("data.csv")),
        ];
        for (prefix, key, expected) in cases {
            let path = local_path(prefix, key).unwrap();
            assert_eq!(path, expected.map(PathBuf::from), "{prefix} {key}");
        }
    }

    #[test]
    fn keys_that_no_path_can_express_are_refused() {
        for (prefix, key) in [
            ("p/", "p/a//b"),
            ("p", "p//b"),
            ("p/", "p/../x"),
            ("", "./x"),
        ] {
            assert!(local_path(prefix, key).is_err(), "{prefix} {key}");
        }
        let error = local_path("p/", "p/a//b").unwrap_err().to_string();
        assert_eq!(
            error,
            "S3 key: p/a//b has an illegal char sub-sequence '//' in it"
        );
    }

    proptest! {
        #[test]
        fn a_path_never_leaves_the_channel(key in "[a-z./]{0,24}", cut in 0usize..24) {
            let prefix = &key[..cut.min(key.len())];
            if let Ok(Some(path)) = local_path(prefix, &key) {
                prop_assert!(path.components().all(|c| matches!(c, std::path::Component::Normal(_))));
            }
        }
    }
}
