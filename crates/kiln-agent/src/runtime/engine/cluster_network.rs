//! The bridge network of a cluster's containers in the engine.
//!
//! Whichever agent comes first makes it, and whichever goes last removes it: an
//! engine keeps a network as long as containers are in it. Its name follows from
//! the cluster and each host's address from its position, so that the agents
//! need not talk to each other.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, Network as Listed,
    NetworkCreateRequest, NetworkingConfig,
};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder};

use super::subnet::{MOST_HOSTS, Subnet};
use super::{Flavour, failure};
use crate::cluster::Cluster;
use crate::runtime::{NetworkPolicy, RuntimeError};

/// On every network: the directory in which the cluster's instances lie, and their
/// names.
const INSTANCES_LABEL: &str = "kiln.instances";
const HOSTS_LABEL: &str = "kiln.hosts";

/// Tells Docker to give the machine no address on a network.
const NO_GATEWAY: &str = "com.docker.network.bridge.inhibit_ipv4";

/// A cluster's network, as one host is in it.
pub(super) struct ClusterNetwork {
    docker: Docker,
    flavour: Flavour,
    policy: NetworkPolicy,
    name: String,
    labels: Labels,
    subnet: Subnet,
    own: Ipv4Addr,
}

type Labels = HashMap<String, String>;

impl ClusterNetwork {
    /// Makes the network, unless a peer has.
    pub(super) async fn open(
        docker: &Docker,
        flavour: Flavour,
        policy: NetworkPolicy,
        cluster: &Cluster,
    ) -> Result<Self, RuntimeError> {
        let name = name(cluster);
        let looking = RuntimeError::io("looking for the directory of the instances");
        let labels = labels(cluster).map_err(looking)?;
        let request = |subnet| request((&name, &labels), subnet, policy, flavour);
        let subnet = ensure(docker, &name, request).await?;
        let own = subnet.host(cluster.own).ok_or_else(|| {
            RuntimeError::Machine(format!("a cluster has no more than {MOST_HOSTS} hosts"))
        })?;
        Ok(Self {
            docker: docker.clone(),
            flavour,
            policy,
            name,
            labels,
            subnet,
            own,
        })
    }

    /// Makes it anew when a peer that ended early has removed it.
    pub(super) async fn restore(&self) -> Result<(), RuntimeError> {
        let named = (self.name.as_str(), &self.labels);
        let request = |subnet| request(named, subnet, self.policy, self.flavour);
        let subnet = ensure(&self.docker, &self.name, request).await?;
        if subnet == self.subnet {
            return Ok(());
        }
        Err(RuntimeError::Machine(format!(
            "the network of the job's containers was {} and is {subnet} now",
            self.subnet
        )))
    }

    /// The machine's own address in it.
    pub(super) fn gateway(&self) -> Ipv4Addr {
        self.subnet.gateway()
    }

    /// The container's address in it.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.own
    }

    /// The names and addresses of all hosts.
    pub(super) fn hosts(&self, cluster: &Cluster) -> Vec<(String, IpAddr)> {
        let hosts = cluster.hosts.iter().enumerate();
        hosts
            .filter_map(|(position, host)| {
                let address = self.subnet.host(position)?;
                Some((host.name.clone(), IpAddr::V4(address)))
            })
            .collect()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How the container is in it.
    pub(super) fn membership(&self) -> NetworkingConfig {
        let address = EndpointIpamConfig {
            ipv4_address: Some(self.own.to_string()),
            ..Default::default()
        };
        let settings = EndpointSettings {
            ipam_config: Some(address),
            ..Default::default()
        };
        NetworkingConfig {
            endpoints_config: Some(HashMap::from([(self.name.clone(), settings)])),
        }
    }

    /// The name server of an isolated container: itself, where none listens. The
    /// engine would ask the machine's own, which are outside.
    pub(super) fn resolvers(&self) -> Option<Vec<String>> {
        (self.policy == NetworkPolicy::Isolated).then(|| vec![self.own.to_string()])
    }
}

impl Drop for ClusterNetwork {
    fn drop(&mut self) {
        // Outside of a runtime nothing can be sent; the next sweep removes it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (docker, name) = (self.docker.clone(), self.name.clone());
        runtime.spawn(async move { remove(&docker, &name).await });
    }
}

/// Removes a network that no container is in any more.
pub(super) async fn remove(docker: &Docker, name: &str) {
    let Err(error) = docker.remove_network(name).await else {
        return;
    };
    // Docker says 403 of a network that is in use, and Podman 409.
    if !matches!(failure::status(&error), Some(403 | 404 | 409)) {
        let error = failure::words(&error);
        tracing::warn!(error, name, "a network is left behind in the engine");
    }
}

/// Removes the networks that agents left behind when they crashed: those of
/// instances below `directory`, and that of the cluster of which it is an instance's
/// own. A network in which containers run stays. Docker takes one for unused whose
/// containers are only about to start, so that no other cluster's is touched.
pub(super) async fn sweep(docker: &Docker, directory: &Path) -> Result<(), RuntimeError> {
    let ours = HashMap::from([("label", vec![INSTANCES_LABEL])]);
    let options = ListNetworksOptionsBuilder::default().filters(&ours).build();
    let listed = docker
        .list_networks(Some(options))
        .await
        .map_err(|error| failure::machine("listing the engine's networks", &error))?;
    for network in &listed {
        if let Some(name) = leftover(network, directory) {
            remove(docker, name).await;
        }
    }
    Ok(())
}

