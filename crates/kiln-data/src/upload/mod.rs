//! Storing files: one as one object, or a directory's tree as one for each file.
//!
//! Only files are stored. A directory has no object, and a link has none
//! either: what it points to may lie outside the tree.

mod file;
mod journal;
mod multipart;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use tokio::sync::mpsc;

pub use self::file::Uploader;
pub use self::journal::{Journal, Turn};
pub(crate) use self::multipart::{Part, Room, store_parts};

use self::journal::Unwritten;
use crate::tree::{Entry, Kind, Walk, owned};
use crate::{DataError, Objects};

/// Files stored at a time.
const FILES: usize = 16;

/// What an upload stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Objects made.
    pub objects: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Stores every file of directories at `s3://bucket/prefix/<its path>`, as one
/// tree: of files of the same path, the first directory's is taken. A directory
/// that does not exist is empty.
///
/// # Errors
/// When a file cannot be read, its name cannot be a key, or the store refuses.
pub async fn tree<P: AsRef<Path>>(
    objects: &Objects,
    directories: &[P],
    bucket: &str,
    prefix: &str,
) -> Result<Stored, DataError> {
    let (found, mut files) = mpsc::channel(FILES);
    let roots = owned(directories);
    let walk = tokio::task::spawn_blocking(move || find_files(&roots, &found));
    let files = futures::stream::poll_fn(move |context| files.poll_recv(context));
    let stored = store_files(objects, files, bucket, prefix).await?;
    // Every file that was found is stored; were all of them found?
    walk.await.map_err(|error| died(&error))??;
    Ok(stored)
}

/// What a directory's tree holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Its files, by their paths in the directory and in the order of names, with
    /// their sizes.
    pub files: Vec<(PathBuf, u64)>,
    /// Its links, which are not followed.
    pub links: Vec<PathBuf>,
}

/// Looks at what is in a directory. One that does not exist is empty.
///
/// # Errors
/// When part of it cannot be read.
pub fn look_at(directory: &Path) -> Result<Tree, DataError> {
    let mut tree = Tree::default();
    for entry in Walk::new(&[directory]).map_err(DataError::io("reading the directory"))? {
        let entry = entry.map_err(|failed| {
            DataError::in_the_works(format!("reading {}", failed.path.display()))(failed.error)
        })?;
        match entry.kind {
            Kind::File => tree
                .files
                .push((entry.path, entry.stat.st_size.unsigned_abs())),
            Kind::Link => tree.links.push(entry.path),
            Kind::Directory => {}
        }
    }
    Ok(tree)
}

/// Stores a file at `s3://bucket/key`, wholly or not at all, unless that is called
/// off in time: then nothing of it is left in the store when this returns, and the
/// answer says what called it off. Once all bytes are with the store it is too late.
///
/// # Errors
/// When the file cannot be read, or the store refuses.
pub async fn file<C>(
    objects: &Objects,
    file: File,
    target: (&str, &str),
    called_off: impl Future<Output = C>,
) -> Result<ControlFlow<C>, DataError> {
    let uploader = Uploader::new(objects);
    uploader
        .store_unless(file, target, &Unwritten, called_off)
        .await
}

async fn store_files(
    objects: &Objects,
    files: impl Stream<Item = Entry>,
    bucket: &str,
    prefix: &str,
) -> Result<Stored, DataError> {
    let uploader = &Uploader::new(objects);
    let store = |entry| store_file(uploader, entry, (bucket, prefix)).boxed();
    files
        .map(store)
        .buffer_unordered(FILES)
        .try_fold(Stored::default(), |sum, one| {
            std::future::ready(Ok(Stored {
                objects: sum.objects + one.objects,
                bytes: sum.bytes + one.bytes,
            }))
        })
        .await
}

async fn store_file(
    uploader: &Uploader,
    entry: Entry,
    (bucket, prefix): (&str, &str),
) -> Result<Stored, DataError> {
    let key = key(prefix, &entry.path)?;
    let reading = DataError::in_the_works(format!("reading {}", entry.path.display()));
    let Some((file, stat)) = entry.open().map_err(reading)? else {
        return Ok(Stored::default());
    };
    let size = stat.st_size.unsigned_abs();
    uploader.store(file, size, (bucket, &key)).await?;
    Ok(Stored {
        objects: 1,
        bytes: size,
    })
}

fn find_files(roots: &[PathBuf], found: &mpsc::Sender<Entry>) -> Result<(), DataError> {
    let reading = |path: &Path| DataError::in_the_works(format!("reading {}", path.display()));
    let paths: Vec<&Path> = roots.iter().map(PathBuf::as_path).collect();
    for entry in Walk::new(&paths).map_err(DataError::io("reading the directories"))? {
        let entry = entry.map_err(|failed| reading(&failed.path)(failed.error))?;
        if entry.kind == Kind::File && found.blocking_send(entry).is_err() {
            // The store has refused, which is told instead.
            break;
        }
    }
    Ok(())
}

/// The key of a file below a prefix, with one slash between them.
///
/// # Errors
/// When its name cannot be a key.
pub fn key(prefix: &str, path: &Path) -> Result<String, DataError> {
    let Some(name) = path.to_str() else {
        return Err(DataError::Nameless(path.to_owned()));
    };
    let slash = if prefix.is_empty() || prefix.ends_with('/') {
        ""
    } else {
        "/"
    };
    Ok(format!("{prefix}{slash}{name}"))
}

/// A thread that was to do something panicked.
pub(crate) fn died(error: &tokio::task::JoinError) -> DataError {
    DataError::io("reading the directory")(std::io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_parts_a_prefix_from_a_path() {
        for (prefix, expected) in [("", "a/b"), ("p", "p/a/b"), ("p/", "p/a/b")] {
            assert_eq!(key(prefix, Path::new("a/b")).unwrap(), expected);
        }
    }

    #[test]
    fn a_tree_is_its_files_and_its_links_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        std::fs::create_dir_all(root.join("b/empty")).unwrap();
        std::fs::write(root.join("b/two"), "22").unwrap();
        std::fs::write(root.join("a"), "1").unwrap();
        std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let tree = look_at(root).unwrap();
        assert_eq!(tree.files, [("a".into(), 1), ("b/two".into(), 2)]);
        assert_eq!(tree.links, [PathBuf::from("etc")]);
        assert_eq!(look_at(&root.join("absent")).unwrap(), Tree::default());
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_named_in_the_error() {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"bad-\xff.bin");
        let error = key("p", Path::new(name)).unwrap_err();
        assert!(error.is_the_request_s());
        let text = error.to_string();
        assert!(text.contains("bad-") && text.contains("UTF-8"), "{text}");
    }
}
