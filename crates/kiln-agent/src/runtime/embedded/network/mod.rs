//! A container's network: a namespace of its own that the agent serves.
//!
//! Every namespace has `lo`. Unless the container is isolated, an address on it
//! leads to the control plane, and under the open policy a TUN device leads to
//! the outside world. Sockets and devices belong to the namespace in which they
//! were made, so the agent opens them there once and then serves them from the
//! host's namespace, where it dials what the container asked for:
//!
//! ```text
//!  container ── 169.254.170.2:80 on lo ──▶ endpoint ──▶ the control plane
//!      └─────── eth0, a TUN device ──────▶ outside ─┬─ tcp ──▶ the asked host
//!                                                   └─ udp ──▶ the asked host,
//!                                                             a resolver of ours
//! ```
//!
//! Nothing of this has a name on the machine. The namespace lives as long as its
//! descriptor, its tasks and its processes, and the kernel removes it after a
//! crash as it does after an orderly end.

mod addresses;
mod checksum;
mod flows;
#[cfg(test)]
mod fuzz;
mod host;
mod link;
mod namespace;
mod outside;
mod packet;
mod policy;
mod tcp;
mod tun;
mod udp;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::runtime::{ControlAddress, Network, NetworkPolicy, RuntimeError, endpoint};
use namespace::{Parts, Wanted};
use outside::Outside;
pub use tun::probe;

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

/// Opens a network and begins to serve it.
///
/// # Errors
/// When the kernel refuses a namespace or one of the things in it. A machine
/// without TUN devices is no error: its containers have no outside world, which
/// [`probe`] says.
pub async fn open(
    policy: NetworkPolicy,
    control: &ControlAddress,
    cluster: &Cluster,
) -> Result<Network, RuntimeError> {
    let wanted = match policy {
        NetworkPolicy::Isolated => Wanted::Nothing,
        NetworkPolicy::Open if probe().is_some() => Wanted::Endpoint,
        NetworkPolicy::Open => Wanted::EndpointAndOutside,
    };
    let parts = namespace::make(wanted).await?;
    let mut network = serve(parts, control)?;
    network.hosts = vec![(cluster.name().to_owned(), network.address)];
    Ok(network)
}

fn serve(parts: Parts, control: &ControlAddress) -> Result<Network, RuntimeError> {
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
    if let Some(parts) = parts.outside {
        let tun = tun::Tun::serve(parts.device).map_err(io_error("serving the TUN device"))?;
        tasks.spawn(Outside::new(tun, adopt(parts.returning)?).serve());
        network.interface = addresses::INTERFACE.to_owned();
        network.address = IpAddr::V4(addresses::CONTAINER);
        resolvers = addresses::resolvers(host::resolvers().len());
    }
    network.held = Box::new(NetworkNamespace {
        namespace: parts.namespace,
        resolvers,
        _tasks: tasks,
    });
    Ok(network)
}

fn adopt(listener: std::net::TcpListener) -> Result<tokio::net::TcpListener, RuntimeError> {
    let adopted = listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener));
    adopted.map_err(io_error("listening in the container's network"))
}

fn io_error(doing: &'static str) -> impl FnOnce(std::io::Error) -> RuntimeError {
    move |source| RuntimeError::Io {
        doing: doing.to_owned(),
        source,
    }
}
