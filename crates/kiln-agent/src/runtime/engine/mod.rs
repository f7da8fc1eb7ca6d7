//! Running containers through Docker's or Podman's socket.
//!
//! The engine keeps the images and runs the containers; this room says what to
//! run, brings the output over, and reports the end. One monitor task per
//! container learns how it ended, however often the connection to the engine is
//! lost on the way, and one copier task reads its log.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{ContainerCreateBody, NetworkInspect};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectNetworkOptions, StartContainerOptions,
};
use tokio::net::unix::pipe;

use super::{
    Container, ControlAddress, Network, NetworkPolicy, Root, Running, Runtime, RuntimeError,
};
use crate::cluster::Cluster;
use cluster_network::ClusterNetwork;
use forwarder::Forwarder;
use running::EngineContainer;

mod cluster_network;
mod creation;
mod failure;
mod forwarder;
mod image;
mod leftovers;
mod output;
mod processes;
mod running;
mod socket;
mod subnet;
mod usage;

/// A container engine that answered, ready to run containers.
#[derive(Debug, Clone)]
pub struct EngineRuntime {
    docker: Docker,
    engine: Engine,
}

/// What must be known about the engine to ask it for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Engine {
    flavour: Flavour,
    /// Docker refuses a container that may use more processors than there are.
    processors: u32,
    /// Whether the bridge is on this machine but made only with the first
    /// container, so that its address cannot be seen yet.
    bridge_on_demand: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Docker,
    Podman,
}

/// How a container is connected; what [`Network`] holds for this runtime.
enum Wiring {
    /// To the engine's own bridge.
    Bridge {
        _forwarder: Forwarder,
    },
    /// To the network of its cluster.
    Cluster {
        // Closed before the network goes.
        _forwarder: Option<Forwarder>,
        network: Arc<ClusterNetwork>,
    },
    Isolated,
}

impl Wiring {
    fn cluster(&self) -> Option<Arc<ClusterNetwork>> {
        match self {
            Self::Cluster { network, .. } => Some(Arc::clone(network)),
            Self::Bridge { .. } | Self::Isolated => None,
        }
    }
}

impl EngineRuntime {
    /// Connects to the engine behind `socket`, or else behind `DOCKER_HOST`, or
    /// else behind the first of the well-known sockets that answers.
    ///
    /// # Errors
    /// When no engine answers there, with what each address said.
    pub async fn connect(socket: Option<PathBuf>) -> Result<Self, RuntimeError> {
        let mut refusals = Vec::new();
        for address in socket::addresses_now(socket.as_deref()) {
            match socket::open(&address).await {
                Ok((docker, engine)) => return Ok(Self { docker, engine }),
                Err(refusal) => refusals.push(format!("{address}: {refusal}")),
            }
        }
        Err(RuntimeError::Machine(format!(
            "no container engine answers ({})",
            refusals.join("; ")
        )))
    }

    /// Whether the engine has the image already.
    ///
    /// # Errors
    /// When the engine cannot say.
    pub async fn has_image(&self, name: &str) -> Result<bool, RuntimeError> {
        image::is_present(&self.docker, name).await
    }

    /// Pulls the image from its registry. An image that is present is used as
    /// it is, so call this only after [`Self::has_image`] said no.
    ///
    /// # Errors
    /// [`RuntimeError::Image`] when it does not exist or may not be pulled.
    pub async fn pull(&self, name: &str) -> Result<(), RuntimeError> {
        image::pull(&self.docker, name).await
    }

    /// Removes the containers that agents left behind when they crashed: those
    /// whose scratch directory is under `data_dir` and whose id is not among
    /// `alive`, and the networks that nobody is in. What is another data
    /// directory's is left alone. Returns the ids that were removed.
    ///
    /// # Errors
    /// When the engine cannot list or remove them.
    pub async fn sweep(
        &self,
        data_dir: &Path,
        alive: &[String],
    ) -> Result<Vec<String>, RuntimeError> {
        let removed = leftovers::sweep(&self.docker, data_dir, alive).await?;
        cluster_network::sweep(&self.docker, data_dir).await?;
        Ok(removed)
    }

