//! Rows that put an ensemble to the test: values at its thresholds and to either
//! side of them, missing ones, and categories of all sorts.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::trees::{Ensemble, Node, Test};

/// A value that is missing comes up once in so many.
const MISSING_ONE_IN: u32 = 10;
/// Thresholds that are remembered of each feature.
const THRESHOLDS: usize = 64;

/// So many rows of single precision, one after the other.
pub(super) fn rows(ensemble: &Ensemble, count: usize, seed: u64) -> Vec<f32> {
    let features = interesting(ensemble);
    let mut random = StdRng::seed_from_u64(seed);
    let mut rows = Vec::with_capacity(count * features.len());
    for _ in 0..count {
        rows.extend(features.iter().map(|values| value(values, &mut random)));
    }
    rows
}

fn value(interesting: &[f32], random: &mut StdRng) -> f32 {
    if random.random_ratio(1, MISSING_ONE_IN) {
        return f32::NAN;
    }
    let Some(at) = interesting.choose(random).copied() else {
        return random.random_range(-1.0..1.0);
    };
    match random.random_range(0..4) {
        0 => at,
        1 => at.next_up(),
        2 => at.next_down(),
        _ => at + random.random_range(-1.0..1.0) * at.abs().max(1.0),
    }
}

/// Of each feature, values at which the answer may change.
fn interesting(ensemble: &Ensemble) -> Vec<Vec<f32>> {
    let parts = ensemble.parts();
    let mut features = vec![Vec::new(); parts.features as usize];
    let nodes = parts.trees.iter().flat_map(|tree| {
        let sets = &tree.sets;
        tree.nodes.iter().map(move |node| (node, sets))
    });
    for (node, sets) in nodes {
        let Node::Split(split) = node else { continue };
        let values = &mut features[split.feature as usize];
        if values.len() >= THRESHOLDS {
            continue;
        }
        match split.test {
            Test::Below(at) | Test::AtMost(at) => values.push(at as f32),
            Test::Among { set, .. } => {
                let words = sets[set as usize].words().len() as u32;
                // Members and others, the last that the set could hold, and one beyond.
                let last = words * 32;
                values.extend([0, 1, 2, last.saturating_sub(1), last].map(|n| n as f32));
            }
        }
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::{Arithmetic, Link, Missing, Parts, Split, Target, Tree};

    #[test]
    fn rows_meet_thresholds_and_both_their_sides() {
        let split = Split {
            feature: 1,
            test: Test::Below(3.0),
            missing: Missing::Nan,
            missing_left: true,
            left: 1,
            right: 2,
        };
        let tree = Tree {
            nodes: vec![Node::Split(split), Node::Leaf(0), Node::Leaf(1)],
            values: vec![-1.0, 1.0],
            sets: Vec::new(),
            target: Target::Group(0),
        };
        let ensemble = Ensemble::new(Parts {
            features: 2,
            feature_names: Vec::new(),
            base: vec![0.0],
            trees: vec![tree],
            divisor: 1.0,
            link: Link::Identity,
            arithmetic: Arithmetic::Single,
        });
        let rows = rows(&ensemble.unwrap(), 200, 1);
        assert_eq!(rows.len(), 400);
        let met = |wanted: f32| rows.chunks(2).any(|row| row[1] == wanted);
        assert!(met(3.0) && met(3.0_f32.next_down()) && met(3.0_f32.next_up()));
        assert!(rows.chunks(2).any(|row| row[1].is_nan()));
    }
}
