//! The numbers that meet a comparison lie next to each other: an interval says which these
//! are, whatever is compared, and is asked of many numbers in one go.

use super::bits::Bits;

/// Numbers from a first to a last one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    first: f64,
    last: f64,
    /// What a number is multiplied by before.
    scale: f64,
    /// Whether a number is brought to single precision before.
    single: bool,
}

impl Interval {
    /// From one number to another, which both are in.
    pub fn between(first: f64, last: f64) -> Self {
        Self {
            first,
            last,
            scale: 1.0,
            single: false,
        }
    }

    /// The numbers that are these when they are rounded to whole ones.
    pub fn rounded(first: i64, last: i64) -> Self {
        // A half is rounded away from nought.
        let edge = |whole: i64| {
            let half = whole as f64 - 0.5;
            if whole > 0 { half } else { half.next_up() }
        };
        Self::between(edge(first), edge(last.saturating_add(1)).next_down())
    }

    /// The numbers that are this one without what follows their decimal points.
    pub fn truncated(whole: f64) -> Self {
        // Large numbers have no others between them.
        let beyond = (whole + 1.0).next_down().max(whole);
        let before = (whole - 1.0).next_up().min(whole);
        match whole {
            0.0 => Self::between(before, beyond),
            _ if whole > 0.0 => Self::between(whole, beyond),
            _ => Self::between(before, whole),
        }
    }

    /// The interval for numbers that are multiplied before.
    pub fn of_multiples(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// The interval for numbers in single precision.
    pub fn of_singles(self) -> Self {
        Self {
            single: true,
            ..self
        }
    }

    /// All numbers from the first one on.
    pub fn and_above(self) -> Self {
        let last = f64::INFINITY;
        Self { last, ..self }
    }

    /// All numbers up to the last one.
    pub fn and_below(self) -> Self {
        let first = f64::NEG_INFINITY;
        Self { first, ..self }
    }

    /// All numbers beyond the last one.
    pub fn above(self) -> Self {
        let first = match self.last == f64::INFINITY {
            // Nothing is more than that.
            true => f64::NAN,
            false => self.last.next_up(),
        };
        Self { first, ..self }.and_above()
    }

    /// All numbers before the first one.
    pub fn below(self) -> Self {
        let last = match self.first == f64::NEG_INFINITY {
            true => f64::NAN,
            false => self.first.next_down(),
        };
        Self { last, ..self }.and_below()
    }

    /// Whether a number is in it.
    pub fn has(self, number: f64) -> bool {
        match self.single {
            true => self.has_single(number),
            false => self.has_multiple(number),
        }
    }

    /// Which of several numbers are in it, that are written as bytes.
    pub fn has_each(self, numbers: &[[u8; 8]]) -> Bits {
        // In two loops, each without a question within.
        let read = |number: &[u8; 8]| f64::from_le_bytes(*number);
        match self.single {
            true => Bits::of(numbers, |number| self.has_single(read(number))),
            false => Bits::of(numbers, |number| self.has_multiple(read(number))),
        }
    }

    fn has_single(self, number: f64) -> bool {
        self.spans(f64::from(number as f32))
    }

    fn has_multiple(self, number: f64) -> bool {
        self.spans(number * self.scale)
    }

    fn spans(self, number: f64) -> bool {
        (self.first <= number) & (number <= self.last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers among which there are many edges, and any others.
    fn number() -> impl Strategy<Value = f64> {
        let near = (-40..40_i32).prop_map(|eighths| f64::from(eighths) / 8.0);
        let odd = prop::sample::select(vec![-0.0, 0.499_999_999_999_999_94, 9e15, -9e15, 1e300]);
        prop_oneof![near, odd, prop::num::f64::NORMAL]
    }

    fn all(interval: Interval) -> [Interval; 5] {
        [
            interval,
            interval.and_above(),
            interval.and_below(),
            interval.above(),
            interval.below(),
        ]
    }

    proptest! {
        #[test]
        fn numbers_are_in_it_as_if_they_were_rounded(number in number(), first in -3..3_i64, more in 0..3_i64) {
            let rounded = number.round() as i64;
            let last = first + more;
            let has = all(Interval::rounded(first, last)).map(|one| one.has(number));
            let expected = [
                (first..=last).contains(&rounded),
                rounded >= first,
                rounded <= last,
                rounded > last,
                rounded < first,
            ];
            prop_assert_eq!(has, expected);
        }

        #[test]
        fn numbers_are_in_it_as_if_they_were_cut(
            number in number(),
            whole in prop_oneof![-3..3_i64, Just(9_007_199_254_740_993), any::<i64>()],
        ) {
            let (cut, whole) = (number.trunc(), whole as f64);
            let has = all(Interval::truncated(whole)).map(|one| one.has(number));
            let expected = [cut == whole, cut >= whole, cut <= whole, cut > whole, cut < whole];
            prop_assert_eq!(has, expected);
        }

        #[test]
        fn numbers_are_in_it_as_if_they_were_singles(number in number(), asked in number()) {
            let (single, asked) = (number as f32, asked as f32);
            let interval = Interval::between(asked.into(), asked.into()).of_singles();
            let has = all(interval).map(|one| one.has(number));
            let expected = [
                single == asked,
                single >= asked,
                single <= asked,
                single > asked,
                single < asked,
            ];
            prop_assert_eq!(has, expected);
            let each = interval.above().has_each(&[number.to_le_bytes()]);
            prop_assert_eq!(each.has(0), has[3]);
        }
    }
}
