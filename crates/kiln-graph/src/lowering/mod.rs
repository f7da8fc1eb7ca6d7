//! Operators that compilers get wrong, each written in plainer ones that they get right.

mod grid_sample;
mod steps;
#[cfg(test)]
mod tests;

use crate::model::Node;
use crate::shapes::Mismatch;
use crate::versions::Place;

/// What a node is in plainer operators; nothing if it is plain enough.
pub(crate) fn lowered(node: &Node, place: &mut Place) -> Result<Option<Vec<Node>>, Mismatch> {
    match node.operator.as_str() {
        "GridSample" if node.domain.is_empty() => grid_sample::lowered(node, place).map(Some),
        _ => Ok(None),
    }
}
