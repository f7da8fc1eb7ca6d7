//! What the host's own network looks like: its addresses, its resolvers and how
//! many connections one process may hold.

use std::net::{IpAddr, Ipv4Addr};

use nix::sys::resource::{Resource, getrlimit};

/// Every address of every interface of the host.
///
/// # Errors
/// When the kernel does not list them, in which case nothing may be dialled.
pub(super) fn addresses() -> std::io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    Ok(interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
                (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
                (_, Some(v6)) => Some(IpAddr::V6(v6.ip())),
                _ => None,
            }
        })
        .collect())
}

/// The host's resolvers at this moment, in their order.
pub(super) fn resolvers() -> Vec<IpAddr> {
    parse_resolvers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

/// As resolv.conf(5) has it: one `nameserver` a line, and this machine where
/// there is none. Addresses that need a zone are left out, as they would be
/// meaningless to the sockets that dial them.
fn parse_resolvers(text: &str) -> Vec<IpAddr> {
    let named: Vec<IpAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok())?
        })
        .collect();
    if named.is_empty() {
        vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]
    } else {
        named
    }
}

/// How many connections one container may have open at once: so many to the
/// control plane, and again so many to the outside world. Each takes two of the
/// agent's descriptors. With the exchanges by UDP, of which there are half as many
/// and which take one each, half of all descriptors stay for the agent's other work.
pub(super) fn most_connections() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE);
    share(limit.map_or(1024, |(soft, _)| soft))
}

/// The same of so many descriptors.
fn share(descriptors: u64) -> usize {
    const LEAST: u64 = 16;
    const MOST: u64 = 4096;
    (descriptors / 10).clamp(LEAST, MOST) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_in_order() {
        let cases = [
            (
                "nameserver 10.0.0.1\nnameserver fd00::1\n",
                "10.0.0.1 fd00::1",
            ),
            ("# nameserver 10.0.0.1\nsearch example\n", "127.0.0.1"),
            ("", "127.0.0.1"),
            (
                "  nameserver\t10.0.0.1 # ours\nnameservers 1.1.1.1",
                "10.0.0.1",
            ),
            ("nameserver fe80::1%eth0\nnameserver 10.0.0.2", "10.0.0.2"),
            ("nameserver\nnameserver 10.0.0.2", "10.0.0.2"),
        ];
        for (text, expected) in cases {
            let expected: Vec<IpAddr> = expected
                .split(' ')
                .map(|word| word.parse().unwrap())
                .collect();
            assert_eq!(parse_resolvers(text), expected, "{text}");
        }
    }

    #[test]
    fn the_host_has_at_least_its_loopback_address() {
        assert!(
            addresses()
                .unwrap()
                .contains(&IpAddr::V4(Ipv4Addr::LOCALHOST))
        );
        assert!(most_connections() >= 16);
    }

    #[test]
    fn half_of_the_descriptors_stay() {
        for (descriptors, expected) in [(64, 16), (1024, 102), (4096, 409), (1 << 20, 4096)] {
            let most = share(descriptors);
            assert_eq!(most, expected);
            let taken = 2 * (2 * most) + most / 2;
            assert!(descriptors < 1024 || taken as u64 <= descriptors / 2);
        }
    }
}
