//! A tool that ends with who asked for it, and takes along what it has started itself.
//!
//! The kernel ends a process with its parent on request, but that request is not
//! inherited, and compilers and installers work in processes of their own. So a minder
//! stands between: the parent of the tool and the first of its process group, which it
//! ends. Who asked is the thread that starts the command, and so must wait for it.

#![cfg(target_os = "linux")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has a minder stand between this process and the command's.
pub fn attend(command: &mut Command) {
    let asker = std::process::id();
    // SAFETY: between fork and exec, only system calls are made, and no memory is allocated.
    unsafe { command.pre_exec(move || stand_between(asker)) };
}

/// Returns in the process that will be the tool only.
fn stand_between(asker: u32) -> io::Result<()> {
    // SAFETY: takes numbers only.
    if unsafe { libc::setpgid(0, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: takes nothing.
    let minder = unsafe { libc::getpid() };
    // SAFETY: the process has this one thread, which goes on in both.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => end_with(minder),
        tool => mind(asker, tool),
    }
}

/// Has the tool end with its minder, who ends nobody where somebody kills it.
fn end_with(minder: libc::pid_t) -> io::Result<()> {
    // SAFETY: takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: takes nothing. The minder may have ended before the kernel was told to watch.
    match unsafe { libc::getppid() } == minder {
        true => Ok(()),
        false => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// Waits for the tool and ends as it does, or ends all of the group with who asked.
fn mind(asker: u32, tool: libc::pid_t) -> ! {
    close_everything();
    let end: extern "C" fn(libc::c_int) = end_group;
    // SAFETY: the handler makes one system call, which a handler may make.
    unsafe { libc::signal(libc::SIGTERM, end as libc::sighandler_t) };
    // SAFETY: takes numbers only.
    let asked = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
    // SAFETY: takes nothing. Who asked may have ended before the kernel was told to watch.
    if asked == -1 || unsafe { libc::getppid() } as u32 != asker {
        end_group(libc::SIGTERM);
    }
    let status = wait(tool);
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        // SAFETY: both take numbers only, and what is ended is this very process.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::kill(libc::getpid(), signal);
        }
    }
    // SAFETY: ends the process and does nothing else.
    unsafe { libc::_exit(libc::WEXITSTATUS(status)) }
}

/// Ends the tool, all that it has started, and the minder.
extern "C" fn end_group(_: libc::c_int) {
    // SAFETY: takes numbers only; 0 is the minder's own group.
    unsafe { libc::kill(0, libc::SIGKILL) };
}

/// Lets go of what was inherited, so that ends of pipes are seen when the tool ends.
fn close_everything() {
    let last = libc::c_uint::MAX;
    // SAFETY: takes numbers only, and nothing of this process uses a file any more.
    if unsafe { libc::syscall(libc::SYS_close_range, 0, last, 0) } == 0 {
        return;
    }
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the place lives during the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    for file in 0..libc::c_int::try_from(limit.rlim_cur).unwrap_or(libc::c_int::MAX) {
        // SAFETY: as above.
        unsafe { libc::close(file) };
    }
}

fn wait(tool: libc::pid_t) -> libc::c_int {
    let mut status = 0;
    loop {
        // SAFETY: the place lives during the call, and the child is this process's.
        if unsafe { libc::waitpid(tool, &raw mut status, 0) } == tool {
            return status;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::Stdio;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        attend(&mut command);
        command
    }

    #[test]
    fn what_a_tool_says_and_how_it_ends_passes_the_minder() {
        let output = shell("echo out; echo err >&2; exit 3").output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        let killed = shell("kill -9 $$").status().unwrap();
        assert_eq!(killed.signal(), Some(libc::SIGKILL));
        // More than a pipe holds.
        let much = shell("head -c 1000000 /dev/zero").output().unwrap();
        assert_eq!(much.stdout.len(), 1_000_000);
        let mut none = Command::new("/no/such/tool");
        attend(&mut none);
        assert_eq!(none.status().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_a_tool_has_started_ends_with_who_asked_for_it() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("started");
        // The kernel takes the end of the thread that asked for the end of who asked.
        let asked = {
            let file = file.clone();
            thread::spawn(move || {
                let script = format!("sleep 100 & echo $$ $! > {}; wait", file.display());
                let child = shell(&script).stdin(Stdio::null()).spawn().unwrap();
                await_it(|| std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')));
                child
            })
        };
        let mut minder = asked.join().unwrap();
        assert_eq!(minder.wait().unwrap().signal(), Some(libc::SIGKILL));
        let started = std::fs::read_to_string(&file).unwrap();
        for process in started.split_whitespace() {
            await_it(|| is_gone(process));
        }
    }

    #[test]
    fn a_tool_ends_with_a_minder_that_is_killed() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("started");
        let script = format!("echo $$ > {}; exec sleep 100", file.display());
        let mut minder = shell(&script).spawn().unwrap();
        let told = || std::fs::read_to_string(&file).unwrap_or_default();
        await_it(|| told().ends_with('\n'));
        minder.kill().unwrap();
        minder.wait().unwrap();
        await_it(|| is_gone(told().trim()));
    }

    fn await_it(happened: impl Fn() -> bool) {
        let begun = Instant::now();
        while !happened() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it has ended, even if nobody has asked how.
    fn is_gone(process: &str) -> bool {
        let stat = std::fs::read_to_string(Path::new("/proc").join(process).join("stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    }
}