    /// The host's own address on the engine's default bridge network.
    async fn gateway(&self) -> Result<Ipv4Addr, RuntimeError> {
        let network = self
            .docker
            .inspect_network("bridge", None::<InspectNetworkOptions>)
            .await
            .map_err(|error| failure::machine("inspecting the engine's bridge network", &error))?;
        gateway_of(&network).ok_or_else(|| {
            RuntimeError::Machine("the engine's bridge network has no IPv4 gateway".to_owned())
        })
    }

    fn forwarder(
        &self,
        gateway: Ipv4Addr,
        control: &ControlAddress,
    ) -> Result<Forwarder, RuntimeError> {
        Forwarder::listen(gateway, self.engine.bridge_on_demand, control.clone())
    }

    async fn open_cluster_network(
        self,
        policy: NetworkPolicy,
        control: ControlAddress,
        cluster: Cluster,
    ) -> Result<Network, RuntimeError> {
        let flavour = self.engine.flavour;
        let network = ClusterNetwork::open(&self.docker, flavour, policy, &cluster).await?;
        let forwarder = match policy {
            NetworkPolicy::Open => Some(self.forwarder(network.gateway(), &control)?),
            NetworkPolicy::Isolated => None,
        };
        let endpoint = forwarder
            .as_ref()
            .map(|forwarder| format!("http://{}", forwarder.address()));
        Ok(Network {
            endpoint,
            interface: "eth0".to_owned(),
            address: IpAddr::V4(network.address()),
            hosts: network.hosts(&cluster),
            held: Box::new(Wiring::Cluster {
                _forwarder: forwarder,
                network: Arc::new(network),
            }),
        })
    }

    async fn create(
        &self,
        container: NewContainer,
        network: Option<&ClusterNetwork>,
    ) -> Result<String, RuntimeError> {
        let NewContainer { name, image, body } = container;
        if !self.has_image(&image).await? {
            self.pull(&image).await?;
        }
        if let Some(network) = network {
            network.restore().await?;
        }
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        self.docker
            .create_container(Some(options), body)
            .await
            .map(|created| created.id)
            .map_err(|error| failure::of_creation(&image, &error))
    }

    async fn launch(
        self,
        container: NewContainer,
        network: Option<Arc<ClusterNetwork>>,
        output: pipe::Sender,
    ) -> Result<EngineContainer, RuntimeError> {
        let id = self.create(container, network.as_deref()).await?;
        let started = self
            .docker
            .start_container(&id, None::<StartContainerOptions>)
            .await;
        if let Err(error) = started {
            let refused = failure::of_start(&error);
            if let Err(error) = running::remove_by_force(&self.docker, &id).await {
                tracing::warn!(%error, "a container that did not start is left behind");
            }
            return Err(refused);
        }
        Ok(EngineContainer::watch(
            self.docker,
            self.engine.flavour,
            id,
            network,
            output,
        ))
    }
}

/// A container that the engine does not have yet.
struct NewContainer {
    name: String,
    image: String,
    body: ContainerCreateBody,
}

#[async_trait]
impl Runtime for EngineRuntime {
    /// The agent itself listens on the gateway address of the bridge, or of the
    /// cluster's own network, and forwards to the control plane. Where it cannot,
    /// as with a rootless or a remote engine, no container is run: the host's
    /// network in place of the bridge would open the host's loopback interface to
    /// the job.
    async fn open_network(
        &self,
        _id: &str,
        policy: NetworkPolicy,
        control: &ControlAddress,
        cluster: &Cluster,
    ) -> Result<Network, RuntimeError> {
        if cluster.hosts.len() > 1 {
            // In a task of its own, as a start is.
            let (control, cluster) = (control.clone(), cluster.clone());
            let opening = self.clone().open_cluster_network(policy, control, cluster);
            let opened = tokio::spawn(opening).await;
            return opened.map_err(|error| RuntimeError::Machine(error.to_string()))?;
        }
        let (endpoint, interface, wiring) = match policy {
            NetworkPolicy::Open => {
                let forwarder = self.forwarder(self.gateway().await?, control)?;
                let endpoint = format!("http://{}", forwarder.address());
                let wiring = Wiring::Bridge {
                    _forwarder: forwarder,
                };
                (Some(endpoint), "eth0", wiring)
            }
            NetworkPolicy::Isolated => (None, "lo", Wiring::Isolated),
        };
        Ok(Network {
            endpoint,
            interface: interface.to_owned(),
            // The engine chooses the bridge address only when the container
            // starts, too late for the names that are to resolve to it.
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            hosts: vec![(cluster.name().to_owned(), IpAddr::V4(Ipv4Addr::LOCALHOST))],
            held: Box::new(wiring),
        })
    }

