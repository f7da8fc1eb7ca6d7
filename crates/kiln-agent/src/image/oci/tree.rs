//! A directory being filled that nothing can be written out of.
//!
//! Every path is resolved by the kernel with this directory as its root, so that
//! links on the way lead to where they would lead in a container. The last name
//! of a path is never followed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, UtimensatFlags};
use nix::sys::stat::{fchmodat, fstatat, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, linkat, symlinkat, unlinkat};

use super::super::ImageError;
use crate::rooted::open_directory;

/// Who owns an entry, what may be done with it, and when it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Seconds since 1970.
    pub modified: i64,
}

/// The directory being filled.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// The tree under an existing directory.
    ///
    /// # Errors
    /// When the directory cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let root =
            File::open(path).map_err(ImageError::io(format!("opening {}", path.display())))?;
        Ok(Self { root: root.into() })
    }

    /// Makes a directory, or keeps the one that is there; takes the place of
    /// anything else, a link to a directory included.
    pub fn directory(&self, path: &Path) -> Result<(), ImageError> {
        if !path.as_os_str().is_empty() && !self.is_directory(path) {
            self.remove(path)?;
        }
        self.directory_at(path).map(drop)
    }

    /// Makes an empty file in the place of whatever is there.
    pub fn file(&self, path: &Path) -> Result<File, ImageError> {
        let (parent, name) = self.parent(path)?;
        self.remove(path)?;
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(
            &parent,
            name.as_path(),
            flags,
            Mode::S_IRUSR | Mode::S_IWUSR,
        );
        file.map(File::from).map_err(failed("making", path))
    }

    /// Makes a symbolic link in the place of whatever is there.
    pub fn symbolic_link(&self, path: &Path, target: &[u8]) -> Result<(), ImageError> {
        let (parent, name) = self.parent(path)?;
        self.remove(path)?;
        symlinkat(target, &parent, name.as_path()).map_err(failed("linking", path))
    }

    /// Gives the file at `existing` another name.
    pub fn hard_link(&self, path: &Path, existing: &Path) -> Result<(), ImageError> {
        if path == existing {
            return Err(ImageError::Hostile(format!(
                "{} is a link to itself",
                path.display()
            )));
        }
        let (source, source_name) = self.parent(existing)?;
        let (parent, name) = self.parent(path)?;
        self.remove(path)?;
        linkat(
            &source,
            source_name.as_path(),
            &parent,
            name.as_path(),
            AtFlags::empty(),
        )
        .map_err(failed("linking", path))
    }

    /// Sets the attributes of an entry; of a link, those of the link.
    pub fn attributes(&self, path: &Path, wanted: Attributes) -> Result<(), ImageError> {
        let (parent, name) = self.parent_or_root(path)?;
        let name = name.as_path();
        let kind = kind_of(&parent, name).map_err(failed("looking at", path))?;
        let owner = (
            Some(Uid::from_raw(wanted.uid)),
            Some(Gid::from_raw(wanted.gid)),
        );
        fchownat(
            &parent,
            name,
            owner.0,
            owner.1,
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .map_err(failed("giving away", path))?;
        if kind != SFlag::S_IFLNK {
            // After the change of owner, which takes away the right to run as
            // the owner.
            let mode = Mode::from_bits_truncate(wanted.mode & 0o7777);
            fchmodat(&parent, name, mode, FchmodatFlags::FollowSymlink)
                .map_err(failed("setting the mode of", path))?;
        }
        let time = TimeSpec::new(wanted.modified, 0);
        utimensat(&parent, name, &time, &time, UtimensatFlags::NoFollowSymlink)
            .map_err(failed("setting the time of", path))
    }

    /// Removes whatever is at a path, with all that is in it.
    pub fn remove(&self, path: &Path) -> Result<(), ImageError> {
        match self.lookup_parent(path) {
            Some((parent, name)) => remove_at(&parent, &name).map_err(failed("removing", path)),
            None => Ok(()),
        }
    }

    /// The names in a directory; none when there is no such directory.
    pub fn names(&self, path: &Path) -> Result<Vec<PathBuf>, ImageError> {
        let Ok(directory) = self.resolve(path) else {
            return Ok(Vec::new());
        };
        names_in(&directory).map_err(failed("listing", path))
    }

    /// Whether a real directory, and not a link to one, is at a path.
    pub fn is_directory(&self, path: &Path) -> bool {
        self.lookup_parent(path)
            .is_some_and(|(parent, name)| kind_of(&parent, &name) == Ok(SFlag::S_IFDIR))
    }

    fn parent(&self, path: &Path) -> Result<(OwnedFd, PathBuf), ImageError> {
        match path.file_name() {
            Some(_) => self.parent_or_root(path),
            None => Err(ImageError::Hostile(
                "an entry takes the place of the root".to_owned(),
            )),
        }
    }

    fn parent_or_root(&self, path: &Path) -> Result<(OwnedFd, PathBuf), ImageError> {
        let name = path
            .file_name()
            .map_or_else(|| PathBuf::from("."), PathBuf::from);
        Ok((
            self.directory_at(path.parent().unwrap_or(Path::new("")))?,
            name,
        ))
    }

    fn lookup_parent(&self, path: &Path) -> Option<(OwnedFd, PathBuf)> {
        let parent = self.resolve(path.parent()?).ok()?;
        Some((parent, PathBuf::from(path.file_name()?)))
    }

    /// Opens a directory, making what is missing of it.
    fn directory_at(&self, path: &Path) -> Result<OwnedFd, ImageError> {
        match self.resolve(path) {
            Ok(found) => return Ok(found),
            Err(Errno::ENOENT | Errno::ENOTDIR) if path.file_name().is_some() => {}
            Err(errno) => return Err(failed("opening", path)(errno)),
        }
        let (parent, name) = self.parent_or_root(path)?;
        let kind = kind_of(&parent, &name);
        if kind == Ok(SFlag::S_IFREG) {
            unlinkat(&parent, name.as_path(), UnlinkatFlags::NoRemoveDir)
                .map_err(failed("removing", path))?;
        }
        mkdirat(&parent, name.as_path(), Mode::from_bits_truncate(0o755))
            .map_err(failed("making", path))?;
        self.resolve(path).map_err(failed("opening", path))
    }

    fn resolve(&self, path: &Path) -> nix::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        open_directory(&self.root, path, OFlag::O_RDONLY)
    }
}

