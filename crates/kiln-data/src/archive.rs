//! Output archives: a directory as `.tar.gz`, streamed to S3 as it is made.
//!
//! The form is the cloud's own: ustar, members without `./` and without an
//! entry for the root, directories with a trailing slash and mode 0755, files
//! 0644, owner 0 and no names, true modification times, and a gzip header with
//! time 0 and system 255. The directory was written by code that nobody
//! vouches for, so symbolic links are archived as links and never followed,
//! and anything that is neither file, directory nor link is left out.

use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use tokio::sync::mpsc;

use crate::{DataError, Objects};

/// Bytes of one part of a multipart upload; S3 allows no smaller than 5 MiB.
const PART: usize = 8 << 20;
/// S3 allows 10,000 parts: after every thousand, parts double in size.
const PARTS_PER_SIZE: usize = 1000;
/// Nearly as quick as the quickest, which would be marked in the header.
const LEVEL: u32 = 2;
/// gzip's code for "unknown", which the cloud's writer puts.
const UNKNOWN_SYSTEM: u8 = 255;

/// A piece of an archive on its way to the store.
enum Piece {
    /// A full part; more follow.
    Part(Bytes),
    /// The end. Without it the archive broke off and must not be stored.
    Last(Bytes),
}

/// Archives `directory` to `s3://bucket/key`, without a temporary copy. The
/// object appears whole or not at all. Answers its size in bytes.
///
/// # Errors
/// When the directory cannot be read or the store refuses.
pub async fn upload(
    objects: &Objects,
    directory: &Path,
    target: (&str, &str),
) -> Result<u64, DataError> {
    let (pieces, mut made) = mpsc::channel(1);
    let root = directory.to_owned();
    let writer = tokio::task::spawn_blocking(move || {
        let parts = Parts {
            pieces,
            buffer: Vec::new(),
            sent: 0,
        };
        write_archive(&root, parts)?.finish()
    });
    let stored = match made.recv().await {
        Some(Piece::Last(whole)) => {
            let size = whole.len() as u64;
            objects
                .put(target.0, target.1, whole)
                .await
                .map(|()| Some(size))
        }
        Some(Piece::Part(first)) => put_parts(objects, target, first, &mut made).await,
        None => Ok(None),
    };
    // Should the store have failed, this makes the writer's next send fail too.
    drop(made);
    let written = writer
        .await
        .map_err(|error| io::Error::other(error.to_string()));
    let doing = || DataError::io(format!("archiving {}", directory.display()));
    match (stored?, written.and_then(|outcome| outcome)) {
        (Some(size), Ok(())) => Ok(size),
        (None, Ok(())) => Err(doing()(io::ErrorKind::BrokenPipe.into())),
        (_, Err(error)) => Err(doing()(error)),
    }
}

/// Stores the pieces as one multipart upload; `None` when they broke off, and
/// then the upload is forgotten.
async fn put_parts(
    objects: &Objects,
    target: (&str, &str),
    first: Bytes,
    made: &mut mpsc::Receiver<Piece>,
) -> Result<Option<u64>, DataError> {
    let upload = objects.begin_upload(target.0, target.1).await?;
    let stored = send_parts(objects, target, &upload, first, made).await;
    if !matches!(stored, Ok(Some(_))) {
        // The upload holds no object; failing to forget it loses nothing.
        let _ = objects.abort_upload(target, &upload).await;
    }
    stored
}

async fn send_parts(
    objects: &Objects,
    target: (&str, &str),
    upload: &str,
    first: Bytes,
    made: &mut mpsc::Receiver<Piece>,
) -> Result<Option<u64>, DataError> {
    let mut size = first.len() as u64;
    let mut tags = vec![objects.upload_part(target, upload, 1, first).await?];
    while let Some(piece) = made.recv().await {
        let (body, last) = match piece {
            Piece::Part(body) => (body, false),
            Piece::Last(body) => (body, true),
        };
        size += body.len() as u64;
        let number = tags.len() as u16 + 1;
        tags.push(objects.upload_part(target, upload, number, body).await?);
        if last {
            objects.complete_upload(target, upload, &tags).await?;
            return Ok(Some(size));
        }
    }
    Ok(None)
}

/// Collects what is written into parts and hands them on, waiting while the
/// store is slower than the compressor.
struct Parts {
    pieces: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
    sent: usize,
}

impl Parts {
    fn part_size(&self) -> usize {
        PART << (self.sent / PARTS_PER_SIZE).min(8)
    }

