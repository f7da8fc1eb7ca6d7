//! Signalling every process of a container on this machine.
//!
//! An engine signals only a container's first process, and a shell there keeps
//! the signal to itself. Where the engine runs on this machine its processes are
//! visible in `/proc`, and their cgroup carries the engine's container id.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::Path;

/// Sends the signal to all processes of the container that this process may
/// signal. Returns how many were reached: none when the engine runs elsewhere.
pub(super) fn signal_all(engine_id: &str, signal: i32) -> io::Result<usize> {
    let mut reached = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if belongs(pid, engine_id) && signal_one(pid, engine_id, signal).is_ok() {
            reached += 1;
        }
    }
    Ok(reached)
}

fn belongs(pid: libc::pid_t, engine_id: &str) -> bool {
    let file = Path::new("/proc").join(pid.to_string()).join("cgroup");
    fs::read_to_string(file).is_ok_and(|text| names_container(&text, engine_id))
}

/// Whether a `/proc/PID/cgroup` file names the container, in whichever hierarchy
/// and with whatever the engine's cgroup driver puts around the id.
fn names_container(cgroups: &str, engine_id: &str) -> bool {
    !engine_id.is_empty()
        && cgroups
            .lines()
            .filter_map(|line| line.splitn(3, ':').nth(2))
            .any(|path| path.contains(engine_id))
}

/// The process is held by a descriptor while it is looked at once more, so that
/// a number that was given to another process meanwhile is not signalled.
fn signal_one(pid: libc::pid_t, engine_id: &str, signal: i32) -> io::Result<()> {
    let process = open(pid)?;
    if !belongs(pid, engine_id) {
        return Err(io::ErrorKind::NotFound.into());
    }
    send(&process, signal)
}

fn open(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory of ours.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us and nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn send(process: &OwnedFd, signal: i32) -> io::Result<()> {
    let no_details = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open, and null details are allowed: the kernel
    // then fills in what kill(2) would.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            signal,
            no_details,
            0,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_container_is_found_in_every_kind_of_cgroup_path() {
        let cases = [
            ("12:memory:/docker/abc123\n", true),
            ("0::/system.slice/docker-abc123.scope\n", true),
            ("0::/machine.slice/libpod-abc123.scope/container\n", true),
            ("1:name=abc123:/user.slice\n0::/\n", false),
            ("0::/docker/def456\n", false),
            ("", false),
        ];
        for (cgroups, expected) in cases {
            assert_eq!(names_container(cgroups, "abc123"), expected, "{cgroups}");
        }
        assert!(!names_container("0::/anything", ""));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[0-9a-z:/=.\n-]{0,120}") {
            prop_assert!(!names_container(&text, "ABSENT"));
        }
    }
}
