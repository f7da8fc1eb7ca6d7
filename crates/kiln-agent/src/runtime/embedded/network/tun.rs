//! The agent's end of the TUN device: bare IPv4 packets in and out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use tokio::io::unix::AsyncFd;

/// The largest packet. The kernel's receive path wants room for its own headers
/// below 64 KiB.
pub(super) const MTU: u16 = 65_520;

const PATH: &str = "/dev/net/tun";

/// What the containers of this machine lack, as a sentence; `None` when they
/// lack nothing.
#[must_use]
pub fn probe() -> Option<String> {
    obstacle().map(|obstacle| {
        format!(
            "{obstacle}, so that jobs reach the server but nothing outside this machine, and \
             jobs of several instances do not run."
        )
    })
}

/// Why no device can be made, as a clause; `None` when one can.
pub(super) fn obstacle() -> Option<String> {
    let error = open().err()?;
    Some(format!("{PATH} cannot be opened ({error})"))
}

/// Opens the control device; the file becomes a device by a request of `link`.
pub(super) fn open() -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(PATH)
}

/// A device that is being served.
#[derive(Debug)]
pub(super) struct Tun(AsyncFd<File>);

impl Tun {
    /// Registers the device with the runtime.
    pub(super) fn serve(device: File) -> io::Result<Self> {
        // SAFETY: a File's descriptor stays the same and open until the File is dropped.
        let registered = unsafe { AsyncFd::register(device) };
        Ok(Self(registered?))
    }

    /// Waits for a packet and reads it.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(read) = ready.try_io(|device| device.get_ref().read(buffer)) {
                return read;
            }
        }
    }

    /// Reads a packet if one is there.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> Option<usize> {
        self.0.get_ref().read(buffer).ok()
    }

    /// Hands the container a packet. Like any network, the device may lose it.
    pub(super) fn send(&self, packet: &[u8]) {
        if let Err(error) = self.0.get_ref().write(packet) {
            tracing::debug!(%error, "a packet to a container was lost");
        }
    }
}
