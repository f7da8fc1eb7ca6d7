//! The outside world as a container sees it through its device: all connections
//! there, and the decision about each new one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::addresses::STAND_IN;
use super::packet::{Packet, Transport, Unreachable};
use super::tcp::Connections;
use super::tun::Tun;
use super::udp::Exchanges;
use super::{flows::Flow, host, policy};

/// How long what was seen of the host's network holds. Interfaces come and go
/// while a job runs, and a container may begin thousands of flows in a second.
const SEEN_FOR: Duration = Duration::from_millis(100);

/// The connections of one container.
pub(super) struct Outside {
    tun: Arc<Tun>,
    own: Ipv4Addr,
    host: Option<Host>,
    connections: Connections,
    exchanges: Exchanges,
}

impl Outside {
    /// Serves the container with the address `own`, whose TCP connections the
    /// kernel returns at `returning`.
    pub(super) fn new(tun: Arc<Tun>, own: Ipv4Addr, returning: TcpListener) -> Self {
        Self {
            own,
            host: None,
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
        match self.destination(packet.flow()) {
            Some(destination) => self.connections.open(packet, destination),
            None => self.prohibit(&packet),
        }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        if self.exchanges.send(packet) {
            return;
        }
        match self.destination(packet.flow()) {
            Some(destination) => self.exchanges.open(packet, destination),
            None => self.prohibit(packet),
        }
    }

    /// What to dial for a new flow.
    fn destination(&mut self, flow: Flow) -> Option<SocketAddr> {
        let recent = self.host.take().filter(Host::is_recent);
        let host = self.host.insert(match recent {
            Some(host) => host,
            None => Host::look()?,
        });
        policy::destination(flow.asked, &host.resolvers, &host.addresses)
    }

    fn prohibit(&self, packet: &Packet<'_>) {
        tracing::debug!(asked = %packet.destination(), "a container may not go there");
        self.tun
            .send(&packet.unreachable(Unreachable::Prohibited, STAND_IN));
    }
}

/// The host's network as it was a moment ago.
struct Host {
    seen: Instant,
    addresses: Vec<IpAddr>,
    resolvers: Vec<IpAddr>,
}

impl Host {
    /// `None` when the host's addresses are not known.
    fn look() -> Option<Self> {
        Some(Self {
            seen: Instant::now(),
            addresses: host::addresses().ok()?,
            resolvers: host::resolvers(),
        })
    }

    fn is_recent(&self) -> bool {
        self.seen.elapsed() < SEEN_FOR
    }
}
