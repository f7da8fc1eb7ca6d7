//! The names in a zip, which is what PyTorch's and Keras's files are.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The end of a zip has a fixed part, and a comment of up to 64 KiB.
const END: usize = 22;
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const ENTRY: usize = 46;
const ENTRY_SIGNATURE: [u8; 4] = *b"PK\x01\x02";

/// A directory of more bytes than this is that of no model.
const MOST_DIRECTORY: u64 = 64 << 20;

/// The names of the files in a zip; nothing if it is none, or a broken one.
pub(super) fn names(path: &Path) -> io::Result<Option<Vec<String>>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let tail = length.min(END as u64 + 0xffff);
    let tail = read_at(&mut file, length - tail, tail)?;
    let Some((start, size)) = directory(&tail) else {
        return Ok(None);
    };
    if size > MOST_DIRECTORY || start.saturating_add(size) > length {
        return Ok(None);
    }
    let directory = read_at(&mut file, start, size)?;
    Ok(Some(entries(&directory)))
}

fn read_at(file: &mut File, start: u64, size: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the directory begins, and its size. Files so large that these do not fit
/// have a second end before this one, which leads to the same directory.
fn directory(tail: &[u8]) -> Option<(u64, u64)> {
    let place = tail
        .windows(END)
        .rposition(|end| end.starts_with(&END_SIGNATURE))?;
    let (size, start) = (number(tail, place + 12)?, number(tail, place + 16)?);
    if size != u64::from(u32::MAX) && start != u64::from(u32::MAX) {
        return Some((start, size));
    }
    let signature = *b"PK\x06\x06";
    let place = tail[..place].windows(4).rposition(|end| end == signature)?;
    let wide = |at: usize| Some(number(tail, at)? | number(tail, at + 4)? << 32);
    Some((wide(place + 48)?, wide(place + 40)?))
}

fn entries(directory: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = directory;
    while let Some((name, behind)) = first_entry(rest) {
        names.push(String::from_utf8_lossy(name).into_owned());
        rest = behind;
    }
    names
}

fn first_entry(directory: &[u8]) -> Option<(&[u8], &[u8])> {
    if !directory.starts_with(&ENTRY_SIGNATURE) {
        return None;
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| short(directory, at));
    let (name, extra, comment) = (name?, extra?, comment?);
    let behind = directory.get(ENTRY + name + extra + comment..)?;
    Some((directory.get(ENTRY..ENTRY + name)?, behind))
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(bytes).into())
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes).into())
}
