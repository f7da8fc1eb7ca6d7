//! A root file system that comes as a directory, copied.

use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::super::ImageError;
use super::Digesting;
use super::layer::{Content, Unpacking};
use super::reading;
use super::tree::Attributes;

/// Copies the directory `source`, without what is mounted inside it, and gives
/// the digest of all that was copied.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_directory(source: &Path, unpacking: &mut Unpacking) -> Result<String, ImageError> {
    let found = fs::metadata(source).map_err(reading(source))?;
    let mut copying = Copying {
        source,
        device: found.dev(),
        digest: Context::new(&SHA256),
        unpacking,
    };
    copying.directory(Path::new(""), &found)?;
    let digest = hex::encode(copying.digest.finish());
    unpacking.finish_layer()?;
    Ok(digest)
}

struct Copying<'a, 'b> {
    source: &'a Path,
    device: u64,
    digest: Context,
    unpacking: &'a mut Unpacking<'b>,
}

impl Copying<'_, '_> {
    fn directory(&mut self, path: &Path, found: &Metadata) -> Result<(), ImageError> {
        self.record(path, found, b"");
        self.unpacking
            .put(path, Content::Directory, attributes(found))?;
        let here = self.source.join(path);
        let mut names = Vec::new();
        for entry in fs::read_dir(&here).map_err(reading(&here))? {
            names.push(PathBuf::from(entry.map_err(reading(&here))?.file_name()));
        }
        names.sort();
        names
            .into_iter()
            .try_for_each(|name| self.entry(&path.join(name)))
    }

    fn entry(&mut self, path: &Path) -> Result<(), ImageError> {
        let here = self.source.join(path);
        let found = fs::symlink_metadata(&here).map_err(reading(&here))?;
        if found.dev() != self.device {
            return Ok(());
        }
        if found.is_dir() {
            return self.directory(path, &found);
        }
        if found.is_symlink() {
            let target = fs::read_link(&here).map_err(reading(&here))?;
            let target = target.as_os_str().as_bytes();
            self.record(path, &found, target);
            return self
                .unpacking
                .put(path, Content::SymbolicLink(target), attributes(&found));
        }
        if found.is_file() {
            let mut file = Digesting::new(File::open(&here).map_err(reading(&here))?);
            self.unpacking
                .put(path, Content::File(&mut file), attributes(&found))?;
            self.record(path, &found, file.finish().as_bytes());
        }
        Ok(())
    }

    /// Adds an entry to the digest, in a form that no other entry has.
    fn record(&mut self, path: &Path, found: &Metadata, content: &[u8]) {
        for part in [path.as_os_str().as_bytes(), content] {
            self.digest.update(&part.len().to_le_bytes());
            self.digest.update(part);
        }
        for number in [found.mode(), found.uid(), found.gid()] {
            self.digest.update(&number.to_le_bytes());
        }
    }
}

fn attributes(found: &Metadata) -> Attributes {
    Attributes {
        mode: found.mode(),
        uid: found.uid(),
        gid: found.gid(),
        modified: found.mtime(),
    }
}
