//! The plain evaluator: one row, one tree, one step at a time, as the library
//! itself would. What a compiled artifact answers is compared with this.

use super::tree::{CategorySet, Missing, Node, Split, Target, Test, Tree};
use super::{Arithmetic, Ensemble};

/// What LightGBM takes for zero.
const ZERO: f64 = 1e-35_f32 as f64;

impl Ensemble {
    /// A row's prediction.
    ///
    /// # Panics
    /// If the row has fewer values than the ensemble has features.
    pub fn predict(&self, row: &[f64]) -> Vec<f64> {
        let sums = self.margins(row);
        let mut prediction = vec![0.0; self.outputs()];
        let parts = self.parts();
        parts.link.apply(parts.arithmetic, &sums, &mut prediction);
        prediction
    }

    /// A row's sums, before the link function.
    ///
    /// # Panics
    /// If the row has fewer values than the ensemble has features.
    pub fn margins(&self, row: &[f64]) -> Vec<f64> {
        let parts = self.parts();
        let single = parts.arithmetic == Arithmetic::Single;
        let narrowed: Vec<f64>;
        let row = if single {
            narrowed = row.iter().map(|value| f64::from(*value as f32)).collect();
            &narrowed
        } else {
            row
        };
        let mut sums = parts.base.clone();
        for tree in &parts.trees {
            add(tree, row, single, &mut sums);
        }
        for sum in &mut sums {
            *sum /= parts.divisor;
        }
        sums
    }
}

fn add(tree: &Tree, row: &[f64], single: bool, sums: &mut [f64]) {
    let first = leaf(tree, row) as usize;
    let sums = match tree.target {
        Target::Group(group) => &mut sums[group as usize..][..1],
        Target::Every => sums,
    };
    for (sum, value) in sums.iter_mut().zip(&tree.values[first..]) {
        *sum = if single {
            f64::from(*sum as f32 + *value as f32)
        } else {
            *sum + value
        };
    }
}

fn leaf(tree: &Tree, row: &[f64]) -> u32 {
    let mut at = 0;
    loop {
        match &tree.nodes[at as usize] {
            Node::Leaf(first) => return *first,
            Node::Split(split) => {
                let left = goes_left(split, &tree.sets, row[split.feature as usize]);
                at = if left { split.left } else { split.right };
            }
        }
    }
}

fn goes_left(split: &Split, sets: &[CategorySet], value: f64) -> bool {
    let value = match split.missing {
        Missing::Nan if value.is_nan() => return split.missing_left,
        Missing::NanOrZero if value.is_nan() || value.abs() <= ZERO => return split.missing_left,
        Missing::Never if value.is_nan() => 0.0,
        _ => value,
    };
    match split.test {
        Test::Below(threshold) => value < threshold,
        Test::AtMost(threshold) => value <= threshold,
        Test::Among { set, members_left } => sets[set as usize].holds(value) == members_left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_where_the_libraries_send_them() {
        let nan = f64::NAN;
        let below = Test::Below(0.5);
        let at_most = Test::AtMost(0.5);
        let members_left = true;
        let among = Test::Among {
            set: 0,
            members_left,
        };
        let cases = [
            (below, Missing::Nan, true, 0.5, false),
            (at_most, Missing::Nan, true, 0.5, true),
            (below, Missing::Nan, true, nan, true),
            (below, Missing::Nan, false, nan, false),
            (below, Missing::Nan, false, 0.0, true),
            (at_most, Missing::NanOrZero, false, 0.0, false),
            (at_most, Missing::NanOrZero, false, -1e-36, false),
            (at_most, Missing::NanOrZero, false, -1e-34, true),
            (at_most, Missing::NanOrZero, false, nan, false),
            (at_most, Missing::Never, false, nan, true),
            (Test::AtMost(-0.5), Missing::Never, true, nan, false),
            (among, Missing::Nan, false, 3.0, true),
            (among, Missing::Nan, false, 4.0, false),
            (among, Missing::Nan, false, nan, false),
        ];
        let sets = [CategorySet::from_words(vec![0b1000])];
        for (test, missing, missing_left, value, expected) in cases {
            let split = Split {
                feature: 0,
                test,
                missing,
                missing_left,
                left: 1,
                right: 2,
            };
            assert_eq!(
                goes_left(&split, &sets, value),
                expected,
                "{split:?} {value}"
            );
        }
    }
}
