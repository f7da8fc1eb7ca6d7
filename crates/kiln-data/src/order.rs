//! The order of a channel's entries and the part of it that is one machine's.
//!
//! Every machine of a job must come to the same order by itself, today and with
//! a later build of this program, so the generator and the shuffle are written
//! down here and not taken from a library: SplitMix64 (Steele, Lea and Flood,
//! 2014), and Fisher and Yates's shuffle from the last place to the first. The
//! sequence starts at `mix(seed) ^ mix(!epoch)`, so that neighbouring seeds and
//! epochs have nothing in common.
//!
//! With a shuffle the shard is cut after it: what belongs to one machine in
//! one epoch may belong to another in the next.

use crate::channel::Shard;

/// The positions, among `len` entries, of one machine's entries in one epoch.
#[derive(Debug, Clone)]
pub struct Positions {
    /// The whole order, when it is not that of the listing.
    shuffled: Option<Vec<usize>>,
    next: usize,
    step: usize,
    len: usize,
}

impl Positions {
    /// Orders `len` entries and cuts out one shard. The seed is that of the
    /// shuffle; without one, the listing's order stays and every epoch is alike.
    #[must_use]
    pub fn new(len: usize, shard: Shard, seed: Option<u64>, epoch: u64) -> Self {
        Self {
            shuffled: seed.map(|seed| shuffled(len, seed, epoch)),
            next: shard.index as usize,
            step: shard.count.max(1) as usize,
            len,
        }
    }
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = (self.next < self.len).then_some(self.next)?;
        self.next += self.step;
        match &self.shuffled {
            Some(order) => order.get(place).copied(),
            None => Some(place),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.len.saturating_sub(self.next).div_ceil(self.step);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Positions {}

fn shuffled(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut random = SplitMix64(mix(seed) ^ mix(!epoch));
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

struct SplitMix64(u64);

impl SplitMix64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::STEP);
        mix(self.0)
    }

    /// A number below `bound`: the high half of a product, which prefers none
    /// by more than one part in 2^64 / bound.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn positions(len: usize, index: u32, count: u32, seed: Option<u64>, epoch: u64) -> Vec<usize> {
        Positions::new(len, Shard { index, count }, seed, epoch).collect()
    }

    #[test]
    fn without_a_seed_keys_go_round_the_machines() {
        assert_eq!(positions(5, 0, 2, None, 0), [0, 2, 4]);
        assert_eq!(positions(5, 1, 2, None, 7), [1, 3]);
        assert!(positions(1, 1, 2, None, 0).is_empty());
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64(1_234_567);
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(published.map(|_| random.next()), published);
    }

    #[test]
    fn an_order_never_changes_with_a_new_build() {
        assert_eq!(positions(8, 0, 1, Some(42), 0), FIRST);
        assert_eq!(positions(8, 0, 1, Some(42), 1), SECOND);
    }

    const FIRST: [usize; 8] = [7, 0, 6, 2, 4, 5, 1, 3];
    const SECOND: [usize; 8] = [0, 6, 1, 7, 3, 4, 2, 5];

    #[test]
    fn epochs_and_seeds_differ() {
        let orders = [(1, 0), (1, 1), (2, 0), (0, 1), (0, 0)]
            .map(|(seed, epoch)| positions(100, 0, 1, Some(seed), epoch));
        for (n, order) in orders.iter().enumerate() {
            assert!(!orders[..n].contains(order), "{n}");
        }
    }

    #[test]
    fn a_shuffle_prefers_no_place() {
        let mut sums = [0usize; 10];
        for seed in 0..2000 {
            for (place, entry) in positions(10, 0, 1, Some(seed), 0).into_iter().enumerate() {
                sums[place] += entry;
            }
        }
        // The mean is 9000, the deviation about 128.
        assert!(
            sums.iter().all(|sum| (8300..9700).contains(sum)),
            "{sums:?}"
        );
    }

    proptest! {
        #[test]
        fn shards_of_every_count_cover_every_entry_once(
            len in 0usize..300, count in 1u32..20, seed: Option<u64>, epoch: u64,
        ) {
            let mut all = Vec::new();
            for index in 0..count {
                let shard = Positions::new(len, Shard { index, count }, seed, epoch);
                let promised = shard.len();
                let shard: Vec<usize> = shard.collect();
                prop_assert_eq!(promised, shard.len());
                prop_assert!(shard.len().abs_diff(len / count as usize) <= 1);
                all.extend(shard);
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..len).collect::<Vec<_>>());
        }

        #[test]
        fn the_same_seed_and_epoch_give_the_same_order(seed: u64, epoch: u64) {
            prop_assert_eq!(
                positions(50, 0, 1, Some(seed), epoch),
                positions(50, 0, 1, Some(seed), epoch)
            );
        }
    }
}
