//! Mounts made apart from any directory and attached when they are complete, so
//! that nothing is ever mounted with more rights than it should have.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `MOUNT_ATTR_RDONLY`, `MOUNT_ATTR_NOSUID` and `MOUNT_ATTR_NODEV` of the kernel.
const READ_ONLY_AND_HARMLESS: u64 = 0x1 | 0x2 | 0x4;

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// A read-only view of a file or directory, with all that is mounted below it,
/// in which neither devices nor the owners of programs mean anything.
#[derive(Debug)]
pub struct ReadOnlyMount {
    mount: OwnedFd,
}

impl ReadOnlyMount {
    /// A view that is attached nowhere.
    ///
    /// # Errors
    /// When there is nothing at the path or the kernel refuses the mount.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mount = clone_mount(path)?;
        restrict(&mount)?;
        Ok(Self { mount })
    }

    /// Attaches the view where `target`, of the same kind, is.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn attach(&self, target: &Path) -> io::Result<()> {
        attach(&self.mount, target)
    }

    /// The descriptor of the view.
    #[must_use]
    pub fn descriptor(&self) -> i32 {
        self.mount.as_raw_fd()
    }
}

/// Attaches a view of an opened directory, with all that is mounted below it,
/// where `target` is. Its name plays no part.
///
/// # Errors
/// When the kernel refuses.
pub fn attach_directory(directory: &OwnedFd, target: &Path) -> io::Result<()> {
    attach(&clone_mount_at(directory.as_raw_fd(), c"")?, target)
}

fn attach(mount: &OwnedFd, target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: both paths are C strings that outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    outcome(done)
}

fn clone_mount(path: &Path) -> io::Result<OwnedFd> {
    clone_mount_at(libc::AT_FDCWD, &c_path(path)?)
}

/// A view of what is at the path below a descriptor, or of the descriptor's own
/// directory when the path is empty.
fn clone_mount_at(directory: RawFd, path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | libc::AT_RECURSIVE as u32
        | libc::AT_EMPTY_PATH as u32;
    // SAFETY: the path is a C string that outlives the call.
    let descriptor = unsafe { libc::syscall(libc::SYS_open_tree, directory, path.as_ptr(), flags) };
    match i32::try_from(descriptor) {
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(descriptor @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn restrict(mount: &OwnedFd) -> io::Result<()> {
    let attributes = MountAttributes {
        set: READ_ONLY_AND_HARMLESS,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    // SAFETY: the path is an empty C string, and the attributes have the layout
    // and the size that the kernel is told.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    outcome(done)
}

fn outcome(result: libc::c_long) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
