//! The kernel's side of a mount: making it, finding it in the mount table, and
//! taking it away.
//!
//! Mounts are made by the mount call itself, without libfuse and without a
//! set-user-ID helper, so they need the right to mount. They are taken away by
//! force: who waits in a read gets an error at once, and a container that still
//! holds a copy of the mount keeps an empty husk.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::DataError;

const DEVICE: &str = "/dev/fuse";
/// What the mount table calls these mounts.
const KIND: &str = "fuse.kiln";
/// How far the kernel reads ahead of a sequential reader, once it may. At
/// first it allows itself 128 KiB, too little to keep a network busy.
const KERNEL_READ_AHEAD_KIB: &str = "4096";

/// Says in a sentence why this process cannot serve a channel as a file system.
///
/// # Errors
/// The sentence.
pub fn available() -> Result<(), String> {
    let probe = tempfile::tempdir()
        .map_err(|error| format!("no directory can be made to try it on: {error}"))?;
    let path = probe.path().canonicalize();
    let path = path.map_err(|error| error.to_string())?;
    let (_device, mount) = attach(&path).map_err(|error| error.to_string())?;
    mount.detach();
    Ok(())
}

/// A mount, held by its root. The path is only its name: the work can rename what
/// is above it, and put a link to one of the host's own mounts there.
#[derive(Debug)]
pub struct Mountpoint {
    root: OwnedFd,
    path: PathBuf,
}

impl Mountpoint {
    /// Finds a mount by its path, through no link.
    fn find(path: &Path) -> io::Result<Self> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
        let root = openat2(AT_FDCWD, path, how)?;
        let path = path.to_owned();
        Ok(Self { root, path })
    }

    /// Ends the mount, whoever reads from it or holds it open.
    pub fn detach(&self) {
        let root = format!("/proc/self/fd/{}", self.root.as_raw_fd());
        let flags = MntFlags::MNT_FORCE | MntFlags::MNT_DETACH;
        if let Err(error) = umount2(root.as_str(), flags) {
            tracing::warn!(path = %self.path.display(), %error, "a channel stays mounted");
        }
    }
}

/// Mounts an empty connection on `directory`, which is a path without links, and
/// answers the kernel's end of it and the mount.
pub fn attach(directory: &Path) -> Result<(OwnedFd, Mountpoint), DataError> {
    // The standard library opens with O_CLOEXEC: a child that held the device
    // would keep readers waiting after this process is gone.
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open(DEVICE)
        .map_err(|error| unsupported(&no_device(&error)))?;
    let options = format!(
        "fd={},rootmode=40755,user_id=0,group_id=0,allow_other,default_permissions",
        device.as_raw_fd()
    );
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
    mount(
        Some("kiln"),
        directory,
        Some(KIND),
        flags,
        Some(options.as_str()),
    )
    .map_err(|error| {
        let why = format!(
            "a file system cannot be mounted on {}: {}",
            directory.display(),
            error.desc()
        );
        unsupported(&why)
    })?;
    let found = Mountpoint::find(directory);
    let mount = found.map_err(DataError::io(format!("mounting {}", directory.display())))?;
    Ok((device.into(), mount))
}

fn no_device(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{DEVICE} does not exist (load the kernel module `fuse`)")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{DEVICE} may not be opened by this user or in this container")
        }
        _ => format!("{DEVICE} cannot be opened: {error}"),
    }
}

fn unsupported(why: &str) -> DataError {
    DataError::NoFastFile(why.to_owned())
}

/// Lets the kernel read further ahead on this mount, where it permits that.
pub fn raise_read_ahead(directory: &Path) {
    let device = mount_table()
        .ok()
        .and_then(|table| mounts_below(&table, directory).pop());
    let Some(Mount { device, .. }) = device else {
        return;
    };
    let setting = format!("/sys/class/bdi/{device}/read_ahead_kb");
    if let Err(error) = std::fs::write(&setting, KERNEL_READ_AHEAD_KIB) {
        tracing::debug!(%setting, %error, "the kernel's own read-ahead stays");
    }
}

/// Ends every mount of this kind in and below `directory`, such as a process
/// that was killed leaves behind: dead mounts on which every call fails, so
/// that their directory cannot be removed.
///
/// # Errors
/// When the mount table cannot be read.
pub fn unmount_all_below(directory: &Path) -> io::Result<()> {
    // The table knows no symbolic links.
    let directory = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_owned());
    let mounts = mounts_below(&mount_table()?, &directory);
    // The latest first: mounts may lie on each other.
    for mount in mounts.into_iter().rev() {
        match Mountpoint::find(&mount.point) {
            Ok(found) => found.detach(),
            Err(error) => {
                tracing::warn!(path = %mount.point.display(), %error, "a channel stays mounted");
            }
        }
    }
    Ok(())
}

fn mount_table() -> io::Result<Vec<u8>> {
    let mut table = Vec::new();
    io::Read::read_to_end(&mut File::open("/proc/self/mountinfo")?, &mut table)?;
    Ok(table)
}

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// `major:minor`.
    device: String,
    point: PathBuf,
}

/// The mounts of this kind in and below a directory, in the order of the table.
fn mounts_below(table: &[u8], directory: &Path) -> Vec<Mount> {
    table
        .split(|&byte| byte == b'\n')
        .filter_map(read_line)
        .filter(|mount| mount.point.starts_with(directory))
        .collect()
}

/// Reads `id parent major:minor root point options [tags] - kind source options`;
/// `None` for another kind.
fn read_line(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let dash = fields.iter().skip(6).position(|field| field == b"-")? + 6;
    if *fields.get(dash + 1)? != KIND.as_bytes() {
        return None;
    }
    Some(Mount {
        device: String::from_utf8(fields.get(2)?.to_vec()).ok()?,
        point: PathBuf::from(unescaped(fields.get(4)?)),
    })
}

/// The table writes blanks and backslashes as three octal digits.
fn unescaped(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| byte == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
90 22 0:41 / /data/agents/a/train ro,nosuid - fuse.kiln kiln rw,user_id=0
91 22 0:42 / /data/agents/a/two\\040words ro master:3 propagate_from:2 - fuse.kiln kiln rw
92 22 0:43 / /data/agents/ab/train ro - fuse.kiln kiln rw
93 22 0:44 / /data/agents/a/other rw - fuse.sshfs host:/ rw
94 22 0:45 / /data/agents/a/tmp rw - tmpfs tmpfs rw
";

    #[test]
    fn only_our_mounts_below_the_directory_are_found() {
        let found = mounts_below(TABLE.as_bytes(), Path::new("/data/agents/a"));
        let expected = [("0:41", "train"), ("0:42", "two words")].map(|(device, name)| Mount {
            device: device.to_owned(),
            point: Path::new("/data/agents/a").join(name),
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mount_table_may_hold_anything() {
        let cases = [
            "",
            "\n\n",
            "1 2 3",
            "a b c d e f g - fuse.kiln",
            " - fuse.kiln kiln",
            "\\",
        ];
        for table in cases {
            let found = mounts_below(table.as_bytes(), Path::new("/"));
            assert_eq!(found.len(), 0, "{table}");
        }
        assert_eq!(unescaped(b"a\\134b\\0"), OsString::from("a\\b\\0"));
        assert_eq!(unescaped(b"\\999").as_bytes(), b"\\999");
    }
}
