//! How each kind of source becomes entries.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::shelf::{Shelf, ShelfWriter};
use super::{Entry, Object, Piece, blocking, on_writing};
use crate::augmented::{self, AugmentedError};
use crate::channel::Source;
use crate::local_path::{self, local_path};
use crate::manifest::{self, ManifestError, ManifestItem};
use crate::{DataError, Listed, Objects};

/// The longest line of an augmented manifest; each is in memory as a whole.
const LONGEST_LINE: u64 = 16 << 20;

/// Lists a source into `file`; also answers what the source is called in the
/// first line of the channel's manifest.
pub(super) async fn list(
    objects: &Objects,
    source: &Source,
    file: &Path,
) -> Result<(Shelf, String), DataError> {
    let shelf = ShelfWriter::create(file)?;
    match source {
        Source::Prefix { bucket, prefix } => {
            let shelf = list_prefix(objects, bucket, prefix, shelf).await?;
            Ok((shelf, format!("s3://{bucket}/{prefix}")))
        }
        Source::Manifest { bucket, key } => {
            let document = fetch(objects, bucket, key, file).await?;
            let uri = format!("s3://{bucket}/{key}");
            blocking(move || list_manifest(&document, uri, shelf)).await
        }
        Source::AugmentedManifest {
            bucket,
            key,
            attributes,
        } => {
            let document = fetch(objects, bucket, key, file).await?;
            let uri = format!("s3://{bucket}/{key}");
            let attributes = attributes.clone();
            blocking(move || list_lines(&document, uri, &attributes, shelf)).await
        }
    }
}

async fn list_prefix(
    objects: &Objects,
    bucket: &str,
    prefix: &str,
    mut shelf: ShelfWriter,
) -> Result<Shelf, DataError> {
    let mut token = None;
    loop {
        // S3 lists in the order of the keys' bytes, which shards count on.
        let (page, next) = objects.list_page(bucket, prefix, token.as_deref()).await?;
        for listed in page {
            if let Some(entry) = listed_entry(bucket, prefix, listed)? {
                shelf.push(&entry)?;
            }
        }
        token = next;
        if token.is_none() {
            return shelf.finish();
        }
    }
}

/// The entry of a listed key; `None` for a folder marker.
fn listed_entry(bucket: &str, prefix: &str, listed: Listed) -> Result<Option<Entry>, DataError> {
    let path = local_path(prefix, &listed.key).map_err(|error| error.under(bucket))?;
    Ok(path.map(|path| {
        Entry::Object(Object {
            bucket: bucket.to_owned(),
            key: listed.key,
            size: Some(listed.size),
            etag: listed.etag,
            path,
        })
    }))
}

/// A document that is fetched to disk for as long as it is read.
struct Document {
    path: PathBuf,
}

