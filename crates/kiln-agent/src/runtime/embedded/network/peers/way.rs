//! The way to one peer: a socket that is connected to the peer's, once that is
//! there, and the packets that wait for it.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::SndBufForce};
use tokio::net::UnixDatagram;
use tokio::sync::Notify;

use super::queue::Queue;

/// How often a peer that is not there is looked for while packets wait for it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// What may be on its way in the socket. The kernel counts more than a packet's
/// own bytes, and its default is room for three of the largest.
const SOCKET_BYTES: usize = 4 << 20;

/// A socket of its own for each peer keeps a slow one from holding up another.
pub(super) struct Way {
    socket: UnixDatagram,
    peer: PathBuf,
    queue: Mutex<Queue>,
    filled: Notify,
}

impl Way {
    /// The way to the peer whose socket will be at a path.
    pub(super) fn to(peer: PathBuf) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // A smaller one is slower, and nothing else.
        let _ = setsockopt(&socket, SndBufForce, &SOCKET_BYTES);
        Ok(Self {
            socket,
            peer,
            queue: Mutex::default(),
            filled: Notify::new(),
        })
    }

    /// Sends a packet, or lets it wait.
    pub(super) fn send(&self, packet: &[u8]) {
        let mut queue = self.queue();
        if queue.is_clear() {
            match self.socket.try_send(packet) {
                Ok(_) => return,
                Err(error) => queue.set_open(is_there(&error)),
            }
        }
        queue.add(packet, Instant::now());
        self.filled.notify_one();
    }

    /// Sends what waits, for ever.
    pub(super) async fn serve(&self) {
        loop {
            self.filled.notified().await;
            while self.is_found().await {
                let Some(packet) = self.next() else {
                    break;
                };
                if let Err(error) = self.socket.send(&packet).await {
                    tracing::debug!(%error, peer = %self.peer.display(), "a packet was lost");
                    self.queue().set_open(is_there(&error));
                }
                self.queue().sent();
            }
        }
    }

    /// Looks for the peer as long as something waits for it, and answers whether
    /// it is there.
    async fn is_found(&self) -> bool {
        loop {
            {
                let mut queue = self.queue();
                if queue.is_open() {
                    return true;
                }
                if !queue.expire(Instant::now()) {
                    return false;
                }
                if self.socket.connect(&self.peer).is_ok() {
                    queue.set_open(true);
                    return true;
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn next(&self) -> Option<Vec<u8>> {
        self.queue().next()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a peer that does not take a packet is there nevertheless.
fn is_there(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::NotConnected | ErrorKind::ConnectionReset
    )
}
