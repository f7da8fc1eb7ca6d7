//! An object whose bytes are a file of this machine: the kernel copies it, while
//! another thread holds what is copied against the object's checksum. On file
//! systems that can share blocks, the copy takes none.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::writer;
use crate::catalogue::{blocking, on_writing};
use crate::{Checksum, DataError, LocalBody};

/// Bytes copied before it is seen whether anyone still wants them.
const STRETCH: u64 = 64 << 20;
/// Bytes read at a time for the checksum: they stay in a processor's cache.
const BLOCK: usize = 256 << 10;

/// Tells threads to end when the future that waits for them is dropped.
#[derive(Default, Clone)]
struct Wanted(Arc<AtomicBool>);

struct Revoked(Wanted);

impl Drop for Revoked {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Wanted {
    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

/// Copies the object to a new file, and answers its size.
///
/// # Errors
/// When the file cannot be written, or is not what was stored.
pub(super) async fn copy(
    local: LocalBody,
    size: u64,
    path: &Path,
    uri: &str,
) -> Result<u64, DataError> {
    let source = Arc::new(local.file);
    let wanted = Wanted::default();
    let _revoked = Revoked(wanted.clone());
    let target = {
        let (path, uri) = (path.to_owned(), uri.to_owned());
        blocking(move || writer::create(&path, &uri)).await?
    };
    let sum = sum(&source, size, local.head.checksum, wanted.clone(), uri);
    let written = write(&source, size, target, (path, uri), wanted);
    let outcome = tokio::try_join!(written, sum);
    if outcome.is_err() {
        let _ = std::fs::remove_file(path);
    }
    outcome.map(|_| size)
}

async fn write(
    source: &Arc<File>,
    size: u64,
    mut target: File,
    (path, uri): (&Path, &str),
    wanted: Wanted,
) -> Result<(), DataError> {
    let (source, path, uri) = (Arc::clone(source), path.to_owned(), uri.to_owned());
    blocking(move || {
        let written = write_to(&source, size, &mut target, &wanted);
        written.map_err(|error| match on_writing(&path, error) {
            DataError::Full(_) => DataError::Full(uri),
            other => other,
        })
    })
    .await
}

fn write_to(mut source: &File, size: u64, target: &mut File, wanted: &Wanted) -> io::Result<()> {
    source.seek(SeekFrom::Start(0))?;
    let mut written = 0;
    while written < size {
        wanted.check()?;
        // Between files this is the kernel's own copy.
        match io::copy(&mut source.take(STRETCH.min(size - written)), target)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            copied => written += copied,
        }
    }
    Ok(())
}

/// Reads the source once, by position, and holds it against its checksum.
async fn sum(
    source: &Arc<File>,
    size: u64,
    checksum: Option<Checksum>,
    wanted: Wanted,
    uri: &str,
) -> Result<(), DataError> {
    let Some(checksum) = checksum else {
        return Ok(());
    };
    let (source, uri) = (Arc::clone(source), uri.to_owned());
    blocking(move || {
        let agrees = agrees(&source, size, checksum, &wanted);
        match agrees.map_err(DataError::io(format!("reading {uri}")))? {
            true => Ok(()),
            false => Err(DataError::Corrupt(uri)),
        }
    })
    .await
}

fn agrees(source: &File, size: u64, checksum: Checksum, wanted: &Wanted) -> io::Result<bool> {
    let mut digest = checksum.digest();
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    while at < size {
        wanted.check()?;
        let length = BLOCK.min(usize::try_from(size - at).unwrap_or(BLOCK));
        source.read_exact_at(&mut block[..length], at)?;
        digest.update(&block[..length]);
        at += length as u64;
    }
    Ok(digest.agrees(&checksum))
}
