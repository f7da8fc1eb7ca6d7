//! The FIFOs of one channel, in a directory that the work can write to.
//!
//! The work runs as it likes in that directory: it may remove a FIFO or put a
//! link to a file of the host in its place. So names are used only relative to a
//! descriptor of the directory that was taken before the work began, a name is
//! never followed, and once a FIFO was made, everything goes through a descriptor
//! of that very FIFO.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{UnlinkatFlags, mkfifoat, unlinkat};
use tokio::net::unix::pipe::Sender;

use crate::DataError;

/// The most that an unprivileged pipe may hold by default, and enough for reader
/// and writer to seldom wait for each other.
const PIPE_SIZE: i32 = 1 << 20;
/// How often it is seen whether a reader came: at first, and after a while.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(20);

/// The FIFOs of one channel, of which one stands at any time.
#[derive(Debug)]
pub struct Fifos {
    directory: OwnedFd,
    channel: String,
    epoch: u64,
    /// The FIFO of this epoch, opened for neither reading nor writing.
    fifo: OwnedFd,
    /// The pipe of an epoch that broke off.
    broken: Option<Sender>,
}

impl Fifos {
    /// Makes the first FIFO, `<channel>_0`. The directory must not be the work's
    /// yet.
    ///
    /// # Errors
    /// When the directory cannot be opened or the FIFO not be made.
    pub fn create(directory: &Path, channel: &str) -> Result<Self, DataError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = open(directory, flags, Mode::empty()).map_err(|errno| {
            let doing = format!("opening {}", directory.display());
            DataError::io(doing)(errno.into())
        })?;
        let fifo = make(&opened, &name(channel, 0))?;
        Ok(Self {
            directory: opened,
            channel: channel.to_owned(),
            epoch: 0,
            fifo,
            broken: None,
        })
    }

    /// The epoch whose FIFO stands.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A place for temporary files that goes by no name that the work could change.
    pub(super) fn spool_directory(&self) -> PathBuf {
        by_descriptor(&self.directory)
    }

    /// Waits until somebody reads from this epoch's FIFO.
    pub(super) async fn opened(&self) -> Result<Sender, DataError> {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let mut pause = FIRST_LOOK;
        let pipe = loop {
            match open(&by_descriptor(&self.fifo), flags, Mode::empty()) {
                Err(Errno::ENXIO) => tokio::time::sleep(pause).await,
                outcome => {
                    break outcome.map_err(|errno| obstructed("opening", &self.name(), errno))?;
                }
            }
            pause = (pause * 2).min(LAST_LOOK);
        };
        // Refused where a user's pipes hold too much already; it works with less.
        let _ = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        let writing = DataError::io(format!("writing into the pipe {}", self.name()));
        Sender::from_owned_fd(pipe).map_err(writing)
    }

    /// Makes the next epoch's FIFO and removes this one's.
    pub(super) fn advance(&mut self) -> Result<(), DataError> {
        let finished = self.name();
        self.epoch += 1;
        self.fifo = make(&self.directory, &self.name())?;
        // It may be gone, or be something else by now: all that is the work's own.
        let _ = unlinkat(
            &self.directory,
            finished.as_str(),
            UnlinkatFlags::NoRemoveDir,
        );
        Ok(())
    }

    /// Keeps the pipe of an epoch that broke off from looking complete.
    pub(super) fn keep_open(&mut self, pipe: Sender) {
        self.broken = Some(pipe);
    }

    fn name(&self) -> String {
        name(&self.channel, self.epoch)
    }
}

fn name(channel: &str, epoch: u64) -> String {
    format!("{channel}_{epoch}")
}

/// Makes a FIFO that everybody may use, and answers a descriptor of it. A FIFO
/// that the work made under this name, as a program that cannot wait for its pipe
/// might, serves as well.
fn make(directory: &OwnedFd, name: &str) -> Result<OwnedFd, DataError> {
    let everybody = Mode::from_bits_truncate(0o666);
    match mkfifoat(directory, name, everybody) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(obstructed("making", name, errno)),
    }
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fifo = openat(directory, name, flags, Mode::empty())
        .map_err(|errno| obstructed("opening", name, errno))?;
    let status = fstat(&fifo).map_err(|errno| obstructed("opening", name, errno))?;
    if status.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFIFO.bits() {
        return Err(obstructed("making", name, Errno::EEXIST));
    }
    // The mode asked for above went through our umask, which may leave others nothing.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(by_descriptor(&fifo), permissions)
        .map_err(DataError::in_the_works(format!("making the pipe {name}")))?;
    Ok(fifo)
}

/// A path that leads to what a descriptor is open on, and to nothing else.
fn by_descriptor(descriptor: &impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd()))
}

fn obstructed(doing: &str, name: &str, errno: Errno) -> DataError {
    DataError::in_the_works(format!("{doing} the pipe {name}"))(io::Error::from(errno))
}
