//! The outside world as a container sees it through its device: all connections
//! there, and the decision about each new one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::addresses::STAND_IN;
use super::packet::{Packet, Transport, Unreachable};
use super::tcp::Connections;
use super::tun::Tun;
use super::udp::Exchanges;
use super::{flows::Flow, host, policy};

/// The connections of one container.
pub(super) struct Outside {
    tun: Arc<Tun>,
    own: Ipv4Addr,
    connections: Connections,
    exchanges: Exchanges,
}

impl Outside {
    /// Serves the container with the address `own`, whose TCP connections the
    /// kernel returns at `returning`.
    pub(super) fn new(tun: Arc<Tun>, own: Ipv4Addr, returning: TcpListener) -> Self {
        Self {
            own,
            connections: Connections::new(Arc::clone(&tun), own, returning),
            exchanges: Exchanges::new(Arc::clone(&tun), own),
            tun,
        }
    }

    /// Takes a packet of the container, or one that goes back to it, to the
    /// transport that it belongs to.
    pub(super) fn take(&mut self, bytes: &mut [u8]) {
        let Some(packet) = Packet::parse(bytes) else {
            return;
        };
        match packet.transport() {
            Transport::Tcp if self.connections.returns(&packet) => {
                self.connections.give_back(packet);
            }
            _ if *packet.source().ip() != self.own => {}
            Transport::Tcp if packet.opens() => self.open(packet),
            Transport::Tcp => self.connections.forward(packet),
            Transport::Udp => self.send(&packet),
        }
    }

    /// Does the next thing that is not a packet.
    pub(super) async fn step(&mut self) {
        self.connections.step().await;
    }

    /// Forgets what ended a while ago.
    pub(super) fn tidy(&mut self) {
        self.connections.tidy();
        self.exchanges.tidy();
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
