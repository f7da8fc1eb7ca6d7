//! The parts of an image by name, in an archive or a directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use tar::{Archive, EntryType};

use super::super::ImageError;
use super::entry_path::inside;
use super::{decompressed, reading};

/// The largest document of an image: manifests and configurations are small.
const LARGEST_DOCUMENT: u64 = 16 << 20;
/// The most parts that an image may have.
const MOST_PARTS: usize = 100_000;

/// What a person gave as an image.
#[derive(Debug)]
pub enum Given {
    /// An image in parts.
    Image(Blobs),
    /// An archive, not compressed, of something else: of a root file system.
    RootFileSystem(File),
}

/// Where an image's parts are.
#[derive(Debug)]
pub enum Blobs {
    /// Files under a directory.
    Directory(PathBuf),
    /// Members of an archive.
    Archive {
        /// What the archive is called.
        path: PathBuf,
        /// The archive, not compressed.
        file: File,
        /// Its members.
        members: HashMap<PathBuf, Member>,
    },
}

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// Where its content is.
    Content {
        /// The first byte.
        start: u64,
        /// The number of bytes.
        length: u64,
    },
    /// The member that it is a link to.
    Link(PathBuf),
}

impl Blobs {
    /// Whether a directory is an image in parts rather than a root file system.
    pub fn is_layout(directory: &Path) -> bool {
        directory.join("oci-layout").is_file() && directory.join("index.json").is_file()
    }

    /// Opens what a person gave. A compressed archive is first decompressed into
    /// `scratch`.
    ///
    /// # Errors
    /// When it cannot be read, is no archive, or is larger than `most` bytes.
    pub fn open(source: &Path, scratch: &Path, most: u64) -> Result<Given, ImageError> {
        if source.is_dir() {
            return Ok(Given::Image(Self::Directory(source.to_owned())));
        }
        let mut file = plain_archive(source, scratch, most)?;
        let members = members(&mut file).map_err(|error| ImageError::NotAnImage {
            path: source.to_owned(),
            reason: format!("it cannot be read as an archive: {error}"),
        })?;
        let is_image = ["index.json", "manifest.json"]
            .iter()
            .any(|name| members.contains_key(Path::new(name)));
        if is_image {
            let path = source.to_owned();
            return Ok(Given::Image(Self::Archive {
                path,
                file,
                members,
            }));
        }
        file.rewind().map_err(reading(source))?;
        Ok(Given::RootFileSystem(file))
    }

    /// The stream of one part.
    ///
    /// # Errors
    /// When there is no such part.
    pub fn open_blob(&self, name: &str) -> Result<Box<dyn Read + '_>, ImageError> {
        match self {
            Self::Directory(root) => {
                let path = root.join(name);
                Ok(Box::new(BufReader::new(
                    File::open(&path).map_err(reading(&path))?,
                )))
            }
            Self::Archive {
                path,
                file,
                members,
            } => {
                let (start, length) =
                    find(members, name).ok_or_else(|| ImageError::NotAnImage {
                        path: path.clone(),
                        reason: format!("{name} is missing"),
                    })?;
                let section = Section {
                    file,
                    position: start,
                    end: start + length,
                };
                Ok(Box::new(BufReader::with_capacity(1 << 18, section)))
            }
        }
    }

    /// One small part as a whole; `None` when there is no such part.
    ///
    /// # Errors
    /// When it cannot be read or is not small.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let there = match self {
            Self::Directory(root) => root.join(name).is_file(),
            Self::Archive { members, .. } => find(members, name).is_some(),
        };
        if !there {
            return Ok(None);
        }
        let mut text = Vec::new();
        self.open_blob(name)?
            .take(LARGEST_DOCUMENT + 1)
            .read_to_end(&mut text)
            .map_err(ImageError::io(format!("reading {name}")))?;
        if text.len() as u64 > LARGEST_DOCUMENT {
            return Err(ImageError::Hostile(format!("{name} is far too large")));
        }
        Ok(Some(text))
    }
}

/// Where a member's content is, by way of a link if need be.
fn find(members: &HashMap<PathBuf, Member>, name: &str) -> Option<(u64, u64)> {
    let mut path = inside(name.as_bytes()).ok()?;
    for _ in 0..8 {
        match members.get(&path)? {
            Member::Content { start, length } => return Some((*start, *length)),
            Member::Link(target) => path = target.clone(),
        }
    }
    None
}

/// The archive without its compression: itself, or a copy that has no name.
fn plain_archive(source: &Path, scratch: &Path, most: u64) -> Result<File, ImageError> {
    let mut file = File::open(source).map_err(reading(source))?;
    let mut start = [0; 2];
    let is_compressed = file.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
    file.rewind().map_err(reading(source))?;
    if !is_compressed {
        return Ok(file);
    }
    let mut copy = unnamed_file(scratch).map_err(ImageError::io("making a temporary file"))?;
    let plain = decompressed(BufReader::new(file)).map_err(reading(source))?;
    let copied = io::copy(&mut plain.take(most + 1), &mut copy).map_err(reading(source))?;
    if copied > most {
        return Err(ImageError::TooLarge {
            limit: most,
            unit: "bytes",
        });
    }
    copy.rewind().map_err(reading(source))?;
    Ok(copy)
}

fn unnamed_file(directory: &Path) -> io::Result<File> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    Ok(open(directory, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
}

fn members(file: &mut File) -> io::Result<HashMap<PathBuf, Member>> {
    let mut members = HashMap::new();
    let mut archive = Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        // A member with a path that is no path cannot be asked for.
        let Ok(path) = inside(&entry.path_bytes()) else {
            continue;
        };
        let member = match entry.header().entry_type() {
            EntryType::Regular => Member::Content {
                start: entry.raw_file_position(),
                length: entry.size(),
            },
            EntryType::Symlink => link_target(&path, &entry.link_name_bytes().unwrap_or_default()),
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default();
                Member::Link(inside(&target).unwrap_or_default())
            }
            _ => continue,
        };
        members.insert(path, member);
        if members.len() > MOST_PARTS {
            break;
        }
    }
    Ok(members)
}

/// A link of older `docker save` archives, whose layers point at each other.
fn link_target(path: &Path, target: &[u8]) -> Member {
    let parent = path.parent().unwrap_or(Path::new(""));
    let target = match target.strip_prefix(b"../") {
        Some(sideways) => {
            inside(sideways).map(|inner| parent.parent().unwrap_or(Path::new("")).join(inner))
        }
        None => inside(target).map(|inner| parent.join(inner)),
    };
    Member::Link(target.unwrap_or_default())
}

/// A part of a file that is read without moving the file's own position.
struct Section<'a> {
    file: &'a File,
    position: u64,
    end: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let count = self.file.read_at(&mut buffer[..wanted], self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_member_that_has_the_content() {
        let members = HashMap::from([
            (
                PathBuf::from("a/layer.tar"),
                Member::Content {
                    start: 512,
                    length: 3,
                },
            ),
            (
                PathBuf::from("b/layer.tar"),
                link_target(Path::new("b/layer.tar"), b"../a/layer.tar"),
            ),
            (
                PathBuf::from("loop"),
                link_target(Path::new("loop"), b"loop"),
            ),
        ]);
        assert_eq!(find(&members, "b/layer.tar"), Some((512, 3)));
        assert_eq!(find(&members, "./a/layer.tar"), Some((512, 3)));
        assert_eq!(find(&members, "loop"), None);
        assert_eq!(find(&members, "../a"), None);
    }
}
