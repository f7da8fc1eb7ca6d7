//! Yes or no for each of many, one bit for each.

/// Bits of a word.
const WORD: usize = 64;

/// Some of many, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// None of so many.
    pub fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(WORD)])
    }

    /// Those that are as asked.
    pub fn of<T>(all: &[T], is: impl Fn(&T) -> bool) -> Self {
        let word = |some: &[T]| {
            let mut answers = [0; WORD];
            for (answer, one) in answers.iter_mut().zip(some) {
                *answer = u8::from(is(one));
            }
            packed(&answers)
        };
        Self(all.chunks(WORD).map(word).collect())
    }

    /// Takes one in.
    pub fn insert(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / WORD) {
            *word |= 1 << (number % WORD);
        }
    }

    /// Whether one is in.
    pub fn has(&self, number: usize) -> bool {
        let word = self.0.get(number / WORD);
        word.is_some_and(|word| word & (1 << (number % WORD)) != 0)
    }

    /// A word of those from a number on.
    pub fn from(&self, number: usize) -> u64 {
        let word = |place: usize| self.0.get(place).copied().unwrap_or_default();
        let (place, shift) = (number / WORD, number % WORD);
        match shift {
            0 => word(place),
            _ => word(place) >> shift | word(place + 1) << (WORD - shift),
        }
    }
}

/// Bytes that are all nought or one, as bits. Eight of them become a byte in one
/// multiplication, which brings each to its place in the uppermost one.
fn packed(answers: &[u8; WORD]) -> u64 {
    let (eights, _) = answers.as_chunks::<8>();
    let bytes = eights.iter().map(|eight| {
        let brought = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080);
        brought >> (WORD - 8)
    });
    (0..)
        .step_by(8)
        .zip(bytes)
        .fold(0, |word, (at, byte)| word | byte << at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_those_that_were_set(all in prop::collection::vec(any::<bool>(), 0..300), from in 0..300_usize) {
            let bits = Bits::of(&all, |one| *one);
            let mut inserted = Bits::none(all.len());
            for (number, one) in all.iter().enumerate() {
                prop_assert_eq!(bits.has(number), *one);
                if *one {
                    inserted.insert(number);
                }
            }
            prop_assert_eq!(&inserted, &bits);
            prop_assert!(!bits.has(all.len() + WORD));
            let word = bits.from(from);
            for bit in 0..WORD {
                prop_assert_eq!(word >> bit & 1 == 1, bits.has(from + bit));
            }
        }
    }
}