    fn send(&mut self, piece: impl FnOnce(Bytes) -> Piece) -> io::Result<()> {
        let body = Bytes::from(std::mem::take(&mut self.buffer));
        self.sent += 1;
        let sent = self.pieces.blocking_send(piece(body));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn finish(mut self) -> io::Result<()> {
        self.send(Piece::Last)
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part_size() - self.buffer.len();
        let taken = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == self.part_size() {
            self.send(Piece::Part)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the directory's archive and gives the writer back.
///
/// # Errors
/// When the directory cannot be read or the writer fails.
pub fn write_archive<W: Write>(root: &Path, to: W) -> io::Result<W> {
    let gzip = GzBuilder::new()
        .operating_system(UNKNOWN_SYSTEM)
        .write(to, Compression::new(LEVEL));
    let mut tar = tar::Builder::new(gzip);
    if root.is_dir() {
        append_directory(&mut tar, root, Path::new(""))?;
    }
    tar.into_inner()?.finish()
}

fn append_directory<W: Write>(
    tar: &mut tar::Builder<W>,
    directory: &Path,
    inside: &Path,
) -> io::Result<()> {
    let mut entries = std::fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), inside.join(entry.file_name()));
        let metadata = std::fs::symlink_metadata(&path)?;
        let kind = metadata.file_type();
        let mut header = header(&metadata);
        if kind.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            tar.append_data(&mut header, slashed(&name), io::empty())?;
            append_directory(tar, &path, &name)?;
        } else if kind.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, &name, std::fs::read_link(&path)?)?;
        } else if kind.is_file() {
            let file = open_regular(&path)?;
            header.set_size(metadata.len());
            // Exactly the promised number of bytes, whatever happens to the file.
            let body = io::Read::take(io::Read::chain(file, io::repeat(0)), metadata.len());
            tar.append_data(&mut header, &name, body)?;
        }
    }
    Ok(())
}

fn open_regular(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
}

fn header(metadata: &std::fs::Metadata) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(metadata.mtime().unsigned_abs());
    header
}

fn slashed(path: &Path) -> std::path::PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push("/");
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(archive: &[u8]) -> Vec<(String, u32, tar::EntryType)> {
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
        let describe = |entry: io::Result<tar::Entry<'_, _>>| {
            let entry = entry.unwrap();
            assert!(entry.header().as_ustar().is_some());
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            (
                name,
                entry.header().mode().unwrap(),
                entry.header().entry_type(),
            )
        };
        tar.entries().unwrap().map(describe).collect()
    }

    #[test]
    fn an_archive_has_the_cloud_s_form() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir(root.join("sub")).unwrap();
        std::fs::write(root.join("sub/model.bin"), b"weights").unwrap();
        std::os::unix::fs::symlink("/etc/shadow", root.join("link")).unwrap();
        nix::unistd::mkfifo(&root.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let archive = write_archive(root, Vec::new()).unwrap();
        assert_eq!(archive[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
        let expected = [
            ("link".to_owned(), 0o644, tar::EntryType::Symlink),
            ("sub/".to_owned(), 0o755, tar::EntryType::Directory),
            ("sub/model.bin".to_owned(), 0o644, tar::EntryType::Regular),
        ];
        assert_eq!(members(&archive), expected);
    }

    #[test]
    fn an_empty_or_missing_directory_is_an_empty_archive() {
        let directory = tempfile::tempdir().unwrap();
        for root in [directory.path().to_owned(), directory.path().join("absent")] {
            assert_eq!(members(&write_archive(&root, Vec::new()).unwrap()), []);
        }
    }

    #[test]
    fn parts_add_up_to_what_was_written() {
        let (pieces, mut made) = mpsc::channel(64);
        let mut parts = Parts {
            pieces,
            buffer: Vec::new(),
            sent: 0,
        };
        let data: Vec<u8> = (0..PART * 2 + 5).map(|n| n as u8).collect();
        parts.write_all(&data).unwrap();
        parts.finish().unwrap();
        let mut joined = Vec::new();
        let mut lasts = 0;
        while let Some(piece) = made.blocking_recv() {
            match piece {
                Piece::Part(body) => joined.extend_from_slice(&body),
                Piece::Last(body) => {
                    joined.extend_from_slice(&body);
                    lasts += 1;
                }
            }
        }
        assert!(joined == data && lasts == 1);
    }
}
