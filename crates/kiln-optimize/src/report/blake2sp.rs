//! BLAKE2sp of bytes that pass by, on processors with AVX-512. Eight messages get blocks of the
//! bytes in turns, and the digest is that of their digests.

use blake2s_simd::{Hash, Params};
use pulp::x86::V4;

use crate::kernels::blake2sp::{BLOCK, Ending, LEAVES, ROUND, Rounds, START, States};

/// What has been digested so far.
#[derive(Debug)]
pub(super) struct Blake2sp {
    token: V4,
    states: States,
    /// Bytes that each message had in the rounds that are done.
    done: u64,
    /// What came thereafter: less than two rounds.
    rest: Vec<u8>,
}

impl Blake2sp {
    /// Of nothing, where the processor has the instructions.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            token: V4::try_new()?,
            states: begun(),
            done: 0,
            rest: Vec::new(),
        })
    }

    /// Takes the bytes that come next.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let mut rest = std::mem::take(&mut self.rest);
        let missing = rest.len().next_multiple_of(ROUND) - rest.len();
        if bytes.len() >= missing + ROUND {
            let (now, later) = bytes.split_at(missing);
            rest.extend(now);
            self.compress(&rest);
            rest.clear();
            let (now, later) = later.split_at(sure(later.len()));
            self.compress(now);
            bytes = later;
        }
        rest.extend(bytes);
        let sure = sure(rest.len());
        self.compress(&rest[..sure]);
        rest.drain(..sure);
        self.rest = rest;
    }

    /// The digest of the bytes so far.
    pub(super) fn finalize(&self) -> Hash {
        let mut rest = self.rest.clone();
        rest.resize(2 * ROUND, 0);
        let mut states = self.states;
        for (number, round) in rest.as_chunks().0.iter().enumerate() {
            let (is_there, marks) = self.marks(number);
            let ended = self.token.vectorize(Ending {
                token: self.token,
                states: &states,
                round,
                marks,
            });
            for (word, ended) in states.iter_mut().zip(ended) {
                for leaf in (0..LEAVES).filter(|leaf| is_there[*leaf]) {
                    word[leaf] = ended[leaf];
                }
            }
        }
        let leaves = (0..LEAVES).flat_map(|leaf| states.map(|word| word[leaf].to_le_bytes()));
        let leaves: Vec<u8> = leaves.flatten().collect();
        let mut root = Params::new();
        root.fanout(LEAVES as u8).max_depth(2).node_depth(1);
        root.inner_hash_length(32).last_node(true).hash(&leaves)
    }

    fn compress(&mut self, bytes: &[u8]) {
        let (states, before) = (&mut self.states, self.done);
        self.token.vectorize(Rounds {
            token: self.token,
            states,
            bytes,
            before,
        });
        self.done += (bytes.len() / LEAVES) as u64;
    }

    /// Which messages have a block in this round of the rest, and how far they are then. One
    /// with nothing at all has an empty block.
    fn marks(&self, round: usize) -> ([bool; LEAVES], [[u32; LEAVES]; 4]) {
        let block = |leaf| {
            let before = round * ROUND + leaf * BLOCK;
            self.rest.len().saturating_sub(before).min(BLOCK)
        };
        let has_more = |leaf| round == 0 && self.rest.len() > ROUND + leaf * BLOCK;
        let reached = |leaf| self.done + (round * BLOCK + block(leaf)) as u64;
        let mark = |is: bool| if is { u32::MAX } else { 0 };
        let marks = [
            std::array::from_fn(|leaf| reached(leaf) as u32),
            std::array::from_fn(|leaf| (reached(leaf) >> 32) as u32),
            std::array::from_fn(|leaf| mark(!has_more(leaf))),
            std::array::from_fn(|leaf| mark(!has_more(leaf) && leaf + 1 == LEAVES)),
        ];
        let is_there = std::array::from_fn(|leaf| round == 0 || block(leaf) > 0);
        (is_there, marks)
    }
}

/// The states of messages that have nothing yet: digests of 32 bytes, of eight that are the
/// lower of two levels.
fn begun() -> States {
    let mut states = START.map(|word| [word; LEAVES]);
    states[0] = states[0].map(|word| word ^ (2 << 24 | (LEAVES as u32) << 16 | 32));
    states[3] = states[3].map(|word| word ^ (32 << 24));
    for (leaf, word) in states[2].iter_mut().enumerate() {
        *word ^= leaf as u32;
    }
    states
}

/// How many of so many bytes are in rounds that no message ends in, whatever comes: all have
/// more after them.
fn sure(bytes: usize) -> usize {
    let last = (LEAVES - 1) * BLOCK + 1;
    bytes.saturating_sub(last) / ROUND * ROUND
}

#[cfg(test)]
mod tests {
    use blake2s_simd::blake2sp;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digests_are_those_of_others(
            parts in prop::collection::vec(prop_oneof![0..70_usize, 400..2100_usize], 0..8),
        ) {
            let Some(mut digests) = Blake2sp::new() else {
                return Ok(());
            };
            let size = parts.iter().sum();
            let bytes: Vec<u8> = (0..size).map(|at| ((at * 40503) >> 7) as u8).collect();
            let mut begin = 0;
            for part in parts {
                digests.update(&bytes[begin..begin + part]);
                begin += part;
                prop_assert_eq!(digests.finalize(), blake2sp::blake2sp(&bytes[..begin]));
            }
        }
    }
}
