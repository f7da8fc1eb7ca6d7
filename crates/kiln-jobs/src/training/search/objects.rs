//! Some of the objects in a list of a job, by their numbers.

/// Some objects, one bit for each. Most lists have few, whose bits are at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    first: u64,
    more: Vec<u64>,
}

impl Objects {
    /// Leaves those that are in both, or only in this one.
    pub fn keep(&mut self, other: &Self, both: bool) {
        let part = |word: u64, other: u64| if both { word & other } else { word & !other };
        self.first = part(self.first, other.first);
        let others = other.more.iter().copied().chain(std::iter::repeat(0));
        for (word, other) in self.more.iter_mut().zip(others) {
            *word = part(*word, other);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first == 0 && self.more.iter().all(|word| *word == 0)
    }

    /// Takes another in.
    pub fn insert(&mut self, object: u16) {
        let (word, bit) = (usize::from(object / 64), 1 << (object % 64));
        match word.checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if self.more.len() <= word {
                    self.more.resize(word + 1, 0);
                }
                self.more[word] |= bit;
            }
        }
    }
}

impl FromIterator<u16> for Objects {
    fn from_iter<T: IntoIterator<Item = u16>>(objects: T) -> Self {
        let mut all = Self::default();
        objects.into_iter().for_each(|object| all.insert(object));
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = BTreeSet<u16>> {
        prop::collection::btree_set(0..300_u16, 0..40)
    }

    proptest! {
        #[test]
        fn objects_are_kept_as_in_a_set(one in some(), other in some(), both: bool) {
            let all = |set: &BTreeSet<u16>| set.iter().copied().collect::<Objects>();
            let mut kept = all(&one);
            kept.keep(&all(&other), both);
            let expected = if both { &one & &other } else { &one - &other };
            prop_assert_eq!(kept.is_empty(), expected.is_empty());
            for object in 0..300 {
                let mut without = kept.clone();
                without.keep(&[object].into_iter().collect(), false);
                prop_assert_eq!(without != kept, expected.contains(&object));
            }
        }
    }
}
