//! The other hosts of a cluster, as one host's agent reaches them.
//!
//! Each agent binds a datagram socket in its instance's directory, into which
//! only this machine's Kiln can send. What a container sends to a peer's address
//! goes into that peer's socket as it is, one packet a datagram, and from there
//! into the peer's device, so that every protocol works and connections are the
//! two kernels' own:
//!
//! ```text
//!  container ─ eth0 ─▶ Peers ─▶ Way ─▶ ../PEER/net.sock ─▶ Mailbox ─▶ eth0 ─ peer
//! ```
//!
//! Nothing here waits for a peer. What a slow one cannot take is kept for it in a
//! [`queue`] of bounded size, and what does not fit there is lost, as in any
//! network.

mod mailbox;
mod membership;
mod queue;
mod way;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::ends::Ends;
use crate::cluster::Cluster;
pub(super) use mailbox::Mailbox;
pub(super) use membership::{Direction, Membership};
use way::Way;

/// The ways from one host to all others.
pub(super) struct Peers {
    membership: Membership,
    /// By position; none to the host itself.
    ways: Vec<Option<Arc<Way>>>,
}

impl Peers {
    /// The peers of a cluster's host. `tasks` send what is kept for them.
    pub(super) fn new(
        cluster: &Cluster,
        membership: Membership,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<Self> {
        let mut ways: Vec<Option<Arc<Way>>> = cluster.hosts.iter().map(|_| None).collect();
        for (position, host) in cluster.others() {
            let way = Arc::new(Way::to(socket_of(&host.instance))?);
            let served = Arc::clone(&way);
            tasks.spawn(async move { served.serve().await });
            ways[position] = Some(way);
        }
        Ok(Self { membership, ways })
    }

    /// Where a packet of the container may go.
    pub(super) fn direction(&self, ends: Ends) -> Direction {
        self.membership.direction(ends)
    }

    /// Sends a packet to the peer at a position.
    pub(super) fn send(&self, position: usize, packet: &[u8]) {
        if let Some(Some(way)) = self.ways.get(position) {
            way.send(packet);
        }
    }
}

/// The socket of an instance's agent. An agent works in its own instance's
/// directory, so that the way to a peer's is short enough for a socket's address
/// wherever the data directory is.
fn socket_of(instance: &str) -> PathBuf {
    Path::new("..").join(instance).join("net.sock")
}
