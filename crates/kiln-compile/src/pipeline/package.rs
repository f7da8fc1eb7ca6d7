//! The artifact: a folder as one archive, the same bytes for the same folder.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// The files of a folder and of those in it, relative to it and in order.
///
/// # Errors
/// When one of the folders cannot be read.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_dir() {
            let inner = self::files(&entry.path())?.into_iter();
            files.extend(inner.map(|file| name.join(file)));
        } else {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}

/// Packs the files of a folder, by name.
///
/// # Errors
/// When a file cannot be read or the archive cannot be written.
pub(super) fn package(folder: &Path, archive: &Path) -> io::Result<()> {
    let mut package = Package::create(archive)?;
    for name in files(folder)? {
        let file = File::open(folder.join(&name))?;
        package.add(&name, file.metadata()?.len(), false, &file)?;
    }
    package.finish()
}

/// An archive in the making.
pub(super) struct Package(Builder<GzEncoder<BufWriter<File>>>);

impl Package {
    /// Begins an archive at a path.
    pub(super) fn create(archive: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(archive)?);
        Ok(Self(Builder::new(GzEncoder::new(
            file,
            Compression::fast(),
        ))))
    }

    /// Adds a file of so many bytes. Libraries can be executed in any case.
    pub(super) fn add(
        &mut self,
        name: &Path,
        bytes: u64,
        is_program: bool,
        content: impl Read,
    ) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes);
        let is_library = name
            .extension()
            .is_some_and(|extension| extension == "so" || extension == "dll");
        let mode = if is_program || is_library {
            0o755
        } else {
            0o644
        };
        header.set_mode(mode);
        header.set_mtime(0);
        self.0.append_data(&mut header, name, content)
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.into_inner()?.finish()?.flush()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    /// Mode and content of each file of an archive.
    pub(in super::super) fn files_of(archive: &Path) -> BTreeMap<String, (u32, String)> {
        let bytes = File::open(archive).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let (mode, mut text) = (entry.header().mode().unwrap(), String::new());
            entry.read_to_string(&mut text).unwrap();
            (name, (mode, text))
        });
        entries.collect()
    }

    #[test]
    fn the_same_folder_makes_the_same_archive() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("model");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("libdlr.so"), b"library").unwrap();
        std::fs::create_dir_all(folder.join("net.mlpackage/Data")).unwrap();
        std::fs::write(folder.join("net.mlpackage/Data/weights"), b"w").unwrap();
        std::fs::write(folder.join("compiled.meta"), b"{}").unwrap();
        let pack = |name: &str| {
            package(&folder, &place.path().join(name)).unwrap();
            std::fs::read(place.path().join(name)).unwrap()
        };
        let first = pack("1.tar.gz");
        std::thread::sleep(std::time::Duration::from_millis(5));
        std::fs::write(folder.join("compiled.meta"), b"{}").unwrap();
        assert_eq!(first, pack("2.tar.gz"));
        let expected = [
            ("compiled.meta", 0o644, "{}"),
            ("libdlr.so", 0o755, "library"),
            ("net.mlpackage/Data/weights", 0o644, "w"),
        ];
        let expected =
            expected.map(|(name, mode, text)| (name.to_owned(), (mode, text.to_owned())));
        assert_eq!(files_of(&place.path().join("1.tar.gz")), expected.into());
    }
}
