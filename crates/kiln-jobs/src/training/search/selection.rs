//! Some of the jobs of a block, one bit for each.

use kiln_store::BLOCK_BITS;

use super::bits::Bits;

/// Jobs in a block.
const JOBS: usize = 1 << BLOCK_BITS;
/// Words that have a bit for each job.
const WORDS: usize = JOBS / 64;
/// The bytes of a selection.
pub const BYTES: usize = JOBS / 8;

/// Some jobs of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection([u64; WORDS]);

impl Selection {
    /// No job.
    pub const NONE: Self = Self([0; WORDS]);

    /// The selection that was written as these bytes.
    pub fn read(bytes: &[u8; BYTES]) -> Self {
        let mut words = [0; WORDS];
        let (parts, _) = bytes.as_chunks::<8>();
        for (word, part) in words.iter_mut().zip(parts) {
            *word = u64::from_le_bytes(*part);
        }
        Self(words)
    }

    /// Its bytes.
    pub fn write(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().flat_map(|word| word.to_le_bytes())
    }

    /// Takes the job at a place in.
    pub fn insert(&mut self, place: u16) {
        let place = usize::from(place) % JOBS;
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// How many jobs are in.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no job is in.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Those that are in both.
    pub fn and(&self, other: &Self) -> Self {
        self.with(other, |one, other| one & other)
    }

    /// Those that are not in the other.
    pub fn without(&self, other: &Self) -> Self {
        self.with(other, |one, other| one & !other)
    }

    fn with(&self, other: &Self, both: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = both(*word, other);
        }
        Self(words)
    }

    /// The places of those that are in, in order.
    pub fn places(&self) -> impl Iterator<Item = u16> + '_ {
        (0..JOBS as u16).filter(|place| {
            let place = usize::from(*place);
            self.0[place / 64] & (1 << (place % 64)) != 0
        })
    }

    /// Those that are in and have one of these ranks, which are how many others that are in
    /// come before each.
    pub fn ranked(&self, ranks: &Bits) -> Self {
        let mut words = [0; WORDS];
        let mut before = 0;
        for (word, within) in words.iter_mut().zip(self.0) {
            *word = spread(ranks.from(before), within);
            before += within.count_ones() as usize;
        }
        Self(words)
    }

    /// Those of `among` that are in and meet a condition, which is told the job's place
    /// and how many others that are in come before it.
    pub fn choose<E>(
        &self,
        among: &Self,
        mut meets: impl FnMut(u16, usize) -> Result<bool, E>,
    ) -> Result<Self, E> {
        let mut chosen = Self::NONE;
        let mut before = 0;
        for (word, (within, wanted)) in self.0.into_iter().zip(among.0).enumerate() {
            let mut left = within & wanted;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                let rank = match within {
                    u64::MAX => bit,
                    _ => (within & ((1 << bit) - 1)).count_ones() as usize,
                };
                if meets((word * 64 + bit) as u16, before + rank)? {
                    chosen.0[word] |= 1 << bit;
                }
            }
            before += within.count_ones() as usize;
        }
        Ok(chosen)
    }
}

/// The bits of a word, from the first one on, in those places that are within.
fn spread(mut bits: u64, within: u64) -> u64 {
    // Most blocks are full.
    if within == u64::MAX {
        return bits;
    }
    let (mut word, mut left) = (0, within);
    while left != 0 {
        let place = left & left.wrapping_neg();
        word |= place * (bits & 1);
        bits >>= 1;
        left ^= place;
    }
    word
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn selection(places: &BTreeSet<u16>) -> Selection {
        let mut selection = Selection::NONE;
        places.iter().for_each(|place| selection.insert(*place));
        selection
    }

    fn places() -> impl Strategy<Value = BTreeSet<u16>> {
        prop::collection::btree_set(0..JOBS as u16, 0..200)
    }

    proptest! {
        #[test]
        fn a_selection_is_a_set(one in places(), other in places()) {
            let (first, second) = (selection(&one), selection(&other));
            let set = |selection: Selection| selection.places().collect::<BTreeSet<u16>>();
            prop_assert_eq!(first.count(), one.len());
            prop_assert_eq!(first.is_empty(), one.is_empty());
            prop_assert_eq!(set(first.and(&second)), &one & &other);
            prop_assert_eq!(set(first.without(&second)), &one - &other);
            let bytes: Vec<u8> = first.write().collect();
            prop_assert_eq!(Selection::read(bytes[..].try_into().unwrap()), first);
        }

        #[test]
        fn the_chosen_are_known_by_their_places_and_ranks(all in places(), among in places()) {
            let ranks: Vec<u16> = all.iter().copied().collect();
            let chosen = selection(&all).choose(&selection(&among), |place, before| {
                assert_eq!(ranks[before], place);
                Ok::<_, ()>(place % 2 == 0)
            });
            let expected = (&all & &among).into_iter().filter(|place| place % 2 == 0);
            prop_assert_eq!(chosen, Ok(selection(&expected.collect())));
        }

        #[test]
        fn those_of_a_rank_are_found(
            all in prop_oneof![places(), Just((0..JOBS as u16).collect())],
            odd: bool,
        ) {
            let ranks: Vec<usize> = (0..all.len()).collect();
            let ranks = Bits::of(&ranks, |rank| (rank % 2 == 1) == odd);
            let expected = all.iter().skip(usize::from(odd)).step_by(2);
            let expected = selection(&expected.copied().collect());
            prop_assert_eq!(selection(&all).ranked(&ranks), expected);
        }
    }
}
