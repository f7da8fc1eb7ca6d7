//! A container as its agent holds it: the other end of the shim's socket.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

use super::cgroup::ContainerGroup;
use super::protocol::{Report, SPEC_FILE, ShimSpec};
use super::{executable::ProtectedExecutable, rootfs, shim};
use crate::removal::remove_tree;
use crate::runtime::{Exit, Meter, Running, RuntimeError};

/// How long a shim may take to kill its container. A process that hangs in the
/// kernel keeps it waiting for ever.
const SHIM_GONE_WITHIN: Duration = Duration::from_secs(60);

/// A container behind its shim. Dropping it closes the socket, upon which the
/// shim kills the container and removes its control groups.
pub struct EmbeddedContainer {
    id: String,
    scratch: PathBuf,
    shim: Child,
    reports: Lines<BufReader<OwnedReadHalf>>,
    wishes: OwnedWriteHalf,
    ended: Option<Exit>,
}

impl EmbeddedContainer {
    /// Spawns a shim for the specification and waits until the container's
    /// command runs. What fails is removed, as far as it can be.
    ///
    /// # Errors
    /// When the shim or the container cannot be started.
    pub async fn start(
        program: &ProtectedExecutable,
        arguments: &[String],
        spec: &ShimSpec,
        output: OwnedFd,
    ) -> Result<Self, RuntimeError> {
        let scratch = &spec.container.scratch;
        spec.write(&scratch.join(SPEC_FILE))
            .map_err(RuntimeError::io("writing the shim's specification"))?;
        let (ours, theirs) =
            StdUnixStream::pair().map_err(RuntimeError::io("making the shim's socket"))?;
        let shim = spawn(program, arguments, spec, theirs.into(), output)
            .map_err(RuntimeError::io("spawning the shim"))?;
        let (reports, wishes) = connect(ours)
            .map_err(RuntimeError::io("connecting to the shim"))?
            .into_split();
        let mut container = Self {
            id: spec.container.id.clone(),
            scratch: scratch.clone(),
            shim,
            reports: BufReader::new(reports).lines(),
            wishes,
            ended: None,
        };
        match container.next_report().await {
            Ok(Report::Running) => Ok(container),
            Ok(Report::Ended(exit)) => {
                container.ended = Some(exit);
                Ok(container)
            }
            Ok(Report::Refused(refusal)) => Err(container.given_up(refusal.into()).await),
            Err(error) => Err(container.given_up(error).await),
        }
    }

    /// Removes what there is of a container that did not start, and answers why
    /// it did not: that says more than what may be wrong with the removal.
    async fn given_up(self, cause: RuntimeError) -> RuntimeError {
        if let Err(error) = Box::new(self).remove().await {
            tracing::warn!(%error, "something of a container that did not start is left");
        }
        cause
    }

    /// The shim's next report. A shim that has none left was killed, and its
    /// container with it.
    async fn next_report(&mut self) -> Result<Report, RuntimeError> {
        let line = self
            .reports
            .next_line()
            .await
            .map_err(RuntimeError::io("listening to the shim"))?;
        match line {
            Some(line) => {
                Report::from_line(&line).map_err(RuntimeError::io("understanding the shim"))
            }
            None => {
                self.clear_groups().await?;
                Err(RuntimeError::Machine(
                    "the container's shim was killed".to_owned(),
                ))
            }
        }
    }

    async fn clear_groups(&self) -> Result<(), RuntimeError> {
        let id = self.id.clone();
        blocking("removing control groups", move || {
            ContainerGroup::of(&id)?.destroy()
        })
        .await
    }
}

#[async_trait]
impl Running for EmbeddedContainer {
    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        while self.ended.is_none() {
            match self.next_report().await? {
                Report::Running => {}
                Report::Ended(exit) => self.ended = Some(exit),
                Report::Refused(refusal) => return Err(refusal.into()),
            }
        }
        self.ended
            .ok_or_else(|| RuntimeError::Machine("the container has no end".to_owned()))
    }

    async fn signal(&self, signal: i32) -> Result<(), RuntimeError> {
        if self.ended.is_some() {
            return Ok(());
        }
        let signal = Signal::try_from(signal)
            .map_err(io::Error::from)
            .map_err(RuntimeError::io(format!("sending signal {signal}")))?;
        let byte = [signal as u8];
        loop {
            self.wishes
                .writable()
                .await
                .map_err(RuntimeError::io("speaking to the shim"))?;
            match self.wishes.try_write(&byte) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The container ended before the signal could reach it.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(RuntimeError::io("speaking to the shim")(error)),
            }
        }
    }

    fn meter(&self) -> Option<Box<dyn Meter>> {
        Some(Box::new(ContainerGroup::of(&self.id).ok()?))
    }

    async fn remove(self: Box<Self>) -> Result<(), RuntimeError> {
        let Self {
            id,
            scratch,
            mut shim,
            wishes,
            reports,
            ..
        } = *self;
        drop((wishes, reports));
        let ended = tokio::time::timeout(SHIM_GONE_WITHIN, shim.wait()).await;
        let ended = ended.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        ended.map_err(RuntimeError::io("waiting for the shim"))?;
        clear(&id, &scratch).await
    }
}

/// Kills what a container's processes may still be, and removes its control
/// groups and the runtime's files. What is not there need not be removed: an
/// agent that died may have left anything between all and nothing.
///
/// # Errors
/// When something is still there afterwards.
pub async fn clear(id: &str, scratch: &Path) -> Result<(), RuntimeError> {
    let (id, scratch) = (id.to_owned(), scratch.to_owned());
    blocking("removing the container", move || {
        ContainerGroup::of(&id)?.destroy()?;
        remove_files(&scratch)
    })
    .await
}

fn spawn(
    program: &ProtectedExecutable,
    arguments: &[String],
    spec: &ShimSpec,
    socket: OwnedFd,
    output: OwnedFd,
) -> io::Result<Child> {
    let network = spec.network_namespace;
    let mut command = Command::new(program.path());
    // The shim's environment and command line can be seen in the container, so
    // that neither says anything about the host.
    command
        .arg0("kiln")
        .args(arguments)
        .arg(SPEC_FILE)
        .env_clear()
        .current_dir(&spec.container.scratch)
        .stdin(Stdio::from(socket))
        .stdout(Stdio::from(output));
    // SAFETY: between fork and exec only two system calls are made, on numbers.
    unsafe {
        command.pre_exec(move || {
            // A terminal's signals to the agent are none of the container's.
            nix::unistd::setsid()?;
            keep_across_exec(network)
        });
    }
    command.spawn()
}

fn keep_across_exec(descriptor: std::os::fd::RawFd) -> io::Result<()> {
    // SAFETY: only a flag of a descriptor changes, in this process alone.
    let done = unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
    if done == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn connect(socket: StdUnixStream) -> io::Result<UnixStream> {
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Removes what the runtime keeps in the scratch directory.
fn remove_files(scratch: &Path) -> io::Result<()> {
    let directories = rootfs::SCRATCH_NAMES
        .iter()
        .chain(&shim::SCRATCH_NAMES)
        .chain([&shim::SHARED]);
    for name in directories {
        remove_tree(&scratch.join(name))?;
    }
    match std::fs::remove_file(scratch.join(SPEC_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

async fn blocking(
    doing: &'static str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), RuntimeError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(RuntimeError::io(doing))
}
