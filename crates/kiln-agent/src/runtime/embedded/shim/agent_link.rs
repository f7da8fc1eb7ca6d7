//! The shim's end of the socket to its agent.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use nix::unistd::{dup2_stdin, dup2_stdout};

use crate::runtime::embedded::protocol::Report;

/// What the agent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That this signal reaches the container.
    Signal(Signal),
    /// Nothing any more: the agent has gone, or has dropped the container.
    Gone,
}

/// A connection to the agent.
#[derive(Debug)]
pub struct AgentLink {
    socket: UnixStream,
}

impl AgentLink {
    /// Takes the socket from the standard input and the container's output from
    /// the standard output, and puts `/dev/null` in their places: neither may
    /// reach the container by accident.
    ///
    /// # Errors
    /// When descriptors cannot be duplicated.
    pub fn from_standard_streams() -> io::Result<(Self, OwnedFd)> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        Ok((
            Self {
                socket: UnixStream::from(socket),
            },
            output,
        ))
    }

    /// Tells the agent something.
    ///
    /// # Errors
    /// When the agent has gone.
    pub fn send(&self, report: &Report) -> io::Result<()> {
        (&self.socket).write_all(report.to_line()?.as_bytes())
    }

    /// What the agent wants; waits until it wants something.
    pub fn next_wish(&self) -> Wish {
        let mut byte = [0];
        match (&self.socket).read(&mut byte) {
            Ok(1..) => wish(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.next_wish(),
            _ => Wish::Gone,
        }
    }

    /// The descriptor that becomes readable when the agent wants something.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A byte that is no signal comes from an agent that has lost its mind.
fn wish(byte: u8) -> Wish {
    Signal::try_from(i32::from(byte)).map_or(Wish::Gone, Wish::Signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_a_signal() {
        let cases = [
            (15, Wish::Signal(Signal::SIGTERM)),
            (9, Wish::Signal(Signal::SIGKILL)),
        ];
        for (byte, expected) in cases {
            assert_eq!(wish(byte), expected);
        }
        assert_eq!(wish(0), Wish::Gone);
        assert_eq!(wish(200), Wish::Gone);
    }
}
