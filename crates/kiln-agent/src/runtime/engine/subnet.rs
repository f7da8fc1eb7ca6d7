//! The addresses of a cluster's network in the engine: one small subnet of many,
//! with a fixed place for the gateway and for each host.

use std::fmt;
use std::net::Ipv4Addr;

/// What the subnets are cut from.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 201, 64, 0);
/// How many there are.
const COUNT: u32 = 256;
const PREFIX: u32 = 26;
const SIZE: u32 = 1 << (32 - PREFIX);

/// How many hosts a subnet has addresses for, beside its gateway and the first
/// and the last address, which mean no host.
pub(super) const MOST_HOSTS: usize = SIZE as usize - 3;

/// A subnet, by its first address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subnet(Ipv4Addr);

impl Subnet {
    /// All subnets, in an order that follows from a network's name, so that all
    /// agents of a cluster try the same one first.
    pub(super) fn candidates(name: &str) -> impl Iterator<Item = Self> {
        let begin = name.bytes().fold(0_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        (0..COUNT).map(move |step| {
            let position = (begin % COUNT + step) % COUNT;
            Self(Ipv4Addr::from_bits(FIRST.to_bits() + position * SIZE))
        })
    }

    /// Reads what [`Display`](fmt::Display) writes; `None` for any other.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, prefix) = text.split_once('/')?;
        let first: Ipv4Addr = first.parse().ok()?;
        let offset = first.to_bits().checked_sub(FIRST.to_bits())?;
        let is_ours = prefix.parse() == Ok(PREFIX) && offset % SIZE == 0 && offset / SIZE < COUNT;
        is_ours.then_some(Self(first))
    }

    /// The machine's own address.
    pub(super) fn gateway(self) -> Ipv4Addr {
        self.address(1)
    }

    /// The address of a host, by its position.
    pub(super) fn host(self, position: usize) -> Option<Ipv4Addr> {
        (position < MOST_HOSTS).then(|| self.address(2 + position as u32))
    }

    fn address(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0.to_bits() + number)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{PREFIX}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_has_all_subnets_to_choose_from(name in ".{0,40}") {
            let texts: HashSet<String> = Subnet::candidates(&name)
                .map(|subnet| subnet.to_string())
                .collect();
            prop_assert_eq!(texts.len(), COUNT as usize);
            for subnet in Subnet::candidates(&name) {
                prop_assert_eq!(Subnet::parse(&subnet.to_string()), Some(subnet));
            }
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,30}") {
            let _ = Subnet::parse(&text);
        }
    }

    #[test]
    fn only_our_subnets_are_read() {
        let cases = [
            ("10.201.64.0/26", true),
            ("10.201.127.192/26", true),
            ("10.201.128.0/26", false),
            ("10.201.63.192/26", false),
            ("10.201.64.1/26", false),
            ("10.201.64.0/24", false),
            ("10.201.64.0", false),
            ("fd00::/64", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Subnet::parse(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn gateway_and_hosts_have_their_places() {
        let subnet = Subnet::parse("10.201.64.64/26").unwrap();
        assert_eq!(subnet.gateway(), Ipv4Addr::new(10, 201, 64, 65));
        assert_eq!(subnet.host(0), Some(Ipv4Addr::new(10, 201, 64, 66)));
        assert_eq!(subnet.host(60), Some(Ipv4Addr::new(10, 201, 64, 126)));
        assert_eq!(subnet.host(61), None);
    }
}
