//! The program that becomes the shim, behind a read-only mount of its own.
//!
//! Code in a container that gets hold of the shim through `/proc/…/exe` could
//! otherwise write to the file that the server is started from.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// `MOUNT_ATTR_RDONLY` of the kernel.
const READ_ONLY: u64 = 1;

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// An executable that cannot be written to through the processes that run it.
#[derive(Debug)]
pub struct ProtectedExecutable {
    mount: OwnedFd,
}

impl ProtectedExecutable {
    /// Protects an executable.
    ///
    /// # Errors
    /// When it does not exist or the kernel refuses the mount.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mount = clone_mount(path)?;
        make_read_only(&mount)?;
        Ok(Self { mount })
    }

    /// The path by which this process and its children, until they execute
    /// something, can execute it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.mount.as_raw_fd()))
    }

}

/// A mount of one file that is attached nowhere.
fn clone_mount(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: the path is a C string that outlives the call.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    match i32::try_from(descriptor) {
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(descriptor @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn make_read_only(mount: &OwnedFd) -> io::Result<()> {
    let attributes =
        MountAttributes { set: READ_ONLY, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: the path is an empty C string, and the attributes have the layout
    // and the size that the kernel is told.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_protected_executable_runs_but_cannot_be_written_to() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::copy("/bin/true", &path).unwrap();
        let protected = ProtectedExecutable::of(&path).unwrap();
        assert!(std::process::Command::new(protected.path()).status().unwrap().success());
        let error = File::options().write(true).open(protected.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
        assert!(File::options().write(true).open(&path).is_ok());
    }
}
