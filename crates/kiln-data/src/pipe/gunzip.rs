//! Gzip taken apart as it comes, member after member.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

/// How much is decompressed in one go. It may become a thousand times as much.
const SLICE: usize = 8 << 10;

/// A decompressor that compressed bytes are pushed into.
#[derive(Debug)]
pub(super) struct Gunzip(MultiGzDecoder<Vec<u8>>);

impl Gunzip {
    pub(super) fn new() -> Self {
        Self(MultiGzDecoder::new(Vec::new()))
    }

    /// Decompresses the beginning of `compressed`, and moves it past that.
    pub(super) fn push(&mut self, compressed: &mut Bytes) -> io::Result<Bytes> {
        let slice = compressed.split_to(compressed.len().min(SLICE));
        self.0.write_all(&slice)?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }

    /// Answers what is left, once the compressed bytes are at their end.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        self.0.finish().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gunzip(compressed: &[u8], cut: usize) -> io::Result<Vec<u8>> {
        let mut gunzip = Gunzip::new();
        let mut plain = Vec::new();
        for chunk in compressed.chunks(cut.max(1)) {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while !chunk.is_empty() {
                plain.extend_from_slice(&gunzip.push(&mut chunk)?);
            }
        }
        plain.extend_from_slice(&gunzip.finish()?);
        Ok(plain)
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let whole = gzip(&b"some text ".repeat(5000));
        for end in [5, 20, whole.len() / 2, whole.len() - 5, whole.len() - 1] {
            assert!(gunzip(&whole[..end], 100).is_err(), "{end}");
        }
        assert!(gunzip(b"plain text, not gzip", 100).is_err());
        let mut damaged = whole.clone();
        let sum = damaged.len() - 8;
        damaged[sum] ^= 1;
        assert!(gunzip(&damaged, 100).is_err());
    }

    #[test]
    fn a_bomb_goes_off_in_pieces() {
        let bomb = gzip(&vec![0; 16 << 20]);
        let mut bomb = Bytes::from(bomb);
        let mut gunzip = Gunzip::new();
        let mut total = 0;
        while !bomb.is_empty() {
            let plain = gunzip.push(&mut bomb).unwrap();
            assert!(plain.len() <= 10 << 20);
            total += plain.len();
        }
        assert_eq!(total + gunzip.finish().unwrap().len(), 16 << 20);
    }

    proptest! {
        #[test]
        fn members_follow_each_other(
            members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..4),
            cut in 1usize..600,
        ) {
            let compressed: Vec<u8> = members.iter().flat_map(|member| gzip(member)).collect();
            prop_assert_eq!(gunzip(&compressed, cut).unwrap(), members.concat());
        }
    }
}
