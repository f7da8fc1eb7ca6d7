//! IPv4 packets as they pass through the TUN device: reading them, changing
//! their addresses and making the few that the agent sends of its own.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::checksum::{fold, sum, words};
use super::flows::Flow;

const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
const ICMP_HEADER: usize = 8;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const TIME_TO_LIVE: u8 = 64;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

/// Why a destination is out of reach, by its ICMP code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreachable {
    Network = 0,
    Host = 1,
    Prohibited = 13,
}

/// A whole TCP or UDP packet with sound headers.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    bytes: &'a mut [u8],
    header: usize,
    transport: Transport,
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` for anything but whole TCP and UDP over IPv4.
    pub(super) fn parse(bytes: &'a mut [u8]) -> Option<Self> {
        let header = usize::from(bytes.first()? & 0x0f) * 4;
        if bytes[0] >> 4 != 4 || header < IP_HEADER || bytes.len() < header {
            return None;
        }
        let length = usize::from(word(bytes, 2));
        let is_fragment = word(bytes, 6) & 0x3fff != 0;
        let (transport, least) = match bytes[9] {
            TCP => (Transport::Tcp, TCP_HEADER),
            UDP => (Transport::Udp, UDP_HEADER),
            _ => return None,
        };
        if is_fragment || length < header + least || bytes.len() < length {
            return None;
        }
        Some(Self {
            bytes: &mut bytes[..length],
            header,
            transport,
        })
    }

    pub(super) fn transport(&self) -> Transport {
        self.transport
    }

    pub(super) fn source(&self) -> SocketAddrV4 {
        SocketAddrV4::new(address(self.bytes, 12), word(self.bytes, self.header))
    }

    pub(super) fn destination(&self) -> SocketAddrV4 {
        SocketAddrV4::new(address(self.bytes, 16), word(self.bytes, self.header + 2))
    }

    /// The flow of a packet that the container sends.
    pub(super) fn flow(&self) -> Flow {
        Flow {
            port: self.source().port(),
            asked: self.destination(),
        }
    }

    /// Whether this is the first packet of a TCP connection.
    pub(super) fn opens(&self) -> bool {
        self.transport == Transport::Tcp && self.flags() & (SYN | ACK | RST) == SYN
    }

    /// The payload of a UDP packet.
    pub(super) fn datagram(&self) -> &[u8] {
        &self.bytes[self.header + UDP_HEADER..]
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Gives a TCP packet other ends and corrects its checksums by the
    /// difference (RFC 1624), which spares a pass over the payload.
    pub(super) fn readdress(&mut self, source: SocketAddrV4, destination: SocketAddrV4) {
        let mut addresses = [0; 8];
        addresses[..4].copy_from_slice(&source.ip().octets());
        addresses[4..].copy_from_slice(&destination.ip().octets());
        let mut ports = [0; 4];
        ports[..2].copy_from_slice(&source.port().to_be_bytes());
        ports[2..].copy_from_slice(&destination.port().to_be_bytes());

        let transport_checksum = self.header + 16;
        self.revise(10, 12, &addresses);
        self.revise(transport_checksum, 12, &addresses);
        self.revise(transport_checksum, self.header, &ports);
        self.bytes[12..20].copy_from_slice(&addresses);
        self.bytes[self.header..self.header + 4].copy_from_slice(&ports);
    }

    fn revise(&mut self, checksum_at: usize, changed_at: usize, to: &[u8]) {
        let before = &self.bytes[changed_at..changed_at + to.len()];
        let change: u32 = words(before).map(|word| u32::from(!word)).sum::<u32>()
            + words(to).map(u32::from).sum::<u32>();
        let revised = !fold(u32::from(!word(self.bytes, checksum_at)) + change);
        put(self.bytes, checksum_at, revised);
    }

    fn flags(&self) -> u8 {
        self.bytes[self.header + 13]
    }

    /// The answer of a host on which nobody listens.
    pub(super) fn refusal(&self) -> Vec<u8> {
        let (from, to) = (self.destination(), self.source());
        let mut answer = ip(TCP, *from.ip(), *to.ip(), TCP_HEADER);
        let tcp = &mut answer[IP_HEADER..];
        put(tcp, 0, from.port());
        put(tcp, 2, to.port());
        let sequence: [u8; 4] = std::array::from_fn(|index| self.bytes[self.header + 4 + index]);
        let acknowledged = u32::from_be_bytes(sequence).wrapping_add(1);
        tcp[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        tcp[12] = (TCP_HEADER as u8 / 4) << 4;
        tcp[13] = RST | ACK;
        let pseudo = u32::from(TCP) + TCP_HEADER as u32;
        let checksum = !fold(pseudo + sum(&answer[12..]));
        put(&mut answer, IP_HEADER + 16, checksum);
        answer
    }

    /// The answer of the router `from` that cannot or may not forward the packet.
    pub(super) fn unreachable(&self, why: Unreachable, from: Ipv4Addr) -> Vec<u8> {
        let quoted = &self.bytes[..self.header + 8];
        let mut answer = ip(ICMP, from, *self.source().ip(), ICMP_HEADER + quoted.len());
        let icmp = &mut answer[IP_HEADER..];
        icmp[0] = 3;
        icmp[1] = why as u8;
        icmp[ICMP_HEADER..].copy_from_slice(quoted);
        let checksum = !fold(sum(icmp));
        put(icmp, 2, checksum);
        answer
    }
}

/// A UDP packet, without the checksum that UDP over IPv4 may leave out; `None`
/// when the payload does not fit `mtu`.
pub(super) fn datagram(
    from: SocketAddrV4,
    to: SocketAddrV4,
    payload: &[u8],
    mtu: u16,
) -> Option<Vec<u8>> {
    let length = UDP_HEADER + payload.len();
    if IP_HEADER + length > usize::from(mtu) {
        return None;
    }
    let mut packet = ip(UDP, *from.ip(), *to.ip(), length);
    let udp = &mut packet[IP_HEADER..];
    put(udp, 0, from.port());
    put(udp, 2, to.port());
    put(udp, 4, length as u16);
    udp[UDP_HEADER..].copy_from_slice(payload);
    Some(packet)
}

/// A packet with an IP header and room for `length` bytes.
fn ip(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, length: usize) -> Vec<u8> {
    let mut packet = vec![0; IP_HEADER + length];
    let total = packet.len() as u16;
    packet[0] = 0x45;
    put(&mut packet, 2, total);
    packet[8] = TIME_TO_LIVE;
    packet[9] = protocol;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    let checksum = !fold(sum(&packet[..IP_HEADER]));
    put(&mut packet, 10, checksum);
    packet
}

fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends() -> impl Strategy<Value = SocketAddrV4> {
        (any::<u32>(), any::<u16>())
            .prop_map(|(address, port)| SocketAddrV4::new(Ipv4Addr::from_bits(address), port))
    }

    fn tcp(from: SocketAddrV4, to: SocketAddrV4, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = ip(TCP, *from.ip(), *to.ip(), TCP_HEADER + payload.len());
        let tcp = &mut packet[IP_HEADER..];
        put(tcp, 0, from.port());
        put(tcp, 2, to.port());
        tcp[4..8].copy_from_slice(&[0xff; 4]);
        tcp[12] = 5 << 4;
        tcp[13] = flags;
        tcp[TCP_HEADER..].copy_from_slice(payload);
        let checksum = !tcp_sum(&packet);
        put(&mut packet, IP_HEADER + 16, checksum);
        packet
    }

    fn tcp_sum(packet: &[u8]) -> u16 {
        fold(u32::from(TCP) + (packet.len() - IP_HEADER) as u32 + sum(&packet[12..]))
    }

    /// A correct checksum makes the sum over everything all ones.
    fn is_sound(packet: &[u8]) -> bool {
        fold(sum(&packet[..IP_HEADER])) == 0xffff && tcp_sum(packet) == 0xffff
    }

    proptest! {
        #[test]
        fn readdressing_keeps_checksums_sound(
            (from, to, source, destination) in (ends(), ends(), ends(), ends()),
            payload in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = tcp(from, to, ACK, &payload);
            prop_assert!(is_sound(&bytes));
            let mut packet = Packet::parse(&mut bytes).unwrap();
            prop_assert_eq!((packet.source(), packet.destination()), (from, to));
            packet.readdress(source, destination);
            prop_assert_eq!((packet.source(), packet.destination()), (source, destination));
            prop_assert!(is_sound(packet.bytes()));
            packet.readdress(from, to);
            prop_assert_eq!(packet.bytes(), tcp(from, to, ACK, &payload));
        }

        #[test]
        fn nothing_the_container_sends_can_do_harm(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80),
            protocol in prop::sample::select(vec![TCP, UDP, ICMP]),
        ) {
            for (place, value) in bytes.iter_mut().zip([0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol]) {
                *place = value;
            }
            if let Some(mut packet) = Packet::parse(&mut bytes) {
                let (source, destination) = (packet.source(), packet.destination());
                packet.unreachable(Unreachable::Host, *destination.ip());
                match packet.transport() {
                    Transport::Udp => { packet.datagram(); }
                    Transport::Tcp => {
                        packet.refusal();
                        packet.readdress(destination, source);
                    }
                }
            }
        }

        #[test]
        fn no_bytes_are_too_strange_to_parse(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            Packet::parse(&mut bytes);
        }

        #[test]
        fn datagrams_are_read_as_they_are_made(
            (from, to) in (ends(), ends()),
            payload in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = datagram(from, to, &payload, 1500).unwrap();
            let packet = Packet::parse(&mut bytes).unwrap();
            prop_assert_eq!(packet.transport(), Transport::Udp);
            prop_assert_eq!((packet.source(), packet.destination()), (from, to));
            prop_assert_eq!(packet.datagram(), payload);
        }
    }

    fn some_ends() -> (SocketAddrV4, SocketAddrV4) {
        (
            "10.0.0.1:1000".parse().unwrap(),
            "1.2.3.4:443".parse().unwrap(),
        )
    }

    #[test]
    fn only_a_lone_syn_opens() {
        let (from, to) = some_ends();
        for (flags, opens) in [
            (SYN, true),
            (SYN | ACK, false),
            (ACK, false),
            (SYN | RST, false),
        ] {
            let mut bytes = tcp(from, to, flags, b"");
            assert_eq!(
                Packet::parse(&mut bytes).unwrap().opens(),
                opens,
                "{flags:#x}"
            );
        }
    }

    #[test]
    fn a_refusal_acknowledges_what_it_refuses() {
        let (from, to) = some_ends();
        let mut bytes = tcp(from, to, SYN, b"");
        let mut answer = Packet::parse(&mut bytes).unwrap().refusal();
        assert!(is_sound(&answer));
        assert_eq!(
            answer[IP_HEADER + 8..IP_HEADER + 12],
            [0; 4],
            "0xffff_ffff and one"
        );
        let answer = Packet::parse(&mut answer).unwrap();
        assert_eq!((answer.source(), answer.destination()), (to, from));
        assert_eq!(answer.flags(), RST | ACK);
    }

    #[test]
    fn an_unreachable_host_is_reported_with_the_packet_it_answers() {
        let (from, to) = some_ends();
        let mut bytes = tcp(from, to, SYN, b"payload");
        let router = Ipv4Addr::new(10, 0, 0, 9);
        let answer = Packet::parse(&mut bytes)
            .unwrap()
            .unreachable(Unreachable::Prohibited, router);
        assert_eq!(address(&answer, 12), router);
        assert_eq!(address(&answer, 16), *from.ip());
        assert_eq!(answer[IP_HEADER..IP_HEADER + 2], [3, 13]);
        assert_eq!(fold(sum(&answer[IP_HEADER..])), 0xffff);
        assert_eq!(answer[IP_HEADER + ICMP_HEADER..], bytes[..IP_HEADER + 8]);
    }

    #[test]
    fn fragments_and_other_protocols_are_not_for_us() {
        let (from, to) = some_ends();
        let whole = tcp(from, to, ACK, b"payload");
        let changes: [(usize, u8); 6] = [
            (0, 0x65),
            (0, 0x44),
            (3, 0xff),
            (6, 0x20),
            (7, 0x01),
            (9, ICMP),
        ];
        for (at, value) in changes {
            let mut bytes = whole.clone();
            bytes[at] = value;
            assert!(Packet::parse(&mut bytes).is_none(), "{value:#x} at {at}");
        }
        let mut padded = [whole.as_slice(), b"ethernet padding"].concat();
        assert_eq!(Packet::parse(&mut padded).unwrap().bytes(), whole);
    }

    #[test]
    fn a_datagram_must_fit() {
        let (from, to) = some_ends();
        assert!(datagram(from, to, &[0; 1472], 1500).is_some());
        assert!(datagram(from, to, &[0; 1473], 1500).is_none());
    }
}
