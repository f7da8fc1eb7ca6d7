//! One container in the hands of libcontainer, from its creation to its end.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::rc::Rc;

use libcontainer::container::Container as Contained;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2};

use super::SCRATCH_NAMES;
use super::agent_link::{AgentLink, Wish};
use super::command::Command;
use super::diagnostics::Diagnostics;
use super::family;
use super::init::{Init, InitExecutor};
use crate::runtime::Exit;
use crate::runtime::embedded::cgroup::ContainerGroup;
use crate::runtime::embedded::protocol::{Refusal, ShimSpec};
use crate::runtime::embedded::seccomp::{self, Filters};
use crate::runtime::embedded::tolerance::{Safeguard, Tolerance};

/// A container whose first process exists.
pub struct Guest {
    contained: Contained,
    init: Pid,
    /// Readable when the first process has ended.
    init_end: OwnedFd,
    start_report: File,
    exit_report: File,
}

impl Guest {
    /// Creates the container from its bundle. Its first process waits to be
    /// started, and the container holds the only copies of `output`.
    ///
    /// # Errors
    /// When the job names no command or the machine refuses the container.
    pub fn create(spec: &ShimSpec, output: OwnedFd) -> Result<Self, Refusal> {
        let (start_report, for_start) = report_pipe()?;
        let (exit_report, for_exit) = report_pipe()?;
        let executor = InitExecutor(Rc::new(Init {
            command: Command::of(&spec.container)?,
            filters: filters(spec.tolerance)?,
            start_report: for_start,
            exit_report: for_exit,
        }));
        let contained = create(spec, executor, output)?;
        let init = contained
            .pid()
            .map(|pid| Pid::from_raw(pid.as_raw()))
            .ok_or_else(|| Refusal::Machine("the container has no first process".to_owned()))?;
        let init_end = pidfd(init).map_err(|error| failed("watching the container", &error))?;
        Ok(Self {
            contained,
            init,
            init_end,
            start_report,
            exit_report,
        })
    }

    /// Starts the command and returns once it runs.
    ///
    /// # Errors
    /// When the command cannot be executed.
    pub fn start(&mut self) -> Result<(), Refusal> {
        self.contained
            .start()
            .map_err(|error| failed("starting the container", &error))?;
        let mut text = Vec::new();
        self.start_report
            .read_to_end(&mut text)
            .map_err(|error| failed("waiting for the command to start", &error))?;
        if text.is_empty() {
            return Ok(());
        }
        Err(serde_json::from_slice(&text)
            .unwrap_or_else(|error| failed("understanding why the command did not start", &error)))
    }

    /// Passes on what the agent wishes until the container ends.
    ///
    /// # Errors
    /// When the container can no longer be watched.
    pub fn watch(&mut self, link: &AgentLink, group: &ContainerGroup) -> Result<Exit, Refusal> {
        let mut attached = true;
        loop {
            let (ended, wished) = self
                .next_event(attached.then_some(link))
                .map_err(|error| failed("watching the container", &error))?;
            if ended {
                break;
            }
            if wished {
                let wish = link.next_wish();
                attached = wish != Wish::Gone;
                self.fulfil(wish);
            }
        }
        // The status says only that the first process ended; why, it has told.
        let _ = waitpid(self.init, None);
        Ok(outcome(self.told_exit(), group.memory_kills()))
    }

    /// Kills the container and waits for its end.
    pub fn kill(&self) {
        let _ = kill(self.init, Signal::SIGKILL);
        let _ = waitpid(self.init, None);
    }

    /// Waits until the container has ended or the agent wishes something.
    fn next_event(&self, link: Option<&AgentLink>) -> nix::Result<(bool, bool)> {
        let mut watched = vec![PollFd::new(self.init_end.as_fd(), PollFlags::POLLIN)];
        watched.extend(link.map(|link| PollFd::new(link.descriptor(), PollFlags::POLLIN)));
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
        let happened = |index: usize| {
            watched
                .get(index)
                .and_then(|one| one.revents())
                .is_some_and(|events| !events.is_empty())
        };
        Ok((happened(0), happened(1)))
    }

