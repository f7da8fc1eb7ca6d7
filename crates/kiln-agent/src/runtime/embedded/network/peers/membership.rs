//! Decides which packets pass between the hosts of a cluster.

use std::net::Ipv4Addr;

use super::super::addresses;
use super::super::ends::Ends;
use crate::cluster::Cluster;
use crate::runtime::RuntimeError;

/// One host's place among the hosts of its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Membership {
    own: usize,
    own_address: Ipv4Addr,
    hosts: usize,
}

/// Where a packet of a container goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Direction {
    /// To the peer at this position.
    Peer(usize),
    /// Out of the cluster.
    Elsewhere,
    /// To no host that there is, or from somebody that the container is not.
    Nowhere,
}

impl Membership {
    /// The place that a cluster gives; `None` without peers.
    ///
    /// # Errors
    /// When the cluster has more hosts than there are addresses.
    pub(in super::super) fn of(cluster: &Cluster) -> Result<Option<Self>, RuntimeError> {
        let (own, hosts) = (cluster.own, cluster.hosts.len());
        if hosts < 2 {
            return Ok(None);
        }
        let fits = own < hosts && hosts <= addresses::MOST_HOSTS;
        let own_address = addresses::of_host(own).filter(|_| fits);
        let own_address = own_address.ok_or_else(|| {
            RuntimeError::Machine(format!(
                "host {} of {hosts} has no address; there are {} for a cluster",
                own + 1,
                addresses::MOST_HOSTS
            ))
        })?;
        Ok(Some(Self {
            own,
            own_address,
            hosts,
        }))
    }

    /// This host's own address.
    pub(in super::super) fn address(&self) -> Ipv4Addr {
        self.own_address
    }

    /// Where a packet from the container's device may go.
    pub(in super::super) fn direction(&self, ends: Ends) -> Direction {
        if !addresses::is_hosts(ends.destination) {
            return Direction::Elsewhere;
        }
        match self.peer(ends.destination) {
            Some(position) if ends.source == self.own_address => Direction::Peer(position),
            _ => Direction::Nowhere,
        }
    }

    /// Whether a packet that a peer's agent has sent may go into the container's
    /// device.
    pub(super) fn admits(&self, ends: Ends) -> bool {
        ends.destination == self.own_address && self.peer(ends.source).is_some()
    }

    fn peer(&self, address: Ipv4Addr) -> Option<usize> {
        let position = addresses::host(address)?;
        (position < self.hosts && position != self.own).then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Host;

    fn cluster(hosts: usize, own: usize) -> Cluster {
        let host = |number| Host {
            name: format!("algo-{number}"),
            instance: format!("i-{number}"),
        };
        Cluster {
            hosts: (1..=hosts).map(host).collect(),
            own,
        }
    }

    fn ends(source: &str, destination: &str) -> Ends {
        Ends {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    #[test]
    fn only_a_cluster_of_several_has_members() {
        let cases = [
            (0, 0, Some(false)),
            (1, 0, Some(false)),
            (2, 0, Some(true)),
            (2, 1, Some(true)),
            (2, 2, None),
            (32, 31, Some(true)),
            (62, 61, Some(true)),
            (63, 0, None),
        ];
        for (hosts, own, expected) in cases {
            let membership = Membership::of(&cluster(hosts, own)).ok();
            let is_member = membership.map(|found| found.is_some());
            assert_eq!(is_member, expected, "{own} of {hosts}");
        }
    }

    #[test]
    fn a_container_sends_as_itself_and_to_its_peers_only() {
        let second_of_three = Membership::of(&cluster(3, 1)).unwrap().unwrap();
        assert_eq!(second_of_three.address(), Ipv4Addr::new(10, 201, 53, 66));
        let own = "10.201.53.66";
        let cases = [
            (own, "10.201.53.65", Direction::Peer(0)),
            (own, "10.201.53.67", Direction::Peer(2)),
            (own, own, Direction::Nowhere),
            (own, "10.201.53.68", Direction::Nowhere),
            (own, "10.201.53.64", Direction::Nowhere),
            (own, "10.201.53.127", Direction::Nowhere),
            ("10.201.53.67", "10.201.53.65", Direction::Nowhere),
            ("10.201.53.6", "10.201.53.65", Direction::Nowhere),
            ("169.254.170.2", "10.201.53.65", Direction::Nowhere),
            (own, "10.201.53.128", Direction::Elsewhere),
            (own, "10.201.53.5", Direction::Elsewhere),
            (own, "1.1.1.1", Direction::Elsewhere),
            ("169.254.170.2", "10.201.53.5", Direction::Elsewhere),
        ];
        for (source, destination, expected) in cases {
            let direction = second_of_three.direction(ends(source, destination));
            assert_eq!(direction, expected, "{source} to {destination}");
        }
    }

    #[test]
    fn a_container_receives_what_its_peers_send_to_it() {
        let second_of_three = Membership::of(&cluster(3, 1)).unwrap().unwrap();
        let own = "10.201.53.66";
        let cases = [
            ("10.201.53.65", own, true),
            ("10.201.53.67", own, true),
            (own, own, false),
            ("10.201.53.68", own, false),
            ("10.201.53.64", own, false),
            ("10.201.53.65", "10.201.53.67", false),
            ("10.201.53.65", "169.254.170.2", false),
            ("10.201.53.65", "127.0.0.1", false),
            ("127.0.0.1", own, false),
            ("10.201.53.5", own, false),
            ("1.1.1.1", own, false),
        ];
        for (source, destination, expected) in cases {
            let admitted = second_of_three.admits(ends(source, destination));
            assert_eq!(admitted, expected, "{source} to {destination}");
        }
    }
}
