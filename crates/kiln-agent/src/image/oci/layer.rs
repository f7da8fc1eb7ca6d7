//! Layers written into a tree, one over the other.

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tar::{Archive, Entry, EntryType};

use super::super::ImageError;
use super::SizeLimits;
use super::entry_path::{Meaning, inside, meaning};
use super::tree::{Attributes, Tree};

/// What stands at a path.
pub enum Content<'a> {
    /// A directory.
    Directory,
    /// A file with what can be read.
    File(&'a mut dyn Read),
    /// A symbolic link with its target.
    SymbolicLink(&'a [u8]),
    /// Another name of the file at this path.
    HardLink(PathBuf),
}

/// A tree that layers are being written into.
pub struct Unpacking<'a> {
    tree: &'a Tree,
    limits: SizeLimits,
    bytes: u64,
    entries: u64,
    /// What the current layer wrote, which its own marks do not remove.
    written: HashSet<PathBuf>,
    /// The directories of the current layer, whose times and modes are set when
    /// nothing more is written into them.
    directories: Vec<(PathBuf, Attributes)>,
}

impl<'a> Unpacking<'a> {
    /// Starts with an empty tree.
    pub fn new(tree: &'a Tree, limits: SizeLimits) -> Self {
        Self {
            tree,
            limits,
            bytes: 0,
            entries: 0,
            written: HashSet::new(),
            directories: Vec::new(),
        }
    }

    /// The bytes in the files written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing was written yet.
    pub fn is_untouched(&self) -> bool {
        self.entries == 0
    }

    /// Applies a layer that comes as a `tar` archive.
    ///
    /// # Errors
    /// When the layer is damaged, hostile or too large.
    pub fn apply(&mut self, layer: impl Read) -> Result<(), ImageError> {
        let mut archive = Archive::new(layer);
        let entries = archive
            .entries()
            .map_err(ImageError::io("reading a layer"))?;
        for entry in entries {
            self.apply_entry(entry.map_err(ImageError::io("reading a layer"))?)?;
        }
        self.finish_layer()
    }

    /// Puts one thing into the tree.
    ///
    /// # Errors
    /// When it cannot be written or the limits are passed.
    pub fn put(
        &mut self,
        path: &Path,
        content: Content,
        attributes: Attributes,
    ) -> Result<(), ImageError> {
        self.count_entry()?;
        self.written.insert(path.to_owned());
        match content {
            Content::Directory => {
                self.tree.directory(path)?;
                self.directories.push((path.to_owned(), attributes));
                return Ok(());
            }
            Content::File(reader) => self.write_file(path, reader)?,
            Content::SymbolicLink(target) => self.tree.symbolic_link(path, target)?,
            // The attributes are those of the file that has one more name.
            Content::HardLink(existing) => return self.tree.hard_link(path, &existing),
        }
        self.tree.attributes(path, attributes)
    }

    /// Ends a layer: what comes next lies over it.
    ///
    /// # Errors
    /// When attributes cannot be set.
    pub fn finish_layer(&mut self) -> Result<(), ImageError> {
        for (path, attributes) in std::mem::take(&mut self.directories).into_iter().rev() {
            // A later entry of the layer may have put something else there.
            if path.as_os_str().is_empty() || self.tree.is_directory(&path) {
                self.tree.attributes(&path, attributes)?;
            }
        }
        self.written.clear();
        Ok(())
    }

    fn apply_entry(&mut self, mut entry: Entry<impl Read>) -> Result<(), ImageError> {
        let path = inside(&entry.path_bytes())?;
        match meaning(&path)? {
            Meaning::Entry => {}
            Meaning::Removed(gone) => return self.remove_lower(&gone),
            Meaning::Emptied(directory) => return self.empty_lower(&directory),
        }
        let attributes = attributes(&entry);
        let link = entry.link_name_bytes().map(|target| target.into_owned());
        match (entry.header().entry_type(), link) {
            (EntryType::Directory, _) => self.put(&path, Content::Directory, attributes),
            (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse, _) => {
                self.put(&path, Content::File(&mut entry), attributes)
            }
            (EntryType::Symlink, Some(target)) => {
                self.put(&path, Content::SymbolicLink(&target), attributes)
            }
            (EntryType::Link, Some(target)) => {
                self.put(&path, Content::HardLink(inside(&target)?), attributes)
            }
            // Devices and pipes: containers have their own /dev.
            _ => self.count_entry(),
        }
    }

    fn write_file(&mut self, path: &Path, reader: &mut dyn Read) -> Result<(), ImageError> {
        let mut file = self.tree.file(path)?;
        let left = self.limits.bytes - self.bytes;
        let shown = String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned();
        let copied = io::copy(&mut reader.take(left + 1), &mut file)
            .map_err(ImageError::io(format!("unpacking /{shown}")))?;
        if copied > left {
            return Err(ImageError::TooLarge {
                limit: self.limits.bytes,
                unit: "bytes",
            });
        }
        self.bytes += copied;
        Ok(())
    }

    fn count_entry(&mut self) -> Result<(), ImageError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(ImageError::TooLarge {
                limit: self.limits.entries,
                unit: "entries",
            });
        }
        Ok(())
    }

    /// Removes from a path what the layers below have there.
    fn remove_lower(&self, path: &Path) -> Result<(), ImageError> {
        if !self.has_written_below(path) {
            return self.tree.remove(path);
        }
        self.empty_lower(path)
    }

    /// Removes from a directory what the layers below have in it.
    fn empty_lower(&self, directory: &Path) -> Result<(), ImageError> {
        for name in self.tree.names(directory)? {
            self.remove_lower(&directory.join(name))?;
        }
        Ok(())
    }

    fn has_written_below(&self, path: &Path) -> bool {
        self.written.iter().any(|written| written.starts_with(path))
    }
}

/// The attributes of an entry. What a careless writer left out is taken to be
/// what is usual.
fn attributes(entry: &Entry<impl Read>) -> Attributes {
    let header = entry.header();
    let number = |field: io::Result<u64>| field.ok().and_then(|value| u32::try_from(value).ok());
    Attributes {
        mode: header.mode().unwrap_or(0o755),
        uid: number(header.uid()).unwrap_or(0),
        gid: number(header.gid()).unwrap_or(0),
        modified: header
            .mtime()
            .ok()
            .and_then(|time| i64::try_from(time).ok())
            .unwrap_or(0),
    }
}
