//! The quick form of a tree: eight bytes a node, siblings side by side, and
//! leaves that lead to themselves.

use std::collections::VecDeque;

use crate::trees::{Node, Tree};

use super::columns::{Columns, key};

/// How many trees the kernel walks side by side.
pub(super) const LANES: usize = 8;

/// One node as the kernel has it.
#[derive(Clone, Copy, Default)]
pub(super) struct QuickNode {
    /// A split's key, or the bits of a leaf's value.
    pub key: i32,
    /// What a split asks; 0 for a leaf.
    pub column: u16,
    /// How far away the left child is; 0 for a leaf.
    pub child: u16,
}

/// One tree's first node, its output, and how many steps it takes.
#[derive(Clone, Copy, Default)]
pub(super) struct QuickTree {
    pub root: u32,
    pub group: u32,
    pub depth: u32,
}

/// All trees in the quick form. Node 0 is a leaf of zero, which fills the last
/// block of lanes.
pub(super) struct Quick {
    pub nodes: Vec<QuickNode>,
    pub trees: Vec<QuickTree>,
}

impl Quick {
    pub fn new() -> Self {
        Self {
            nodes: vec![QuickNode::default()],
            trees: Vec::new(),
        }
    }

    /// Takes a tree, or says that it does not fit the form.
    pub fn push(&mut self, tree: &Tree, group: u32, columns: &mut Columns) -> bool {
        let Some((nodes, depth)) = quick(tree, columns) else {
            return false;
        };
        self.trees.push(QuickTree {
            root: self.nodes.len() as u32,
            group,
            depth,
        });
        self.nodes.extend(nodes);
        true
    }
}

fn quick(tree: &Tree, columns: &mut Columns) -> Option<(Vec<QuickNode>, u32)> {
    let mut nodes = vec![QuickNode::default()];
    let mut deepest = 0;
    // Level by level, so that the first levels share their cache lines.
    let mut open = VecDeque::from([(0_u32, 0_usize, 0_u32)]);
    while let Some((from, to, depth)) = open.pop_front() {
        deepest = deepest.max(depth);
        nodes[to] = match &tree.nodes[from as usize] {
            Node::Leaf(first) => leaf(tree.values[*first as usize]),
            Node::Split(split) => {
                let left = nodes.len();
                nodes.extend([QuickNode::default(); 2]);
                open.push_back((split.left, left, depth + 1));
                open.push_back((split.right, left + 1, depth + 1));
                QuickNode {
                    key: key(split.test)?,
                    column: columns.of(split).try_into().ok()?,
                    child: (left - to).try_into().ok()?,
                }
            }
        };
    }
    Some((nodes, deepest))
}

/// The bits of -0 would be the one number that column 0 is not below.
fn leaf(value: f64) -> QuickNode {
    QuickNode {
        key: (value as f32 + 0.0).to_bits() as i32,
        column: 0,
        child: 0,
    }
}
