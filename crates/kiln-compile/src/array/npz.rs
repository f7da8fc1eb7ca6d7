//! numpy's `.npz` archives: zip files of `.npy` files.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::{Array, ArrayError, read_npy};

/// What all arrays of an archive may take together.
const LARGEST: u64 = 1 << 30;

/// The arrays of an archive, by name, in its order.
///
/// # Errors
/// When the bytes are no such archive, or its arrays take more than 1 GiB.
pub fn read(bytes: &[u8]) -> Result<Vec<(String, Array)>, ArrayError> {
    let wrong = |error: &dyn std::fmt::Display| ArrayError::Npz(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| wrong(&error))?;
    let mut left = LARGEST;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| wrong(&error))?;
        let name = entry.name().to_owned();
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let mut content = Vec::new();
        // What the archive says of an entry's size proves nothing.
        let read = entry.take(left + 1).read_to_end(&mut content);
        read.map_err(|error| wrong(&error))?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| wrong(&"its arrays take more than 1 GiB"))?;
        let array = read_npy(&content).map_err(|error| wrong(&format!("{name}: {error}")))?;
        arrays.push((name, array));
    }
    Ok(arrays)
}
