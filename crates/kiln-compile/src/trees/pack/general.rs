//! The general form of a tree, for what the quick one has no place for.

use crate::trees::{Node, Split, Target, Test, Tree};

use super::columns::{Columns, key};

const LEAF: u32 = 1 << 31;
const SET: u32 = 1 << 30;
const MEMBERS_LEFT: u32 = 1 << 29;
const NAN_LEFT: u32 = 1 << 28;

/// One node as the kernel has it.
pub(super) struct GeneralNode {
    /// Flags, and the column or, for a set, the feature that is asked.
    pub what: u32,
    /// A split's key, or its set.
    pub key: i32,
    /// The child to the left, or where a leaf's values begin.
    pub left: u32,
    /// The child to the right.
    pub right: u32,
}

/// All trees in the general form.
#[derive(Default)]
pub(super) struct General {
    pub nodes: Vec<GeneralNode>,
    /// Each tree's first node, its first output, and how many it adds to.
    pub roots: Vec<[u32; 3]>,
    /// Each set's first word, and how many it has.
    pub sets: Vec<[u32; 2]>,
    pub words: Vec<u32>,
    pub values: Vec<f32>,
}

impl General {
    pub fn push(&mut self, tree: &Tree, groups: u32, columns: &mut Columns) {
        let first_node = self.nodes.len() as u32;
        let first_value = self.values.len() as u32;
        let first_set = self.sets.len() as u32;
        self.roots.push(match tree.target {
            Target::Group(group) => [first_node, group, 1],
            Target::Every => [first_node, 0, groups],
        });
        for node in &tree.nodes {
            self.nodes.push(match node {
                Node::Leaf(first) => GeneralNode {
                    what: LEAF,
                    key: 0,
                    left: first_value + first,
                    right: 0,
                },
                Node::Split(split) => {
                    let (what, key) = question(split, first_set, columns);
                    GeneralNode {
                        what,
                        key,
                        left: first_node.wrapping_add(split.left),
                        right: first_node.wrapping_add(split.right),
                    }
                }
            });
        }
        self.values
            .extend(tree.values.iter().map(|value| *value as f32));
        for set in &tree.sets {
            let words = set.words();
            self.sets
                .push([self.words.len() as u32, words.len() as u32]);
            self.words.extend_from_slice(words);
        }
    }
}

fn question(split: &Split, first_set: u32, columns: &mut Columns) -> (u32, i32) {
    match (split.test, key(split.test)) {
        (Test::Among { set, members_left }, _) => {
            let members = if members_left { MEMBERS_LEFT } else { 0 };
            let missing = if split.missing_left { NAN_LEFT } else { 0 };
            let key = first_set.wrapping_add(set) as i32;
            (SET | members | missing | split.feature, key)
        }
        (_, key) => (columns.of(split), key.unwrap_or_default()),
    }
}