impl Document {
    fn open(&self) -> Result<BufReader<File>, DataError> {
        let doing = format!("reading {}", self.path.display());
        let file = File::open(&self.path).map_err(DataError::io(doing))?;
        Ok(BufReader::with_capacity(256 << 10, file))
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Brings a manifest, which can be larger than memory should be, beside the
/// catalogue's file.
async fn fetch(
    objects: &Objects,
    bucket: &str,
    key: &str,
    beside: &Path,
) -> Result<Document, DataError> {
    let unread = |error: DataError| error.fetching(bucket, key);
    let mut name = beside.as_os_str().to_owned();
    name.push(".document");
    let document = Document { path: name.into() };
    let writing = |error| on_writing(&document.path, error);
    let mut body = objects.read(bucket, key).await.map_err(unread)?;
    let mut file = File::create(&document.path).map_err(writing)?;
    while let Some(chunk) = body.chunk().await.map_err(unread)? {
        file.write_all(&chunk).map_err(writing)?;
    }
    drop(file);
    Ok(document)
}

fn list_manifest(
    document: &Document,
    uri: String,
    mut shelf: ShelfWriter,
) -> Result<(Shelf, String), DataError> {
    let mut heading = None;
    let mut prefix = None;
    // The reader carries only its own errors through, so another is set aside.
    let mut refused = None;
    let read = manifest::read(document.open()?, |item| {
        take_item(item, &mut prefix, &mut heading, &mut shelf).map_err(|error| {
            let kept = ManifestError::Keep(std::io::Error::other(error.to_string()));
            refused = Some(error);
            kept
        })
    });
    match (refused, read) {
        (Some(error), _) => Err(error),
        (None, Err(source)) => Err(DataError::Manifest { uri, source }),
        (None, Ok(())) => Ok((shelf.finish()?, heading.unwrap_or(uri))),
    }
}

fn take_item(
    item: ManifestItem,
    prefix: &mut Option<(String, String)>,
    heading: &mut Option<String>,
    shelf: &mut ShelfWriter,
) -> Result<(), DataError> {
    match item {
        ManifestItem::Prefix(uri) => {
            *prefix = Some(parse_uri(&uri)?);
            heading.get_or_insert(uri);
            Ok(())
        }
        ManifestItem::Relative(relative) => {
            let Some((bucket, prefix)) = prefix else {
                return Err(DataError::NotS3(relative));
            };
            let key = format!("{prefix}{relative}");
            let path = local_path::checked(&relative, &key).map_err(|e| e.under(bucket))?;
            shelf.push(&Entry::Object(Object {
                bucket: bucket.clone(),
                key,
                size: None,
                etag: None,
                path,
            }))
        }
    }
}

fn list_lines(
    document: &Document,
    uri: String,
    attributes: &[String],
    mut shelf: ShelfWriter,
) -> Result<(Shelf, String), DataError> {
    let mut lines = document.open()?;
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = lines
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line);
        if read.map_err(DataError::io(format!("reading {uri}")))? == 0 {
            return Ok((shelf.finish()?, uri));
        }
        number += 1;
        let pieces = pieces(&line, attributes).map_err(|source| DataError::Augmented {
            uri: uri.clone(),
            line: number,
            source,
        })?;
        if let Some(pieces) = pieces {
            shelf.push(&Entry::Line(pieces))?;
        }
    }
}

/// What a line gives; `None` for an empty one.
fn pieces(line: &[u8], attributes: &[String]) -> Result<Option<Vec<Piece>>, AugmentedError> {
    if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
        return Err(AugmentedError::TooLong(LONGEST_LINE));
    }
    let line = std::str::from_utf8(line).map_err(|_| AugmentedError::NotText)?;
    match line.trim() {
        "" => Ok(None),
        line => augmented::parse_line(line, attributes).map(Some),
    }
}

fn parse_uri(uri: &str) -> Result<(String, String), DataError> {
    let rest = uri.strip_prefix("s3://");
    let (bucket, key) = rest
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        .filter(|(bucket, _)| !bucket.is_empty())
        .ok_or_else(|| DataError::NotS3(uri.to_owned()))?;
    Ok((bucket.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_refused_and_takes_no_memory() {
        let long = vec![b' '; LONGEST_LINE as usize];
        let refused = pieces(&long, &[]);
        assert!(matches!(refused, Err(AugmentedError::TooLong(_))));
        let refused = pieces(b"{\"v\": \"\xff\"}\n", &[]);
        assert!(matches!(refused, Err(AugmentedError::NotText)));
        assert_eq!(pieces(b" \n", &[]).unwrap(), None);
    }

    #[test]
    fn s3_uris_name_a_bucket_and_a_prefix() {
        let named = |bucket: &str, key: &str| Some((bucket.to_owned(), key.to_owned()));
        let cases = [
            ("s3://b/p/", named("b", "p/")),
            ("s3://b//p", named("b", "/p")),
            ("s3://b", named("b", "")),
            ("s3:///p", None),
            ("/b/p", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(parse_uri(uri).ok(), expected, "{uri}");
        }
    }
}
