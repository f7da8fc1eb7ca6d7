//! The files and directories of a channel, as the listing names them.
//!
//! A channel may have a million files, so a node takes 32 bytes and its name,
//! and all nodes and all names lie together. The children of a directory are
//! found through one array in which they lie next to each other, sorted by
//! name. A node's place is its inode number less one; the root is the first.

use std::cmp::Ordering;
use std::path::{Component, Path};

/// The first node.
pub const ROOT: u32 = 0;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File {
        /// Which entry of the catalogue.
        entry: u32,
        /// Its size in bytes.
        size: u64,
    },
    /// A directory.
    Directory {
        /// Where its children begin.
        first: u32,
        /// How many they are.
        count: u32,
    },
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// Where in the names this one's begins.
    name: usize,
    length: u16,
    parent: u32,
}

/// Why a path has no place in the tree.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// It is not a sequence of names.
    #[error("the path is not a sequence of names")]
    Illegal,
    /// Another entry has this path, or needs it for a directory.
    #[error("entry {entry} has a path that another one needs")]
    Clash {
        /// A file that is in the way.
        entry: u32,
    },
    /// A directory's entries do not follow each other.
    #[error("the entries are not in the order of their keys")]
    Unsorted,
    /// More than four billion nodes.
    #[error("there are too many entries")]
    TooMany,
}

/// The nodes of a channel.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    names: Vec<u8>,
    children: Vec<u32>,
    bytes: u64,
}

impl Tree {
    /// The node's kind; `None` when there is no such node.
    pub fn kind(&self, node: u32) -> Option<Kind> {
        self.nodes.get(node as usize).map(|node| node.kind)
    }

    /// The node's parent; the root is its own.
    pub fn parent(&self, node: u32) -> u32 {
        self.nodes
            .get(node as usize)
            .map_or(ROOT, |node| node.parent)
    }

    /// The node's name.
    pub fn name(&self, node: u32) -> &[u8] {
        let name = |node: &Node| {
            let end = node.name + usize::from(node.length);
            self.names.get(node.name..end)
        };
        let node = self.nodes.get(node as usize);
        node.and_then(name).unwrap_or_default()
    }

    /// A directory's children, sorted by name; those of a file are none.
    pub fn children(&self, node: u32) -> &[u32] {
        match self.kind(node) {
            Some(Kind::Directory { first, count }) => {
                let (first, count) = (first as usize, count as usize);
                self.children.get(first..first + count).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// The child of this name.
    pub fn child(&self, directory: u32, name: &[u8]) -> Option<u32> {
        let children = self.children(directory);
        let place = children.binary_search_by(|&child| self.name(child).cmp(name));
        place.ok().and_then(|place| children.get(place).copied())
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The size of all files together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// A tree that grows, file by file in the order of their keys.
#[derive(Debug)]
pub struct Builder {
    tree: Tree,
    /// The directories of the last path, from the root.
    open: Vec<u32>,
}

impl Builder {
    /// A tree of only the root.
    pub fn new() -> Self {
        let root = Node {
            kind: Kind::Directory { first: 0, count: 0 },
            name: 0,
            length: 0,
            parent: ROOT,
        };
        let tree = Tree {
            nodes: vec![root],
            names: Vec::new(),
            children: Vec::new(),
            bytes: 0,
        };
        let open = vec![ROOT];
        Self { tree, open }
    }

    /// Adds a file at a relative path.
    ///
    /// # Errors
    /// When the path is not a sequence of names, or the tree is full.
    pub fn add(&mut self, path: &Path, entry: u32, size: u64) -> Result<(), TreeError> {
        let mut depth = 0;
        let mut rest = path.components().peekable();
        while let Some(component) = rest.next() {
            let Component::Normal(name) = component else {
                return Err(TreeError::Illegal);
            };
            let name = name.as_encoded_bytes();
            if rest.peek().is_none() {
                self.open.truncate(depth + 1);
                self.push(name, Kind::File { entry, size })?;
                self.tree.bytes += size;
                return Ok(());
            }
            depth += 1;
            if self
                .open
                .get(depth)
                .is_none_or(|&open| self.tree.name(open) != name)
            {
                self.open.truncate(depth);
                let directory = self.push(name, Kind::Directory { first: 0, count: 0 })?;
                self.open.push(directory);
            }
        }
        Err(TreeError::Illegal)
    }

    /// Adds a node to the innermost open directory.
    fn push(&mut self, name: &[u8], kind: Kind) -> Result<u32, TreeError> {
        let tree = &mut self.tree;
        let place = u32::try_from(tree.nodes.len()).map_err(|_| TreeError::TooMany)?;
        let node = Node {
            kind,
            name: tree.names.len(),
            length: u16::try_from(name.len()).map_err(|_| TreeError::Illegal)?,
            parent: self.open.last().copied().unwrap_or(ROOT),
        };
        tree.nodes.push(node);
        tree.names.extend_from_slice(name);
        Ok(place)
    }

    /// Sorts every directory's children and answers the tree.
    ///
    /// # Errors
    /// When two nodes have one path.
    pub fn finish(self) -> Result<Tree, TreeError> {
        let mut tree = self.tree;
        tree.nodes.shrink_to_fit();
        tree.names.shrink_to_fit();
        let mut children = gather_children(&mut tree.nodes);
        for directory in 0..tree.nodes.len() {
            let Kind::Directory { first, count } = tree.nodes[directory].kind else {
                continue;
            };
            let (first, count) = (first as usize, count as usize);
            let own = &mut children[first..first + count];
            let compare = |a: &u32, b: &u32| tree.name(*a).cmp(tree.name(*b));
            own.sort_unstable_by(compare);
            let same = own
                .windows(2)
                .find(|pair| compare(&pair[0], &pair[1]) == Ordering::Equal);
            if let Some(pair) = same {
                return Err(collision(&tree, pair));
            }
        }
        tree.children = children;
        Ok(tree)
    }
}

/// Puts the children of each directory next to each other and tells the
/// directories where.
fn gather_children(nodes: &mut [Node]) -> Vec<u32> {
    let parents: Vec<u32> = nodes.iter().skip(1).map(|node| node.parent).collect();
    for &parent in &parents {
        if let Kind::Directory { count, .. } = &mut nodes[parent as usize].kind {
            *count += 1;
        }
    }
    let mut next = 0;
    for node in nodes.iter_mut() {
        if let Kind::Directory { first, count } = &mut node.kind {
            *first = next;
            next += std::mem::take(count);
        }
    }
    let mut children = vec![0; parents.len()];
    for (child, parent) in (1..).zip(parents) {
        if let Kind::Directory { first, count } = &mut nodes[parent as usize].kind {
            children[(*first + *count) as usize] = child;
            *count += 1;
        }
    }
    children
}

fn collision(tree: &Tree, pair: &[u32]) -> TreeError {
    let files = pair.iter().filter_map(|&node| match tree.kind(node) {
        Some(Kind::File { entry, .. }) => Some(entry),
        _ => None,
    });
    match files.max() {
        Some(entry) => TreeError::Clash { entry },
        None => TreeError::Unsorted,
    }
}

#[cfg(test)]
#[path = "tests/tree.rs"]
mod tests;
