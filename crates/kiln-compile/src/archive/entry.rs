//! What the entries of an archive are.

use tar::EntryType;

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// Words about the next entry.
    Extension(Extension),
    /// Nothing that a model needs, with its name and article.
    Refused(&'static str),
}

/// What tar writes of an entry before it, where its header is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    /// GNU's long name.
    LongName,
    /// The records of POSIX.
    Records,
    /// Of no interest.
    Ignored,
}

pub(super) fn kind(entry: EntryType, name: &[u8]) -> Kind {
    match entry {
        // Before there were directories in tar, a slash made one.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::GNULongName => Kind::Extension(Extension::LongName),
        EntryType::XHeader => Kind::Extension(Extension::Records),
        EntryType::GNULongLink | EntryType::XGlobalHeader => Kind::Extension(Extension::Ignored),
        EntryType::Symlink => Kind::Refused("a symbolic link"),
        EntryType::Link => Kind::Refused("a hard link"),
        EntryType::Char | EntryType::Block => Kind::Refused("a device"),
        EntryType::Fifo => Kind::Refused("a named pipe"),
        EntryType::GNUSparse => Kind::Refused("a sparse file"),
        _ => Kind::Refused("of an unknown type"),
    }
}
