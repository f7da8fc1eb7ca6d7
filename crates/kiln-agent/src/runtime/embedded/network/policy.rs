//! Decides where a container's packets may go.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use super::addresses;

pub(super) const DNS_PORT: u16 = 53;

/// What to dial for a container that asked for `asked`, or `None` when it may
/// not have it. A container reaches the outside world and the host's
/// `resolvers`, but nothing that listens on the host, at whatever address:
/// neither on loopback nor on one of its `own`.
pub(super) fn destination(
    asked: SocketAddrV4,
    resolvers: &[IpAddr],
    own: &[IpAddr],
) -> Option<SocketAddr> {
    if let Some(index) = addresses::resolver(*asked.ip()) {
        let resolver = resolvers.get(index).filter(|_| asked.port() == DNS_PORT)?;
        return Some(SocketAddr::new(*resolver, DNS_PORT));
    }
    let address = *asked.ip();
    let is_own = own
        .iter()
        .any(|own| own.to_canonical() == IpAddr::V4(address));
    let reachable =
        is_unicast(address) && !addresses::is_ours(address) && !is_own && asked.port() != 0;
    reachable.then_some(SocketAddr::V4(asked))
}

/// Whether an address can be another machine's. The first block means this
/// machine, and the last, beyond multicast, is reserved.
fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    !(first == 0 || first >= 224 || address.is_loopback() || address.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(asked: &str) -> Option<String> {
        let resolvers = ["127.0.0.53", "fd00::53"].map(|address| address.parse().unwrap());
        let own = ["192.0.2.2", "::ffff:198.51.100.9", "fd00::2", "172.17.0.1"];
        let own = own.map(|address| address.parse().unwrap());
        destination(asked.parse().unwrap(), &resolvers, &own).map(|found| found.to_string())
    }

    #[test]
    fn the_outside_world_is_reachable() {
        for asked in [
            "1.1.1.1:443",
            "10.0.0.1:22",
            "192.0.2.3:80",
            "172.17.0.2:8080",
        ] {
            assert_eq!(decide(asked).as_deref(), Some(asked));
        }
    }

    #[test]
    fn only_names_are_asked_of_the_resolvers() {
        assert_eq!(decide("10.201.53.1:53").as_deref(), Some("127.0.0.53:53"));
        assert_eq!(decide("10.201.53.2:53").as_deref(), Some("[fd00::53]:53"));
        assert_eq!(decide("10.201.53.3:53"), None);
        assert_eq!(decide("10.201.53.1:80"), None);
    }

    #[test]
    fn nothing_on_the_host_is_reachable() {
        let refused = [
            "0.0.0.0:80",
            "0.1.2.3:80",
            "127.0.0.1:80",
            "127.0.0.53:53",
            "127.255.255.254:80",
            "169.254.169.254:80",
            "169.254.170.2:80",
            "224.0.0.251:5353",
            "240.0.0.1:80",
            "255.255.255.255:67",
            "192.0.2.2:80",
            "198.51.100.9:80",
            "172.17.0.1:80",
            "10.201.53.5:53",
            "10.201.53.6:80",
            "1.1.1.1:0",
        ];
        for asked in refused {
            assert_eq!(decide(asked), None, "{asked}");
        }
    }
}