fn leftover<'a>(network: &'a Listed, directory: &Path) -> Option<&'a str> {
    let labels = network.labels.as_ref()?;
    let instances = Path::new(labels.get(INSTANCES_LABEL)?);
    let hosts = labels.get(HOSTS_LABEL).map_or("", String::as_str);
    let is_hosts_own = || {
        hosts
            .split(',')
            .any(|host| instances.join(host) == directory)
    };
    let is_there = instances.starts_with(directory) || is_hosts_own();
    is_there.then_some(network.name.as_deref()?)
}

/// All agents of a cluster agree on this one.
fn name(cluster: &Cluster) -> String {
    let first = cluster.hosts.first();
    format!("kiln-{}", first.map_or("", |host| &host.instance))
}

/// The subnet of the network of a name, made in the first subnet that is free
/// when there is no such network.
async fn ensure(
    docker: &Docker,
    name: &str,
    request: impl Fn(Subnet) -> NetworkCreateRequest,
) -> Result<Subnet, RuntimeError> {
    for subnet in Subnet::candidates(name) {
        if let Some(found) = find(docker, name).await? {
            return Ok(found);
        }
        match docker.create_network(request(subnet)).await {
            Ok(_) => return Ok(subnet),
            // By a peer, at this moment, or by anybody else.
            Err(error) if is_taken(&error) => {}
            Err(error) => {
                let doing = "making a network for the job's containers";
                return Err(failure::machine(doing, &error));
            }
        }
    }
    Err(RuntimeError::Machine(
        "no addresses are free for a network of the job's containers".to_owned(),
    ))
}

async fn find(docker: &Docker, name: &str) -> Result<Option<Subnet>, RuntimeError> {
    let inspected = docker.inspect_network(name, None::<InspectNetworkOptions>);
    let network = match inspected.await {
        Ok(network) => network,
        Err(error) if failure::status(&error) == Some(404) => return Ok(None),
        Err(error) => return Err(failure::machine("looking for a job's network", &error)),
    };
    let pools = network
        .ipam
        .and_then(|ipam| ipam.config)
        .unwrap_or_default();
    let subnet = pools
        .iter()
        .find_map(|pool| Subnet::parse(pool.subnet.as_deref()?));
    let unknown = || RuntimeError::Machine(format!("the engine's network {name} is not Kiln's"));
    subnet.map(Some).ok_or_else(unknown)
}

/// Whether a name or a subnet is refused because there is such a one already.
/// Each engine has words of its own for that.
fn is_taken(error: &Error) -> bool {
    failure::status(error) == Some(409) || says_taken(&failure::words(error))
}

fn says_taken(words: &str) -> bool {
    ["overlap", "already exists", "already used"]
        .iter()
        .any(|said| words.contains(said))
}

fn request(
    (name, labels): (&str, &Labels),
    subnet: Subnet,
    policy: NetworkPolicy,
    flavour: Flavour,
) -> NetworkCreateRequest {
    let is_isolated = policy == NetworkPolicy::Isolated;
    let pool = IpamConfig {
        subnet: Some(subnet.to_string()),
        gateway: Some(subnet.gateway().to_string()),
        ..Default::default()
    };
    let no_gateway = (is_isolated && flavour == Flavour::Docker)
        .then(|| HashMap::from([(NO_GATEWAY.to_owned(), "true".to_owned())]));
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        internal: Some(is_isolated),
        ipam: Some(Ipam {
            config: Some(vec![pool]),
            ..Default::default()
        }),
        options: no_gateway,
        labels: Some(labels.clone()),
        ..Default::default()
    }
}

fn labels(cluster: &Cluster) -> io::Result<Labels> {
    let hosts: Vec<&str> = cluster
        .hosts
        .iter()
        .map(|host| host.instance.as_str())
        .collect();
    let instances = instances()?.to_string_lossy().into_owned();
    Ok(HashMap::from([
        (INSTANCES_LABEL.to_owned(), instances),
        (HOSTS_LABEL.to_owned(), hosts.join(",")),
    ]))
}

/// The directory of all instances, in one of which this agent works.
fn instances() -> io::Result<PathBuf> {
    let own = std::env::current_dir()?;
    Ok(own.parent().unwrap_or(&own).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_of_the_instances_in_question() {
        let cases = [
            (Some("/data/instances"), "/data", true),
            (Some("/data/instances"), "/data/instances/i-1", true),
            (Some("/data/instances"), "/data/instances/i-2", true),
            (Some("/data/instances"), "/data/instances/i-3", false),
            (Some("/data/instances"), "/data/instances/i", false),
            (Some("/other/instances"), "/data/instances/i-1", false),
            (Some("/other/instances"), "/data", false),
            (Some("/database/instances"), "/data", false),
            (None, "/data", false),
        ];
        for (instances, directory, expected) in cases {
            let label = instances.map(|path| (INSTANCES_LABEL.to_owned(), path.to_owned()));
            let hosts = (HOSTS_LABEL.to_owned(), "i-1,i-2".to_owned());
            let network = Listed {
                name: Some("kiln-i-1".to_owned()),
                labels: Some(HashMap::from_iter(label.into_iter().chain([hosts]))),
                ..Default::default()
            };
            let found = leftover(&network, Path::new(directory));
            assert_eq!(
                found,
                expected.then_some("kiln-i-1"),
                "{instances:?} {directory}"
            );
        }
    }

    #[test]
    fn what_is_taken_is_told_from_what_fails() {
        let cases = [
            ("Pool overlaps with other one on this address space", true),
            ("network with name kiln-i-1 already exists", true),
            (
                "subnet 10.201.64.0/26 is already used on the host or by another config",
                true,
            ),
            ("could not find an available bridge name", false),
            ("permission denied", false),
        ];
        for (words, expected) in cases {
            assert_eq!(says_taken(words), expected, "{words}");
        }
    }
}
