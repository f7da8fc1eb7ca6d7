//! Where an IPv4 packet comes from and where it goes, whatever it carries.

use std::net::Ipv4Addr;

const SHORTEST_HEADER: usize = 20;

/// The two addresses of a whole packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
}

impl Ends {
    /// Reads them; `None` for anything but one whole IPv4 packet.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<SHORTEST_HEADER>()?;
        let header_length = usize::from(header[0] & 0x0f) * 4;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let is_whole = header[0] >> 4 == 4
            && header_length >= SHORTEST_HEADER
            && length >= header_length
            && length == bytes.len();
        is_whole.then(|| Self {
            source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
            destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(payload: usize) -> Vec<u8> {
        let mut bytes = vec![0; SHORTEST_HEADER + payload];
        let length = bytes.len() as u16;
        bytes[0] = 0x45;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        bytes
    }

    #[test]
    fn only_whole_packets_have_ends() {
        let changed = |at: usize, value: u8| {
            let mut bytes = packet(4);
            bytes[at] = value;
            bytes
        };
        let longer = [packet(4), vec![0]].concat();
        let cases = [
            (packet(4), true),
            (packet(0), true),
            (packet(65_000), true),
            (changed(9, 1), true),
            (changed(6, 0x20), true),
            (changed(0, 0x65), false),
            (changed(0, 0x44), false),
            (changed(0, 0x4f), false),
            (changed(3, 23), false),
            (longer, false),
            (packet(4)[..23].to_vec(), false),
            (packet(0)[..19].to_vec(), false),
            (Vec::new(), false),
        ];
        let ends = Ends {
            source: Ipv4Addr::new(10, 0, 0, 1),
            destination: Ipv4Addr::new(10, 0, 0, 2),
        };
        for (bytes, expected) in cases {
            assert_eq!(Ends::read(&bytes), expected.then_some(ends), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn ends_are_where_they_stand(
            (source, destination) in (any::<u32>(), any::<u32>()),
            mut rest in proptest::collection::vec(any::<u8>(), 20..80),
            words in 5_u8..20,
        ) {
            let length = rest.len();
            rest[0] = 0x40 + words % 16;
            rest[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            rest[12..16].copy_from_slice(&source.to_be_bytes());
            rest[16..20].copy_from_slice(&destination.to_be_bytes());
            let header = usize::from(words % 16) * 4;
            let expected = (20..=length).contains(&header).then_some(Ends {
                source: source.into(),
                destination: destination.into(),
            });
            prop_assert_eq!(Ends::read(&rest), expected);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Ends::read(&bytes);
        }
    }
}
