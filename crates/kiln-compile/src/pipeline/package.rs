//! The artifact: a folder as one archive, the same bytes for the same folder.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use blake2::{Blake2b512, Digest};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// Packs the files of a folder, by name, and answers the archive's BLAKE2b
/// digest in hexadecimal, as `b2sum` prints it.
///
/// # Errors
/// When a file cannot be read or the archive cannot be written.
pub fn package(folder: &Path, archive: &Path) -> io::Result<String> {
    let encoder = GzEncoder::new(BufWriter::new(File::create(archive)?), Compression::fast());
    let mut builder = Builder::new(encoder);
    let names = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let mut file = File::open(folder.join(&name))?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(file.metadata()?.len());
        let is_library = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "so" || extension == "dll");
        header.set_mode(if is_library { 0o755 } else { 0o644 });
        header.set_mtime(0);
        builder.append_data(&mut header, &name, &mut file)?;
    }
    let mut written = builder.into_inner()?.finish()?;
    written.flush()?;
    digest(archive)
}

/// The BLAKE2b digest of a file, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Blake2b512::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_folder_makes_the_same_archive() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("model");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("libdlr.so"), b"library").unwrap();
        std::fs::write(folder.join("compiled.meta"), b"{}").unwrap();
        let first = package(&folder, &place.path().join("1.tar.gz")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        std::fs::write(folder.join("compiled.meta"), b"{}").unwrap();
        let second = package(&folder, &place.path().join("2.tar.gz")).unwrap();
        assert_eq!(first, second);
        assert_eq!(first.len(), 128);
        let bytes = File::open(place.path().join("1.tar.gz")).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            (name, entry.header().mode().unwrap())
        });
        let expected = [
            ("compiled.meta".to_owned(), 0o644),
            ("libdlr.so".to_owned(), 0o755),
        ];
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }
}