    fn fulfil(&self, wish: Wish) {
        match wish {
            // The kernel kills all others with the first process.
            Wish::Gone | Wish::Signal(Signal::SIGKILL) => {
                let _ = kill(self.init, Signal::SIGKILL);
            }
            Wish::Signal(signal) => family::signal(self.init, signal),
        }
    }

    /// What the first process said of the command's end, if it lived to say it.
    fn told_exit(&mut self) -> Option<Exit> {
        let mut text = Vec::new();
        self.exit_report.read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// How the container ended, from what its first process told and how often the
/// kernel ran out of the container's memory. A command that outlived such a kill
/// of one of its children and ended by its own decision keeps its exit code; the
/// codes by which shells and Python pass on a SIGKILL count as the kill itself.
fn outcome(told: Option<Exit>, memory_kills: u64) -> Exit {
    const KILLED: i32 = Signal::SIGKILL as i32;
    let exit = told.unwrap_or(Exit::Signal(KILLED));
    let killed = matches!(exit, Exit::Signal(KILLED) | Exit::Code(137 | 247));
    if killed && memory_kills > 0 {
        Exit::OutOfMemory
    } else {
        exit
    }
}

fn create(spec: &ShimSpec, executor: InitExecutor, output: OwnedFd) -> Result<Contained, Refusal> {
    let diagnostics =
        Diagnostics::begin().map_err(|error| failed("listening to libcontainer", &error))?;
    let [state, bundle] = SCRATCH_NAMES.map(|name| spec.container.scratch.join(name));
    let null = File::open("/dev/null").map_err(|error| failed("opening /dev/null", &error))?;
    let errors = output
        .try_clone()
        .map_err(|error| failed("sharing the output", &error))?;
    ContainerBuilder::new(spec.container.id.clone(), SyscallType::default())
        .with_executor(executor)
        .with_stdin(null)
        .with_stdout(output)
        .with_stderr(errors)
        .with_root_path(state)
        .and_then(|builder| {
            builder
                .as_init(bundle)
                .with_systemd(false)
                .with_detach(false)
                .build()
        })
        .map_err(|error| {
            let refusal = failed("creating the container", &error);
            match diagnostics.cause() {
                Some(cause) => Refusal::Machine(format!("{refusal} ({cause})")),
                None => refusal,
            }
        })
}

/// The filters of system calls, or none where the kernel has none to offer and
/// that is allowed.
fn filters(tolerance: Tolerance) -> Result<Option<Filters>, Refusal> {
    if seccomp::is_available() {
        let filters = Filters::new().map_err(|error| failed("making the filter", &error))?;
        return Ok(Some(filters));
    }
    tolerance
        .pass(Safeguard::Filter, "its kernel cannot filter system calls")
        .map_err(Refusal::Machine)?;
    Ok(None)
}

fn report_pipe() -> Result<(File, OwnedFd), Refusal> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(|error| failed("making a pipe", &error))?;
    Ok((File::from(read), write))
}

fn pidfd(pid: Pid) -> std::io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers and touches no memory.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    match i32::try_from(descriptor) {
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(descriptor @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn failed(doing: &str, error: &dyn std::error::Error) -> Refusal {
    Refusal::machine(doing, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_killed_command_counts_as_out_of_memory() {
        let cases = [
            (Some(Exit::Code(0)), 0, Exit::Code(0)),
            (Some(Exit::Code(1)), 1, Exit::Code(1)),
            (Some(Exit::Code(137)), 1, Exit::OutOfMemory),
            (Some(Exit::Code(137)), 0, Exit::Code(137)),
            (Some(Exit::Code(247)), 2, Exit::OutOfMemory),
            (Some(Exit::Signal(9)), 1, Exit::OutOfMemory),
            (Some(Exit::Signal(9)), 0, Exit::Signal(9)),
            (Some(Exit::Signal(15)), 1, Exit::Signal(15)),
            (None, 0, Exit::Signal(9)),
            (None, 1, Exit::OutOfMemory),
        ];
        for (told, kills, expected) in cases {
            assert_eq!(outcome(told, kills), expected, "{told:?} {kills}");
        }
    }
}
