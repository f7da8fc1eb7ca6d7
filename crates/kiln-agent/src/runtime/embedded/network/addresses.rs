//! The addresses of a container's network.
//!
//! Every container has the same ones, for no two share a namespace. Only the
//! hosts of one cluster differ, each in its own address. The small block of
//! [`BLOCK`], and in a cluster that of [`HOSTS`], is all that a container cannot
//! see of the outside world because its own network covers it.

use std::net::{IpAddr, Ipv4Addr};

/// Where the control plane answers, on port [`ENDPOINT_PORT`]: the address at
/// which the cloud's containers find their credentials, which the SDKs allow.
pub(super) const ENDPOINT: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
pub(super) const ENDPOINT_PORT: u16 = 80;

/// The device that leads out, and the address on it of a container that has no
/// peers.
pub(super) const INTERFACE: &str = "eth0";
pub(super) const CONTAINER: Ipv4Addr = Ipv4Addr::new(10, 201, 53, 6);

/// Stands in for every outside host, so that the kernel in the namespace takes
/// the container's connections for connections from here to our listener.
pub(super) const STAND_IN: Ipv4Addr = Ipv4Addr::new(10, 201, 53, 5);

/// The block's first address and its size as a prefix length.
const BLOCK: (Ipv4Addr, u32) = (Ipv4Addr::new(10, 201, 53, 0), 29);

/// The block of a cluster's hosts, likewise. The position of a host follows from
/// its address.
const HOSTS: (Ipv4Addr, u32) = (Ipv4Addr::new(10, 201, 53, 64), HOSTS_PREFIX);
pub(super) const HOSTS_PREFIX: u32 = 26;

/// How many hosts a cluster can have. The block's first address and its last
/// mean no host.
pub(super) const MOST_HOSTS: usize = (1 << (32 - HOSTS_PREFIX)) - 2;

/// The C library uses no more than three name servers.
const MOST_RESOLVERS: usize = 3;

/// The block's addresses that stand for the first `count` resolvers of the host.
pub(super) fn resolvers(count: usize) -> Vec<IpAddr> {
    (1..=count.min(MOST_RESOLVERS))
        .map(|position| {
            IpAddr::from(
                BLOCK
                    .0
                    .to_bits()
                    .wrapping_add(position as u32)
                    .to_be_bytes(),
            )
        })
        .collect()
}

/// Which of the host's resolvers an address stands for.
pub(super) fn resolver(address: Ipv4Addr) -> Option<usize> {
    let position = address.to_bits().checked_sub(BLOCK.0.to_bits())? as usize;
    (1..=MOST_RESOLVERS)
        .contains(&position)
        .then(|| position - 1)
}

/// Whether an address belongs to the network itself.
pub(super) fn is_ours(address: Ipv4Addr) -> bool {
    is_within(BLOCK, address)
}

/// The address of a cluster's host, by its position; `None` for one too many.
pub(super) fn of_host(position: usize) -> Option<Ipv4Addr> {
    (position < MOST_HOSTS).then(|| Ipv4Addr::from_bits(HOSTS.0.to_bits() + 1 + position as u32))
}

/// Which of a cluster's hosts an address is for.
pub(super) fn host(address: Ipv4Addr) -> Option<usize> {
    let number = address.to_bits().checked_sub(HOSTS.0.to_bits())? as usize;
    (1..=MOST_HOSTS).contains(&number).then(|| number - 1)
}

/// Whether an address is in the block of a cluster's hosts.
pub(super) fn is_hosts(address: Ipv4Addr) -> bool {
    is_within(HOSTS, address)
}

fn is_within((first, prefix): (Ipv4Addr, u32), address: Ipv4Addr) -> bool {
    (address.to_bits() ^ first.to_bits()) >> (32 - prefix) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resolver_has_an_address_that_leads_back_to_it() {
        for count in 0..6 {
            for (index, address) in resolvers(count).into_iter().enumerate() {
                let IpAddr::V4(address) = address else {
                    panic!("{address}")
                };
                assert_eq!(resolver(address), Some(index));
                assert!(is_ours(address));
            }
        }
        assert_eq!(resolvers(6).len(), 3);
    }

    #[test]
    fn other_addresses_stand_for_no_resolver() {
        for address in [
            BLOCK.0,
            CONTAINER,
            STAND_IN,
            ENDPOINT,
            Ipv4Addr::new(10, 201, 53, 4),
        ] {
            assert_eq!(resolver(address), None, "{address}");
        }
        assert!(is_ours(CONTAINER) && is_ours(STAND_IN));
        assert!(!is_ours(Ipv4Addr::new(10, 201, 53, 8)));
    }

    #[test]
    fn each_host_has_an_address_that_leads_back_to_it() {
        for position in 0..MOST_HOSTS {
            let address = of_host(position).unwrap();
            assert_eq!(host(address), Some(position));
            assert!(is_hosts(address) && !is_ours(address));
        }
        assert_eq!(of_host(MOST_HOSTS), None);
        for (last, in_block) in [(63, false), (64, true), (127, true), (128, false)] {
            let address = Ipv4Addr::new(10, 201, 53, last);
            assert_eq!(
                (host(address), is_hosts(address)),
                (None, in_block),
                "{last}"
            );
        }
    }
}
