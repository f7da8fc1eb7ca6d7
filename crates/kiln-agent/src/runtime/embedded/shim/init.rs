//! The container's first process: it starts the job's command, takes in orphans
//! as every first process must, and tells the shim how the command ended.
//!
//! The command is not itself the first process, because the kernel spares first
//! processes: a signal that they do not handle never ends them, so that a job
//! could not be asked to stop.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::{ForkResult, Pid, chdir, execve, fork, setsid};

use super::command::{Command, path_text, refused_by_kernel};
use crate::runtime::Exit;
use crate::runtime::embedded::protocol::Refusal;
use crate::runtime::embedded::seccomp::Filters;

/// What the first process runs and to whom it answers.
#[derive(Debug)]
pub struct Init {
    /// The job's command.
    pub command: Command,
    /// The system calls that it may make; all of them without a filter.
    pub filters: Option<Filters>,
    /// Takes a [`Refusal`] when the command cannot be executed; closed without
    /// a word once it runs.
    pub start_report: OwnedFd,
    /// Takes the command's [`Exit`].
    pub exit_report: OwnedFd,
}

/// Runs an [`Init`] where libcontainer would execute a container's command.
#[derive(Debug, Clone)]
pub struct InitExecutor(pub Rc<Init>);

impl Executor for InitExecutor {
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    /// The command's environment never passes through this process's own.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }

    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        let code = match self.0.run() {
            Ok(()) => 0,
            Err(refusal) => {
                self.0.report_refusal(&refusal);
                1
            }
        };
        std::process::exit(code)
    }
}

impl Init {
    fn run(&self) -> Result<(), Refusal> {
        self.die_with_the_shim()
            .map_err(|error| failed("binding init to the shim", &error))?;
        if let Some(filters) = &self.filters {
            filters
                .install()
                .map_err(|error| failed("installing the filter", &error))?;
        }
        // SAFETY: this process has one thread, so that the child may go on as if
        // it were the parent.
        let forked = unsafe { fork() }.map_err(|error| failed("forking the command", &error))?;
        match forked {
            ForkResult::Child => match self.become_command() {
                Ok(never) => match never {},
                Err(refusal) => {
                    self.report_refusal(&refusal);
                    std::process::exit(127)
                }
            },
            ForkResult::Parent { child } => self.reap(child),
        }
    }

    /// Asks the kernel to kill this process with its parent, and makes sure that
    /// the parent had not died before.
    fn die_with_the_shim(&self) -> nix::Result<()> {
        set_pdeathsig(Signal::SIGKILL)?;
        let mut reader = [PollFd::new(self.start_report.as_fd(), PollFlags::empty())];
        poll(&mut reader, PollTimeout::ZERO)?;
        if reader[0]
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLERR))
        {
            std::process::exit(1);
        }
        Ok(())
    }

    /// Turns this process into the job's command.
    fn become_command(&self) -> Result<Infallible, Refusal> {
        shed_inherited_state().map_err(|error| failed("preparing the command", &error))?;
        let directory = &self.command.working_dir;
        std::fs::create_dir_all(directory)
            .and_then(|()| Ok(chdir(directory)?))
            .map_err(|error| {
                Refusal::Image(format!(
                    "working directory {}: {error}",
                    directory.display()
                ))
            })?;
        let executable = self.command.executable()?;
        let path = path_text(&executable)?;
        execve(
            &path,
            &self.command.arguments()?,
            &self.command.variables()?,
        )
        .map_err(|errno| refused_by_kernel(&executable, errno))
    }

    /// Takes in every process that ends, until the command does.
    fn reap(&self, command: Pid) -> Result<(), Refusal> {
        // Only a name to see in a list of processes.
        let _ = set_name(c"init");
        close_all_but(self.exit_report.as_raw_fd());
        loop {
            let exit = match wait() {
                Ok(WaitStatus::Exited(pid, code)) if pid == command => Exit::Code(code),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => {
                    Exit::Signal(signal as i32)
                }
                Ok(_) | Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(failed("waiting for the command", &error)),
            };
            send(&self.exit_report, &exit);
            return Ok(());
        }
    }

    fn report_refusal(&self, refusal: &Refusal) {
        send(&self.start_report, refusal);
    }
}

/// Writes to the shim. There is no one to tell when it is not there: without it
/// this process is about to die.
fn send(report: &OwnedFd, message: &impl serde::Serialize) {
    let Ok(descriptor) = report.try_clone() else {
        return;
    };
    if let Ok(text) = serde_json::to_vec(message) {
        let _ = File::from(descriptor).write_all(&text);
    }
}

/// A command starts in a session of its own, with no signal blocked or ignored.
fn shed_inherited_state() -> nix::Result<()> {
    setsid()?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    // SAFETY: the default action runs no code of this program. Rust programs
    // ignore this signal and children inherit that.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    Ok(())
}

/// Closes what the first process holds besides its standard streams and `kept`:
/// the command's own start report among them, so that the shim sees it closed.
fn close_all_but(kept: RawFd) {
    let kept = kept.unsigned_abs();
    for (first, last) in [(3, kept.saturating_sub(1)), (kept + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: nothing in this process uses a descriptor other than
            // `kept` any more; it never returns to code that does.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
}

fn failed(doing: &str, error: &dyn std::error::Error) -> Refusal {
    Refusal::machine(doing, error)
}
