//! LightGBM's models: the text that `save_model` writes, versions 2 to 4.

mod objective;
mod section;
mod tree;

use super::{Arithmetic, Ensemble, Parts, TreesError};
use objective::link;
use section::{Section, sections};

/// Reads a model file.
pub fn read(bytes: &[u8]) -> Result<Ensemble, TreesError> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not text"))?;
    let mut sections = sections(text);
    let header = sections.next().filter(Section::is_header);
    let header = header.ok_or_else(|| malformed("it does not begin with the line \"tree\""))?;
    let groups: u32 = header.number("num_tree_per_iteration")?;
    let largest_feature: u32 = header.number("max_feature_idx")?;
    let mut trees = Vec::new();
    for (at, section) in sections.enumerate() {
        // A tree adds to the outputs in turn.
        let group = at as u32 % groups.max(1);
        trees.push(tree::read(at, group, &section)?);
    }
    if groups as usize > trees.len().max(1) {
        let reason = format!("it has {} trees for {groups} outputs", trees.len());
        return Err(malformed(reason));
    }
    let rounds = trees.len() / groups.max(1) as usize;
    let is_forest = header.has("average_output");
    let names = header.words("feature_names");
    Ensemble::new(Parts {
        features: largest_feature.saturating_add(1),
        feature_names: names.map(str::to_owned).collect(),
        base: vec![0.0; groups as usize],
        trees,
        divisor: if is_forest { rounds.max(1) as f64 } else { 1.0 },
        link: link(header.get("objective"))?,
        arithmetic: Arithmetic::Double,
    })
}

fn malformed(reason: impl Into<String>) -> TreesError {
    TreesError::Malformed {
        format: "LightGBM",
        reason: reason.into(),
    }
}
