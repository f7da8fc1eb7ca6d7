//! Which stretches of which files are held in memory, within a bound.
//!
//! Stretches of one file never overlap, and each has one body, which may still
//! be on its way. When room is needed, what sequential readers have left behind
//! goes first, then what was used longest ago; what is on its way stays.

use std::collections::BTreeMap;
use std::ops::Range;

/// A file, and where in it a stretch begins.
pub type Place = (u32, u64);

/// Whether it may be used again, and when it last was.
type Age = (bool, u64);

#[derive(Debug)]
struct Extent<T> {
    length: u64,
    body: T,
    /// `None` while the body is on its way.
    age: Option<Age>,
}

/// The stretches held, each with a body.
#[derive(Debug)]
pub struct Extents<T> {
    capacity: u64,
    held: u64,
    clock: u64,
    by_place: BTreeMap<Place, Extent<T>>,
    by_age: BTreeMap<Age, Place>,
}

impl<T> Extents<T> {
    /// Holds nothing yet, and never more than `capacity` bytes unless told to.
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            held: 0,
            clock: 0,
            by_place: BTreeMap::new(),
            by_age: BTreeMap::new(),
        }
    }

    /// The stretch that holds this byte of a file.
    pub fn at(&self, file: u32, offset: u64) -> Option<(Range<u64>, &T)> {
        let (stretch, body) = self.last_from(file, offset)?;
        (offset < stretch.end).then_some((stretch, body))
    }

    /// The largest free stretch within `wanted` that holds `offset`, which must
    /// be free itself.
    pub fn free_around(&self, file: u32, offset: u64, wanted: Range<u64>) -> Range<u64> {
        let before = self.last_from(file, offset);
        let after = self
            .by_place
            .range((file, offset)..=(file, u64::MAX))
            .next();
        let start = before.map_or(0, |(stretch, _)| stretch.end);
        let end = after.map_or(u64::MAX, |((_, start), _)| *start);
        wanted.start.max(start)..wanted.end.min(end)
    }

    fn last_from(&self, file: u32, offset: u64) -> Option<(Range<u64>, &T)> {
        let mut before = self.by_place.range((file, 0)..=(file, offset));
        let ((_, start), extent) = before.next_back()?;
        Some((*start..start + extent.length, &extent.body))
    }

    /// Makes room for this many bytes; `false` when what is on its way leaves
    /// too little.
    pub fn make_room(&mut self, bytes: u64) -> bool {
        while self.held + bytes > self.capacity {
            let Some((_, place)) = self.by_age.pop_first() else {
                return false;
            };
            self.remove(place);
        }
        true
    }

    /// Takes in a free stretch whose body is on its way.
    pub fn insert(&mut self, file: u32, stretch: Range<u64>, body: T) {
        let length = stretch.end - stretch.start;
        let age = None;
        let extent = Extent { length, body, age };
        self.held += length;
        self.by_place.insert((file, stretch.start), extent);
    }

    /// The body has come.
    pub fn settle(&mut self, place: Place) {
        self.set_age(place, true);
    }

    /// The body has been used, and may be again.
    pub fn touch(&mut self, place: Place) {
        if self
            .by_place
            .get(&place)
            .is_some_and(|extent| extent.age.is_some())
        {
            self.set_age(place, true);
        }
    }

    /// The body has been used, and probably for the last time.
    pub fn spend(&mut self, place: Place) {
        if self
            .by_place
            .get(&place)
            .is_some_and(|extent| extent.age.is_some())
        {
            self.set_age(place, false);
        }
    }

    fn set_age(&mut self, place: Place, again: bool) {
        self.clock += 1;
        let age = (again, self.clock);
        let Some(extent) = self.by_place.get_mut(&place) else {
            return;
        };
        if let Some(old) = extent.age.replace(age) {
            self.by_age.remove(&old);
        }
        self.by_age.insert(age, place);
    }

    /// The body will not come, or is not wanted any more.
    pub fn remove(&mut self, place: Place) {
        if let Some(extent) = self.by_place.remove(&place) {
            self.held -= extent.length;
            if let Some(age) = extent.age {
                self.by_age.remove(&age);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holding(capacity: u64, stretches: &[Range<u64>]) -> Extents<()> {
        let mut extents = Extents::new(capacity);
        for stretch in stretches {
            extents.insert(7, stretch.clone(), ());
            extents.settle((7, stretch.start));
        }
        extents
    }

    fn starts(extents: &Extents<()>) -> Vec<u64> {
        extents.by_place.keys().map(|(_, start)| *start).collect()
    }

    #[test]
    fn free_stretches_end_at_their_neighbours() {
        let extents = holding(100, &[10..20, 30..40]);
        assert_eq!(extents.at(7, 10).map(|(s, ())| s), Some(10..20));
        assert!(extents.at(7, 20).is_none() && extents.at(8, 10).is_none());
        assert_eq!(extents.free_around(7, 25, 0..100), 20..30);
        assert_eq!(extents.free_around(7, 45, 42..60), 42..60);
        assert_eq!(extents.free_around(8, 15, 0..60), 0..60);
    }

    #[test]
    fn what_is_spent_goes_first_and_then_the_longest_unused() {
        let mut extents = holding(40, &[0..10, 10..20, 20..30, 30..40]);
        extents.touch((7, 0));
        extents.spend((7, 20));
        assert!(extents.make_room(10));
        assert_eq!(starts(&extents), [0, 10, 30]);
        assert!(extents.make_room(20));
        assert_eq!(starts(&extents), [0, 30]);
    }

    #[test]
    fn what_is_on_its_way_stays() {
        let mut extents = holding(30, &[0..5, 5..10]);
        extents.insert(7, 10..25, ());
        extents.touch((7, 10));
        assert!(!extents.make_room(20));
        assert_eq!(starts(&extents), [10]);
        extents.remove((7, 10));
        assert!(extents.make_room(30));
    }

    proptest! {
        #[test]
        fn stretches_never_overlap_nor_exceed_the_bound(
            steps in proptest::collection::vec((0u32..3, 0u64..200, 1u64..40, 0u8..4), 1..200),
        ) {
            let mut extents = Extents::new(100);
            for (file, offset, length, then) in steps {
                if extents.at(file, offset).is_none() {
                    let free = extents.free_around(file, offset, offset..offset + length);
                    prop_assert!(free.start == offset && free.end > offset);
                    if extents.make_room(free.end - free.start) {
                        extents.insert(file, free, ());
                    }
                }
                match then {
                    0 => extents.settle((file, offset)),
                    1 => extents.touch((file, offset)),
                    2 => extents.spend((file, offset)),
                    _ => extents.remove((file, offset)),
                }
                let mut last = (0, 0);
                let mut held = 0;
                for (&(file, start), extent) in &extents.by_place {
                    prop_assert!((file, start) >= last);
                    last = (file, start + extent.length);
                    held += extent.length;
                }
                prop_assert!(held == extents.held && held <= 100);
                prop_assert!(extents.by_age.values().all(|p| extents.by_place.contains_key(p)));
            }
        }
    }
}
