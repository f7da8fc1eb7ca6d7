//! Which tokens a rank has: vLLM pads the vocabulary to a multiple of 64 and cuts it into
//! equal parts, of which the last may be padding.

use std::ops::Range;

/// What the vocabulary is padded to a multiple of.
const PADDING: usize = 64;

/// The rows of a rank's part, and which of the vocabulary's rows are in it. Nothing if the
/// parts are not equal.
pub(super) fn part(tokens: usize, ranks: usize, rank: usize) -> Option<(usize, Range<usize>)> {
    let padded = tokens.next_multiple_of(PADDING);
    if !padded.is_multiple_of(ranks) {
        return None;
    }
    let rows = padded / ranks;
    let first = tokens.min(rank * rows);
    Some((rows, first..tokens.min((rank + 1) * rows)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal() {
        let cases = [
            (1010, 2, 0, Some((512, 0..512))),
            (1010, 2, 1, Some((512, 512..1010))),
            (32000, 4, 3, Some((8000, 24000..32000))),
            (65, 8, 5, Some((16, 65..65))),
            (65, 8, 4, Some((16, 64..65))),
            (1000, 3, 0, None),
            (7, 1, 0, Some((64, 0..7))),
        ];
        for (tokens, ranks, rank, expected) in cases {
            assert_eq!(
                part(tokens, ranks, rank),
                expected,
                "{tokens} {ranks} {rank}"
            );
        }
    }
}
