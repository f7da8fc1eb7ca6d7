//! A fuzz target for the packets that a container sends.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::ends::Ends;
use super::packet::{Packet, Transport, Unreachable};

/// The container writes whatever it likes into its device; a packet is read
/// whole or not at all, and can be answered and readdressed.
#[test]
fn packets() {
    bolero::check!()
        .with_type::<(bool, u8, Vec<u8>)>()
        .for_each(|(tcp, options, rest)| {
            let mut bytes = rest.clone();
            // Without these few, next to nothing is a packet at all.
            if let [
                version,
                _,
                high,
                low,
                _,
                _,
                flags,
                fragment,
                _,
                protocol,
                ..,
            ] = &mut bytes[..]
            {
                *version = 0x45 + options % 4;
                [*high, *low] = (rest.len() as u16).to_be_bytes();
                [*flags, *fragment] = [0; 2];
                *protocol = if *tcp { 6 } else { 17 };
            }
            read(&mut bytes);
            read(&mut rest.clone());
        });
}

fn read(bytes: &mut [u8]) {
    let length = bytes.len();
    let Some(mut packet) = Packet::parse(bytes) else {
        return;
    };
    assert!(packet.bytes().len() <= length);
    let ends = (packet.source(), packet.destination());
    packet.unreachable(Unreachable::Prohibited, Ipv4Addr::LOCALHOST);
    if packet.transport() == Transport::Udp {
        packet.datagram();
        return;
    }
    packet.opens();
    packet.refusal();
    let other = SocketAddrV4::new(Ipv4Addr::new(10, 1, 2, 3), 4);
    packet.readdress(other, other);
    assert_eq!((packet.source(), packet.destination()), (other, other));
    packet.readdress(ends.0, ends.1);
    assert_eq!((packet.source(), packet.destination()), ends);
}

/// Whatever arrives in a peer's place, its ends are read only where a whole
/// packet has them.
#[test]
fn ends() {
    bolero::check!()
        .with_type::<(u8, Vec<u8>)>()
        .for_each(|(options, rest)| {
            let mut bytes = rest.clone();
            if let [version, _, high, low, ..] = &mut bytes[..] {
                *version = 0x45 + options % 4;
                [*high, *low] = (rest.len() as u16).to_be_bytes();
            }
            for bytes in [&bytes, rest] {
                if let Some(ends) = Ends::read(bytes) {
                    assert_eq!(bytes[12..16], ends.source.octets());
                    assert_eq!(bytes[16..20], ends.destination.octets());
                    assert_eq!(bytes[0] >> 4, 4);
                }
            }
        });
}
