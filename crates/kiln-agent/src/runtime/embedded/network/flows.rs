//! The table of a container's TCP connections to the outside world.
//!
//! Each has a port of the stand-in host, by which the kernel in the namespace
//! and its listener know it. The life of a connection:
//!
//! ```text
//!  open ──▶ Dialling ──dialled──▶ Ready ──take──▶ Carried ──ended──▶ Over
//!               └──failed──▶ gone     └───── sweep, when quiet ──▶ gone ◀┘
//! ```
//!
//! One that is over keeps its port for a while, because the two kernels still
//! exchange its last packets.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

/// How long the kernel keeps a closed connection in TIME_WAIT.
const QUIET: Duration = Duration::from_secs(60);
const FIRST_PORT: u16 = 1024;

/// A connection or an exchange as the container sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    /// The port on the container's own address.
    pub(super) port: u16,
    /// What it asked for.
    pub(super) asked: SocketAddrV4,
}

/// What to do with a packet that opens a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// A new connection: dial it.
    New(u16),
    /// It is being dialled; the packet came again because that takes long.
    Waiting,
    /// The listener knows it; the packet came again because one was lost.
    Known(u16),
    /// There are too many.
    Full,
}

/// All connections. `S` is the dialled socket.
#[derive(Debug)]
pub(super) struct Flows<S> {
    ports: HashMap<Flow, u16>,
    entries: HashMap<u16, Entry<S>>,
    next: u16,
    most: usize,
}

#[derive(Debug)]
struct Entry<S> {
    flow: Flow,
    stage: Stage<S>,
    seen: Instant,
}

#[derive(Debug)]
enum Stage<S> {
    Dialling,
    Ready(S),
    Carried,
    Over,
}

impl<S> Flows<S> {
    /// An empty table that takes up to `most` connections.
    pub(super) fn new(most: usize) -> Self {
        Self {
            ports: HashMap::new(),
            entries: HashMap::new(),
            next: FIRST_PORT,
            most,
        }
    }

    /// Finds or makes the connection that a packet opens.
    pub(super) fn open(&mut self, flow: Flow, now: Instant) -> Opening {
        if let Some(&port) = self.ports.get(&flow) {
            match self.entries.get(&port).map(|entry| &entry.stage) {
                Some(Stage::Dialling) => return Opening::Waiting,
                Some(Stage::Ready(_) | Stage::Carried) => return Opening::Known(port),
                // The container uses its port again before the old one is swept.
                Some(Stage::Over) | None => self.remove(port),
            }
        }
        if self.entries.len() >= self.most {
            self.forget(|entry| matches!(entry.stage, Stage::Over));
        }
        if self.entries.len() >= self.most {
            return Opening::Full;
        }
        let port = self.free_port();
        self.ports.insert(flow, port);
        self.entries.insert(
            port,
            Entry {
                flow,
                stage: Stage::Dialling,
                seen: now,
            },
        );
        Opening::New(port)
    }

