//! Files of this machine where a job can read them.
//!
//! They lie below a prefix that is named by what is in them. What was uploaded
//! before is not uploaded again, and what a job reads never changes under it, though
//! the files here do.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ring::digest::{Context, SHA256};

use super::super::Failure;
use crate::terminal::Progress;
use crate::transfer::{self, LocalFile, Store, TransferError, Upload};

const ROOT: &str = "kiln-train";
/// Hexadecimal digits of a digest that tell any two data sets apart.
const DIGITS: usize = 32;
const BUFFER: usize = 1 << 20;

/// Files that were brought to an S3.
pub struct Staged {
    /// The prefix that they lie below, with a slash at its end.
    pub uri: String,
    files: usize,
    bytes: u64,
    uploaded: usize,
}

impl fmt::Display for Staged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uri, files, .. } = self;
        let size = indicatif::BinaryBytes(self.bytes);
        let noun = if *files == 1 { "file" } else { "files" };
        let how = match self.uploaded {
            0 => "there already".to_owned(),
            all if all == *files => "uploaded".to_owned(),
            some => format!("{some} uploaded, others there already"),
        };
        write!(formatter, "{uri} ({files} {noun}, {size}, {how})")
    }
}

/// The files of a channel: those of a directory, or one.
pub fn files_of(path: &Path) -> Result<Vec<LocalFile>, Failure> {
    if !path.is_dir() {
        return Ok(vec![transfer::single(path)?]);
    }
    let files = transfer::below(path)?;
    if files.is_empty() {
        return Err(format!("there is no file in {}", path.display()).into());
    }
    Ok(files)
}

/// Brings files to the bucket, as far as they are not there.
pub async fn stage(
    store: Store<'_>,
    bucket: &str,
    name: &str,
    files: Vec<LocalFile>,
    shown: bool,
) -> Result<Staged, Failure> {
    let begin = |what: &str, bytes| {
        if shown {
            Progress::begin(format!("{what} {name}"), bytes)
        } else {
            Progress::hidden()
        }
    };
    let bytes = files.iter().map(|file| file.bytes).sum();
    let reading = begin("Reading", bytes);
    let digest = digest(&files, &reading)?;
    reading.end();
    let prefix = format!("{ROOT}/{digest}/");
    let there = transfer::list(store.objects, bucket, &prefix).await?;
    let there: HashMap<String, u64> = there.into_iter().map(|o| (o.key, o.size)).collect();
    let count = files.len();
    let missing = missing(files, &prefix, &there);
    let uploading = begin("Uploading", missing.iter().map(|one| one.file.bytes).sum());
    transfer::upload(store, bucket, &missing, &uploading).await?;
    uploading.end();
    Ok(Staged {
        uri: format!("s3://{bucket}/{prefix}"),
        files: count,
        bytes,
        uploaded: missing.len(),
    })
}

/// What is not there yet. Nothing else than these files is ever stored at these keys.
fn missing(files: Vec<LocalFile>, prefix: &str, there: &HashMap<String, u64>) -> Vec<Upload> {
    files
        .into_iter()
        .map(|file| Upload {
            key: format!("{prefix}{}", file.name),
            file,
        })
        .filter(|one| there.get(&one.key) != Some(&one.file.bytes))
        .collect()
}

/// A digest of all names and contents.
fn digest(files: &[LocalFile], progress: &Progress) -> Result<String, TransferError> {
    let mut whole = Context::new(&SHA256);
    for file in files {
        let content = content_digest(file, progress)?;
        whole.update(&(file.name.len() as u64).to_be_bytes());
        whole.update(file.name.as_bytes());
        whole.update(content.as_ref());
    }
    let mut digits = hex::encode(whole.finish());
    digits.truncate(DIGITS);
    Ok(digits)
}

fn content_digest(
    file: &LocalFile,
    progress: &Progress,
) -> Result<ring::digest::Digest, TransferError> {
    let reading = || TransferError::file("reading", &file.path);
    let mut content = Context::new(&SHA256);
    let mut opened = File::open(&file.path).map_err(reading())?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = opened.read(&mut buffer).map_err(reading())?;
        if read == 0 {
            return Ok(content.finish());
        }
        content.update(&buffer[..read]);
        progress.advance(read as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(files: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        digest(&files_of(directory.path()).unwrap(), &Progress::hidden()).unwrap()
    }

    #[test]
    fn data_is_named_by_what_is_in_it() {
        let one = digest_of(&[("a", "1"), ("b", "2")]);
        assert_eq!(one.len(), DIGITS);
        assert_eq!(one, digest_of(&[("b", "2"), ("a", "1")]));
        for other in [
            digest_of(&[("a", "1")]),
            digest_of(&[("a", "1"), ("b", "3")]),
            digest_of(&[("a", "1"), ("c", "2")]),
            digest_of(&[("a", "12"), ("b", "")]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn only_what_is_missing_is_sent() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(directory.path().join(name), "12").unwrap();
        }
        let files = files_of(directory.path()).unwrap();
        let there = [("p/a", 2), ("p/b", 1)].map(|(key, size)| (key.to_owned(), size));
        let sent = missing(files, "p/", &HashMap::from(there));
        let keys: Vec<&str> = sent.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["p/b", "p/c"]);
    }

    #[test]
    fn a_directory_without_a_file_is_no_data() {
        let directory = tempfile::tempdir().unwrap();
        let said = files_of(directory.path()).unwrap_err().to_string();
        assert!(said.contains("there is no file in"), "{said}");
    }

    #[test]
    fn what_was_done_is_told() {
        let staged = |uploaded| Staged {
            uri: "s3://b/p/".to_owned(),
            files: 2,
            bytes: 1024,
            uploaded,
        };
        for (uploaded, how) in [
            (0, "there already"),
            (1, "1 uploaded, others there already"),
            (2, "uploaded"),
        ] {
            let text = staged(uploaded).to_string();
            assert_eq!(text, format!("s3://b/p/ (2 files, 1.00 KiB, {how})"));
        }
    }
}
