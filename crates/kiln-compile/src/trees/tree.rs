//! One decision tree, whichever library grew it, and the check that makes it
//! safe to walk.

use super::TreesError;

/// A longer way from root to leaf is refused. Real ones are far shorter; each
/// level costs every prediction a step.
const DEEPEST: u32 = 4096;

/// A tree whose root is node 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Splits and leaves, in the library's order.
    pub nodes: Vec<Node>,
    /// What leaves hold; a [`Node::Leaf`] says where its values begin.
    pub values: Vec<f64>,
    /// The sets that [`Test::Among`] asks.
    pub sets: Vec<CategorySet>,
    /// Which sums a leaf adds to.
    pub target: Target,
}

/// Which of the ensemble's sums a tree's leaves add to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of them; a leaf holds one value.
    Group(u32),
    /// Each of them; a leaf holds as many values as there are sums.
    Every,
}

/// A place in a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// The way goes on, left or right.
    Split(Split),
    /// The way ends at the values that begin here in [`Tree::values`].
    Leaf(u32),
}

/// A question about one feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The feature's place in a row.
    pub feature: u32,
    /// What leads to the left.
    pub test: Test,
    /// Which values are not put to the test.
    pub missing: Missing,
    /// Whether a missing value goes to the left.
    pub missing_left: bool,
    /// The node to the left.
    pub left: u32,
    /// The node to the right.
    pub right: u32,
}

/// What a value must be to go to the left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test {
    /// Smaller than this (XGBoost).
    Below(f64),
    /// This or smaller (LightGBM, scikit-learn).
    AtMost(f64),
    /// A category in a set, or, for XGBoost, a category that is not in it.
    Among {
        /// The set's place in [`Tree::sets`].
        set: u32,
        /// Whether the set's members go to the left.
        members_left: bool,
    },
}

/// Which values go the way of the missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// NaN only.
    Nan,
    /// NaN and zero (LightGBM's `zero_as_missing`).
    NanOrZero,
    /// None: NaN is tested as zero (LightGBM's `use_missing=false`).
    Never,
}

/// A set of categories, each a small whole number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategorySet {
    words: Vec<u32>,
}

impl CategorySet {
    /// The set whose bit `n % 32` of word `n / 32` says whether it holds `n`.
    pub fn from_words(words: Vec<u32>) -> Self {
        Self { words }
    }

    /// The bits, as [`CategorySet::from_words`] takes them.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Whether a feature's value, without its fraction, is a member.
    pub fn holds(&self, value: f64) -> bool {
        let category = value.trunc();
        // NaN is in no range.
        if !(0.0..self.words.len() as f64 * 32.0).contains(&category) {
            return false;
        }
        let category = category as usize;
        self.words[category / 32] >> (category % 32) & 1 == 1
    }
}

impl Tree {
    /// Forgets the nodes that no way leads to, as pruning leaves them behind,
    /// and answers how many steps the longest way takes. Fails unless every way
    /// from the root ends at a leaf, and every index on it is sound.
    pub(super) fn settle(
        &mut self,
        at: usize,
        features: u32,
        groups: u32,
    ) -> Result<u32, TreesError> {
        let (deepest, met) = self.check(at, features, groups)?;
        if met.contains(&false) {
            self.keep(&met);
        }
        Ok(deepest)
    }

    fn keep(&mut self, met: &[bool]) {
        let mut kept = 0;
        let place = |met: &bool| {
            kept += u32::from(*met);
            kept.saturating_sub(1)
        };
        let places: Vec<u32> = met.iter().map(place).collect();
        let mut at = 0..;
        self.nodes
            .retain(|_| at.next().is_some_and(|at: usize| met[at]));
        for node in &mut self.nodes {
            if let Node::Split(split) = node {
                split.left = places[split.left as usize];
                split.right = places[split.right as usize];
            }
        }
    }

    /// The depth, and which nodes a way leads to.
    fn check(&self, at: usize, features: u32, groups: u32) -> Result<(u32, Vec<bool>), TreesError> {
        let width = match self.target {
            Target::Group(group) if group >= groups => {
                let reason = format!("it adds to output {group} of {groups}");
                return Err(TreesError::tree(at, reason));
            }
            Target::Group(_) => 1,
            Target::Every => groups as usize,
        };
        let mut met = vec![false; self.nodes.len()];
        let mut deepest = 0;
        let mut open = vec![(0_u32, 0_u32)];
        while let Some((index, depth)) = open.pop() {
            let index = index as usize;
            let broken = |reason: String| TreesError::node(at, index, reason);
            let Some(node) = self.nodes.get(index) else {
                let reason = format!("a way leads to node {index} of {}", self.nodes.len());
                return Err(TreesError::tree(at, reason));
            };
            if std::mem::replace(&mut met[index], true) {
                return Err(broken("more than one way leads to it".to_owned()));
            }
            if depth > DEEPEST {
                return Err(broken(format!("it is more than {DEEPEST} levels deep")));
            }
            deepest = deepest.max(depth);
            match node {
                Node::Leaf(first) => self.check_leaf(*first, width).map_err(broken)?,
                Node::Split(split) => {
                    self.check_split(split, features).map_err(broken)?;
                    open.extend([(split.left, depth + 1), (split.right, depth + 1)]);
                }
            }
        }
        Ok((deepest, met))
    }

