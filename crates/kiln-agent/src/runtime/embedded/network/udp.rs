//! UDP to the outside world: one socket of the host for each pair of ends.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
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
/// Datagrams of one exchange that wait for the host's socket, and the bytes that
/// those of all exchanges may take. More are lost.
const WAITING: usize = 64;
const WAITING_BYTES: usize = 4 << 20;
/// What a datagram takes besides its payload.
const OVERHEAD: usize = 128;

/// The exchanges of one container.
pub(super) struct Exchanges {
    tun: Arc<Tun>,
    own: Ipv4Addr,
    most: usize,
    opened: u64,
    open: HashMap<Flow, Exchange>,
    /// The same by their numbers, the oldest first.
    ages: BTreeMap<u64, Flow>,
    /// The bytes that may still wait.
    room: Arc<Semaphore>,
    /// For what arrives: it is taken on at once, so that one will do for all.
    buffer: Arc<Mutex<Vec<u8>>>,
    /// Each answers its exchange's number.
    tasks: JoinSet<u64>,
}

/// An exchange that is served by a task, which ends when this is dropped.
struct Exchange {
    outgoing: mpsc::Sender<Waiting>,
    number: u64,
}

/// A datagram that waits for the host's socket.
struct Waiting {
    payload: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Where an exchange's datagrams come from and go to.
struct Ends {
    container: SocketAddrV4,
    /// What the container asked for.
    asked: SocketAddrV4,
    destination: SocketAddr,
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
            ages: BTreeMap::new(),
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
            buffer: Arc::new(Mutex::new(vec![0; usize::from(MTU)])),
            tasks: JoinSet::new(),
        }
    }

    /// Sends a datagram on an exchange that is open; `false` when none is.
    pub(super) fn send(&mut self, packet: &Packet<'_>) -> bool {
        let Some(exchange) = self.open.get(&packet.flow()) else {
            return false;
        };
        if exchange.outgoing.is_closed() {
            return false;
        }
        if let Some(datagram) = self.waiting(packet) {
            // Where too many wait already, it is lost.
            let _ = exchange.outgoing.try_send(datagram);
        }
        true
    }

    /// Opens an exchange and sends its first datagram.
    pub(super) fn open(&mut self, packet: &Packet<'_>, destination: SocketAddr) {
        let Some(first) = self.waiting(packet) else {
            return;
        };
        self.make_room();
        let (outgoing, receiver) = mpsc::channel(WAITING);
        let _ = outgoing.try_send(first);
        self.opened += 1;
        let (number, flow) = (self.opened, packet.flow());
        let before = self.open.insert(flow, Exchange { outgoing, number });
        if let Some(before) = before {
            self.ages.remove(&before.number);
        }
        self.ages.insert(number, flow);
        let ends = Ends {
            container: SocketAddrV4::new(self.own, flow.port),
            asked: flow.asked,
            destination,
        };
        let (tun, buffer) = (Arc::clone(&self.tun), Arc::clone(&self.buffer));
        self.tasks.spawn(async move {
            if let Err(error) = exchange(&tun, &ends, receiver, &buffer).await {
                tracing::debug!(%error, %destination, "a container's exchange ended");
            }
            number
        });
    }

    /// Forgets exchanges that have ended.
    pub(super) fn tidy(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            // One that was replaced or gave way is not known any more.
            let flow = ended.ok().and_then(|number| self.ages.remove(&number));
            if let Some(flow) = flow {
                self.open.remove(&flow);
            }
        }
    }

    /// Nothing says when an exchange is over, so that the oldest gives way.
    fn make_room(&mut self) {
        if self.open.len() < self.most {
            return;
        }
        self.tidy();
        if self.open.len() >= self.most
            && let Some((_, flow)) = self.ages.pop_first()
        {
            self.open.remove(&flow);
        }
    }

    /// The datagram as it waits, where there is room for it.
    fn waiting(&self, packet: &Packet<'_>) -> Option<Waiting> {
        let payload = packet.datagram();
        let bytes = u32::try_from(payload.len() + OVERHEAD).ok()?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).ok()?;
        Some(Waiting {
            payload: payload.to_vec(),
            _room: room,
        })
    }
}

async fn exchange(
    tun: &Tun,
    ends: &Ends,
    mut outgoing: mpsc::Receiver<Waiting>,
    buffer: &Mutex<Vec<u8>>,
) -> io::Result<()> {
    let socket = connect(ends.destination).await?;
    let quiet = if ends.destination.port() == DNS_PORT {
        QUIET_LOOK_UP
    } else {
        QUIET
    };
    let mut step = async || -> io::Result<bool> {
        tokio::select! {
            datagram = outgoing.recv() => match datagram {
                Some(datagram) => socket.send(&datagram.payload).await.map(|_| true),
                None => Ok(false),
            },
            ready = socket.readable() => {
                ready?;
                receive(tun, ends, &socket, buffer).map(|()| true)
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

/// Takes what has arrived to the container.
fn receive(tun: &Tun, ends: &Ends, socket: &UdpSocket, buffer: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
    let length = match socket.try_recv(&mut buffer) {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some(packet) = datagram(ends.asked, ends.container, &buffer[..length], MTU) {
        tun.send(&packet);
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
