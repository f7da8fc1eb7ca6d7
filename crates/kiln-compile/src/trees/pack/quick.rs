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
    let mut placed = Placed {
        tree,
        columns,
        nodes: vec![QuickNode::default()],
        deepest: 0,
    };
    // Two levels at a time, level by level, so that a walk meets few cache
    // lines: a pair of siblings, and right behind it their children.
    let mut open: VecDeque<Pair> = placed.node(0, 0, 0)?.into_iter().collect();
    while let Some(pair) = open.pop_front() {
        for child in placed.pair(pair)?.into_iter().flatten() {
            open.extend(placed.pair(child)?.into_iter().flatten());
        }
    }
    Some((placed.nodes, placed.deepest))
}

/// The children of a node that has its place, without places of their own.
#[derive(Clone, Copy)]
struct Pair {
    parent: usize,
    left: u32,
    right: u32,
    depth: u32,
}

/// The nodes of a tree that have their places.
struct Placed<'a> {
    tree: &'a Tree,
    columns: &'a mut Columns,
    nodes: Vec<QuickNode>,
    deepest: u32,
}

impl Placed<'_> {
    /// Places siblings at the end, and answers their children.
    fn pair(&mut self, pair: Pair) -> Option<[Option<Pair>; 2]> {
        let left = self.nodes.len();
        self.nodes.extend([QuickNode::default(); 2]);
        self.nodes[pair.parent].child = (left - pair.parent).try_into().ok()?;
        Some([
            self.node(pair.left, left, pair.depth)?,
            self.node(pair.right, left + 1, pair.depth)?,
        ])
    }

    /// Fills a node in, and answers its children if it has any.
    fn node(&mut self, from: u32, to: usize, depth: u32) -> Option<Option<Pair>> {
        self.deepest = self.deepest.max(depth);
        let split = match &self.tree.nodes[from as usize] {
            Node::Leaf(first) => {
                self.nodes[to] = leaf(self.tree.values[*first as usize]);
                return Some(None);
            }
            Node::Split(split) => split,
        };
        self.nodes[to].key = key(split.test)?;
        self.nodes[to].column = self.columns.of(split).try_into().ok()?;
        Some(Some(Pair {
            parent: to,
            left: split.left,
            right: split.right,
            depth: depth + 1,
        }))
    }
}

/// The bits of -0 would be the one number that column 0 is not below.
fn leaf(value: f64) -> QuickNode {
    QuickNode {
        key: (value as f32 + 0.0).to_bits() as i32,
        column: 0,
        child: 0,
    }
}
