//! Where each part lies in the packed bytes; `struct header` of the kernel.

use crate::trees::{Arithmetic, Ensemble, Link};

use super::columns::Columns;
use super::general::General;
use super::quick::{LANES, Quick, QuickTree};
use super::sliced::{Sliced, Step};

const HEADER: usize = 2 * 8 + 22 * 4;
/// What every part's beginning is a multiple of.
const ALIGNMENT: usize = 64;

/// Everything that is packed.
pub(super) struct Layout<'a> {
    pub ensemble: &'a Ensemble,
    pub columns: &'a Columns,
    pub quick: &'a Quick,
    pub sliced: &'a Sliced,
    pub general: &'a General,
}

impl Layout<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        let mut offsets = Vec::new();
        for part in self.parts() {
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            offsets.push(bytes.len() as u32);
            bytes.extend(part);
        }
        let header = self.header(&offsets);
        bytes[..header.len()].copy_from_slice(&header);
        bytes
    }

    /// In the order in which the header has their offsets.
    fn parts(&self) -> [Vec<u8>; 13] {
        let base = &self.ensemble.parts().base;
        let sources = self.columns.sources.iter();
        let blocks = self.quick.trees.chunks(LANES);
        let quick = self.quick.nodes.iter();
        let general = self.general.nodes.iter();
        let steps = self.sliced.steps.iter();
        [
            base.iter().flat_map(|value| value.to_le_bytes()).collect(),
            words(sources.flat_map(|(feature, kind)| [*feature, *kind])),
            words(blocks.flat_map(block)),
            words(quick.flat_map(|node| {
                let places = u32::from(node.column) | u32::from(node.child) << 16;
                [node.key as u32, places]
            })),
            words(self.general.roots.iter().flatten().copied()),
            words(general.flat_map(|node| [node.what, node.key as u32, node.left, node.right])),
            words(self.general.sets.iter().flatten().copied()),
            words(self.general.words.iter().copied()),
            words(self.general.values.iter().map(|value| value.to_bits())),
            words(self.sliced.ranks.iter().map(|key| *key as u32)),
            words(self.sliced.trees.iter().flatten().copied()),
            steps.flat_map(step).collect(),
            words(self.sliced.leaves.iter().copied()),
        ]
    }

    fn header(&self, offsets: &[u32]) -> Vec<u8> {
        let parts = self.ensemble.parts();
        let (link, scale) = numbered(parts.link);
        let mut header = scale.to_le_bytes().to_vec();
        header.extend(parts.divisor.to_le_bytes());
        let counts = [
            parts.features,
            self.columns.sources.len() as u32,
            self.ensemble.groups() as u32,
            self.ensemble.outputs() as u32,
            link,
            u32::from(parts.arithmetic == Arithmetic::Single),
            self.quick.trees.len().div_ceil(LANES) as u32,
            self.general.roots.len() as u32,
            self.sliced.trees.len() as u32,
        ];
        header.extend(words(counts.into_iter().chain(offsets.iter().copied())));
        header
    }
}

/// `struct block` of the kernel: how many steps, then where to begin, and then
/// what to add to.
fn block(trees: &[QuickTree]) -> Vec<u32> {
    let mut lanes = [QuickTree::default(); LANES];
    lanes[..trees.len()].copy_from_slice(trees);
    let depth = lanes.iter().map(|tree| tree.depth).max().unwrap_or(0);
    let mut block = vec![depth];
    block.extend(lanes.iter().map(|tree| tree.root));
    block.extend(lanes.iter().map(|tree| tree.group));
    block
}

/// `struct step` of the kernel.
fn step(step: &Step) -> impl Iterator<Item = u8> + use<> {
    let numbers = [step.column, step.rank, step.left, step.right, step.to];
    numbers.into_iter().flat_map(u16::to_le_bytes)
}

/// `enum link` of the kernel, and the sigmoid's scale or the offset.
fn numbered(link: Link) -> (u32, f64) {
    match link {
        Link::Identity => (0, 1.0),
        Link::Sigmoid { scale } => (1, scale),
        Link::Hinge => (2, 1.0),
        Link::Exp => (3, 1.0),
        Link::LogOnePlusExp => (4, 1.0),
        Link::SignedSquare => (5, 1.0),
        Link::Softmax => (6, 1.0),
        Link::Argmax => (7, 1.0),
        Link::Complement => (8, 1.0),
        Link::SigmoidOfBoth { scale } => (9, scale),
        Link::Isolation { offset } => (10, offset),
    }
}

fn words(words: impl Iterator<Item = u32>) -> Vec<u8> {
    words.flat_map(u32::to_le_bytes).collect()
}
