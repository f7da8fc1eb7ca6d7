//! Where the chunks of a sealed segment are.

use std::ops::Range;

/// The bytes of a chunk before sealing.
pub(crate) const CHUNK: u64 = 64 << 10;
/// What sealing adds to each chunk.
pub(super) const TAG: u64 = 16;
/// The bytes that a full chunk takes on disk.
pub(super) const SEALED_CHUNK: u64 = CHUNK + TAG;

/// The bytes on disk of a segment of `size` bytes.
pub(super) fn sealed_size(size: u64) -> u64 {
    size + size.div_ceil(CHUNK) * TAG
}

/// The chunks that hold these bytes of a segment.
pub(super) fn holding(bytes: &Range<u64>) -> Range<u64> {
    if bytes.is_empty() {
        return 0..0;
    }
    bytes.start / CHUNK..bytes.end.div_ceil(CHUNK)
}

/// Where these chunks are on disk within their segment of `size` bytes.
pub(super) fn on_disk(chunks: &Range<u64>, size: u64) -> Range<u64> {
    let end = (chunks.end * SEALED_CHUNK).min(sealed_size(size));
    (chunks.start * SEALED_CHUNK).min(end)..end
}

/// Where a block of at most `most` bytes that begins at `start` should end: with
/// a chunk, so that no chunk is opened twice, if it can.
pub(super) fn block_end(start: u64, most: u64) -> u64 {
    let end = start.saturating_add(most);
    let aligned = end - end % CHUNK;
    if aligned > start { aligned } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chunks_lie_one_behind_the_other() {
        // (size, bytes asked for, chunks that hold them, where those are)
        let cases = [
            (0, 0..0, 0..0, 0..0),
            (1, 0..1, 0..1, 0..17),
            (CHUNK, 0..CHUNK, 0..1, 0..CHUNK + 16),
            (CHUNK, CHUNK - 1..CHUNK, 0..1, 0..CHUNK + 16),
            (CHUNK + 1, 0..CHUNK, 0..1, 0..CHUNK + 16),
            (CHUNK + 1, CHUNK..CHUNK + 1, 1..2, CHUNK + 16..CHUNK + 33),
            (CHUNK + 1, CHUNK - 1..CHUNK + 1, 0..2, 0..CHUNK + 33),
            (
                3 * CHUNK,
                CHUNK..2 * CHUNK,
                1..2,
                CHUNK + 16..2 * CHUNK + 32,
            ),
        ];
        for (size, bytes, chunks, place) in cases {
            assert_eq!(holding(&bytes), chunks, "{size} {bytes:?}");
            assert_eq!(on_disk(&chunks, size), place, "{size} {bytes:?}");
        }
    }

    #[test]
    fn blocks_end_with_chunks() {
        let cases = [
            (0, CHUNK, CHUNK),
            (7, CHUNK, CHUNK),
            (7, 4 * CHUNK, 4 * CHUNK),
            (CHUNK, 2 * CHUNK, 3 * CHUNK),
            (7, 100, 107),
            (CHUNK - 1, 100, CHUNK),
        ];
        for (start, most, end) in cases {
            assert_eq!(block_end(start, most), end, "{start} {most}");
        }
    }

    proptest! {
        #[test]
        fn chunks_hold_what_is_asked_for_and_little_more(
            size in 1u64..1 << 40, from in any::<prop::sample::Index>(), length in 1u64..1 << 22,
        ) {
            let start = from.index(usize::try_from(size).unwrap()) as u64;
            let bytes = start..(start + length).min(size);
            let chunks = holding(&bytes);
            prop_assert!(chunks.start * CHUNK <= bytes.start);
            prop_assert!(bytes.end <= chunks.end * CHUNK);
            prop_assert!((chunks.end - chunks.start) * CHUNK < (bytes.end - bytes.start) + 2 * CHUNK);
            let place = on_disk(&chunks, size);
            prop_assert!(place.end <= sealed_size(size));
            let full = (chunks.end - chunks.start) * SEALED_CHUNK;
            let last = chunks.end == size.div_ceil(CHUNK);
            prop_assert!(place.end - place.start == full || last);
        }
    }
}
