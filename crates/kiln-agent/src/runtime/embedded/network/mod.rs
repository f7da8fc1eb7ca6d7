//! A container's network: a namespace of its own that the agent serves.
//!
//! Every namespace has `lo`. Unless the container is isolated, an address on it
//! leads to the control plane, and a TUN device leads to the outside world. The
//! device is there for an isolated container too when it has peers, and leads to
//! them alone. Sockets and devices belong to the namespace in which they
//! were made, so the agent opens them there once and then serves them from the
//! host's namespace, where it dials what the container asked for:
//!
//! ```text
//!  container ── 169.254.170.2:80 on lo ──▶ endpoint ──▶ the control plane
//!      └── eth0, a TUN device ──▶ device ─┬─ peers ────────▶ the peer's device
//!                                         └─ outside ─┬─ tcp ──▶ the asked host
//!                                                     └─ udp ──▶ the asked host,
//!                                                               a resolver of ours
//! ```
//!
//! Nothing of this has a name on the machine. The namespace lives as long as its
//! descriptor, its tasks and its processes, and the kernel removes it after a
//! crash as it does after an orderly end.

mod addresses;
mod checksum;
mod device;
mod ends;
mod flows;
#[cfg(test)]
mod fuzz;
mod host;
mod link;
mod namespace;
mod outside;
mod packet;
mod peers;
mod policy;
mod tcp;
mod tun;
mod udp;
mod wanted;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::runtime::{ControlAddress, Network, NetworkPolicy, RuntimeError, endpoint};
use device::Device;
use namespace::{DeviceParts, Parts};
use outside::Outside;
use peers::{Mailbox, Membership, Peers};
pub use tun::probe;
use wanted::Wanted;

/// An open network namespace and the tasks that serve it. Dropping it ends them
/// and every connection that they carry.
#[derive(Debug)]
pub struct NetworkNamespace {
    namespace: OwnedFd,
    resolvers: Vec<IpAddr>,
    _tasks: JoinSet<()>,
}

impl NetworkNamespace {
    /// The namespace that `network` stands for, when this runtime made it.
    #[must_use]
    pub fn of(network: &Network) -> Option<&Self> {
        network.held.downcast_ref()
    }

    /// The descriptor by which a process joins the namespace.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// The name servers for the container's `resolv.conf`; none where there is
    /// no outside world.
    #[must_use]
    pub fn resolvers(&self) -> Vec<IpAddr> {
        self.resolvers.clone()
    }
}

/// Opens a network and begins to serve it. This process works in the directory
/// of its own instance, beside which are those of its peers.
///
/// # Errors
/// When the kernel refuses a namespace or one of the things in it. A machine
/// without TUN devices is no error for a host that has no peers: its container
/// has no outside world, which [`probe`] says.
pub async fn open(
    policy: NetworkPolicy,
    control: &ControlAddress,
    cluster: &Cluster,
) -> Result<Network, RuntimeError> {
    let membership = Membership::of(cluster)?;
    let wanted = possible(Wanted::of(policy, membership))?;
    // Before anything that takes time, since peers may be sending already.
    let mailbox = membership.map(|membership| Mailbox::bind(cluster, membership));
    let mailbox = mailbox
        .transpose()
        .map_err(RuntimeError::io("binding the socket for what peers send"))?;
    let parts = namespace::make(wanted).await?;
    serve(parts, wanted, control, cluster, mailbox)
}

/// What this machine can give of it.
fn possible(wanted: Wanted) -> Result<Wanted, RuntimeError> {
    match wanted.device.and_then(|_| tun::obstacle()) {
        Some(obstacle) => wanted.without_device(&obstacle),
        None => Ok(wanted),
    }
}

fn serve(
    parts: Parts,
    wanted: Wanted,
    control: &ControlAddress,
    cluster: &Cluster,
    mailbox: Option<Mailbox>,
) -> Result<Network, RuntimeError> {
    let mut tasks = JoinSet::new();
    let mut network = Network {
        endpoint: None,
        interface: "lo".to_owned(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        hosts: Vec::new(),
        held: Box::new(()),
    };
    let mut resolvers = Vec::new();
    if let Some(listener) = parts.endpoint {
        let listener = adopt(listener)?;
        tasks.spawn(endpoint::serve(
            listener,
            control.clone(),
            host::most_connections(),
        ));
        network.endpoint = Some(format!("http://{}", addresses::ENDPOINT));
    }
    if let (Some(device), Some(wanted)) = (parts.device, wanted.device) {
        serve_device(device, wanted.address, cluster, mailbox, &mut tasks)?;
        network.interface = addresses::INTERFACE.to_owned();
        network.address = IpAddr::V4(wanted.address);
        if wanted.outside {
            resolvers = addresses::resolvers(host::resolvers().len());
        }
    }
    network.hosts = hosts(cluster, network.address);
    network.held = Box::new(NetworkNamespace {
        namespace: parts.namespace,
        resolvers,
        _tasks: tasks,
    });
    Ok(network)
}

fn serve_device(
    parts: DeviceParts,
    own: Ipv4Addr,
    cluster: &Cluster,
    mailbox: Option<Mailbox>,
    tasks: &mut JoinSet<()>,
) -> Result<(), RuntimeError> {
    let tun = tun::Tun::serve(parts.device).map_err(RuntimeError::io("serving the TUN device"))?;
    let tun = Arc::new(tun);
    let returning = parts.returning.map(adopt).transpose()?;
    let outside = returning.map(|returning| Outside::new(Arc::clone(&tun), own, returning));
    let mut peers = None;
    if let Some(mailbox) = mailbox {
        let ways = Peers::new(cluster, mailbox.membership(), tasks);
        peers = Some(ways.map_err(RuntimeError::io("opening the ways to peers"))?);
        let tun = Arc::clone(&tun);
        tasks.spawn(async move { mailbox.serve(&tun).await });
    }
    let device = Device {
        tun,
        peers,
        outside,
    };
    tasks.spawn(device.serve());
    Ok(())
}

/// The names of all hosts. One without peers has the address `own` wherever it
/// is in the order.
fn hosts(cluster: &Cluster, own: IpAddr) -> Vec<(String, IpAddr)> {
    let address = |position| match addresses::of_host(position) {
        Some(address) if cluster.hosts.len() > 1 => IpAddr::V4(address),
        _ => own,
    };
    let numbered = cluster.hosts.iter().enumerate();
    numbered
        .map(|(position, host)| (host.name.clone(), address(position)))
        .collect()
}

fn adopt(listener: std::net::TcpListener) -> Result<tokio::net::TcpListener, RuntimeError> {
    let adopted = listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener));
    adopted.map_err(RuntimeError::io("listening in the container's network"))
}
