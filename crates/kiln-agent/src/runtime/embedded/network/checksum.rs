//! The internet checksum (RFC 1071): the complement of a sum of 16-bit words in
//! which every carry is added again.

/// The words of some bytes. An odd last byte counts as if a zero followed.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
}

/// The sum of some bytes, with its carries still above the lower half. No packet
/// is long enough to overflow it.
pub(super) fn sum(bytes: &[u8]) -> u32 {
    words(bytes).map(u32::from).sum()
}

/// Adds the carries.
pub(super) fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standard() {
        let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(sum(&example), 0x2_ddf0);
        assert_eq!(fold(sum(&example)), 0xddf2);
        assert_eq!(sum(&[0x12, 0x34, 0x56]), 0x1234 + 0x5600);
        assert_eq!(fold(sum(&[0xff; 65_534])), 0xffff);
        assert_eq!(fold(0), 0);
    }
}
