//! The sliced form of the quick trees, for many rows at once: a value becomes
//! its rank among the keys that its column is compared with, one byte, and
//! every split of a tree is decided for all rows of a chunk side by side.
//!
//! A split's steps are in order of the children first: each takes two slots,
//! of bytes that say which leaf a row ends at, and leaves one. The first 256
//! slots hold one leaf each.

use super::quick::{Quick, QuickNode, QuickTree};

/// What a byte can count: ranks are 0 to 255, and so are leaves.
const RANKS: usize = 255;
const LEAVES: usize = 256;

/// One split as the kernel has it.
pub(super) struct Step {
    pub column: u16,
    /// The rank from which on rows go to the right.
    pub rank: u16,
    pub left: u16,
    pub right: u16,
    /// The slot that the outcome is left in.
    pub to: u16,
}

/// All quick trees in the sliced form.
#[derive(Default)]
pub(super) struct Sliced {
    /// For each column, its keys, filled up with the largest number.
    pub ranks: Vec<i32>,
    pub steps: Vec<Step>,
    /// Each tree's first step, how many it has, its first leaf, its output.
    pub trees: Vec<[u32; 4]>,
    pub leaves: Vec<u32>,
}

impl Sliced {
    /// Slices all trees, or none if one of them does not fit.
    pub fn of(quick: &Quick, columns: usize) -> Self {
        Self::all(quick, columns).unwrap_or_default()
    }

    fn all(quick: &Quick, columns: usize) -> Option<Self> {
        let keys = keys(quick, columns)?;
        let mut sliced = Self::default();
        for tree in &quick.trees {
            sliced.push(quick, tree, &keys)?;
        }
        for mut column in keys {
            column.resize(RANKS, i32::MAX);
            sliced.ranks.extend(column);
        }
        Some(sliced)
    }

    fn push(&mut self, quick: &Quick, tree: &QuickTree, keys: &[Vec<i32>]) -> Option<()> {
        let (first_step, first_leaf) = (self.steps.len(), self.leaves.len());
        // The slots of what has been done and not yet taken; a split is met
        // twice, and the second time its children are done.
        let mut done: Vec<u16> = Vec::new();
        let mut open = vec![(tree.root as usize, false)];
        while let Some((at, children_done)) = open.pop() {
            let node = quick.nodes[at];
            if node.child == 0 {
                let leaf = self.leaves.len() - first_leaf;
                self.leaves.push(node.key as u32);
                done.push(
                    u16::try_from(leaf)
                        .ok()
                        .filter(|leaf| usize::from(*leaf) < LEAVES)?,
                );
            } else if children_done {
                let (right, left) = (done.pop()?, done.pop()?);
                let to = (LEAVES + done.len()) as u16;
                self.steps.push(step(node, [left, right, to], keys)?);
                done.push(to);
            } else {
                let left = at + usize::from(node.child);
                open.extend([(at, true), (left + 1, false), (left, false)]);
            }
        }
        let steps = self.steps.len() - first_step;
        let place = [
            first_step as u32,
            steps as u32,
            first_leaf as u32,
            tree.group,
        ];
        self.trees.push(place);
        Some(())
    }
}

fn step(node: QuickNode, slots: [u16; 3], keys: &[Vec<i32>]) -> Option<Step> {
    let [left, right, to] = slots;
    let below = keys[usize::from(node.column)]
        .binary_search(&node.key)
        .ok()?;
    Some(Step {
        column: node.column,
        rank: below as u16 + 1,
        left,
        right,
        to,
    })
}

/// Each column's keys in their order, if a byte can tell them apart.
fn keys(quick: &Quick, columns: usize) -> Option<Vec<Vec<i32>>> {
    let mut keys = vec![Vec::new(); columns];
    for node in quick.nodes.iter().filter(|node| node.child != 0) {
        keys[usize::from(node.column)].push(node.key);
    }
    for column in &mut keys {
        column.sort_unstable();
        column.dedup();
    }
    let fit = keys.iter().all(|column| column.len() <= RANKS);
    fit.then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trees of one split each, every one with another key.
    fn stumps(count: i32) -> Quick {
        let mut quick = Quick::new();
        for key in 0..count {
            let root = quick.nodes.len() as u32;
            quick.trees.push(QuickTree {
                root,
                group: 0,
                depth: 1,
            });
            let (column, child) = (1, 1);
            quick.nodes.push(QuickNode { key, column, child });
            quick.nodes.extend([QuickNode::default(); 2]);
        }
        quick
    }

    #[test]
    fn keys_become_ranks_and_children_come_first() {
        let sliced = Sliced::of(&stumps(2), 2);
        assert_eq!(sliced.trees, [[0, 1, 0, 0], [1, 1, 2, 0]]);
        assert_eq!(sliced.ranks[RANKS..][..3], [0, 1, i32::MAX]);
        let step = &sliced.steps[1];
        let (slots, asked) = ([step.left, step.right, step.to], [step.column, step.rank]);
        assert_eq!((slots, asked), ([0, 1, 256], [1, 2]));
    }

    #[test]
    fn more_keys_than_a_byte_can_count_are_not_sliced() {
        assert_eq!(Sliced::of(&stumps(255), 2).trees.len(), 255);
        assert!(Sliced::of(&stumps(256), 2).trees.is_empty());
    }
}
