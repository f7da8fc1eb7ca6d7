//! The binary form of XGBoost before JSON: structures of C, one after another,
//! in little-endian order. Versions up to 1.7 write it for `.model` files.

use crate::trees::{Ensemble, Node, Test, Tree, TreesError};

use super::leaves::{Learner, Raw, malformed, target};
use super::objective::Objective;

const LEARNER_PARAMETERS: usize = 136;
const MODEL_PARAMETERS: usize = 160;
const TREE_PARAMETERS: usize = 148;
const NODE: usize = 20;
const NODE_STATISTICS: usize = 16;
/// Marks a split whose missing values go to the left.
const DEFAULT_LEFT: u32 = 1 << 31;

pub(super) fn read(bytes: &[u8]) -> Result<Ensemble, TreesError> {
    let mut rest = Cursor {
        bytes: bytes.strip_prefix(b"binf").unwrap_or(bytes),
    };
    let learner = Structure(rest.take(LEARNER_PARAMETERS)?);
    let objective = Objective::named(rest.text()?, (learner.word(5), learner.word(6)))?;
    let booster = rest.text()?;
    if !matches!(booster, "gbtree" | "dart") {
        let what = format!("the booster {booster:?}");
        return Err(TreesError::unsupported(what));
    }
    let is_dart = booster == "dart";
    let trees = rest.trees()?;
    let weights = match is_dart && !trees.is_empty() {
        true => rest.floats()?,
        false => Vec::new(),
    };
    let classes = learner.word(2);
    let targets = learner.word(7);
    Learner {
        features: learner.word(1),
        feature_names: Vec::new(),
        objective,
        margins: vec![margin(objective, &learner)],
        outputs: classes.max(targets),
        trees,
        weights,
    }
    .ensemble()
}

/// Versions before 1.0 have no version in the file, and kept the base score as
/// a margin.
fn margin(objective: Objective, learner: &Structure<'_>) -> f32 {
    let (score, major) = (learner.float(0), learner.word(5));
    if major == 0 {
        score
    } else {
        objective.margin(score)
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], TreesError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            return Err(malformed("it ends too early"));
        };
        self.bytes = rest;
        Ok(taken)
    }

    /// So many bytes for each of so many things.
    fn take_all(&mut self, count: u64, size: usize) -> Result<&'a [u8], TreesError> {
        let length = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size));
        self.take(length.unwrap_or(usize::MAX))
    }

    fn length(&mut self) -> Result<u64, TreesError> {
        let length = Structure(self.take(8)?);
        Ok(u64::from(length.word(0)) | u64::from(length.word(1)) << 32)
    }

    fn text(&mut self) -> Result<&'a str, TreesError> {
        let length = self.length()?;
        let text = self.take_all(length, 1)?;
        std::str::from_utf8(text).map_err(|_| malformed("a name in it is not text"))
    }

    fn floats(&mut self) -> Result<Vec<f32>, TreesError> {
        let count = self.length()?;
        let floats = self.take_all(count, 4)?.chunks_exact(4);
        Ok(floats.map(|float| Structure(float).float(0)).collect())
    }

    fn trees(&mut self) -> Result<Vec<Tree>, TreesError> {
        let model = Structure(self.take(MODEL_PARAMETERS)?);
        let count = model.word(0) as usize;
        // Nothing is reserved for trees that the file may not hold.
        let mut trees = Vec::new();
        for at in 0..count {
            trees.push(self.tree(at)?);
        }
        let groups = self.take_all(count as u64, 4)?.chunks_exact(4);
        for (at, (tree, group)) in trees.iter_mut().zip(groups).enumerate() {
            tree.target = target(at, Structure(group).word(0) as i32)?;
        }
        Ok(trees)
    }

    fn tree(&mut self, at: usize) -> Result<Tree, TreesError> {
        let parameters = Structure(self.take(TREE_PARAMETERS)?);
        if parameters.word(5) > 1 {
            let reason = "its leaves hold vectors, which this form has no place for";
            return Err(TreesError::tree(at, reason));
        }
        let count = u64::from(parameters.word(1));
        let nodes = self.take_all(count, NODE)?;
        self.take_all(count, NODE_STATISTICS)?;
        let mut values = Vec::new();
        let nodes = nodes
            .chunks_exact(NODE)
            .map(|bytes| node(&Structure(bytes), &mut values));
        Ok(Tree {
            nodes: nodes.collect(),
            values,
            sets: Vec::new(),
            target: target(at, 0)?,
        })
    }
}

fn node(bytes: &Structure<'_>, values: &mut Vec<f64>) -> Node {
    let feature = bytes.word(3);
    let raw = Raw {
        left: bytes.word(1) as i32,
        right: bytes.word(2) as i32,
        feature: feature & !DEFAULT_LEFT,
        default_left: feature & DEFAULT_LEFT != 0,
        number: bytes.float(4),
    };
    if raw.is_leaf() {
        values.push(f64::from(raw.number));
        Node::Leaf(values.len() as u32 - 1)
    } else {
        raw.split(Test::Below(f64::from(raw.number)))
    }
}

/// Words of a structure that has been read whole.
struct Structure<'a>(&'a [u8]);

impl Structure<'_> {
    fn word(&self, at: usize) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.0[at * 4..][..4]);
        u32::from_le_bytes(word)
    }

    fn float(&self, at: usize) -> f32 {
        f32::from_bits(self.word(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_early_is_refused() {
        let whole = std::fs::read("tests/data/xgboost-1.7.6/one-leaf.model").unwrap();
        assert!(read(&whole).is_ok());
        // The learner's attributes follow the trees, and nobody needs them.
        let needed = whole.len() - 300;
        for length in (0..needed).step_by(7) {
            if let Ok(ensemble) = read(&whole[..length]) {
                assert_eq!(ensemble, read(&whole).unwrap());
            }
        }
        let error = read(&whole[..200]).unwrap_err().to_string();
        assert_eq!(error, "The file is not a XGBoost model: it ends too early.");
    }
}
