//! The task that owns a container's device and takes each packet from it to the
//! peers or to the outside world.

use std::sync::Arc;
use std::time::Duration;

use super::ends::Ends;
use super::outside::Outside;
use super::peers::{Direction, Peers};
use super::tun::{MTU, Tun};

/// How many packets are taken before other work has its turn.
const BATCH: usize = 64;
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// A device, and what lies behind it.
pub(super) struct Device {
    pub(super) tun: Arc<Tun>,
    pub(super) peers: Option<Peers>,
    pub(super) outside: Option<Outside>,
}

impl Device {
    /// Serves until it is dropped or the device is gone.
    pub(super) async fn serve(mut self) {
        let mut buffer = vec![0; usize::from(MTU)];
        let mut tidying = tokio::time::interval(TIDY_EVERY);
        let tun = Arc::clone(&self.tun);
        loop {
            tokio::select! {
                received = tun.receive(&mut buffer) => match received {
                    Ok(length) => self.take_batch(&mut buffer, length),
                    Err(error) => {
                        tracing::warn!(%error, "a container's network device is gone");
                        return;
                    }
                },
                () = step(self.outside.as_mut()) => {}
                _ = tidying.tick(), if self.outside.is_some() => {
                    if let Some(outside) = &mut self.outside {
                        outside.tidy();
                    }
                }
            }
        }
    }

    fn take_batch(&mut self, buffer: &mut [u8], first: usize) {
        let mut length = first;
        for _ in 0..BATCH {
            self.take(&mut buffer[..length]);
            match self.tun.try_receive(buffer) {
                Some(next) => length = next,
                None => return,
            }
        }
    }

    fn take(&mut self, bytes: &mut [u8]) {
        if let Some(peers) = &self.peers {
            let Some(ends) = Ends::read(bytes) else {
                return;
            };
            match peers.direction(ends) {
                Direction::Peer(position) => return peers.send(position, bytes),
                Direction::Nowhere => return,
                Direction::Elsewhere => {}
            }
        }
        if let Some(outside) = &mut self.outside {
            outside.take(bytes);
        }
    }
}

/// Does the next thing that is not a packet.
async fn step(outside: Option<&mut Outside>) {
    match outside {
        Some(outside) => outside.step().await,
        None => std::future::pending().await,
    }
}
