//! Whether an archive holds a pickle, which only a framework's own Python can read.
//!
//! Nothing is unpacked: a look at how each file begins decides which environment the
//! container is given, and the container reads the archive for itself.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use kiln_compile::archive::{BEGINNING, is_pickled};
use tar::{Archive, EntryType};

/// How many files are looked at.
const FILES: usize = 64;
/// How many entries of any kind are gone through for them.
const ENTRIES: usize = 20_000;
/// How many bytes of the archive are unpacked to find them.
const MOST: u64 = 4 << 30;

/// Whether one of the first files begins as a pickle does, or a compressed one. What is no
/// archive holds none.
pub(super) fn is_in(archive: &Path) -> bool {
    let Ok(file) = File::open(archive) else {
        return false;
    };
    let mut archive = Archive::new(MultiGzDecoder::new(file).take(MOST));
    let Ok(entries) = archive.entries() else {
        return false;
    };
    // Raw, since a name that goes on in an entry of its own would be read whole, and this
    // is no sandbox.
    let readable = entries.raw(true).map_while(Result::ok).take(ENTRIES);
    let is_file = |kind: EntryType| matches!(kind, EntryType::Regular | EntryType::Continuous);
    let mut files = readable
        .filter(|entry| is_file(entry.header().entry_type()))
        .take(FILES);
    files.any(|entry| {
        let mut beginning = Vec::new();
        let read = entry.take(BEGINNING).read_to_end(&mut beginning);
        read.is_ok() && is_pickled(&beginning)
    })
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    type Files<'a> = &'a [(&'a str, &'a [u8])];

    fn archive(path: &Path, files: Files) {
        let encoder = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
        let mut builder = tar::Builder::new(encoder);
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
    }

    #[test]
    fn a_pickle_is_known_by_its_beginning() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("model.tar.gz");
        let json: &[u8] = b"{\"learner\": {}}";
        let cases: [(Files, bool); 6] = [
            (&[("model.json", json)], false),
            (&[("xgboost-model", b"\x80\x04\x95rest")], true),
            (&[("model.json", json), ("b", b"\x80\x02c")], true),
            (&[("model.joblib", b"\x78\x9c\xed\xbd")], true),
            (&[("short", b"\x80")], false),
            (&[], false),
        ];
        for (files, expected) in cases {
            archive(&path, files);
            assert_eq!(is_in(&path), expected, "{files:?}");
        }
    }

    #[test]
    fn what_is_no_archive_holds_none() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("model.tar.gz");
        assert!(!is_in(&path));
        std::fs::write(&path, b"\x80\x04 no archive at all").unwrap();
        assert!(!is_in(&path));
    }
}
