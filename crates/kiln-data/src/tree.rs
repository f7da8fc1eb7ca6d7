//! A walk through directories that hostile code has written or is still writing.
//!
//! Every step goes from one directory's descriptor to the next and follows no
//! link, so that whatever is swapped meanwhile, nothing outside the roots is
//! ever opened. There is no recursion, only the deepest directories stay open,
//! and no path is handed to the kernel that is longer than one name, so that a
//! tree may be as deep as it likes. Several roots are walked as one tree; of
//! equal names the first root's wins, and directories of equal names merge.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

/// Levels of which the directories stay open.
const OPEN_LEVELS: usize = 48;
const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);
/// A FIFO must not block who opens it.
const FILE: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

/// What a walk meets. Sockets, devices and FIFOs are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    Link,
}

/// One thing in the tree.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its path below the roots.
    pub path: PathBuf,
    pub kind: Kind,
    pub stat: FileStat,
    directory: Arc<OwnedFd>,
    name: CString,
}

impl Entry {
    /// Opens a file, and says what was really opened; `None` when it is no
    /// longer there, or no longer a file.
    pub fn open(&self) -> io::Result<Option<(File, FileStat)>> {
        open_file(&self.directory, &self.name)
    }

    /// Where a link points; `None` when it is gone.
    pub fn target(&self) -> io::Result<Option<PathBuf>> {
        let target = readlinkat(&*self.directory, self.name.as_c_str());
        Ok(present(target)?.map(PathBuf::from))
    }
}

/// Part of the tree that could not be read. The walk goes on behind it.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// Its path below the roots.
    pub path: PathBuf,
    pub error: io::Error,
}

/// A walk in the order of names, a directory before what is in it.
pub(crate) struct Walk {
    levels: Vec<Level>,
    /// The names that led to the deepest level.
    path: PathBuf,
    failed: Vec<Unreadable>,
}

/// A directory on the way down.
struct Level {
    sides: Vec<Side>,
    /// The names still to visit, last first, each with the sides that have it.
    names: Vec<(CString, Vec<u16>)>,
}

/// The same directory under one of the roots.
struct Side {
    root: usize,
    identity: Identity,
    open: Option<Arc<OwnedFd>>,
}

type Identity = (u64, u64);

impl Walk {
    /// Begins a walk; a root that does not exist, or is something else than a
    /// directory by now, is empty.
    pub fn new(roots: &[&Path]) -> io::Result<Self> {
        let mut opened = Vec::new();
        for path in roots {
            let flags = DIRECTORY | OFlag::O_NOFOLLOW;
            opened.extend(present(open(*path, flags, Mode::empty()))?);
        }
        Self::through(opened)
    }

    /// Begins a walk through directories that are open.
    pub fn through(roots: Vec<OwnedFd>) -> io::Result<Self> {
        Ok(Self {
            levels: vec![level(roots.into_iter().enumerate().collect())?],
            path: PathBuf::new(),
            failed: Vec::new(),
        })
    }

    fn step(&mut self) -> Option<Result<Entry, Unreadable>> {
        loop {
            if let Some(failed) = self.failed.pop() {
                return Some(Err(failed));
            }
            let level = self.levels.last_mut()?;
            let Some((name, sides)) = level.names.pop() else {
                self.leave();
                continue;
            };
            let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
            match self.visit(path.clone(), name, &sides) {
                Ok(Some(entry)) => return Some(Ok(entry)),
                Ok(None) => {}
                Err(error) => return Some(Err(Unreadable { path, error })),
            }
        }
    }

    /// Looks at a name, and enters it when it is a directory.
    fn visit(&mut self, path: PathBuf, name: CString, on: &[u16]) -> io::Result<Option<Entry>> {
        let Some(level) = self.levels.last() else {
            return Ok(None);
        };
        let mut first = None;
        let mut below = Vec::new();
        for side in on {
            let side = &level.sides[usize::from(*side)];
            let Some(directory) = &side.open else {
                continue;
            };
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            let Some(stat) = present(fstatat(&**directory, name.as_c_str(), flags))? else {
                continue;
            };
            let Some(kind) = kind(&stat) else { continue };
            let (kind, ..) = *first.get_or_insert((kind, stat, Arc::clone(directory)));
            if kind != Kind::Directory {
                break;
            }
            let flags = DIRECTORY | OFlag::O_NOFOLLOW;
            let opened = openat(&**directory, name.as_c_str(), flags, Mode::empty());
            if let Some(opened) = present(opened)? {
                below.push((side.root, opened));
            }
        }
        let Some((kind, stat, directory)) = first else {
            return Ok(None);
        };
        if kind == Kind::Directory {
            if below.is_empty() {
                return Ok(None);
            }
            let entered = level_or_empty(below, &path, &mut self.failed);
            self.enter(entered, &name);
        }
        Ok(Some(Entry {
            path,
            kind,
            stat,
            directory,
            name,
        }))
    }

    fn enter(&mut self, level: Level, name: &CStr) {
        self.path.push(OsStr::from_bytes(name.to_bytes()));
        self.levels.push(level);
        if let Some(far) = self.levels.len().checked_sub(OPEN_LEVELS + 1) {
            // The roots' descriptors are where a lost way is found again.
            for side in self.levels[far].sides.iter_mut().filter(|_| far > 0) {
                side.open = None;
            }
        }
    }

