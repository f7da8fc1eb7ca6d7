//! UDP to the outside world: one socket of the host for each pair of ends.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::flows::Flow;
use super::host;
use super::packet::{Packet, datagram};
use super::policy::DNS_PORT;
use super::tun::{MTU, Tun};

/// How long an exchange lasts after its last datagram, as home routers have it.
const QUIET: Duration = Duration::from_secs(60);
/// The same for name look-ups, each of which comes from a port of its own.
const QUIET_LOOK_UP: Duration = Duration::from_secs(6);
/// Datagrams that wait for the host's socket; more are lost.
const WAITING: usize = 64;

/// The exchanges of one container.
pub(super) struct Exchanges {
    tun: Arc<Tun>,
    own: Ipv4Addr,
    most: usize,
    opened: u64,
    open: HashMap<Flow, Exchange>,
    tasks: JoinSet<()>,
}

/// An exchange that is served by a task, which ends when this is dropped.
struct Exchange {
    outgoing: mpsc::Sender<Vec<u8>>,
    number: u64,
}

impl Exchanges {
    /// Those of the container with this address.
    pub(super) fn new(tun: Arc<Tun>, own: Ipv4Addr) -> Self {
        let most = host::most_connections() / 2;
        Self {
            tun,
            own,
            most,
            opened: 0,
            open: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Sends a datagram on an exchange that is open; `false` when none is.
    pub(super) fn send(&mut self, packet: &Packet<'_>) -> bool {
        let Some(exchange) = self.open.get(&packet.flow()) else {
            return false;
        };
        let sent = exchange.outgoing.try_send(packet.datagram().to_vec());
        !matches!(sent, Err(mpsc::error::TrySendError::Closed(_)))
    }

    /// Opens an exchange and sends its first datagram.
    pub(super) fn open(&mut self, packet: &Packet<'_>, destination: SocketAddr) {
        self.make_room();
        let (outgoing, receiver) = mpsc::channel(WAITING);
        let _ = outgoing.try_send(packet.datagram().to_vec());
        self.opened += 1;
        self.open.insert(
            packet.flow(),
            Exchange {
                outgoing,
                number: self.opened,
            },
        );
        let (tun, flow) = (Arc::clone(&self.tun), packet.flow());
        let container = SocketAddrV4::new(self.own, flow.port);
        self.tasks.spawn(async move {
            let ends = (container, flow.asked);
            if let Err(error) = exchange(&tun, ends, destination, receiver).await {
                tracing::debug!(%error, %destination, "a container's exchange ended");
            }
        });
    }

    /// Forgets exchanges that have ended.
    pub(super) fn tidy(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.open
            .retain(|_, exchange| !exchange.outgoing.is_closed());
    }

    /// Nothing says when an exchange is over, so that the oldest gives way.
    fn make_room(&mut self) {
        if self.open.len() >= self.most {
            self.tidy();
        }
        if self.open.len() >= self.most {
            let oldest = self.open.iter().min_by_key(|(_, exchange)| exchange.number);
            if let Some(flow) = oldest.map(|(flow, _)| *flow) {
                self.open.remove(&flow);
            }
        }
    }
}

async fn exchange(
    tun: &Tun,
    (container, asked): (SocketAddrV4, SocketAddrV4),
    destination: SocketAddr,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let socket = connect(destination).await?;
    let quiet = if destination.port() == DNS_PORT {
        QUIET_LOOK_UP
    } else {
        QUIET
    };
    let mut buffer = vec![0; usize::from(MTU)];
    let mut step = async || -> io::Result<bool> {
        tokio::select! {
            payload = outgoing.recv() => match payload {
                Some(payload) => socket.send(&payload).await.map(|_| true),
                None => Ok(false),
            },
            received = socket.recv(&mut buffer) => {
                let length = received?;
                if let Some(packet) = datagram(asked, container, &buffer[..length], MTU) {
                    tun.send(&packet);
                }
                Ok(true)
            }
        }
    };
    while let Ok(stepped) = timeout(quiet, step()).await {
        if !stepped? {
            break;
        }
    }
    Ok(())
}

/// Connected, so that the host takes answers from nobody else.
async fn connect(destination: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match destination {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(destination).await?;
    Ok(socket)
}
