//! Decides what a container's network consists of.

use std::net::Ipv4Addr;

use super::addresses;
use super::peers::Membership;
use crate::runtime::{NetworkPolicy, RuntimeError};

/// How much of a network is asked for. `lo` is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The address that leads to the control plane.
    pub(super) endpoint: bool,
    /// The device that leads out of the namespace.
    pub(super) device: Option<WantedDevice>,
}

/// A device to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WantedDevice {
    /// The container's address on it.
    pub(super) address: Ipv4Addr,
    /// The prefix length of the network around the address.
    pub(super) prefix: u32,
    /// Whether it leads to peers.
    pub(super) peers: bool,
    /// Whether it leads to the outside world.
    pub(super) outside: bool,
}

impl Wanted {
    /// What a policy asks for, for a host with peers or for one without.
    pub(super) fn of(policy: NetworkPolicy, membership: Option<Membership>) -> Self {
        let is_open = policy == NetworkPolicy::Open;
        let (address, prefix) = match membership {
            Some(membership) => (membership.address(), addresses::HOSTS_PREFIX),
            None => (addresses::CONTAINER, 32),
        };
        let has_peers = membership.is_some();
        let device = WantedDevice {
            address,
            prefix,
            peers: has_peers,
            outside: is_open,
        };
        Self {
            endpoint: is_open,
            device: (is_open || has_peers).then_some(device),
        }
    }

    /// The same on a machine that lacks devices. A host without peers can do
    /// without.
    pub(super) fn without_device(self, lacking: &str) -> Result<Self, RuntimeError> {
        if self.device.is_some_and(|device| device.peers) {
            return Err(RuntimeError::Machine(format!(
                "the hosts of a job cannot reach each other, for {lacking}"
            )));
        }
        Ok(Self {
            device: None,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use NetworkPolicy::{Isolated, Open};

    use super::*;
    use crate::cluster::{Cluster, Host};

    fn membership() -> Option<Membership> {
        let host = |number| Host {
            name: format!("algo-{number}"),
            instance: format!("i-{number}"),
        };
        let hosts = (1..=2).map(host).collect();
        Membership::of(&Cluster { hosts, own: 1 }).unwrap()
    }

    #[test]
    fn each_policy_gets_no_more_than_it_needs() {
        let alone = (Ipv4Addr::new(10, 201, 53, 6), 32);
        let second = (Ipv4Addr::new(10, 201, 53, 66), 26);
        let cases = [
            (Isolated, None, false, None),
            (Open, None, true, Some((alone, false, true))),
            (Isolated, membership(), false, Some((second, true, false))),
            (Open, membership(), true, Some((second, true, true))),
        ];
        for (policy, membership, endpoint, device) in cases {
            let device = device.map(|((address, prefix), peers, outside)| WantedDevice {
                address,
                prefix,
                peers,
                outside,
            });
            let wanted = Wanted::of(policy, membership);
            assert_eq!(wanted, Wanted { endpoint, device }, "{policy:?}");
        }
    }

    #[test]
    fn only_peers_need_a_device() {
        for policy in [Open, Isolated] {
            let alone = Wanted::of(policy, None).without_device("none").unwrap();
            assert_eq!((alone.endpoint, alone.device), (policy == Open, None));
            let refused = Wanted::of(policy, membership()).without_device("there is none");
            assert_eq!(
                refused.unwrap_err().to_string(),
                "this machine cannot run the container: the hosts of a job cannot reach each \
                 other, for there is none"
            );
        }
    }
}