    /// Goes back up, and opens the directory there again when it was closed.
    fn leave(&mut self) {
        let Some(left) = self.levels.pop() else {
            return;
        };
        self.path.pop();
        let Some((level, above)) = self.levels.split_last_mut() else {
            return;
        };
        for side in level.sides.iter_mut().filter(|side| side.open.is_none()) {
            let child = left.sides.iter().find(|child| child.root == side.root);
            let root = above.first().and_then(|level| level.root(side.root));
            side.open = child
                .and_then(|child| parent(child.open.as_deref()?, side.identity))
                .or_else(|| descend(root?, &self.path).ok())
                .filter(|found| identity(found).ok() == Some(side.identity))
                .map(Arc::new);
        }
    }
}

impl Iterator for Walk {
    type Item = Result<Entry, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}

impl Level {
    fn root(&self, root: usize) -> Option<&OwnedFd> {
        let side = self.sides.iter().find(|side| side.root == root)?;
        side.open.as_deref()
    }
}

/// The directory above, unless the child has been moved elsewhere meanwhile.
fn parent(child: &OwnedFd, expected: Identity) -> Option<OwnedFd> {
    let above = openat(child, c"..", DIRECTORY, Mode::empty()).ok()?;
    (identity(&above).ok()? == expected).then_some(above)
}

/// The paths of directories, for a thread that is to walk through them.
pub(crate) fn owned<P: AsRef<Path>>(directories: &[P]) -> Vec<PathBuf> {
    let paths = directories.iter();
    paths.map(|path| path.as_ref().to_owned()).collect()
}

/// Opens the directory at a path below `root`, name by name and through no link.
pub(crate) fn descend(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let mut directory = root.try_clone()?;
    for part in path.components() {
        let Component::Normal(name) = part else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let flags = DIRECTORY | OFlag::O_NOFOLLOW;
        directory = openat(&directory, name, flags, Mode::empty())?;
    }
    Ok(directory)
}

/// Opens the directory at a path below `root`; `None` when it is gone.
pub(crate) fn descend_if_there(root: &OwnedFd, path: &Path) -> io::Result<Option<OwnedFd>> {
    match descend(root, path) {
        Err(error) if is_absence(&error) => Ok(None),
        found => found.map(Some),
    }
}

/// Opens a root, which is trusted to be what it is called.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, DIRECTORY, Mode::empty())?)
}

/// Opens a regular file by its name in a directory, and says what was really
/// opened; `None` when there is none.
pub(crate) fn open_named(
    directory: &OwnedFd,
    name: &OsStr,
) -> io::Result<Option<(File, FileStat)>> {
    open_file(directory, CString::new(name.as_bytes())?.as_c_str())
}

fn open_file(directory: &OwnedFd, name: &CStr) -> io::Result<Option<(File, FileStat)>> {
    let Some(file) = present(openat(directory, name, FILE, Mode::empty()))? else {
        return Ok(None);
    };
    let stat = fstat(&file)?;
    Ok((kind(&stat) == Some(Kind::File)).then(|| (File::from(file), stat)))
}

/// What is wrong with a file of so many bytes, most of which are holes.
pub(crate) fn too_large(size: u64) -> io::Error {
    let why = format!("it claims to have {size} bytes, more than there is room for");
    io::Error::new(io::ErrorKind::FileTooLarge, why)
}

fn level_or_empty(
    sides: Vec<(usize, OwnedFd)>,
    path: &Path,
    failed: &mut Vec<Unreadable>,
) -> Level {
    level(sides).unwrap_or_else(|error| {
        let path = path.to_owned();
        failed.push(Unreadable { path, error });
        Level {
            sides: Vec::new(),
            names: Vec::new(),
        }
    })
}

fn level(opened: Vec<(usize, OwnedFd)>) -> io::Result<Level> {
    let mut found = Vec::new();
    let mut sides = Vec::new();
    for (root, directory) in opened {
        let side = sides.len() as u16;
        found.extend(names(&directory)?.into_iter().map(|name| (name, side)));
        sides.push(Side {
            root,
            identity: identity(&directory)?,
            open: Some(Arc::new(directory)),
        });
    }
    // By name, and the first root's first.
    found.sort_unstable();
    let mut names: Vec<(CString, Vec<u16>)> = Vec::with_capacity(found.len());
    for (name, side) in found {
        match names.last_mut() {
            Some((last, on)) if *last == name => on.push(side),
            _ => names.push((name, vec![side])),
        }
    }
    names.reverse();
    Ok(Level { sides, names })
}

fn names(directory: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut listing = Dir::openat(directory, c".", DIRECTORY, Mode::empty())?;
    let mut names = Vec::new();
    for entry in listing.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn identity(directory: &OwnedFd) -> io::Result<Identity> {
    let stat = fstat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn kind(stat: &FileStat) -> Option<Kind> {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFDIR => Some(Kind::Directory),
        SFlag::S_IFREG => Some(Kind::File),
        SFlag::S_IFLNK => Some(Kind::Link),
        _ => None,
    }
}

/// `None` for what is gone, or has become something else.
fn present<T>(outcome: nix::Result<T>) -> io::Result<Option<T>> {
    match outcome.map_err(io::Error::from) {
        Err(error) if is_absence(&error) => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn is_absence(error: &io::Error) -> bool {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    // No such thing; not a directory; a link; a socket; not a link.
    matches!(
        errno,
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENXIO | Errno::EINVAL
    )
}

#[cfg(test)]
mod tests;