fn kind_of(parent: &impl AsFd, name: &Path) -> nix::Result<SFlag> {
    let found = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT)
}

fn remove_at(parent: &OwnedFd, name: &Path) -> nix::Result<()> {
    match kind_of(parent, name) {
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
        Ok(kind) if kind == SFlag::S_IFDIR => {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let directory = openat(parent, name, flags, Mode::empty())?;
            for inner in names_in(&directory)? {
                remove_at(&directory, &inner)?;
            }
            unlinkat(parent, name, UnlinkatFlags::RemoveDir)
        }
        Ok(_) => unlinkat(parent, name, UnlinkatFlags::NoRemoveDir),
    }
}

fn names_in(directory: &OwnedFd) -> nix::Result<Vec<PathBuf>> {
    let path = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(directory)
    );
    let entries = std::fs::read_dir(path).map_err(errno_of)?;
    entries
        .map(|entry| {
            entry
                .map(|found| PathBuf::from(found.file_name()))
                .map_err(errno_of)
        })
        .collect()
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

fn failed(doing: &str, path: &Path) -> impl FnOnce(Errno) -> ImageError {
    let shown = String::from_utf8_lossy(path.as_os_str().as_bytes());
    let doing = format!("{doing} /{shown} of the image");
    move |errno| ImageError::Io {
        doing,
        source: errno.into(),
    }
}
