//! The socket at which an agent takes packets from its peers' agents.

use std::fs;
use std::io::{self, ErrorKind};

use tokio::net::UnixDatagram;

use super::super::ends::Ends;
use super::super::tun::{MTU, Tun};
use super::{Membership, socket_of};
use crate::cluster::Cluster;

/// A bound socket. Its name stays until the instance's directory goes: by then
/// it may be the name of another, which was bound in its place.
pub(in super::super) struct Mailbox {
    socket: UnixDatagram,
    membership: Membership,
}

impl Mailbox {
    /// Binds the socket of the own host, in the place of one that an agent which
    /// died has left.
    pub(in super::super) fn bind(cluster: &Cluster, membership: Membership) -> io::Result<Self> {
        let own = cluster.hosts.get(cluster.own).ok_or(ErrorKind::NotFound)?;
        let path = socket_of(&own.instance);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixDatagram::bind(&path)?;
        Ok(Self { socket, membership })
    }

    /// The place of the host that it belongs to.
    pub(in super::super) fn membership(&self) -> Membership {
        self.membership
    }

    /// Hands the container what its peers send to it.
    pub(in super::super) async fn serve(self, tun: &Tun) {
        let mut buffer = vec![0; usize::from(MTU)];
        loop {
            match self.socket.recv(&mut buffer).await {
                Ok(length) => {
                    let packet = &buffer[..length];
                    if Ends::read(packet).is_some_and(|ends| self.membership.admits(ends)) {
                        tun.send(packet);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a container is cut off from its peers");
                    return;
                }
            }
        }
    }
}