    fn check_leaf(&self, first: u32, width: usize) -> Result<(), String> {
        let values = self.values.get(first as usize..);
        match values.and_then(|values| values.get(..width)) {
            Some(values) if values.iter().all(|value| !value.is_nan()) => Ok(()),
            Some(_) => Err("its value is not a number".to_owned()),
            None => Err("it has no value".to_owned()),
        }
    }

    fn check_split(&self, split: &Split, features: u32) -> Result<(), String> {
        if split.feature >= features {
            let feature = split.feature;
            return Err(format!("it asks feature {feature} of {features}"));
        }
        match split.test {
            Test::Below(threshold) | Test::AtMost(threshold) if threshold.is_nan() => {
                Err("its threshold is not a number".to_owned())
            }
            Test::Among { set, .. } if set as usize >= self.sets.len() => {
                Err("it has no set of categories".to_owned())
            }
            Test::Among { .. } if split.missing != Missing::Nan => {
                Err("only NaN can be missing where categories are asked".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(left: u32, right: u32) -> Node {
        Node::Split(Split {
            feature: 1,
            test: Test::Below(0.5),
            missing: Missing::Nan,
            missing_left: true,
            left,
            right,
        })
    }

    fn tree(nodes: Vec<Node>) -> Tree {
        Tree {
            nodes,
            values: vec![1.0, f64::NAN],
            sets: Vec::new(),
            target: Target::Group(0),
        }
    }

    #[test]
    fn every_way_must_end_at_a_leaf() {
        let leaf = Node::Leaf(0);
        let cases = [
            (vec![leaf], Ok(0)),
            (vec![split(1, 2), leaf, leaf], Ok(1)),
            (vec![split(1, 2), split(3, 4), leaf, leaf, leaf], Ok(2)),
            (
                vec![],
                Err("Tree 7 of the model is broken: a way leads to node 0 of 0."),
            ),
            (
                vec![split(0, 0)],
                Err("Node 0 of tree 7 is broken: more than one way leads to it."),
            ),
            (
                vec![split(1, 1), leaf],
                Err("Node 1 of tree 7 is broken: more than one way leads to it."),
            ),
            (
                vec![split(1, 9), leaf],
                Err("Tree 7 of the model is broken: a way leads to node 9 of 2."),
            ),
            (
                vec![Node::Leaf(1)],
                Err("Node 0 of tree 7 is broken: its value is not a number."),
            ),
            (
                vec![Node::Leaf(2)],
                Err("Node 0 of tree 7 is broken: it has no value."),
            ),
        ];
        for (nodes, expected) in cases {
            let outcome = tree(nodes.clone()).settle(7, 2, 1);
            let outcome = outcome.map_err(|error| error.to_string());
            assert_eq!(outcome, expected.map_err(str::to_owned), "{nodes:?}");
        }
    }

    #[test]
    fn nodes_that_no_way_leads_to_are_forgotten() {
        let (wrong, leaf) = (split(70, 80), Node::Leaf(0));
        let mut pruned = tree(vec![
            split(2, 4),
            wrong,
            leaf,
            wrong,
            split(6, 7),
            wrong,
            leaf,
            leaf,
        ]);
        assert_eq!(pruned.settle(0, 2, 1).unwrap(), 2);
        assert_eq!(pruned.nodes, [split(1, 2), leaf, split(3, 4), leaf, leaf]);
    }

    #[test]
    fn what_is_asked_must_exist() {
        let asks = tree(vec![split(1, 2), Node::Leaf(0), Node::Leaf(0)]);
        let error = asks.check(0, 1, 1).unwrap_err().to_string();
        assert_eq!(error, "Node 0 of tree 0 is broken: it asks feature 1 of 1.");
        let adds = Tree {
            target: Target::Group(3),
            ..asks
        };
        let error = adds.check(0, 2, 3).unwrap_err().to_string();
        assert_eq!(
            error,
            "Tree 0 of the model is broken: it adds to output 3 of 3."
        );
    }

    #[test]
    fn a_chain_that_is_too_long_is_refused() {
        let mut nodes: Vec<Node> = (0..=DEEPEST)
            .map(|at| split(2 * at + 1, 2 * at + 2))
            .collect();
        nodes = nodes
            .into_iter()
            .flat_map(|node| [node, Node::Leaf(0)])
            .collect();
        for (at, node) in nodes.iter_mut().enumerate().step_by(2) {
            *node = split(at as u32 + 1, at as u32 + 2);
        }
        nodes.push(Node::Leaf(0));
        let error = tree(nodes).check(0, 2, 1).unwrap_err().to_string();
        assert!(error.ends_with("levels deep."), "{error}");
    }

    #[test]
    fn sets_hold_whole_numbers() {
        let set = CategorySet::from_words(vec![0b101, 1]);
        let members = [0.0, 2.0, 2.9, 32.0, -0.5];
        let others = [1.0, 3.0, 33.0, 64.0, -1.0, f64::NAN, f64::INFINITY, 1e30];
        assert!(members.iter().all(|value| set.holds(*value)));
        assert!(others.iter().all(|value| !set.holds(*value)));
    }
}