    async fn start(
        &self,
        container: &Container,
        network: &Network,
        output: OwnedFd,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        let wiring = network.held.downcast_ref::<Wiring>().ok_or_else(|| {
            RuntimeError::Machine("its network belongs to another runtime".to_owned())
        })?;
        let preparing = RuntimeError::io("preparing the pipe for the container's output");
        let output = pipe::Sender::from_owned_fd(output).map_err(preparing)?;
        let Root::Engine(image) = &container.image.root else {
            return Err(RuntimeError::Image(
                "it is not an image of the container engine".to_owned(),
            ));
        };
        let looking = RuntimeError::io("looking for a shared file system");
        let container = named(container).map_err(looking)?;
        let wanted = NewContainer {
            name: container.id.clone(),
            image: image.clone(),
            body: creation::body(&container, image, wiring, self.engine),
        };
        // In a task of its own, what the engine was asked for is seen through
        // even when nobody waits for it any more. What comes of it is dropped
        // then, and so removed.
        let network = wiring.cluster();
        let launched = tokio::spawn(self.clone().launch(wanted, network, output)).await;
        let launched = launched.map_err(|error| RuntimeError::Machine(error.to_string()))?;
        launched.map(|running| Box::new(running) as Box<dyn Running>)
    }
}

/// The container with its shared directories as mounts: an engine takes names.
fn named(container: &Container) -> std::io::Result<Container> {
    let mut container = container.clone();
    for shared in std::mem::take(&mut container.shared) {
        container.mounts.push(shared.by_name()?);
    }
    Ok(container)
}

/// The gateway that the network names, or else the first address of its subnet,
/// which is what Docker gives its bridge while it names none.
fn gateway_of(network: &NetworkInspect) -> Option<Ipv4Addr> {
    let pools = network.ipam.as_ref()?.config.as_ref()?;
    pools.iter().find_map(|pool| {
        let named = pool.gateway.as_deref().and_then(|text| text.parse().ok());
        named.or_else(|| first_address(pool.subnet.as_deref()?))
    })
}

fn first_address(subnet: &str) -> Option<Ipv4Addr> {
    let (base, bits) = subnet.split_once('/')?;
    let base: Ipv4Addr = base.parse().ok()?;
    let bits: u32 = bits.parse().ok().filter(|bits| (1..=30).contains(bits))?;
    let mask = u32::MAX << (32 - bits);
    Some(Ipv4Addr::from_bits((base.to_bits() & mask) + 1))
}

#[cfg(test)]
mod tests {
    use bollard::models::{Ipam, IpamConfig};

    use super::*;

    /// A subnet and its gateway, where they are named.
    type Pool = (Option<&'static str>, Option<&'static str>);

    #[test]
    fn the_gateway_is_named_or_the_subnets_first_address() {
        let v4 = "172.17.0.0/16";
        let cases: [(&[Pool], Option<&str>); 7] = [
            (&[(Some(v4), None)], Some("172.17.0.1")),
            (&[(Some(v4), Some("172.17.9.9"))], Some("172.17.9.9")),
            (&[(Some("10.1.2.130/25"), None)], Some("10.1.2.129")),
            (
                &[(Some("fd00::/64"), Some("fd00::1")), (Some(v4), None)],
                Some("172.17.0.1"),
            ),
            (&[(Some("10.0.0.0/31"), None)], None),
            (&[(Some("nonsense"), None)], None),
            (&[], None),
        ];
        for (pools, expected) in cases {
            let config = pools.iter().map(|(subnet, gateway)| IpamConfig {
                subnet: subnet.map(str::to_owned),
                gateway: gateway.map(str::to_owned),
                ..Default::default()
            });
            let network = NetworkInspect {
                ipam: Some(Ipam {
                    config: Some(config.collect()),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(gateway_of(&network), expected, "{pools:?}");
        }
    }
}
