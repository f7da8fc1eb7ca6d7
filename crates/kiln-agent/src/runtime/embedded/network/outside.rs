//! The outside world as a container sees it through its TUN device.
//!
//! One task owns the device and all connections through it, and takes each
//! packet to the transport that it belongs to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::addresses::{CONTAINER, STAND_IN};
use super::packet::{Packet, Transport, Unreachable};
use super::tcp::Connections;
use super::tun::{MTU, Tun};
use super::udp::Exchanges;
use super::{flows::Flow, host, policy};

/// How many packets are taken before other work has its turn.
const BATCH: usize = 64;
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// The task's whole state.
pub(super) struct Outside {
    tun: Arc<Tun>,
    connections: Connections,
    exchanges: Exchanges,
}

impl Outside {
    /// Serves `tun`, whose TCP connections the kernel returns at `returning`.
    pub(super) fn new(tun: Tun, returning: TcpListener) -> Self {
        let tun = Arc::new(tun);
        Self {
            connections: Connections::new(Arc::clone(&tun), returning),
            exchanges: Exchanges::new(Arc::clone(&tun)),
            tun,
        }
    }

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
                () = self.connections.step() => {}
                _ = tidying.tick() => {
                    self.connections.tidy();
                    self.exchanges.tidy();
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
        let Some(packet) = Packet::parse(bytes) else {
            return;
        };
        match packet.transport() {
            Transport::Tcp if self.connections.returns(&packet) => {
                self.connections.give_back(packet);
            }
            _ if *packet.source().ip() != CONTAINER => {}
            Transport::Tcp if packet.opens() => self.open(packet),
            Transport::Tcp => self.connections.forward(packet),
            Transport::Udp => self.send(&packet),
        }
    }

    fn open(&mut self, packet: Packet<'_>) {
        match destination(packet.flow()) {
            Some(destination) => self.connections.open(packet, destination),
            None => self.prohibit(&packet),
        }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        if self.exchanges.send(packet) {
            return;
        }
        match destination(packet.flow()) {
            Some(destination) => self.exchanges.open(packet, destination),
            None => self.prohibit(packet),
        }
    }

    fn prohibit(&self, packet: &Packet<'_>) {
        tracing::debug!(asked = %packet.destination(), "a container may not go there");
        self.tun
            .send(&packet.unreachable(Unreachable::Prohibited, STAND_IN));
    }
}

/// What to dial for a new flow. The host's addresses are asked for each time,
/// because interfaces come and go while a job runs.
fn destination(flow: Flow) -> Option<SocketAddr> {
    let own = host::addresses().ok()?;
    policy::destination(flow.asked, &host::resolvers(), &own)
}
