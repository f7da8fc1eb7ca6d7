//! How one reader of one file moves, and what to fetch for it.
//!
//! A reader that goes straight on gets more ahead of it the further it has
//! gone, never more than it has already read and never more than its share of
//! the cache, so that a glance at a header costs little and a long read runs
//! at the speed of several connections. A reader that jumps gets what it asks
//! for and no more.

use std::ops::Range;

/// The smallest step of a sequential reader.
const STEP: u64 = 512 << 10;
/// The largest body of one request.
pub const LARGEST_BODY: u64 = 4 << 20;
/// The most that is fetched ahead of one reader.
const FURTHEST: u64 = 8 * LARGEST_BODY;
/// What a reader that jumps gets is rounded to this.
const GRAIN: u64 = 64 << 10;
/// The kernel hands on a sequential reader's requests nearly in order: this
/// much out of place is still straight on.
const SLACK: u64 = 2 << 20;

/// What to fetch for one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What must be there to answer, and what is fetched in one go with it.
    pub now: Range<u64>,
    /// What is fetched ahead; may be empty.
    pub ahead: Range<u64>,
    /// The body of each request for what is ahead.
    pub body: u64,
    /// Whether the reader goes straight on, and so will not come back.
    pub straight: bool,
}

/// The movement of one reader so far.
#[derive(Debug, Default)]
pub struct Stride {
    /// Where the furthest read ended.
    reached: u64,
    /// Bytes read without a jump.
    run: u64,
    /// Up to where something was fetched, or is being.
    fetched: u64,
}

impl Stride {
    /// Takes in a read of a file of `size` bytes, whose reader may have `share`
    /// bytes of the cache.
    pub fn step(&mut self, read: Range<u64>, size: u64, share: u64) -> Plan {
        let straight = self.reached.abs_diff(read.start) <= SLACK;
        let length = read.end - read.start;
        if !straight {
            *self = Self::default();
            self.reached = read.end;
            return Plan {
                now: outward(&read, GRAIN, size),
                ahead: read.end..read.end,
                body: GRAIN,
                straight,
            };
        }
        self.run += length;
        self.reached = self.reached.max(read.end);
        let window = self.run.clamp(STEP, FURTHEST.min(share).max(STEP));
        let now = read.start..outward(&read, STEP, size).end;
        self.fetched = self.fetched.max(now.end).min(size);
        Plan {
            ahead: self.fetch_ahead(window, size),
            body: (window / 8).clamp(STEP, LARGEST_BODY),
            now,
            straight,
        }
    }

    /// Whether this reader has gone straight on for long enough to count as one
    /// that will read everything.
    pub fn is_long(&self) -> bool {
        self.run > STEP
    }

    /// The next stretch ahead, once half of the window has been read.
    fn fetch_ahead(&mut self, window: u64, size: u64) -> Range<u64> {
        let from = self.fetched;
        let enough = from.saturating_sub(self.reached) > window / 2;
        if self.run <= STEP || enough {
            return from..from;
        }
        let to = (self.reached + window).next_multiple_of(STEP).min(size);
        self.fetched = from.max(to);
        from..self.fetched
    }
}

/// The smallest range around `range` with ends at multiples of `grain`, or at
/// the end of the file.
fn outward(range: &Range<u64>, grain: u64, size: u64) -> Range<u64> {
    let end = range.end.next_multiple_of(grain);
    range.start / grain * grain..end.min(size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_glance_at_a_large_file_fetches_little() {
        let plan = Stride::default().step(0..4096, 10 << 30, 64 * MIB);
        assert_eq!(plan.now, 0..STEP);
        assert!(plan.ahead.is_empty());
    }

    #[test]
    fn a_small_file_is_fetched_at_once() {
        let plan = Stride::default().step(0..4096, 70_000, 64 * MIB);
        assert_eq!(plan.now, 0..70_000);
    }

    #[test]
    fn a_jump_fetches_its_surroundings_only() {
        let mut stride = Stride::default();
        let plan = stride.step(5_000_000_000..5_000_004_096, 10 << 30, 64 * MIB);
        assert!(!plan.straight && plan.ahead.is_empty());
        assert!(plan.now.end - plan.now.start <= 2 * GRAIN);
        let back = stride.step(1_000_000_000..1_000_004_096, 10 << 30, 64 * MIB);
        assert!(!back.straight);
    }

    #[test]
    fn a_long_read_fetches_up_to_its_share_ahead() {
        for share in [4 * MIB, 32 * MIB, 500 * MIB] {
            let mut stride = Stride::default();
            let mut furthest = 0;
            for n in 0..200 {
                let plan = stride.step(n * MIB..(n + 1) * MIB, 10 << 30, share);
                furthest = furthest.max(plan.ahead.end.saturating_sub((n + 1) * MIB));
                assert!(plan.straight && plan.body <= LARGEST_BODY);
            }
            let allowed = share.min(FURTHEST);
            assert!(
                (allowed / 2..=allowed + STEP).contains(&furthest),
                "{share}"
            );
        }
    }

    proptest! {
        #[test]
        fn plans_cover_the_read_and_stay_in_the_file(
            size in 1u64..100_000_000,
            reads in proptest::collection::vec((0u64..100_000_000, 1u64..MIB), 1..50),
        ) {
            let mut stride = Stride::default();
            for (start, length) in reads {
                let start = start % size;
                let read = start..(start + length).min(size);
                let plan = stride.step(read.clone(), size, 32 * MIB);
                prop_assert!(plan.now.start <= read.start && plan.now.end >= read.end);
                prop_assert!(plan.now.end <= size && plan.ahead.end <= size);
                prop_assert!(plan.ahead.start <= plan.ahead.end && plan.body > 0);
            }
        }

        #[test]
        fn a_sequential_reader_is_never_left_behind(
            size in 1u64..200_000_000,
            pieces in proptest::collection::vec(1u64..2 * MIB, 1..400),
        ) {
            let mut stride = Stride::default();
            let (mut at, mut fetched) = (0, 0);
            for piece in pieces {
                if at == size {
                    break;
                }
                let read = at..(at + piece).min(size);
                at = read.end;
                let plan = stride.step(read, size, 32 * MIB);
                // No gaps: what is fetched is one stretch from the beginning.
                prop_assert!(plan.now.start <= fetched);
                fetched = fetched.max(plan.now.end);
                prop_assert!(plan.ahead.is_empty() || plan.ahead.start <= fetched);
                fetched = fetched.max(plan.ahead.end);
            }
        }
    }
}
