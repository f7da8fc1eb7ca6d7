//! Tells by a file's content what wrote it, since names tell little.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::zip;

/// How many bytes of a file's beginning tell what it is.
pub const BEGINNING: u64 = 16;

/// What PyTorch wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Torch {
    /// `torch.jit.save`.
    Script,
    /// `torch.export.save`.
    Exported,
    /// `torch.save`: pickled objects, or weights alone.
    Pickled,
    /// Something else.
    Other,
}

/// What a file of trees holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trees {
    /// LightGBM's text.
    Lightgbm,
    /// A Python object.
    Pickled,
    /// Something else.
    Other,
}

pub(super) fn torch(path: &Path) -> io::Result<Torch> {
    if is_pickle(&start(path)?) {
        return Ok(Torch::Pickled);
    }
    let Some(names) = zip::names(path)? else {
        return Ok(Torch::Other);
    };
    // Older versions put everything at the root, newer ones below the file's name.
    let has = |wanted: &str| {
        let below = format!("/{wanted}");
        names
            .iter()
            .any(|name| name == wanted || name.ends_with(&below))
    };
    Ok(
        if has("serialized_exported_program.json") || has("models/model.json") {
            Torch::Exported
        } else if has("constants.pkl") {
            Torch::Script
        } else if has("data.pkl") {
            Torch::Pickled
        } else {
            Torch::Other
        },
    )
}

pub(super) fn trees(path: &Path) -> io::Result<Trees> {
    let start = start(path)?;
    Ok(
        if start.starts_with(b"tree\n") || start.starts_with(b"tree\r\n") {
            Trees::Lightgbm
        } else if is_pickled(&start) {
            Trees::Pickled
        } else {
            Trees::Other
        },
    )
}

pub(super) fn is_hdf5(path: &Path) -> io::Result<bool> {
    Ok(start(path)?.starts_with(b"\x89HDF\r\n\x1a\n"))
}

pub(super) fn is_zip(path: &Path) -> io::Result<bool> {
    Ok(start(path)?.starts_with(b"PK\x03\x04"))
}

pub(super) fn is_tflite(path: &Path) -> io::Result<bool> {
    Ok(start(path)?.get(4..8) == Some(b"TFL3"))
}

/// Whether a file of trees that begins so holds a Python object, which only Python reads:
/// plain, or compressed as joblib does.
#[must_use]
pub fn is_pickled(start: &[u8]) -> bool {
    is_pickle(start) || is_compressed(start)
}

fn is_pickle(start: &[u8]) -> bool {
    matches!(start, [0x80, 2..=5, ..])
}

/// What joblib writes when it is asked to compress: zlib, gzip, bzip2, xz, lzma
/// or lz4.
fn is_compressed(start: &[u8]) -> bool {
    const COMPRESSED: [&[u8]; 9] = [
        b"\x78\x01",
        b"\x78\x5e",
        b"\x78\x9c",
        b"\x78\xda",
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ",
        b"\x5d\x00\x00",
        b"\x04\x22\x4d\x18",
    ];
    COMPRESSED.iter().any(|magic| start.starts_with(magic))
}

fn start(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(BEGINNING).read_to_end(&mut start)?;
    Ok(start)
}
