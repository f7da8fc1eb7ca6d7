//! The addresses of a container's network.
//!
//! Every container has the same ones, for no two share a namespace. The small
//! block of [`BLOCK`] is all that a container cannot see of the outside world
//! because its own network covers it.

use std::net::{IpAddr, Ipv4Addr};

/// Where the control plane answers, on port [`ENDPOINT_PORT`]: the address at
/// which the cloud's containers find their credentials, which the SDKs allow.
pub(super) const ENDPOINT: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
pub(super) const ENDPOINT_PORT: u16 = 80;

/// The device to the outside world, and the container's own address on it.
pub(super) const INTERFACE: &str = "eth0";
pub(super) const CONTAINER: Ipv4Addr = Ipv4Addr::new(10, 201, 53, 6);

/// Stands in for every outside host, so that the kernel in the namespace takes
/// the container's connections for connections from here to our listener.
pub(super) const STAND_IN: Ipv4Addr = Ipv4Addr::new(10, 201, 53, 5);

/// The block's first address and its size as a prefix length.
const BLOCK: (Ipv4Addr, u32) = (Ipv4Addr::new(10, 201, 53, 0), 29);

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
    (address.to_bits() ^ BLOCK.0.to_bits()) >> (32 - BLOCK.1) == 0
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
}
