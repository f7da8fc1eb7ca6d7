//! TCP to the outside world, with the kernel on both sides.
//!
//! The packet that opens a connection is held while the agent dials, so that
//! the container learns of a refused or unreachable host as such. Then the
//! packet gets other addresses and goes back into the device: the kernel in the
//! namespace takes it for a connection from the stand-in host to our listener,
//! and does the rest. From there on packets are only readdressed, and the bytes
//! are carried between two ordinary sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::KeepAlive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::addresses::{ENDPOINT, STAND_IN};
use super::flows::{Flows, Opening};
use super::host;
use super::packet::{Packet, Unreachable};
use super::tun::Tun;
use crate::runtime::relay;

const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The connections of one container.
pub(super) struct Connections {
    tun: Arc<Tun>,
    own: Ipv4Addr,
    returning: TcpListener,
    listener: SocketAddrV4,
    flows: Flows<TcpStream>,
    dialling: JoinSet<Dialled>,
    carrying: JoinSet<u16>,
    /// Before this, nothing is accepted.
    accept_after: Instant,
    unserved: Unserved,
}

/// What could not be served since this was last told. A container can bring that
/// about as often as it likes, and the log shall not grow with it.
#[derive(Debug, Default)]
struct Unserved {
    /// Connections over the limit.
    refused: u64,
    /// Failures to accept.
    unaccepted: u64,
}

impl Unserved {
    fn tell(&mut self) {
        let Self {
            refused,
            unaccepted,
        } = std::mem::take(self);
        if refused + unaccepted > 0 {
            tracing::warn!(
                refused,
                unaccepted,
                "a container opens more connections than can be served"
            );
        }
    }
}

/// A dial that has ended, with the packet that waits for it.
struct Dialled {
    port: u16,
    held: Vec<u8>,
    outcome: io::Result<TcpStream>,
}

impl Connections {
    /// Those of the container with the address `own`.
    pub(super) fn new(tun: Arc<Tun>, own: Ipv4Addr, returning: TcpListener) -> Self {
        let port = returning.local_addr().map_or(0, |address| address.port());
        Self {
            tun,
            own,
            returning,
            listener: SocketAddrV4::new(ENDPOINT, port),
            flows: Flows::new(host::most_connections()),
            dialling: JoinSet::new(),
            carrying: JoinSet::new(),
            accept_after: Instant::now(),
            unserved: Unserved::default(),
        }
    }

    /// Begins a connection, unless it has begun already.
    pub(super) fn open(&mut self, packet: Packet<'_>, destination: SocketAddr) {
        match self.flows.open(packet.flow(), Instant::now()) {
            Opening::New(port) => {
                let held = packet.bytes().to_vec();
                self.dialling.spawn(dial(port, held, destination));
            }
            Opening::Known(port) => self.pass(packet, port),
            Opening::Waiting => {}
            Opening::Full => {
                self.unserved.refused += 1;
                self.tun.send(&packet.refusal());
            }
        }
    }

    /// Takes a packet of a connection from the container to our listener.
    pub(super) fn forward(&mut self, packet: Packet<'_>) {
        if let Some(port) = self.flows.port_of(packet.flow(), Instant::now()) {
            self.pass(packet, port);
        }
    }

    /// Whether a packet goes back from our listener to the container.
    pub(super) fn returns(&self, packet: &Packet<'_>) -> bool {
        packet.source() == self.listener && *packet.destination().ip() == STAND_IN
    }

    /// Takes a packet from our listener to the container.
    pub(super) fn give_back(&mut self, mut packet: Packet<'_>) {
        if let Some(flow) = self
            .flows
            .flow_of(packet.destination().port(), Instant::now())
        {
            packet.readdress(flow.asked, SocketAddrV4::new(self.own, flow.port));
            self.tun.send(packet.bytes());
        }
    }

    /// Does the next thing that is not a packet.
    pub(super) async fn step(&mut self) {
        tokio::select! {
            Some(Ok(dialled)) = self.dialling.join_next() => self.dialled(dialled),
            Some(Ok(port)) = self.carrying.join_next() => {
                self.flows.ended(port, Instant::now());
            }
            accepted = accept(&self.returning, self.accept_after) => match accepted {
                Ok((inside, peer)) => self.carry(inside, peer),
                // Out of file descriptors, most likely; some will be closed. The
                // next packet drops this future, so that no pause can be made here.
                Err(error) => {
                    tracing::debug!(%error, "a container's connection could not be accepted");
                    self.unserved.unaccepted += 1;
                    self.accept_after = Instant::now() + RETRY_AFTER;
                }
            },
        }
    }

    /// Forgets connections that ended a while ago, and tells of those that could
    /// not be served.
    pub(super) fn tidy(&mut self) {
        self.unserved.tell();
        self.flows.tidy(Instant::now());
    }

    fn pass(&self, mut packet: Packet<'_>, port: u16) {
        packet.readdress(SocketAddrV4::new(STAND_IN, port), self.listener);
        self.tun.send(packet.bytes());
    }

    fn dialled(
        &mut self,
        Dialled {
            port,
            mut held,
            outcome,
        }: Dialled,
    ) {
        let Some(packet) = Packet::parse(&mut held) else {
            return;
        };
        match outcome {
            Ok(outside) => {
                self.flows.dialled(port, outside, Instant::now());
                self.pass(packet, port);
            }
            Err(error) => {
                self.flows.remove(port);
                if let Some(answer) = answer(&packet, error.kind()) {
                    self.tun.send(&answer);
                }
            }
        }
    }

    /// Only the stand-in's ports lead outside. The container itself may connect
    /// to the listener too, and gets nothing.
    fn carry(&mut self, inside: TcpStream, peer: SocketAddr) {
        if peer.ip() != STAND_IN {
            return;
        }
        let port = peer.port();
        if let Some(outside) = self.flows.take(port) {
            self.carrying.spawn(async move {
                relay::relay(inside, outside).await;
                port
            });
        }
    }
}

/// Accepts a connection, but not before that.
async fn accept(listener: &TcpListener, after: Instant) -> io::Result<(TcpStream, SocketAddr)> {
    if Instant::now() < after {
        sleep_until(after.into()).await;
    }
    listener.accept().await
}

async fn dial(port: u16, held: Vec<u8>, destination: SocketAddr) -> Dialled {
    let outcome = TcpStream::connect(destination).await;
    if let Ok(outside) = &outcome {
        // The container's own keep-alives end at our listener.
        let _ = setsockopt(outside, KeepAlive, &true);
    }
    Dialled {
        port,
        held,
        outcome,
    }
}

/// What the container would have heard, had it dialled itself. A host that does
/// not answer gives no answer.
fn answer(packet: &Packet<'_>, error: io::ErrorKind) -> Option<Vec<u8>> {
    match error {
        io::ErrorKind::TimedOut => None,
        io::ErrorKind::NetworkUnreachable => {
            Some(packet.unreachable(Unreachable::Network, STAND_IN))
        }
        io::ErrorKind::HostUnreachable => Some(packet.unreachable(Unreachable::Host, STAND_IN)),
        _ => Some(packet.refusal()),
    }
}
