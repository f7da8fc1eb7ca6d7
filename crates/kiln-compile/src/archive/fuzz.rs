//! Fuzz targets: whatever is in an archive, nothing is written beside the
//! directory that it is for, and only regular files in it.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Limits, ModelFiles, unpack, zip};
use crate::framework::Framework;

fn only_files_and_directories(path: &Path) -> usize {
    let entries = fs::read_dir(path).unwrap();
    let counts = entries.map(|entry| {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        assert!(kind.is_file() || kind.is_dir());
        match kind.is_dir() {
            true => 1 + only_files_and_directories(&entry.path()),
            false => 1,
        }
    });
    counts.sum()
}

fn check(tar: &[u8]) {
    let home = tempfile::tempdir().unwrap();
    let archive = home.path().join("model.tar.gz");
    let mut encoder = GzEncoder::new(fs::File::create(&archive).unwrap(), Compression::none());
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap();

    let into = home.path().join("model");
    fs::create_dir(&into).unwrap();
    let unpacked = unpack(&archive, &into, &Limits::default());
    only_files_and_directories(&into);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    if let Ok(unpacked) = unpacked {
        for framework in Framework::ALL {
            let _ = ModelFiles::find(&unpacked, framework);
        }
    }
}

/// A header with anything in it, and a checksum that is right.
fn sealed(name: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    let length = name.len().min(100);
    header.as_old_mut().name[..length].copy_from_slice(&name[..length]);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut entry = header.as_bytes().to_vec();
    entry.extend(content);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

#[test]
fn any_bytes() {
    bolero::check!().for_each(|bytes: &[u8]| check(bytes));
}

#[test]
fn any_entries() {
    bolero::check!()
        .with_type::<Vec<(Vec<u8>, u8, Vec<u8>)>>()
        .for_each(|entries| {
            let entries = entries.iter().take(8);
            let sealed = entries.map(|(name, kind, content)| sealed(name, *kind, content));
            check(&sealed.collect::<Vec<_>>().concat());
        });
}

#[test]
fn any_zip() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let end = b"PK\x05\x06";
        let whole = [bytes, end.as_slice(), bytes].concat();
        fs::write(file.path(), whole).unwrap();
        zip::names(file.path()).unwrap();
    });
}
