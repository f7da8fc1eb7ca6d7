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

use super::addresses::{CONTAINER, STAND_IN};
use super::flows::Flow;
use super::host;
use super::packet::{Packet, Unreachable, datagram};
use super::tun::{MTU, Tun};

/// How long an exchange lasts after its last datagram, as home routers have it.
const QUIET: Duration = Duration::from_secs(60);
/// Datagrams that wait for the host's socket; more are lost.
const WAITING: usize = 64;

/// The exchanges of one container.
pub(super) struct Exchanges {
    tun: Arc<Tun>,
    most: usize,
    senders: HashMap<Flow, mpsc::Sender<Vec<u8>>>,
    tasks: JoinSet<()>,
}

impl Exchanges {
    pub(super) fn new(tun: Arc<Tun>) -> Self {
        let most = host::most_connections() / 4;
        Self {
            tun,
            most,
            senders: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Sends a datagram on an exchange that is open; `false` when none is.
    pub(super) fn send(&mut self, packet: &Packet<'_>) -> bool {
        let Some(sender) = self.senders.get(&packet.flow()) else {
            return false;
        };
        let sent = sender.try_send(packet.datagram().to_vec());
        !matches!(sent, Err(mpsc::error::TrySendError::Closed(_)))
    }

    /// Opens an exchange and sends its first datagram.
    pub(super) fn open(&mut self, packet: &Packet<'_>, destination: SocketAddr) {
        if self.senders.len() >= self.most {
            self.tidy();
        }
        if self.senders.len() >= self.most {
            self.tun
                .send(&packet.unreachable(Unreachable::Port, STAND_IN));
            return;
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let _ = sender.try_send(packet.datagram().to_vec());
        self.senders.insert(packet.flow(), sender);
        let (tun, flow) = (Arc::clone(&self.tun), packet.flow());
        self.tasks.spawn(async move {
            if let Err(error) = exchange(&tun, flow, destination, receiver).await {
                tracing::debug!(%error, %destination, "a container's exchange ended");
            }
        });
    }

    /// Forgets exchanges that have ended.
    pub(super) fn tidy(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.senders.retain(|_, sender| !sender.is_closed());
    }
}

async fn exchange(
    tun: &Tun,
    flow: Flow,
    destination: SocketAddr,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let socket = connect(destination).await?;
    let container = SocketAddrV4::new(CONTAINER, flow.port);
    let mut buffer = vec![0; usize::from(MTU)];
    let mut step = async || -> io::Result<bool> {
        tokio::select! {
            payload = outgoing.recv() => match payload {
                Some(payload) => socket.send(&payload).await.map(|_| true),
                None => Ok(false),
            },
            received = socket.recv(&mut buffer) => {
                let length = received?;
                if let Some(packet) = datagram(flow.asked, container, &buffer[..length], MTU) {
                    tun.send(&packet);
                }
                Ok(true)
            }
        }
    };
    while let Ok(stepped) = timeout(QUIET, step()).await {
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
