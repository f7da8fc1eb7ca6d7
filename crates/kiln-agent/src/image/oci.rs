//! Images as people have them: OCI archives, `docker save` archives, root file
//! systems as archives or directories; each unpacked into one plain directory.
//!
//! What an image says is not trusted: it is written through [`tree::Tree`],
//! which cannot reach outside the directory that it fills.

mod blobs;
mod copy;
mod entry_path;
#[cfg(test)]
mod fuzz;
mod layer;
mod manifest;
mod tree;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ring::digest::{Context, SHA256};

use super::ImageError;
use crate::runtime::ImageConfig;
use blobs::{Blobs, Given};
use layer::Unpacking;
use tree::Tree;

/// What unpacking an image gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The SHA-256 digest of the image's configuration, or of the root file
    /// system where there is none, in hexadecimal.
    pub digest: String,
    /// How its containers start.
    pub config: ImageConfig,
    /// The bytes in its files.
    pub bytes: u64,
}

/// How large an image may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeLimits {
    /// The bytes in all its files, in every layer.
    pub bytes: u64,
    /// The entries of all its layers.
    pub entries: u64,
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self {
            bytes: 256 << 30,
            entries: 10_000_000,
        }
    }
}

/// Unpacks the image at `source` into the empty directory `rootfs`, next to which
/// temporary files may be made.
///
/// # Errors
/// When it is no image, when it is hostile, or when files cannot be written.
pub fn unpack(source: &Path, rootfs: &Path, limits: SizeLimits) -> Result<Unpacked, ImageError> {
    let tree = Tree::open(rootfs)?;
    let mut unpacking = Unpacking::new(&tree, limits);
    let (digest, config) = if source.is_dir() && !Blobs::is_layout(source) {
        let digest = copy::copy_directory(source, &mut unpacking)?;
        (digest, ImageConfig::default())
    } else {
        let scratch = rootfs.parent().unwrap_or(rootfs);
        match Blobs::open(source, scratch, limits.bytes)? {
            Given::Image(blobs) => unpack_layers(source, &blobs, &mut unpacking)?,
            Given::RootFileSystem(archive) => {
                let digest = unpack_whole(source, archive, &mut unpacking)?;
                (digest, ImageConfig::default())
            }
        }
    };
    Ok(Unpacked {
        digest,
        config,
        bytes: unpacking.bytes(),
    })
}

/// An image of layers, one over the other.
fn unpack_layers(
    source: &Path,
    blobs: &Blobs,
    unpacking: &mut Unpacking,
) -> Result<(String, ImageConfig), ImageError> {
    let image = manifest::read(source, blobs)?;
    for layer in &image.layers {
        let mut blob = Digesting::new(blobs.open_blob(&layer.name)?);
        unpacking.apply(decompressed(&mut blob).map_err(reading(source))?)?;
        io::copy(&mut blob, &mut io::sink()).map_err(reading(source))?;
        check_digest(source, &layer.name, layer.digest.as_deref(), &blob.finish())?;
    }
    Ok((image.config_digest, image.config))
}

/// A root file system in one archive.
fn unpack_whole(
    source: &Path,
    archive: File,
    unpacking: &mut Unpacking,
) -> Result<String, ImageError> {
    let mut file = Digesting::new(BufReader::with_capacity(1 << 20, archive));
    unpacking.apply(&mut file)?;
    if unpacking.is_untouched() {
        let reason = "it holds no files".to_owned();
        return Err(ImageError::NotAnImage {
            path: source.to_owned(),
            reason,
        });
    }
    io::copy(&mut file, &mut io::sink()).map_err(reading(source))?;
    Ok(file.finish())
}

fn check_digest(
    source: &Path,
    name: &str,
    expected: Option<&str>,
    actual: &str,
) -> Result<(), ImageError> {
    match expected {
        Some(expected) if expected != actual => Err(ImageError::NotAnImage {
            path: source.to_owned(),
            reason: format!("{name} is damaged: its digest is {actual}"),
        }),
        _ => Ok(()),
    }
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    ImageError::io(format!("reading {}", path.display()))
}

/// What a stream holds, decompressed when it is compressed in a known way.
fn decompressed<'a>(mut stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    stream.by_ref().take(4).read_to_end(&mut start)?;
    let kind = start.clone();
    let whole = io::Cursor::new(start).chain(stream);
    match kind.as_slice() {
        [0x1f, 0x8b, ..] => Ok(Box::new(MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it is compressed with zstd; compress it with gzip",
        )),
        _ => Ok(Box::new(whole)),
    }
}

/// A stream that computes the digest of what is read from it.
struct Digesting<R> {
    inner: R,
    context: Context,
}

impl<R: Read> Digesting<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            context: Context::new(&SHA256),
        }
    }

    fn finish(self) -> String {
        hex::encode(self.context.finish())
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.context.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
