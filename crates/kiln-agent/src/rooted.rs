//! Opens directories below a root that others may write to: links are followed
//! as from within, and none leads out.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// How often a path is walked again that renames elsewhere disturbed; each walk
/// takes microseconds, and it takes a rename within them.
const MAX_TRIES: u32 = 1000;

/// Opens the directory at `path` as from within `root`; `flags` say for what.
pub(crate) fn open_directory(
    root: impl AsFd + Copy,
    path: &Path,
    flags: OFlag,
) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let mut tries = 0;
    loop {
        // A rename anywhere on the machine while a link leads upwards makes the
        // kernel say EAGAIN, since it cannot tell whether the root was left.
        match openat2(root, path, how) {
            Err(Errno::EAGAIN) if tries < MAX_TRIES => tries += 1,
            opened => return opened,
        }
    }
}
