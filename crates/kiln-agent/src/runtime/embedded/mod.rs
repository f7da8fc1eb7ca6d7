//! The embedded runtime: containers without a daemon.
//!
//! Each container is run by a [`shim`], a process of its own, which builds the
//! container's root file system in a private mount namespace, starts it through
//! libcontainer, and watches it. Nothing of a container outlives its shim, and
//! no shim outlives its agent.

mod bundle;
mod cgroup;
mod container;
mod executable;
mod grace;
mod mounts;
pub mod network;
mod probe;
mod protocol;
mod rootfs;
mod seccomp;
pub mod shim;
mod tolerance;

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use async_trait::async_trait;

use crate::cluster::Cluster;
use crate::runtime::{
    Container, ControlAddress, Network, NetworkPolicy, Running, Runtime, RuntimeError,
};
use container::EmbeddedContainer;
pub use container::clear;
use executable::ProtectedExecutable;
use network::NetworkNamespace;
pub use probe::{Severity, Weakness, probe};
use protocol::ShimSpec;
pub use tolerance::{Safeguard, Tolerance};

/// Runs containers in shims.
#[derive(Debug)]
pub struct EmbeddedRuntime {
    program: ProtectedExecutable,
    arguments: Vec<String>,
    tolerance: Tolerance,
}

impl EmbeddedRuntime {
    /// A runtime whose shims are `program`, called with `arguments` and then the
    /// name of a specification, which it must hand to [`shim::main`].
    ///
    /// # Errors
    /// When the program does not exist or this process may not protect it.
    pub fn new(program: &Path, arguments: &[&str]) -> Result<Self, RuntimeError> {
        Ok(Self {
            program: ProtectedExecutable::of(program)
                .map_err(RuntimeError::io("protecting the shim's program"))?,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            tolerance: Tolerance::default(),
        })
    }

    /// The same runtime, which runs containers although this machine lacks what
    /// is tolerated.
    #[must_use]
    pub fn tolerating(self, tolerance: Tolerance) -> Self {
        Self { tolerance, ..self }
    }
}

#[async_trait]
impl Runtime for EmbeddedRuntime {
    async fn open_network(
        &self,
        _id: &str,
        policy: NetworkPolicy,
        control: &ControlAddress,
        cluster: &Cluster,
    ) -> Result<Network, RuntimeError> {
        network::open(policy, control, cluster).await
    }

    async fn start(
        &self,
        container: &Container,
        network: &Network,
        output: OwnedFd,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        check_id(&container.id)?;
        grace::begin();
        let namespace = network
            .held
            .downcast_ref::<NetworkNamespace>()
            .ok_or_else(|| {
                RuntimeError::Machine("the network was made by another runtime".to_owned())
            })?;
        let spec = ShimSpec {
            container: container.clone(),
            network_namespace: namespace.fd().as_raw_fd(),
            resolvers: namespace.resolvers(),
            tolerance: self.tolerance,
        };
        let started =
            EmbeddedContainer::start(&self.program, &self.arguments, &spec, output).await?;
        Ok(Box::new(started))
    }
}

/// An identifier becomes part of paths, so that it must be what it should be.
fn check_id(id: &str) -> Result<(), RuntimeError> {
    let letters = id
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if letters && (1..=63).contains(&id.len()) {
        return Ok(());
    }
    Err(RuntimeError::Machine(format!(
        "{id:?} is no identifier of a container"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_cannot_leave_their_directory() {
        assert!(check_id("job-1-a2").is_ok());
        for bad in ["", "..", "a/b", "A", "a.b", &"x".repeat(64)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
