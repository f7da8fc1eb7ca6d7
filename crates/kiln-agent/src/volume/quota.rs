//! Project quotas of ext4 and XFS: a number on every file of the job, which its
//! directories hand on, and a limit for all that has the number.
//!
//! The numbers are one name space for the whole file system. One that has no
//! file and no limit is free. Whoever takes it looks afterwards whether nobody
//! else has taken it at the same time.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::statfs::{XFS_SUPER_MAGIC, fstatfs};

/// From `linux/quota.h` and `linux/dqblk_xfs.h`.
const PROJECT: libc::c_int = 2;
const LIMIT_UNIT: u64 = 1024;
const GET_STATE: libc::c_int = ((b'X' as libc::c_int) << 8) + 8;
const PROJECT_ENFORCED: u16 = 1 << 5;
/// From `linux/fs.h`.
const HAND_ON: u32 = 0x200;

/// Our numbers: few people give out so large ones by hand.
const FIRST: u32 = 1 << 30;
const TRIES: u32 = 16;

/// A volume counts as full when less than this is left; every file of some size
/// that is written then fails.
const SLACK: u64 = 1 << 20;
/// The part of a volume that XFS may need for what belongs to no file.
const UNSEEN: u64 = 64;

mod ioctls {
    /// `struct fsxattr`.
    #[repr(C)]
    #[derive(Debug, Default, Clone, Copy)]
    pub struct Attributes {
        pub flags: u32,
        pub extent_size: u32,
        pub extents: u32,
        pub project: u32,
        pub shared_extent_size: u32,
        pub padding: [u8; 8],
    }

    nix::ioctl_read!(read_attributes, b'X', 31, Attributes);
    nix::ioctl_write_ptr!(write_attributes, b'X', 32, Attributes);
}

/// `struct fs_quota_statv`, in which only the flags are of use here.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
struct State {
    version: i8,
    padding: u8,
    flags: u16,
    rest: [u64; 20],
}

/// A quota that holds for an instance's directories, until it is dropped.
pub(super) struct Quota {
    file_system: File,
    /// Whether blocks count that nobody has written to.
    sets_aside: bool,
    number: u32,
    limit: u64,
}

impl Quota {
    /// Puts the directories, which must be empty, under a quota. `None` when
    /// there is nothing to enforce, or the file system enforces no quotas of
    /// this kind.
    pub(super) fn claim(
        instance: &Path,
        directories: &[PathBuf],
        limit: u64,
    ) -> io::Result<Option<Self>> {
        if limit == u64::MAX || !all_empty(directories)? {
            return Ok(None);
        }
        let file_system = File::open(instance)?;
        if !enforces(&file_system)? {
            return Ok(None);
        }
        let sets_aside = fstatfs(&file_system)?.filesystem_type() == XFS_SUPER_MAGIC;
        let numbers = (0..TRIES).map(|attempt| candidate(instance, attempt));
        for number in numbers {
            if usage(&file_system, number)?.is_some() {
                continue;
            }
            let quota = Self {
                file_system: file_system.try_clone()?,
                sets_aside,
                number,
                limit,
            };
            quota.set_limit(limit)?;
            for directory in directories {
                assign(directory, number)?;
            }
            if quota.is_ours_alone(directories)? {
                return Ok(Some(quota));
            }
        }
        for directory in directories {
            assign(directory, 0)?;
        }
        Ok(None)
    }

    /// Whether the file system says that hardly anything more can be written.
    pub(super) fn is_used_up(&self) -> bool {
        let usage = usage(&self.file_system, self.number).ok().flatten();
        usage.is_some_and(|usage| usage.dqb_curspace.saturating_add(SLACK) > self.limit)
    }

    /// Whether that is so, if the job's files add up to this. XFS sets blocks
    /// aside behind files that grow, and takes them back when others are needed.
    pub(super) fn is_full(&self, files: u64) -> bool {
        self.is_used_up() && (!self.sets_aside || files >= self.limit - self.limit / UNSEEN)
    }

    /// Whoever took the number at the same time has directories under it too.
    fn is_ours_alone(&self, directories: &[PathBuf]) -> io::Result<bool> {
        let usage = usage(&self.file_system, self.number)?;
        Ok(usage.is_some_and(|usage| usage.dqb_curinodes == directories.len() as u64))
    }

    fn set_limit(&self, bytes: u64) -> io::Result<()> {
        let mut quota = empty();
        quota.dqb_bhardlimit = bytes.div_ceil(LIMIT_UNIT);
        quota.dqb_valid = libc::QIF_BLIMITS;
        quotactl(
            self.file_system.as_raw_fd(),
            libc::Q_SETQUOTA,
            self.number,
            &mut quota,
        )
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        if let Err(error) = self.set_limit(0) {
            tracing::warn!(%error, number = self.number, "the limit of a quota stays");
        }
    }
}

fn all_empty(directories: &[PathBuf]) -> io::Result<bool> {
    for directory in directories {
        if std::fs::read_dir(directory)?.next().is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The number to try for an instance.
fn candidate(instance: &Path, attempt: u32) -> u32 {
    let mut hasher = DefaultHasher::new();
    (instance, attempt).hash(&mut hasher);
    FIRST + u32::try_from(hasher.finish() % u64::from(FIRST)).unwrap_or_default()
}

fn enforces(file_system: &File) -> io::Result<bool> {
    let mut state = State {
        version: 1,
        ..State::default()
    };
    quotactl(file_system.as_raw_fd(), GET_STATE, 0, &mut state)?;
    Ok(state.flags & PROJECT_ENFORCED != 0)
}

/// What has the number, if anything has or had.
fn usage(file_system: &File, number: u32) -> io::Result<Option<libc::dqblk>> {
    let mut found = empty();
    match quotactl(
        file_system.as_raw_fd(),
        libc::Q_GETQUOTA,
        number,
        &mut found,
    ) {
        // XFS knows only numbers that were used.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        outcome => outcome?,
    }
    let taken = found.dqb_curinodes > 0 || found.dqb_curspace > 0 || found.dqb_bhardlimit > 0;
    Ok(taken.then_some(found))
}

/// Gives a directory the number, and everything that will be made in it.
fn assign(directory: &Path, number: u32) -> io::Result<()> {
    let directory = File::open(directory)?;
    let mut attributes = ioctls::Attributes::default();
    // SAFETY: the descriptor is open, and the struct is the kernel's.
    unsafe { ioctls::read_attributes(directory.as_raw_fd(), &raw mut attributes) }?;
    attributes.project = number;
    match number {
        0 => attributes.flags &= !HAND_ON,
        _ => attributes.flags |= HAND_ON,
    }
    // SAFETY: as above; the struct is only read.
    unsafe { ioctls::write_attributes(directory.as_raw_fd(), &raw const attributes) }?;
    Ok(())
}

fn empty() -> libc::dqblk {
    // SAFETY: the struct holds nothing but integers.
    unsafe { std::mem::zeroed() }
}

/// `quotactl_fd(2)`. `T` must be the command's own struct.
fn quotactl<T>(
    file_system: RawFd,
    command: libc::c_int,
    number: u32,
    of: &mut T,
) -> io::Result<()> {
    let command = command.cast_unsigned() << 8 | PROJECT.cast_unsigned();
    // SAFETY: the pointer is valid for the struct that the command reads or writes.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_quotactl_fd,
            file_system,
            command,
            number,
            std::ptr::from_mut(of),
        )
    };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