    /// Its outside socket is there.
    pub(super) fn dialled(&mut self, port: u16, socket: S, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&port) {
            entry.stage = Stage::Ready(socket);
            entry.seen = now;
        }
    }

    /// The listener has accepted it: hands out the socket, once.
    pub(super) fn take(&mut self, port: u16) -> Option<S> {
        let entry = self.entries.get_mut(&port)?;
        if !matches!(entry.stage, Stage::Ready(_)) {
            return None;
        }
        match std::mem::replace(&mut entry.stage, Stage::Carried) {
            Stage::Ready(socket) => Some(socket),
            _ => None,
        }
    }

    /// Nobody carries it any more.
    pub(super) fn ended(&mut self, port: u16, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&port) {
            entry.stage = Stage::Over;
            entry.seen = now;
        }
    }

    /// Forgets a connection that never came to be.
    pub(super) fn remove(&mut self, port: u16) {
        if let Some(entry) = self.entries.remove(&port) {
            self.ports.remove(&entry.flow);
        }
    }

    /// The port of a connection that the listener knows, for a packet that
    /// belongs to it.
    pub(super) fn port_of(&mut self, flow: Flow, now: Instant) -> Option<u16> {
        let port = *self.ports.get(&flow)?;
        let entry = self.entries.get_mut(&port)?;
        entry.seen = now;
        (!matches!(entry.stage, Stage::Dialling)).then_some(port)
    }

    /// The connection behind a port, for a packet that goes back.
    pub(super) fn flow_of(&mut self, port: u16, now: Instant) -> Option<Flow> {
        let entry = self.entries.get_mut(&port)?;
        entry.seen = now;
        Some(entry.flow)
    }

    /// Forgets what is over, or was never accepted, and has become quiet.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.forget(|entry| {
            let is_idle = matches!(entry.stage, Stage::Ready(_) | Stage::Over);
            is_idle && now.saturating_duration_since(entry.seen) >= QUIET
        });
    }

    fn forget(&mut self, which: impl Fn(&Entry<S>) -> bool) {
        let Self { ports, entries, .. } = self;
        entries.retain(|_, entry| {
            let forgotten = which(entry);
            if forgotten {
                ports.remove(&entry.flow);
            }
            !forgotten
        });
    }

    /// There is one, since there are more ports than connections.
    fn free_port(&mut self) -> u16 {
        loop {
            let port = self.next;
            self.next = port.checked_add(1).unwrap_or(FIRST_PORT);
            if !self.entries.contains_key(&port) {
                return port;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn flow(port: u16) -> Flow {
        Flow {
            port,
            asked: SocketAddrV4::new(Ipv4Addr::new(1, 2, 3, 4), 443),
        }
    }

    fn new_port<S>(flows: &mut Flows<S>, flow: Flow, now: Instant) -> u16 {
        match flows.open(flow, now) {
            Opening::New(port) => port,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_connection_is_dialled_once_and_taken_once() {
        let now = Instant::now();
        let mut flows = Flows::new(8);
        let port = new_port(&mut flows, flow(1), now);
        assert_eq!(flows.open(flow(1), now), Opening::Waiting);
        assert_eq!(flows.port_of(flow(1), now), None);
        assert_eq!(flows.take(port), None);
        flows.dialled(port, "socket", now);
        assert_eq!(flows.open(flow(1), now), Opening::Known(port));
        assert_eq!(flows.port_of(flow(1), now), Some(port));
        assert_eq!(flows.flow_of(port, now), Some(flow(1)));
        assert_eq!(flows.take(port), Some("socket"));
        assert_eq!(flows.take(port), None);
        assert_eq!(flows.open(flow(1), now), Opening::Known(port));
    }

    #[test]
    fn last_packets_still_find_their_way() {
        let now = Instant::now();
        let mut flows = Flows::new(8);
        let port = new_port(&mut flows, flow(1), now);
        flows.dialled(port, (), now);
        flows.take(port);
        flows.tidy(now + QUIET * 100);
        assert_eq!(
            flows.port_of(flow(1), now),
            Some(port),
            "a silent connection stays"
        );
        flows.ended(port, now);
        flows.tidy(now + QUIET / 2);
        assert_eq!(flows.flow_of(port, now + QUIET / 2), Some(flow(1)));
        flows.tidy(now + QUIET);
        assert_eq!(
            flows.flow_of(port, now + QUIET),
            Some(flow(1)),
            "it was not quiet"
        );
        flows.tidy(now + QUIET * 3);
        assert_eq!(flows.flow_of(port, now), None);
    }

    #[test]
    fn a_port_of_the_container_can_be_used_again() {
        let now = Instant::now();
        let mut flows = Flows::new(8);
        let first = new_port(&mut flows, flow(1), now);
        flows.dialled(first, (), now);
        flows.take(first);
        flows.ended(first, now);
        let second = new_port(&mut flows, flow(1), now);
        assert_ne!(first, second);
        assert_eq!(flows.flow_of(first, now), None);
        flows.remove(second);
        new_port(&mut flows, flow(1), now);
    }

    #[test]
    fn a_full_table_makes_room_only_from_what_is_over() {
        let now = Instant::now();
        let mut flows = Flows::new(2);
        let first = new_port(&mut flows, flow(1), now);
        new_port(&mut flows, flow(2), now);
        assert_eq!(flows.open(flow(3), now), Opening::Full);
        flows.dialled(first, (), now);
        assert_eq!(flows.open(flow(3), now), Opening::Full);
        flows.ended(first, now);
        new_port(&mut flows, flow(3), now);
    }

    #[test]
    fn ports_wrap_around_and_stay_unique() {
        let now = Instant::now();
        let mut flows = Flows::<()>::new(3);
        let kept = new_port(&mut flows, flow(1), now);
        for _ in 0..=u16::MAX {
            let port = new_port(&mut flows, flow(2), now);
            assert!(port >= FIRST_PORT && port != kept);
            flows.remove(port);
        }
    }
}
