//! Archives for tests, sound and broken.

mod finding;
mod unpacking;

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::{ArchiveError, Limits, Unpacked, unpack};

/// A file of an archive.
fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(name, b'0', content)
}

/// Any entry, under any name.
fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = ::tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(::tar::EntryType::new(kind));
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut entry = header.as_bytes().to_vec();
    entry.extend(content);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

/// One record of an extended header.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}").into_bytes()
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = entries.concat();
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A directory with an archive in it, and one for its contents.
fn opened(archive: &[u8], limits: &Limits) -> (TempDir, Result<Unpacked, ArchiveError>) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("model.tar.gz");
    fs::write(&path, archive).unwrap();
    let into = home.path().join("model");
    fs::create_dir(&into).unwrap();
    let unpacked = unpack(&path, &into, limits);
    (home, unpacked)
}
