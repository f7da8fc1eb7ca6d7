//! scikit-learn's trees, as `exporters/sklearn_trees.py` has written them down:
//! a line of JSON, and then arrays of numbers.

mod arrays;
mod head;

use super::{CategorySet, Ensemble, Missing, Node, Parts, Split, Target, Test, Tree, TreesError};
use arrays::Arrays;
use head::Head;

/// The words of a set of categories.
const SET_WORDS: usize = 8;

/// The exporter, a Python program for an environment that has scikit-learn.
pub const EXPORTER: &str = include_str!("../../../exporters/sklearn_trees.py");

/// Reads the exporter's `ensemble.trees`.
pub fn read(bytes: &[u8]) -> Result<Ensemble, TreesError> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let end = end.ok_or_else(|| malformed("it has no first line"))?;
    let head = Head::parse(&bytes[..end])?;
    let mut arrays = Arrays::new(&bytes[end + 1..]);
    let base = arrays.doubles(head.groups)?;
    let trees = trees(&head, &mut arrays)?;
    arrays.end()?;
    Ensemble::new(Parts {
        features: head.features,
        base,
        trees,
        divisor: head.divisor(),
        link: head.link()?,
        arithmetic: super::Arithmetic::Double,
        feature_names: head.feature_names,
    })
}

fn malformed(reason: impl Into<String>) -> TreesError {
    TreesError::Malformed {
        format: "scikit-learn",
        reason: reason.into(),
    }
}

/// The arrays of all nodes, one tree's after another's.
struct Nodes {
    left: Vec<i32>,
    right: Vec<i32>,
    feature: Vec<u32>,
    missing_left: Vec<u8>,
    set: Vec<i32>,
    outside: Vec<u8>,
    threshold: Vec<f64>,
}

fn trees(head: &Head, arrays: &mut Arrays<'_>) -> Result<Vec<Tree>, TreesError> {
    let counts = arrays.words(head.trees)?;
    let sets = arrays.words(head.trees)?;
    let groups = arrays.signed(head.trees)?;
    let total = |counts: &[u32]| counts.iter().map(|&count| count as usize).sum();
    let all: usize = total(&counts);
    let nodes = Nodes {
        left: arrays.signed(all)?,
        right: arrays.signed(all)?,
        feature: arrays.words(all)?,
        missing_left: arrays.bytes(all)?,
        set: arrays.signed(all)?,
        outside: arrays.bytes(all)?,
        threshold: arrays.doubles(all)?,
    };
    let mut first = 0;
    let mut trees = Vec::new();
    for (&count, &group) in counts.iter().zip(&groups) {
        let count = count as usize;
        let target = u32::try_from(group).map_or(Target::Every, Target::Group);
        let width = match target {
            Target::Group(_) => 1,
            Target::Every => head.groups,
        };
        let values = count.checked_mul(width).ok_or_else(arrays::too_short)?;
        trees.push(Tree {
            nodes: (first..first + count)
                .map(|at| nodes.node(at, at - first, width))
                .collect::<Result<_, _>>()?,
            values: arrays.doubles(values)?,
            sets: Vec::new(),
            target,
        });
        first += count;
    }
    for (tree, count) in trees.iter_mut().zip(sets) {
        for _ in 0..count {
            let words = arrays.words(SET_WORDS)?;
            tree.sets.push(CategorySet::from_words(words));
        }
    }
    Ok(trees)
}

impl Nodes {
    /// The node here, which is at `place` of its tree.
    fn node(&self, at: usize, place: usize, width: usize) -> Result<Node, TreesError> {
        let number = |value: i32| u32::try_from(value).map_err(|_| malformed("a child is missing"));
        if self.left[at] < 0 {
            let first = u32::try_from(place * width);
            return first.map(Node::Leaf).map_err(|_| arrays::too_short());
        }
        let test = u32::try_from(self.set[at]).map_or(Test::AtMost(self.threshold[at]), |set| {
            let members_left = self.outside[at] == 0;
            Test::Among { set, members_left }
        });
        Ok(Node::Split(Split {
            feature: self.feature[at],
            test,
            missing: Missing::Nan,
            missing_left: self.missing_left[at] != 0,
            left: number(self.left[at])?,
            right: number(self.right[at])?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of one split, on feature 1 at a half, as the exporter writes it.
    fn stump(link: &str) -> Vec<u8> {
        let head = format!(
            "{{\"format\":\"kiln-trees 1\",\"features\":2,\"feature_names\":[],\"groups\":1,\
             \"trees\":1,\"divisor_bits\":{},\"scale_bits\":{},\"link\":\"{link}\"}}\n",
            2.0_f64.to_bits(),
            1.0_f64.to_bits(),
        );
        let mut bytes = head.into_bytes();
        bytes.extend(1.0_f64.to_le_bytes());
        let words: [i32; 9] = [3, 0, 0, 1, -1, -1, 2, 0, 0];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([1_i32, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([1, 0, 0]);
        bytes.extend([-1_i32; 3].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([0, 0, 0]);
        let doubles = [0.5_f64, 0.0, 0.0, 0.0, 3.0, 5.0];
        bytes.extend(doubles.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    #[test]
    fn an_exported_tree_answers() {
        let ensemble = read(&stump("identity")).unwrap();
        for (value, expected) in [(0.5, 2.0), (0.6, 3.0), (f64::NAN, 2.0)] {
            assert_eq!(ensemble.predict(&[9.0, value]), [expected], "{value}");
        }
        let pair = read(&stump("complement")).unwrap();
        assert_eq!(pair.predict(&[9.0, 0.5]), [-1.0, 2.0]);
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_refused() {
        let whole = stump("identity");
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        assert!(read(&[whole, vec![0]].concat()).is_err());
        assert!(read(&stump("other")).is_err());
    }
}
